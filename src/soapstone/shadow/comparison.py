"""Two answers to one call, compared member by member as the contract declares them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from soapstone.shadow.markup import Element
from soapstone.shadow.masking import MASKED_DOMAIN
from soapstone.shadow.numbers import Numbers, kind_of
from soapstone.vocabulary.agreements import Agreement
from soapstone.wire.contract import Contract, Operation
from soapstone.wire.schema import ArrayType, EnumType, Member, ScalarType, StructType, WireType
from soapstone.wire.values import READERS, ValueRefused

# The contract leaves these texts to the service: structure → members, in lower case.
_TEXTS = {
    "WSException": {"description", "soapmethod"},
    "Error": {"errorcode", "errordetails", "errormessage", "errornumber", "errortype"},
    "UploadListResult": {"mm_filename"},
}
_CLOCK = 120.0
"""Seconds by which the clocks of two services may differ, besides the lag of the call here."""
_FARTHEST_ZONE = 14 * 3600.0
_HALF_HOUR = 1800.0
_FULL_PAGE = 10
"""Sizes of pages are multiples of it."""
_LONGEST_TEXT = 200
_DATES = ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True)
class Found:
    """One member of an answer: its place, how it compares, and both values; None for an absent one."""

    place: str
    agreement: Agreement
    live: str | None
    ours: str | None


@dataclass(frozen=True)
class Outcome:
    """An answer: the element inside its Body, or the code and text of its fault."""

    element: Element | None
    fault: tuple[str, str] | None = None

    @classmethod
    def of(cls, envelope: Element) -> Outcome:
        """Return the outcome that an envelope holds."""
        body = envelope.child("Body")
        inner = body.children[0] if body is not None and body.children else None
        if inner is None or inner.name != "Fault":
            return cls(inner)
        code, text = inner.child("faultcode"), inner.child("faultstring")
        if code is None:
            code = next(iter((inner.child("Code") or Element("")).children), None)
            text = next(iter((inner.child("Reason") or Element("")).children), None)
        name = (code.text if code is not None else "").strip().rpartition(":")[2]
        # SOAP 1.2 has other words for these.
        name = {"Sender": "Client", "Receiver": "Server"}.get(name, name)
        return cls(None, (name, text.text if text is not None else ""))

    @property
    def refused(self) -> bool:
        """Whether the call failed: by a fault, or by an exception that the answer holds (lk-15)."""
        return self.fault is not None or (self.element is not None and _holds_exception(self.element))

    @property
    def is_empty(self) -> bool:
        """Whether it tells of nothing: it is refused, or all that it has is nil or empty."""
        return self.refused or self.element is None or all(_is_bare(each) for each in self.element.children)


def _is_bare(element: Element) -> bool:
    return element.nil or not (element.children or element.text.strip())


class Comparison:
    """Compares the answers to calls of one operation. `numbers` learns from them.

    `lag` is the greatest number of seconds by which calls here were behind; `more` yields all pages here, where the
    request asks for one of them and the service decides their size.
    """

    def __init__(
        self,
        contract: Contract,
        operation: Operation,
        numbers: Numbers,
        *,
        live_host: str = "",
        lag: float = 0.0,
        more: Callable[[], Iterator[Element]] | None = None,
    ) -> None:
        self._contract, self._operation, self._numbers = contract, operation, numbers
        self._live_host, self._lag, self._more = live_host, lag, more

    def compare(self, live: Outcome, ours: Outcome) -> list[Found]:
        """Return all members that either answer has."""
        if live.fault is not None or ours.fault is not None:
            return self._faults(live, ours)
        one, other = live.element or Element(""), ours.element or Element("")
        found = list(self._struct(self._operation.response_type, one, other, ""))
        kind = self._operation.response_type
        return [replace(each, place=each.place or kind.name) for each in found]

    def _faults(self, live: Outcome, ours: Outcome) -> list[Found]:
        if live.fault is None or ours.fault is None:
            one, other = (f"{each.fault[0]}: {each.fault[1]}" if each.fault else "answer" for each in (live, ours))
            return [Found("(fault)", Agreement.DIFFERENT, one, other)]
        same = live.fault[0] == ours.fault[0]
        text = Agreement.SAME if live.fault[1] == ours.fault[1] else Agreement.OURS
        return [
            Found("(fault code)", Agreement.SAME if same else Agreement.DIFFERENT, live.fault[0], ours.fault[0]),
            Found("(fault text)", text, live.fault[1], ours.fault[1]),
        ]

    def _struct(self, kind: StructType, live: Element, ours: Element, place: str) -> Iterator[Found]:
        declared = self._derived(kind, live)
        names = set()
        for member in declared.all_members:
            names.add(member.name)
            at = f"{place}/{member.name}" if place else member.name
            if member.flat:
                one, other = ([each for each in side.children if each.name == member.name] for side in (live, ours))
                yield from self._items(declared.name, member.name, member.type, one, other, at)
            else:
                yield from self._member(declared.name, member, live.child(member.name), ours.child(member.name), at)
        for name in {each.name for each in (*live.children, *ours.children)} - names:
            values = _shown(live.child(name)), _shown(ours.child(name))
            yield Found(f"{place}/(undeclared) {name}".lstrip("/"), Agreement.DIFFERENT, *values)

    def _derived(self, kind: StructType, element: Element) -> StructType:
        named = element.attributes.get("type", "").rpartition(":")[2]
        return next((each for each in self._contract.derived(kind) if each.name == named), kind) if named else kind

    def _member(
        self, owner: str, member: Member, live: Element | None, ours: Element | None, place: str
    ) -> Iterator[Found]:
        live, ours = (None if each is None or each.nil else each for each in (live, ours))
        kind = member.type
        if live is None and ours is None:
            yield Found(place, Agreement.SAME, None, None)
        elif isinstance(kind, ArrayType) and live is not None and ours is not None:
            yield from self._items(owner, member.name, kind.item.type, live.children, ours.children, place)
        elif isinstance(kind, StructType) and live is not None and ours is not None:
            yield from self._struct(kind, live, ours, place)
        elif isinstance(kind, ScalarType | EnumType):
            yield self._scalar(owner, member.name, kind, live, ours, place)
        else:
            yield Found(place, Agreement.DIFFERENT, _shown(live), _shown(ours))

    def _items(
        self, owner: str, name: str, kind: WireType, live: list[Element], ours: list[Element], place: str
    ) -> Iterator[Found]:
        surplus = Agreement.DIFFERENT
        if (
            len(live) != len(ours)
            and self._more is not None
            and not (len(live) % _FULL_PAGE and len(ours) % _FULL_PAGE)
        ):
            # Pages have other sizes here: what counts is that each item of theirs is on one of ours.
            pages = list(self._more())
            ours = [item for page in pages for item in _items_of(page, name)] or ours
            surplus = Agreement.OURS
        pairs = self._aligned(kind, live, ours)
        mapped = [at for _, at, _ in pairs if at is not None]
        for item, match, sure in pairs:
            if match is None:
                yield Found(f"{place}[]", Agreement.DIFFERENT, _shown(item), None)
            elif isinstance(kind, StructType):
                # Numbers of items that may be others are not learned.
                comparing = self if sure else Comparison(self._contract, self._operation, _Known(self._numbers))
                yield from comparing._struct(kind, item, ours[match], f"{place}[]")
            elif isinstance(kind, ScalarType | EnumType):
                yield self._scalar(owner, name, kind, item, ours[match], f"{place}[]")
        if mapped != sorted(mapped) and surplus is Agreement.DIFFERENT:
            # Masked addresses sort in another way than the addresses did.
            masked = any(MASKED_DOMAIN in (_shown(item) or "") for item in live)
            yield Found(f"{place}(order)", Agreement.OURS if masked else Agreement.DIFFERENT, None, None)
        for at in sorted(set(range(len(ours))) - set(mapped)):
            yield Found(f"{place}[]", surplus, None, _shown(ours[at]))
        if not live and not ours:
            yield Found(place, Agreement.SAME, "", "")

    def _aligned(
        self, kind: WireType, live: list[Element], ours: list[Element]
    ) -> list[tuple[Element, int | None, bool]]:
        """Return each item of the live list with the place of ours that is the same thing, and whether that is sure.

        By a number that is known already; else by the texts of both; else by what is left, in its order.
        """
        left: dict[int, Element] = dict(enumerate(ours))
        found: dict[int, tuple[int, bool]] = {}
        for key in (self._by_number, self._by_texts):
            places: dict[object, list[int]] = {}
            for at, item in left.items():
                places.setdefault(key(kind, item, ours=True), []).append(at)
            for at, item in enumerate(live):
                wanted = key(kind, item, ours=False)
                if at not in found and wanted is not None and (same := places.get(wanted)):
                    # Several with the same texts may be anyone of them.
                    found[at] = (same[0], len(same) == 1 or key == self._by_number)
                    left.pop(same.pop(0))
        rest = iter(sorted(left))
        if len(live) == len(ours):
            for at in range(len(live)):
                if at not in found:
                    found[at] = (next(rest), len(live) == 1)
        return [(item, *found.get(at, (None, False))) for at, item in enumerate(live)]

    def _by_number(self, kind: WireType, item: Element, *, ours: bool) -> object:
        if not isinstance(kind, StructType):
            return None
        for member in kind.all_members:
            number = kind_of(kind.name, member.name)
            child = item.child(member.name) if number is not None and number not in ("account", "login") else None
            if number is not None and child is not None and child.text.strip() not in ("", "0"):
                text = child.text.strip()
                return number, text if ours else self._numbers.ours(self._contract.name, number, text)
        return None

    def _by_texts(self, kind: WireType, item: Element, *, ours: bool) -> object:
        if not isinstance(kind, StructType):
            return item.text.strip()
        texts = []
        for member in kind.all_members:
            child = item.child(member.name)
            is_text = isinstance(member.type, ScalarType | EnumType) and member.type.name not in ("dateTime", "double")
            if is_text and child is not None and kind_of(kind.name, member.name) is None:
                texts.append((member.name, child.text))
        return tuple(texts) or None

    def _scalar(
        self, owner: str, name: str, kind: ScalarType | EnumType, live: Element | None, ours: Element | None, place: str
    ) -> Found:
        one, other = (None if each is None else each.text for each in (live, ours))
        return Found(place, self._agreement(owner, name, kind, one, other), _cut(one), _cut(other))

    def _agreement(
        self, owner: str, name: str, kind: ScalarType | EnumType, live: str | None, ours: str | None
    ) -> Agreement:
        number = kind_of(owner, name)
        if number is not None and live is not None and ours is not None:
            if number == "session":
                self._numbers.bind(self._contract.name, number, live, ours.strip())
            elif "," not in live and not self._numbers.learn(self._contract.name, number, live, ours):
                return Agreement.DIFFERENT
            return Agreement.SAME if live.strip() == ours.strip() else Agreement.RENUMBERED
        if live == ours:
            return Agreement.SAME
        if name == "msg" or name.lower() in _TEXTS.get(owner, ()):
            return Agreement.OURS
        if live is None or ours is None:
            return Agreement.DIFFERENT
        one, other = _value(kind, live), _value(kind, ours)
        if one == other:
            return Agreement.SAME
        if isinstance(one, datetime) and isinstance(other, datetime):
            return Agreement.TIME if self._is_time(one, other) else Agreement.DIFFERENT
        return Agreement.OURS if self._is_own_url(live, ours) else Agreement.DIFFERENT

    def _is_time(self, live: datetime, ours: datetime) -> bool:
        """Return whether two moments are one, by clocks of other zones and that go otherwise."""
        if 1 in (live.year, ours.year):
            return False
        later = (ours.replace(tzinfo=UTC) - live.replace(tzinfo=UTC)).total_seconds()
        zone = (later + _CLOCK) // _HALF_HOUR * _HALF_HOUR
        return zone >= later - self._lag - _CLOCK and -_FARTHEST_ZONE <= zone <= _FARTHEST_ZONE + self._lag

    def _is_own_url(self, live: str, ours: str) -> bool:
        try:
            one, other = urlsplit(live.strip()).hostname, urlsplit(ours.strip()).hostname
        except ValueError:
            return False
        domain = ".".join(self._live_host.split(".")[-2:])
        return bool(one and other and domain and (one == domain or one.endswith(f".{domain}")) and one != other)


class _Known(Numbers):
    """Numbers that learn nothing."""

    def __init__(self, numbers: Numbers) -> None:
        self._ours, self._live, self._journal = numbers._ours, numbers._live, None

    def learn(self, contract: str, kind: str, live: str, ours: str) -> bool:
        return self.ours(contract, kind, live) == ours.strip() or live.strip() == ours.strip()


def _value(kind: ScalarType | EnumType, text: str) -> object:
    if kind.name == "string":
        for form in _DATES if text[:1].isdigit() and len(text) < 40 else ():
            try:
                return datetime.strptime(text.strip(), form)  # noqa: DTZ007 - the zone is that of an account
            except ValueError:
                continue
        return text
    try:
        return READERS.get(kind.name, str)(text)
    except ValueRefused:
        return text


def _items_of(page: Element, name: str) -> list[Element]:
    array = page.child(name)
    return [] if array is None else array.children


def _holds_exception(element: Element) -> bool:
    found = element.child("WSException") or next((each.child("WSException") for each in element.children), None)
    return found is not None and not found.nil and bool((found.child("Description") or Element("")).text)


def _shown(element: Element | None) -> str | None:
    if element is None:
        return None
    texts = [f"{each.name}={each.text}" for each in element.children if each.text.strip()]
    return _cut(", ".join(texts) or element.text)


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"
