"""A request read as it arrives: envelope, header, routing, body, by a push parser (asmx-6 to asmx-17, asmx-22).

Document types are refused; depth, attributes, unfinished markup and kept data are bounded. Only spooled members may
be of any size; their content waits in `spools` until the endpoint takes it.
"""

import codecs
from collections.abc import Callable
from typing import Any
from xml.parsers import expat

from soapstone.wire.contract import Operation
from soapstone.wire.envelope import SOAP_11, VERSIONS, SoapVersion
from soapstone.wire.faults import MalformedXml, MustUnderstandFault, ReadFault, VersionMismatchFault, unroutable
from soapstone.wire.frames import Attributes, Frame, FrameStack, Place, Source, SpooledContent, StructFrame
from soapstone.wire.negotiation import Negotiation
from soapstone.wire.plan import SEPARATOR, Plans
from soapstone.wire.schema import struct_type
from soapstone.wire.types import Struct
from soapstone.xml_declaration import MAX_DECLARATION, can_be_followed

PIECE = 64 * 1024
"""Bytes given to the parser at a time."""
EARLY_PIECE = 4 * 1024
"""The same before the caller is known, so that little is parsed behind the header."""
MAX_EARLY = 64 * 1024
"""Bytes of a request up to the end of its header, or of a whole request without a header.

Never more; a header that ends in the last `EARLY_PIECE` of them may be refused too, depending on the pieces.
"""
MAX_STALL = 256 * 1024
"""Bytes of one unfinished token: the parser rescans it with every piece, so the work would grow with the square.

A guard, not an exact limit: where between one and three times this size a token is refused depends on the pieces.
"""
MAX_NAMES = 10_000
"""Different names of elements and attributes, and different prefixes: the parser remembers every one."""


# Bytes outside the charset become a character that XML forbids, so that the parser refuses them at their place, after
# everything before them, however the body is split.
_AS_NUL = "soapstone.wire.nul"


def _nul(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError | UnicodeEncodeError)  # noqa: S101  there is no other kind here
    return "\0", error.end


codecs.register_error(_AS_NUL, _nul)


class UnsupportedMedia(Exception):
    """A SOAP 1.1 envelope under the media type of 1.2 (asmx-11)."""


