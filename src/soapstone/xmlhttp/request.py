"""The request document, parsed as it arrives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from xml.parsers import expat

from soapstone.accounts.logon import Identity
from soapstone.errors import InvalidError
from soapstone.product import ReceivedUpload
from soapstone.xml_declaration import MAX_DECLARATION, can_be_followed
from soapstone.xmlhttp.base64_stream import Base64Stream

# Bounds of the document: levels, bytes of the text of all members together, bytes of one unfinished
# token (expat rescans it with every piece that arrives).
DEPTH = 32
TEXT_SIZE = 16 << 20
TOKEN_SIZE = 256 << 10
# Different names of elements and attributes: the parser remembers every one.
NAMES = 10_000
# Bytes within which the credentials must come, and bytes parsed at a time until then.
EARLY = 64 << 10
EARLY_PIECE = 4 << 10
TOO_LATE = f"UserName and Password must come before File, within the first {EARLY} bytes."

# Members of WSMessage that a mail needs, and the number of a saved message; others are ignored.
MESSAGE_MEMBERS = frozenset(
    {"SavedMsgID", "ToName", "ReplyEmailAddress", "FromName", "FromEmailAddress", "Subject", "HTMLBody", "TextBody"}
)
MEMBERS = frozenset({"UserName", "Password", "ListID"})

_CHARSETS = frozenset({"utf-8", "utf-16", "iso-8859-1"})


class RequestReader:
    """Reads one request of a call ("SendToList", "SendToFile").

    `logon` is called with name and password as soon as both are read; it raises an error or returns the caller. Then
    the content of `<File>` is decoded, straight into an upload from `new_upload`. Name and password must come
    within the first `EARLY` bytes. Otherwise element order is free; of repeated members the first counts; unknown
    ones are ignored (lk-85). All methods raise InvalidError. Call `release` afterwards.
    """

    def __init__(
        self,
        call: str,
        logon: Callable[[str, str], Identity],
        new_upload: Callable[[], ReceivedUpload],
        charset: str = "",
    ) -> None:
        self.identity: Identity | None = None
        self.members: dict[str, str] = {}
        self.message: dict[str, str] | None = None
        self.file: Mapping[str, str] | None = None
        self.upload: ReceivedUpload | None = None
        self._call = call
        self._logon = logon
        self._new_upload = new_upload
        self._depth = 0
        self._in_message = False
        # The destination of the current text, and the depth of its element.
        self._text: list[str] = []
        self._text_depth = 0
        self.kept = 0
        self._base64: Base64Stream | None = None
        # Bytes given to the parser, those of them in an unfinished token, and those not given yet.
        # At first enough of them are held to hold a whole declaration.
        self._fed, self._open = 0, MAX_DECLARATION
        self._held = bytearray()
        self._names: dict[str, str] = {}
        self._charset = charset if charset in _CHARSETS else None
        self._parser = self._new_parser(self._charset)

    def _new_parser(self, encoding: str | None) -> expat.XMLParserType:
        parser = expat.ParserCreate(encoding, intern=self._names)
        parser.buffer_text = True
        parser.buffer_size = 64 << 10
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        return parser

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the document."""
        at = 0
        while at < len(data):
            left = len(data) - at
            if self.identity is None:
                # Little is parsed behind the credentials before they are checked.
                left = min(left, EARLY_PIECE, EARLY - self._fed - len(self._held))
                if not left:
                    self._parse_held()
                    if self.identity is None:
                        raise InvalidError(TOO_LATE)
                    continue
            self._held += data[at : at + left]
            at += left
            # The parser would rescan an unfinished tag for every few bytes.
            if len(self._held) >= self._open:
                self._parse_held()

    def _parse_held(self) -> None:
        data = bytes(self._held)
        self._held.clear()
        self._parse(data, False)
        self._fed += len(data)
        self._open = self._fed - max(self._parser.CurrentByteIndex, 0)
        if self._open > TOKEN_SIZE:
            raise InvalidError("The request has a tag that is too long.")
        if len(self._names) > NAMES:
            raise InvalidError("The request has too many different names.")

    def release(self) -> None:
        """Drop the parser, which references this reader: the cycle would stay in memory for a while."""
        self._parser.StartDoctypeDeclHandler = None
        self._parser.StartElementHandler = None
        self._parser.EndElementHandler = None
        self._parser.CharacterDataHandler = None
        self._text = []
        self._base64 = None

    def close(self) -> None:
        """End the document. A request without name and password is refused here."""
        self._parse(bytes(self._held), True)
        self._check_logon()

    def _parse(self, data: bytes, final: bool) -> None:
        if self._fed == 0 and self._charset is None and not can_be_followed(data):
            self._parser = self._new_parser("utf-8")
        try:
            self._parser.Parse(data, final)
        except expat.ExpatError as error:
            place = f"line {error.lineno}, column {error.offset + 1}"
            raise InvalidError(
                f"The request is not well-formed XML: {expat.ErrorString(error.code)}, {place}."
            ) from None
        except (ValueError, LookupError):
            # Raised by the parser itself: its handlers raise our own errors.
            raise InvalidError("The request is in an encoding that is not known here.") from None

    def _refuse_doctype(self, *_: object) -> None:
        raise InvalidError("The request has a document type declaration; none is allowed.")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > DEPTH:
            raise InvalidError("The request is nested too deeply.")
        if self._depth == 1 and name != self._call:
            raise InvalidError(f"The request is a {name[:100]} document, not {self._call}.")
        if self._depth == 2:
            if name in MEMBERS and name not in self.members:
                self._collect()
            elif name == "Message" and self.message is None:
                self.message = {}
                self._in_message = True
            elif name == "File" and self._call == "SendToFile" and self.file is None:
                self._begin_file(attributes)
        elif self._depth == 3 and self._in_message and name in MESSAGE_MEMBERS and name not in (self.message or {}):
            self._collect()

    def _end(self, name: str) -> None:
        if self._depth == self._text_depth:
            self._text_depth = 0
            text = "".join(self._text)
            if self._in_message and self.message is not None:
                self.message[name] = text
            else:
                self.members[name] = text
                if name != "ListID" and self.members.keys() >= {"UserName", "Password"}:
                    self._check_logon()
        elif self._depth == 2:
            self._in_message = False
            if self._base64 is not None:
                self._decode(None)
        self._depth -= 1

    def _characters(self, text: str) -> None:
        if self._text_depth == self._depth:
            self.kept += len(text) if text.isascii() else 4 * len(text)
            if self.kept > TEXT_SIZE:
                raise InvalidError(f"The request holds more than {TEXT_SIZE} bytes of text besides the file.")
            self._text.append(text)
        elif self._base64 is not None and self._depth == 2:
            self._decode(text)

    def _collect(self) -> None:
        self._text = []
        self._text_depth = self._depth

    def _check_logon(self) -> None:
        if self.identity is None:
            self.identity = self._logon(self.members.get("UserName", ""), self.members.get("Password", ""))

    def _begin_file(self, attributes: dict[str, str]) -> None:
        if self.identity is None:
            raise InvalidError(TOO_LATE)
        self.file = attributes
        self._base64 = Base64Stream(self._write)

    def _write(self, data: bytes) -> None:
        if self.upload is None:
            self.upload = self._new_upload()
        self.upload.write(data)

    def _decode(self, text: str | None) -> None:
        """Decode a piece of the file's content; None ends it."""
        assert self._base64 is not None  # noqa: S101 - asked by the callers
        try:
            if text is None:
                self._base64.close()
                self._base64 = None
            else:
                self._base64.feed(text)
        except ValueError:
            raise InvalidError("The content of File is not base64.") from None
