"""An answer read as it arrives: the other half of the reader, for a caller of a declared operation (asmx-14).

Document types are refused; depth, attributes and different names are bounded as in requests. The caller bounds the
size. An answer that declares UTF-16 and is not in it is read as UTF-8, as requests are.
"""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

from soapstone.wire.answer_rows import AnswerRows, quick
from soapstone.wire.contract import Contract, Operation
from soapstone.wire.envelope import VERSIONS
from soapstone.wire.faults import MalformedXml, ValueFault
from soapstone.wire.frames import MAX_DEPTH, Attributes, Frame, FrameStack, Place, Source, SpooledContent, StructFrame
from soapstone.wire.plan import SEPARATOR, MemberPlan, Plans
from soapstone.wire.reader import MAX_NAMES, PIECE
from soapstone.wire.types import Struct
from soapstone.wire.values import ValueRefused
from soapstone.xml_declaration import MAX_DECLARATION, can_be_followed

# Characters that are kept of the text of a fault.
LONGEST_FAULT = 2_000
# Bytes of an answer that is held as a whole, for the shortcut; of a larger one the parser reads piece by piece.
LARGEST_WHOLE = 8 * 1024 * 1024


class AnswerError(Exception):
    """What came back is no answer of the operation; the message says why."""


class AnswerFault(Exception):
    """The service answered with a SOAP fault; the message is its text."""


class AnswerReader(FrameStack):
    """One answer. `feed` it pieces, then `finish`."""

    def __init__(self, contract: Contract, operation: Operation) -> None:
        self._contract = contract
        self._plans = Plans.of(contract)
        self._operation = operation
        self._rows = AnswerRows.of(contract, operation)
        # What the parser has not got yet.
        self._whole = bytearray()
        self.answer: Struct | None = None
        self.fault: list[str] = []
        self.is_fault = False
        super().__init__(_RootFrame(self))
        self._names: dict[str, str] = {}
        self._text_of: MemberPlan | None = None
        self._texts: list[str] = []
        # The beginning of the answer, until it tells its encoding.
        self._beginning = bytearray()
        self._parser: expat.XMLParserType | None = None

    def feed(self, piece: bytes) -> None:
        """Take the next piece. Raises AnswerError."""
        if self._rows is None:
            self._parse(piece, False)
            return
        self._whole += piece
        if len(self._whole) > LARGEST_WHOLE:
            self._rows = None
            self._parse(bytes(self._whole), False)
            self._whole.clear()

    def finish(self) -> Struct:
        """End the answer and return it. Raises AnswerError and AnswerFault."""
        body = bytes(self._whole)
        cut = None if self._rows is None else self._rows.cut(body)
        if cut is not None and (answer := self._with_rows(*cut)) is not None:
            return answer
        self._parse(body, True)
        if self.is_fault:
            raise AnswerFault(" ".join("".join(self.fault).split())[:LONGEST_FAULT])
        if self.answer is None:
            raise AnswerError(f"The answer holds no {self._operation.response.__name__}.")
        return self.answer

    def _with_rows(self, rest: bytes, rows: list[Struct]) -> Struct | None:
        """Return the answer of the rest with these rows in its array; None if the rest is no answer with that array."""
        assert self._rows is not None  # noqa: S101  it has cut them
        other = AnswerReader(self._contract, self._operation)
        other._rows = None
        try:
            other.feed(rest)
            answer: Any = other.finish()
        except (AnswerError, AnswerFault):
            return None
        place = answer
        for name in self._rows.path[:-1]:
            place = getattr(place, name, None)
        if getattr(place, self._rows.path[-1], None) != []:
            return None
        setattr(place, self._rows.path[-1], rows)
        return answer  # type: ignore[no-any-return]

    def _open(self, start: bytes) -> expat.XMLParserType:
        parser = expat.ParserCreate(None if can_be_followed(start) else "utf-8", SEPARATOR, intern=self._names)
        parser.buffer_text = True
        parser.buffer_size = PIECE
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = _refuse_doctype
        return parser

    def _parse(self, piece: bytes, final: bool) -> None:
        if self._parser is None:
            self._beginning += piece
            if len(self._beginning) <= MAX_DECLARATION and not final:
                return
            piece = bytes(self._beginning)
            self._parser = self._open(piece)
        try:
            self._parser.Parse(piece, final)
        except (expat.ExpatError, ValueError, LookupError, MalformedXml, ValueFault) as error:
            raise AnswerError(f"The answer to {self._operation.name} cannot be read: {error}") from None
        if len(self._names) > MAX_NAMES:
            raise AnswerError(f"The answer to {self._operation.name} has too many different names.")

    # --- what frames ask for -----------------------------------------------------------------------------------------

    def position(self) -> tuple[int, int]:
        """Return line and column."""
        assert self._parser is not None  # noqa: S101  asked for while it parses
        return self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1

    def keep(self, size: int) -> None:
        """Count nothing: the caller bounds the size of the answer."""

    def keep_text(self, text: str) -> None:
        """Count nothing either."""

    def join_text(self, joined: bool) -> None:
        """Change nothing: text comes in large pieces."""

    def spool(self, place: Place) -> SpooledContent:
        """Refuse: no answer holds an upload."""
        raise MalformedXml("an answer holds no upload")

    def open_payload(self, name: str) -> Frame | None:
        """Return the frame of the answer's element, or of a fault."""
        local = name.rpartition(SEPARATOR)[2]
        if local == "Fault" and name.rpartition(SEPARATOR)[0] in VERSIONS:
            self.is_fault = True
            return _FaultFrame(self)
        if name != self._plans.key(self._operation.response.__name__):
            return None

        def place(value: Any) -> None:
            self.answer = value

        return StructFrame(self._plans.struct(self._operation.response_type), place)

    # --- parser events -----------------------------------------------------------------------------------------------

    def _start(self, name: str, attributes: Attributes) -> None:
        if self._text_of is not None:
            raise MalformedXml("an element stands where a text is expected")
        frame = self._frame
        if not (attributes or self._skip) and type(frame) is StructFrame and self._depth < MAX_DEPTH:
            # Nearly all elements are such: values of a row. A frame for each would take twice the time.
            member = frame.plan.members.get(name)
            plain = member is not None and member.convert is not None and not member.flat
            if plain and member is not None and member.name not in frame.values:
                self._depth += 1
                self._text_of = member
                self._texts.clear()
                return
        super()._start(name, attributes)

    def _end(self, name: str) -> None:
        member, frame = self._text_of, self._frame
        if member is None:
            super()._end(name)
            return
        self._depth -= 1
        self._text_of = None
        assert isinstance(frame, StructFrame)  # noqa: S101  the only one that is read so
        frame.values[member.name] = self._value(member, "".join(self._texts))

    def _text(self, data: str) -> None:
        if self._text_of is not None:
            self._texts.append(data)
        else:
            super()._text(data)

    def _value(self, member: MemberPlan, text: str) -> Any:
        assert member.convert is not None  # noqa: S101  asked for before
        try:
            return quick(member.convert)(text)
        except ValueRefused as refused:
            raise ValueFault(str(refused), *self.position()) from None