class Reader(FrameStack):
    """One request. `feed` it pieces, then `finish`; both raise Fault, MalformedXml or UnsupportedMedia.

    `operation`, `version` and `header` are set as soon as they are read; `ready` says that the operation is known
    and the header complete; `request` is set after `finish`. Little is kept until `trust` says that the caller is
    known.
    """

    def __init__(self, plans: Plans, negotiation: Negotiation, max_kept: int) -> None:
        self.plans = plans
        self.negotiation = negotiation
        self.version: SoapVersion | None = None
        self.operation: Operation | None = negotiation.operation
        self.header: Struct | None = None
        self.request: Struct | None = None
        self.header_complete = False
        self.spools: list[SpooledContent] = []
        self._max_kept = max_kept
        self.kept = 0
        self._early: int | None = 0
        self._unspooled = 0
        super().__init__(_RootFrame(self))
        self._start_of_body = b""
        self._held = bytearray()
        self._parser: expat.XMLParserType | None = None
        self._recode: Callable[[bytes, bool], bytes] | None = None
        self._names: dict[str, str] = {}
        self._prefixes: dict[str | None, str] = {}
        self._progress = -1
        self._stalled = 0
        self._header_refused = ""

    @property
    def ready(self) -> bool:
        return self.header_complete and self.operation is not None

    # --- input ---------------------------------------------------------------------------------------------------

    def feed(self, piece: bytes) -> None:
        """Take the next piece, at most `PIECE` bytes, and at most `EARLY_PIECE` before `trust`."""
        if self._early is not None:
            self._early += len(piece)
            if self._early > MAX_EARLY:
                self._refuse_early()
        if self._parser is None:
            self._start_of_body += piece
            if not self._shows_encoding(self._start_of_body):
                return
            piece, self._start_of_body = self._start_of_body, b""
            self._open(piece)
        if self._held or len(piece) < self._stalled:
            # The parser is inside a long token and would rescan it for every few bytes.
            self._held += piece
            if len(self._held) < self._stalled:
                return
            piece = bytes(self._held)
            self._held.clear()
        self._parse(piece, False)

    def trust(self) -> None:
        """Trust the caller, who is known by the header; for an operation without one nothing changes."""
        if self.operation is not None and self.operation.header:
            self._early = None

    def _refuse_early(self) -> None:
        if not self.ready:
            raise ReadFault(f"The header does not end within the first {MAX_EARLY} bytes.")
        if self.operation is not None and not self.operation.header:
            raise ReadFault("The request is too long.")

    def finish(self) -> None:
        """End the body."""
        piece, self._start_of_body = self._start_of_body, b""
        if self._parser is None:
            self._open(piece)
        self._parse(bytes(self._held) + piece, True)

    def close(self) -> None:
        """Drop the parser, which references this reader."""
        parser, self._parser = self._parser, None
        self._skip = 1  # ignore text that the parser still holds
        if parser is not None:
            parser.StartElementHandler = None
            parser.EndElementHandler = None
            parser.CharacterDataHandler = None
            parser.StartDoctypeDeclHandler = None
            parser.XmlDeclHandler = None
            parser.CommentHandler = None
            parser.ProcessingInstructionHandler = None
            parser.StartNamespaceDeclHandler = None
        self._frame = Frame()  # frames of the envelope reference this reader

    def _shows_encoding(self, start: bytes) -> bool:
        """Return whether the beginning of a body is long enough to tell its encoding."""
        if len(start) < 4:
            return False
        declared = self.negotiation.charset is None and start.startswith(b"<?xm")
        return not declared or b"?>" in start or len(start) > MAX_DECLARATION

    def _open(self, start: bytes) -> None:
        """Make the parser for the encoding: BOM, then charset, then what the XML itself says (asmx-12)."""
        charset = self.negotiation.charset
        encoding: str | None
        if start[:3] == codecs.BOM_UTF8:
            encoding = "utf-8"
        elif start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            encoding = "utf-16"
        elif charset in ("utf-16", "utf-16-le"):
            encoding = "utf-16le"
        elif charset == "utf-16-be":
            encoding = "utf-16be"
        elif charset is None:
            encoding = None if can_be_followed(start) else "utf-8"
        elif charset == "utf-8":
            encoding = charset
        else:
            encoding = "utf-8"
            decode = codecs.getincrementaldecoder(charset)(_AS_NUL).decode
            self._recode = lambda data, final: decode(data, final).encode("utf-8", _AS_NUL)
        parser = expat.ParserCreate(encoding, SEPARATOR, intern=self._names)
        # Newer parsers defer events to save rescans; `feed` does so too, but not by the bytes received.
        set_deferral = getattr(parser, "SetReparseDeferralEnabled", None)
        if set_deferral is not None:
            set_deferral(False)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.XmlDeclHandler = _check_declaration
        parser.CommentHandler = self._aside
        parser.ProcessingInstructionHandler = self._aside
        # Counts different prefixes without a call into Python code.
        parser.StartNamespaceDeclHandler = self._prefixes.setdefault
        self._parser = parser

    def _parse(self, piece: bytes, final: bool) -> None:
        parser = self._parser
        assert parser is not None  # noqa: S101  opened by the callers
        spooling = self._spooling
        try:
            if self._recode is not None:
                piece = self._recode(piece, final)
            parser.Parse(piece, final)
        except expat.ExpatError as error:
            # Deliver buffered text before the error, as if a piece ended there.
            parser.buffer_text = False
            raise MalformedXml(str(error)) from None
        except (ValueError, LookupError) as error:
            # Bytes outside the charset, or an unknown encoding in the XML declaration.
            raise MalformedXml(str(error)) from None
        if len(self._names) > MAX_NAMES or len(self._prefixes) > MAX_NAMES:
            raise MalformedXml("the markup has too many different names")
        if not (spooling and self._spooling):
            self._unspooled += len(piece)
            if self._unspooled > 4 * self._max_kept:
                raise ReadFault("The request is too long.")
        progress = parser.CurrentByteIndex
        # It is -1 while a parser without that switch defers events (Debian's for Python 3.11): no progress.
        if progress > self._progress:
            self._progress = progress
            self._stalled = 0
        else:
            self._stalled += len(piece)
            if self._stalled > MAX_STALL:
                raise MalformedXml("a part of the markup is too long")

    @property
    def _spooling(self) -> bool:
        return bool(self.spools) and not self.spools[-1].complete

    # --- what frames ask for -------------------------------------------------------------------------------------

    def position(self) -> tuple[int, int]:
        parser = self._parser
        assert parser is not None  # noqa: S101  frames work inside the parser only
        return parser.CurrentLineNumber, parser.CurrentColumnNumber + 1

    def keep_text(self, text: str) -> None:
        self.keep(len(text) if text.isascii() else 4 * len(text))

    def keep(self, size: int) -> None:
        self.kept += size
        if self.kept > self._max_kept:
            raise ReadFault("The request is too long.")

    def join_text(self, joined: bool) -> None:
        parser = self._parser
        if parser is not None:
            parser.buffer_text = joined
            if joined:
                parser.buffer_size = PIECE

    def spool(self, place: Place) -> SpooledContent:
        content = SpooledContent(place)
        self.spools.append(content)
        return content

    def _aside(self, *_: str) -> None:
        """Take a comment or a processing instruction."""
        if not self._skip:
            self._frame.aside()

    # --- envelope ------------------------------------------------------------------------------------------------

    def open_envelope(self, name: str) -> Frame:
        namespace, _, local = name.rpartition(SEPARATOR)
        version = VERSIONS.get(namespace)
        if version is None:
            raise VersionMismatchFault(namespace)
        self.version = version
        if local != "Envelope":
            raise ReadFault("Request format is invalid: Missing required soap:Envelope element.")
        if version is SOAP_11 and self.negotiation.only_12:
            raise UnsupportedMedia
        return _EnvelopeFrame(self, version)

    def open_header_block(self, version: SoapVersion, name: str, attributes: Attributes) -> Frame | None:
        required = _must_understand(version, attributes)
        local = name.rpartition(SEPARATOR)[2]
        plans = self.plans
        ours = name == plans.header_key and (self.operation is None or self.operation.header)
        if not ours or plans.header is None:
            if required:
                raise MustUnderstandFault(local)
            return None
        if self.header is not None:
            return None
        if required:
            self._header_refused = local

        def place(value: Any) -> None:
            self.header = value

        return StructFrame(plans.header, place)

    def open_payload(self, name: str) -> Frame | None:
        if self.operation is None:
            self.operation = self.plans.operations.get(name)
            if self.operation is None:
                raise unroutable(self.negotiation.action)
            if not self.operation.header:
                if self._header_refused:
                    raise MustUnderstandFault(self._header_refused)
                self.header = None
        if name != self.plans.key(self.operation.name):
            # The action decides; without a wrapper of its name it is a call without parameters (asmx-10).
            return None

        def place(value: Any) -> None:
            self.request = value

        return StructFrame(self.plans.struct(struct_type(self.operation.request)), place)

    def require_operation(self) -> Operation:
        """Return the operation. Raises a fault if none is named."""
        if self.operation is None:
            raise unroutable(self.negotiation.action)
        return self.operation

    def close_body(self) -> None:
        operation = self.require_operation()
        if self.request is None:
            self.request = operation.request()


