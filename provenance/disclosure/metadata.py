"""All metadata of one file, read once: blocks with their offsets, fields in one list, and what is malformed.

Rules: the whole file is read, also behind the picture's end; nothing raises on bad input; reading happens on first use.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property

from assay.provenance.asset import Asset
from assay.provenance.disclosure import bmff, gif, iim, jpeg, png, riff, samsung, xmp
from assay.provenance.disclosure.block import MAX_BLOCK, MAX_VALUE, Block, Budget, Carrier, Field, Flaw
from assay.provenance.disclosure.exif import NOT_TEXT, Exif, read_exif
from assay.provenance.media_type import MediaType

_RDF = xmp.RDF.encode()
_PACKET = re.compile(rb"<(?:[A-Za-z][\w.-]{0,31}:)?xmpmeta[\s>]")
_MAX_STRAY = 16  # packets outside their places, closed and unclosed
_MAX_LOOKS = 65_536


@dataclass
class Metadata:
    """What a file says in its metadata. Reading is lazy and shared: each property is computed once."""

    content: bytes = field(repr=False)
    media_type: MediaType
    _budget: Budget = field(default_factory=Budget, repr=False)

    @classmethod
    def of(cls, asset: Asset) -> "Metadata":
        """The metadata of an asset; nothing is read yet."""
        return cls(asset.content, asset.media_type)

    @cached_property
    def pictures(self) -> tuple[jpeg.Picture, ...]:
        """The JPEG pictures of a JPEG file, the primary one first; empty for other formats."""
        return jpeg.read_pictures(self.content, self._budget) if self.media_type is MediaType.JPEG else ()

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Every metadata block, in file order, stray XMP packets last."""
        found = self._in_container()
        return (*found, *self._stray(found))

    @cached_property
    def exif(self) -> Exif | None:
        """The primary picture's EXIF, or a TIFF file's own directories."""
        for place, exif in self._exifs:
            if place.primary:
                return exif
        return None

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """Every named value of every block. Where the file has none, an empty tuple."""
        found: list[Field] = []
        for block, exif in self._exifs:
            found += self._exif_fields(block, exif)
        for block in self.blocks:
            match block.carrier:
                case Carrier.XMP:
                    found += xmp.fields(block, self._budget)
                case Carrier.IIM | Carrier.RESOURCES:
                    found += iim.fields(block, self._budget)
                case Carrier.TEXT | Carrier.COMMENT | Carrier.SEF:
                    found += self._text_field(block)
        return tuple(found)

    @property
    def flaws(self) -> tuple[Flaw, ...]:
        """What was malformed, in everything that this file holds."""
        _ = self.fields
        return tuple(self._budget.flaws)

    def named(self, carrier: Carrier, name: str) -> tuple[Field, ...]:
        """The fields of one name, in file order."""
        return tuple(entry for entry in self.fields if entry.carrier is carrier and entry.name == name)

    @cached_property
    def _exifs(self) -> tuple[tuple[Block, Exif], ...]:
        return tuple(
            (block, read_exif(block.content, self._budget, base=block.offset if block.stored else 0, place=block.place))
            for block in self.blocks
            if block.carrier is Carrier.EXIF
        )

    def _in_container(self) -> list[Block]:
        match self.media_type:
            case MediaType.JPEG:
                behind = self.pictures[0].end
                return [
                    *jpeg.blocks(self.pictures, self._budget),
                    *samsung.blocks(self.content, behind, self._budget),
                ]
            case MediaType.PNG:
                return png.blocks(self.content, self._budget)
            case MediaType.WEBP:
                return riff.blocks(self.content, self._budget)
            case MediaType.GIF:
                return gif.blocks(self.content, self._budget)
            case MediaType.TIFF | MediaType.DNG:
                return self._tiff()
            case MediaType.AVIF | MediaType.HEIC | MediaType.HEIF | MediaType.JXL:
                return bmff.blocks(self.content, self._budget)
            case MediaType.SVG if _RDF in self.content and b"xmpmeta" not in self.content:
                return [
                    Block(
                        carrier=Carrier.XMP,
                        place="SVG metadata",
                        content=self._budget.cut(self.content, "SVG", 0),
                        offset=0,
                    )
                ]
            case MediaType.SVG | MediaType.BMP:
                return []

    def _tiff(self) -> list[Block]:
        """A TIFF file is one directory structure; XMP, IIM and image resources are values of its tags."""
        carriers = {0x02BC: Carrier.XMP, 0x83BB: Carrier.IIM, 0x8649: Carrier.RESOURCES, 0x8773: Carrier.ICC}
        found = [Block(carrier=Carrier.EXIF, place="TIFF", content=self.content, offset=0)]
        for entry in read_exif(self.content, self._budget, place="TIFF").entries:
            if carrier := carriers.get(entry.tag):
                place = f"TIFF {entry.name}"
                content = self._budget.cut(bytes(entry.raw[: MAX_BLOCK + 1]), place, entry.offset)
                found.append(Block(carrier=carrier, place=place, content=content, offset=entry.offset,
                                   primary=entry.directory == "IFD0"))  # fmt: skip
        return found

    def _stray(self, known: list[Block]) -> list[Block]:
        """XMP packets outside the places that the format has for them: behind the picture, in trailers, in SVG."""
        spans = sorted(
            (block.offset, block.offset + len(block.content))
            for block in known
            if block.stored and block.carrier is not Carrier.EXIF
        )
        found: list[Block] = []
        at = unclosed = 0
        while len(found) < _MAX_STRAY and unclosed < _MAX_STRAY and (start := self._next_packet(at)) >= 0:
            before = bisect_right(spans, (start, len(self.content))) - 1
            if before >= 0 and start < spans[before][1]:
                at = spans[before][1]
                continue
            end = self.content.find(b"xmpmeta>", start, start + MAX_BLOCK)
            if end < 0:
                unclosed += 1
                at = start + 8
                continue
            at = end + len(b"xmpmeta>")
            found.append(
                Block(
                    carrier=Carrier.XMP,
                    place="stray XMP",
                    content=self.content[start:at],
                    offset=start,
                    primary=self.media_type is MediaType.SVG,
                )
            )
        return found

    def _next_packet(self, at: int) -> int:
        """The offset of the next packet's opening tag, or -1; gives up where the word occurs absurdly often."""
        for _ in range(_MAX_LOOKS):
            hit = self.content.find(b"xmpmeta", at)
            if hit < 0:
                return -1
            if found := _PACKET.search(self.content, max(at, hit - 34), hit + 8):
                return found.start()
            at = hit + 7
        return -1

    def _exif_fields(self, block: Block, exif: Exif) -> list[Field]:
        found = []
        for entry in exif.entries:
            if entry.tag in NOT_TEXT or not (text := entry.text):
                continue
            self._budget.values -= len(text)
            if self._budget.values < 0:
                self._budget.flaw(
                    "metadata-too-large", f"{block.place}: its values are too long to be kept", block.offset
                )
                break
            name = entry.name if entry.directory != "IFD1" else f"thumbnail {entry.name}"
            found.append(Field(Carrier.EXIF, name, text, entry.offset if block.stored else None, block.primary))
        return found

    def _text_field(self, block: Block) -> list[Field]:
        raw = block.content[:MAX_VALUE]
        self._budget.values -= len(raw)
        if self._budget.values < 0:
            self._budget.flaw("metadata-too-large", f"{block.place}: the texts are too long to be kept", block.offset)
            return []
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        return [Field(block.carrier, block.key, text.rstrip("\0"), block.offset, block.primary)]