class _RootFrame(Frame):
    """The document, its envelope and its body: three levels, of which each takes one name."""

    __slots__ = ("level", "reader")

    def __init__(self, reader: AnswerReader, level: int = 0) -> None:
        self.reader = reader
        self.level = level

    def child(self, source: Source, name: str, attributes: Attributes) -> Frame | None:
        if self.level == 2:
            return self.reader.open_payload(name)
        namespace, _, local = name.rpartition(SEPARATOR)
        if local == ("Envelope", "Body")[self.level] and namespace in VERSIONS:
            return _RootFrame(self.reader, self.level + 1)
        if self.level == 0:
            raise MalformedXml("it is no SOAP envelope")
        return None


class _FaultFrame(Frame):
    """A fault, of which the text in `faultstring` or `Reason` counts."""

    __slots__ = ("counts", "reader")

    def __init__(self, reader: AnswerReader, *, counts: bool = False) -> None:
        self.reader = reader
        self.counts = counts

    def child(self, source: Source, name: str, attributes: Attributes) -> Frame | None:
        local = name.rpartition(SEPARATOR)[2]
        return _FaultFrame(self.reader, counts=self.counts or local in ("faultstring", "Reason"))

    def text(self, source: Source, data: str) -> None:
        if self.counts and len(self.reader.fault) < LONGEST_FAULT:
            self.reader.fault.append(data)


def _refuse_doctype(*_: Any) -> None:
    raise MalformedXml("a document type declaration is not allowed")
