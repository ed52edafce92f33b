"""Reading XMP by namespace URI: any prefix, element or attribute, nested structures named by their path.

Rules: entity declarations end the reading (no XML bomb expands, nothing external is fetched); what was read before a
syntax error counts; properties, depth and text are bounded. Source: ISO 16684-1; W3C RDF/XML.
"""

from xml.parsers import expat

from assay.provenance.disclosure.block import MAX_FIELDS, MAX_VALUE, Block, Budget, Carrier, Field

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NAMESPACES = {  # URI → the prefix under which assay names its properties, whatever prefix the file uses
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "Iptc4xmpCore",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/mm/": "xmpMM",
    "http://ns.adobe.com/xap/1.0/rights/": "xmpRights",
    "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#": "stEvt",
    "http://ns.adobe.com/xap/1.0/sType/ResourceRef#": "stRef",
    "http://ns.adobe.com/xmp/note/": "xmpNote",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://cipa.jp/exif/1.0/": "exifEX",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
    "http://www.tc260.org.cn/ns/AIGC/1.0/": "TC260",
    "http://ns.google.com/photos/1.0/container/": "Container",
    "http://ns.google.com/photos/1.0/camera/": "GCamera",
    "http://ns.adobe.com/camera-raw-settings/1.0/": "crs",
    "http://ns.useplus.org/ldf/xmp/1.0/": "plus",
    "http://ns.adobe.com/hdr-gain-map/1.0/": "hdrgm",
    "http://ns.apple.com/HDRGainMap/1.0/": "HDRGainMap",
}
_SYNTAX = frozenset({"RDF", "Description", "li", "Bag", "Seq", "Alt", "value"})
_NOT_PROPERTIES = frozenset({"about", "parseType", "ID", "nodeID", "datatype", "resource"})
_MAX_DEPTH = 64
_CHUNK = 65_536


class _Stop(Exception):
    def __init__(self, code: str, statement: str) -> None:
        super().__init__(statement)
        self.code = code


class _Reader:
    """Handlers of one packet: a stack of elements, and a field for every leaf."""

    def __init__(self, block: Block, budget: Budget) -> None:
        self.block = block
        self.budget = budget
        self.fields: list[Field] = []
        self.stack: list[tuple[str, list[str], int, bool]] = []  # property path, text, offset, has children
        self.rdf = 0
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.text
        self.parser.EntityDeclHandler = self.entity

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.budget.events -= 1 + len(attributes)
        if self.budget.events < 0 or len(self.stack) >= _MAX_DEPTH:
            raise _Stop("too-many-pieces", "its XML is too deep or has too many elements")
        uri, _, local = name.rpartition(" ")
        if uri == RDF and local == "RDF":
            self.rdf += 1
        path = self.stack[-1][0] if self.stack else ""
        if self.rdf and not (uri == RDF and local in _SYNTAX):
            path = f"{path}/{_named(uri, local)}" if path else _named(uri, local)
        if self.stack:
            above = self.stack[-1]
            self.stack[-1] = (above[0], above[1], above[2], True)
        self.stack.append((path, [], self.offset, False))
        if self.rdf:
            for key, value in attributes.items():
                space, _, attribute = key.rpartition(" ")
                if space == RDF and attribute in _NOT_PROPERTIES:
                    if attribute == "resource" and path:
                        self.add(path, value)
                elif space and space != "http://www.w3.org/XML/1998/namespace":
                    self.add(f"{path}/{_named(space, attribute)}" if path else _named(space, attribute), value)

    def end(self, name: str) -> None:
        path, text, offset, parent = self.stack.pop()
        value = "".join(text).strip()
        if self.rdf and path and value and not parent:
            self.add(path, value, offset)
        if name == f"{RDF} RDF":
            self.rdf -= 1

    def text(self, piece: str) -> None:
        if self.rdf and self.stack and sum(map(len, self.stack[-1][1])) < MAX_VALUE:
            self.stack[-1][1].append(piece[:MAX_VALUE])

    def entity(self, *_: object) -> None:
        raise _Stop("xml-entities", "it declares XML entities, which no XMP needs")

    @property
    def offset(self) -> int:
        return self.parser.CurrentByteIndex

    def add(self, path: str, value: str, offset: int | None = None) -> None:
        self.budget.fields -= 1
        if self.budget.fields < 0:
            raise _Stop("too-many-pieces", f"the file has more than {MAX_FIELDS:,} properties")
        self.budget.values -= len(value)
        if self.budget.values < 0:
            raise _Stop("metadata-too-large", "its values are too long to be kept")
        at = self.offset if offset is None else offset
        self.fields.append(
            Field(Carrier.XMP, path, value[:MAX_VALUE], self.block.offset + at if self.block.stored else None,
                  self.block.primary)
        )  # fmt: skip


def fields(block: Block, budget: Budget) -> list[Field]:
    """The leaf properties of one packet, named like "Iptc4xmpExt:DigitalSourceType" or "xmpMM:History/stEvt:action"."""
    content = block.content.strip(b"\0")
    if not content.strip():
        return []
    reader = _Reader(block, budget)
    try:
        for at in range(0, len(content), _CHUNK):
            reader.parser.Parse(content[at : at + _CHUNK], at + _CHUNK >= len(content))
    except _Stop as stop:
        budget.flaw(stop.code, f"{block.place}: {stop}", block.offset)
    except (expat.ExpatError, ValueError, LookupError, UnicodeError) as error:
        budget.flaw("malformed-xmp", f"{block.place}: no well-formed XML: {error}", block.offset)
    return reader.fields


def _named(uri: str, local: str) -> str:
    prefix = NAMESPACES.get(uri)
    return f"{prefix}:{local}" if prefix else f"{{{uri}}}{local}"
