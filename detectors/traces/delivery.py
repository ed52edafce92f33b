"""Marks that messengers, networks and screenshot functions leave on what passes through them.

Rules: a rule is data with its source; a file's name can be typed by anybody, so a name is told as a name; nothing is
concluded from what such services usually remove.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from assay.provenance.disclosure.block import Carrier, Field
from assay.provenance.disclosure.metadata import Metadata


@dataclass(frozen=True, slots=True)
class FieldRule:
    """A metadata field that a service writes. `pattern` must match from the value's beginning."""

    service: str
    carrier: Carrier
    name: re.Pattern[str]
    pattern: re.Pattern[str]
    source: str


@dataclass(frozen=True, slots=True)
class NameRule:
    """A file name that a program gives to what it saves. `pattern` must match the whole name without its folder."""

    service: str
    pattern: re.Pattern[str]
    source: str


FIELDS = (
    FieldRule(
        "Facebook or Instagram",
        Carrier.IIM,
        re.compile(r"(?:2:40|SpecialInstructions|.*Instructions)$", re.IGNORECASE),
        re.compile(r"FBMD[0-9a-f]{8,}"),
        "P. Peccatte, 'IPTC metadata automatically added to uploaded images on Facebook', 2015, and replies",
    ),
    FieldRule(
        "a screenshot on an Apple device",
        Carrier.EXIF,
        re.compile(r"UserComment$"),
        re.compile(r"Screenshot$"),
        "EXIF UserComment of iOS and iPadOS screenshots (observed since iOS 9)",
    ),
)
NAMES = (
    NameRule("WhatsApp", re.compile(r"IMG-20\d{6}-WA\d{4}( ?\(\d+\))?\.\w+"), "WhatsApp for Android's media folder"),
    NameRule(
        "WhatsApp", re.compile(r"WhatsApp Image 20\d\d-\d\d-\d\d at .+\.\w+"), "WhatsApp for iOS, desktop and web"
    ),
    NameRule("Telegram", re.compile(r"photo_20\d\d-\d\d-\d\d_\d\d-\d\d-\d\d( ?\(\d+\))?\.\w+"), "Telegram Desktop"),
    NameRule("Signal", re.compile(r"signal-20\d\d-\d\d-\d\d-.+\.\w+"), "Signal for Android and desktop"),
    NameRule("Facebook", re.compile(r"FB_IMG_\d{13}\.\w+"), "Facebook for Android"),
    NameRule("Facebook Messenger", re.compile(r"received_\d{10,}\.\w+"), "Messenger for Android"),
    NameRule("Snapchat", re.compile(r"Snapchat-\d{6,}\.\w+"), "Snapchat for Android"),
    NameRule(
        "a screenshot", re.compile(r"Screenshot[_ -].*\d{4}.*\.\w+", re.IGNORECASE), "Android, Windows, GNOME, macOS"
    ),
    NameRule(
        "a screenshot", re.compile(r"(Screen Shot|Bildschirmfoto|Capture d.écran|Captura de pantalla) .+\.\w+"), "macOS"
    ),
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A service named by a field, or (`field` None) by the file's name."""

    service: str
    field: Field | None
    name: str


def deliveries(metadata: Metadata, name: str) -> tuple[Delivery, ...]:
    """Every service whose mark the metadata or the file's name carry."""
    found = [
        Delivery(rule.service, field, name)
        for field in metadata.fields
        for rule in FIELDS
        if field.carrier is rule.carrier and rule.name.search(field.name) and rule.pattern.match(field.value.strip())
    ]
    last = PurePosixPath(name.replace("\\", "/")).name
    found += [Delivery(rule.service, None, last) for rule in NAMES if rule.pattern.fullmatch(last)]
    return tuple(found)