def _refuse_doctype(*_: Any) -> None:
    raise MalformedXml("a document type declaration is not allowed")


def _check_declaration(version: str, encoding: str | None, standalone: int) -> None:
    if version != "1.0":
        raise MalformedXml(f"the version of XML is {version}")


def _must_understand(version: SoapVersion, attributes: Attributes) -> bool:
    """Return whether a header block must be understood. The runtime ignored its target (fault table)."""
    if not attributes:
        return False
    return attributes.get(f"{version.namespace}{SEPARATOR}mustUnderstand", "").strip() in ("1", "true")


class _RootFrame(Frame):
    __slots__ = ("reader",)

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def child(self, source: Source, name: str, attributes: Attributes) -> Frame | None:
        return self.reader.open_envelope(name)


class _EnvelopeFrame(_RootFrame):
    __slots__ = ("body_key", "header_key", "seen_body", "seen_header", "version")

    def __init__(self, reader: Reader, version: SoapVersion) -> None:
        super().__init__(reader)
        self.version = version
        self.header_key = f"{version.namespace}{SEPARATOR}Header"
        self.body_key = f"{version.namespace}{SEPARATOR}Body"
        self.seen_header = False
        self.seen_body = False

    def child(self, source: Source, name: str, attributes: Attributes) -> Frame | None:
        if name == self.header_key and not self.seen_header and not self.seen_body:
            self.seen_header = True
            return _HeaderFrame(self.reader, self.version)
        if name == self.body_key and not self.seen_body:
            self.seen_body = True
            self.reader.header_complete = True
            return _BodyFrame(self.reader)
        self._expect_body()
        return None

    def text(self, source: Source, data: str) -> None:
        if data.strip():
            self._expect_body()

    def _expect_body(self) -> None:
        """Refuse anything before the Body except one Header."""
        if not self.seen_body:
            raise ReadFault("Request format is invalid: Missing required soap:Body element.")

    def done(self, source: Source) -> None:
        if not self.seen_body:
            raise ReadFault("Request format is invalid: Missing required soap:Body element.")


class _HeaderFrame(_RootFrame):
    __slots__ = ("version",)

    def __init__(self, reader: Reader, version: SoapVersion) -> None:
        super().__init__(reader)
        self.version = version

    def child(self, source: Source, name: str, attributes: Attributes) -> Frame | None:
        return self.reader.open_header_block(self.version, name, attributes)

    def done(self, source: Source) -> None:
        self.reader.header_complete = True


class _BodyFrame(_RootFrame):
    __slots__ = ("seen",)

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.seen = False

    def child(self, source: Source, name: str, attributes: Attributes) -> Frame | None:
        if self.seen:
            return None
        frame = self.reader.open_payload(name)
        self.seen = frame is not None
        return frame

    def text(self, source: Source, data: str) -> None:
        if not self.seen and data.strip():
            self.reader.require_operation()

    def done(self, source: Source) -> None:
        self.reader.close_body()
