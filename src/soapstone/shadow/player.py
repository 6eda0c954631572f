"""Plays the calls of the live service on another server, with that server's login, session and numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Protocol
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from soapstone.clock import now
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.magnetmail.types import recipient_type
from soapstone.server import POLLS
from soapstone.shadow.comparison import Comparison, Found, Outcome
from soapstone.shadow.exchange import Exchange
from soapstone.shadow.markup import Element, Path, UnreadableXml, rewritten, tree
from soapstone.shadow.masking import in_utf8
from soapstone.shadow.numbers import CONTRACTS, Numbers, kind_at, translated
from soapstone.shadow.report import Report
from soapstone.vocabulary.agreements import Agreement
from soapstone.wire.contract import Contract, Operation
from soapstone.wire.envelope import SOAP_11, envelope

POLL_SECONDS = 30.0
"""How long all polls of one job together wait for what the live service has already, while jobs here go on."""
MOST_POLLED = 10_000
_POLL_PAUSE = 0.05
_LONGEST_POLL_PAUSE = 1.0
MOST_PAGES = 200
_PROGRESSING = {*POLLS, "GetMessageStatus", "GetUploadInitialQueueJobStatus"}


class Unplayable(Exception):
    """The call cannot be compared; the message says why."""


class Target(Protocol):
    """A server to play on."""

    def call(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        """Return status, media type and body of the answer to a POST request. Raises OSError."""

    def may_go_on(self) -> bool:
        """Return whether a job may be unfinished."""


class Player:
    """Plays calls on `target` by its login, compares the answers, and adds them to the report.

    Any credentials and any session that the live service accepted are those of the login here.
    """

    def __init__(
        self, target: Target, login: str, password: str, numbers: Numbers, report: Report, *, live: str = ""
    ) -> None:
        self._target, self._login, self._password = target, login, password
        self._numbers, self._report = numbers, report
        self._live_host = urlsplit(live).hostname or ""
        self._accepted: set[int] = set()
        self._own: dict[str, str] = {}
        self._lag = 0.0
        # Seconds that are left, by poll.
        self._patience: dict[str, float] = {}

    def play(self, exchange: Exchange) -> None:
        contract = CONTRACTS.get(exchange.path.lower())
        if contract is None:
            self._report.skip("another path")
            return
        name = ""
        try:
            try:
                asked = tree(exchange.request, exchange.headers.get("content-type", ""))
            except UnreadableXml:
                raise Unplayable("unreadable request") from None
            inner = next(iter((asked.child("Body") or Element("")).children), None)
            name = inner.name if inner is not None else ""
            operation = contract.operations_by_name.get(name)
            if operation is None:
                name = ""
                raise Unplayable("an operation of no contract")
            self._play(exchange, contract, operation, asked)
        except Unplayable as reason:
            self._report.add(contract.name, name, exchange.at, skipped=str(reason))

    def _play(self, exchange: Exchange, contract: Contract, operation: Operation, asked: Element) -> None:
        try:
            live = Outcome.of(tree(exchange.answer, exchange.answer_type))
        except UnreadableXml:
            raise Unplayable("the live service failed") from None
        if live.element is None and live.fault is None:
            raise Unplayable("the live service failed")
        session = self._check_credentials(contract, operation, asked, live)
        self._lag = max(self._lag, (now() - exchange.at).total_seconds())
        named_by_number = _named_by_number(operation, asked)
        edit = _Edit(self, contract, operation, session, named_by_number)
        body = rewritten(exchange.request, exchange.headers.get("content-type", ""), edit)
        headers = {name: in_utf8(value) for name, value in exchange.headers.items()}
        ours = self._ask(exchange.path, headers, body)
        if ours.fault and not live.fault and session:
            # Sessions end here at another time.
            edit = _Edit(self, contract, operation, self._open_session(edit.live_session), named_by_number)
            body = rewritten(exchange.request, exchange.headers.get("content-type", ""), edit)
            ours = self._ask(exchange.path, headers, body)
        if ours.fault and "[NotImplemented]" in ours.fault[1]:
            self._report.add(contract.name, operation.name, exchange.at, available=False)
            return
        if edit.unknown and ours.is_empty and not live.is_empty:
            raise Unplayable("records from before")
        if operation.name == "GetLegacyProcessStatus" and ours.is_empty and not live.is_empty:
            # They come from calls that are no SOAP, and are not played.
            raise Unplayable("sends by XML over HTTP")

        def more() -> Iterator[Element]:
            for page in range(1, MOST_PAGES + 1):
                outcome = self._ask(exchange.path, headers, rewritten(body, headers["content-type"], _Page(page)))
                if outcome.element is None or not any(each.children for each in outcome.element.children):
                    return
                yield outcome.element

        comparison = Comparison(
            contract,
            operation,
            self._numbers,
            live_host=self._live_host,
            lag=self._lag,
            more=more if "Page" in operation.request_type.all_members_by_name else None,
        )
        found = comparison.compare(live, ours)
        poll = ""
        if operation.name in _PROGRESSING:
            poll = f"{operation.name} {edit.numbers}"
            found = self._settled(
                poll, found, lambda: comparison.compare(live, self._ask(exchange.path, headers, body))
            )
        faults = (live.refused, ours.refused)
        self._report.add(contract.name, operation.name, exchange.at, found=found, faults=faults, poll=poll)

    def _settled(self, poll: str, found: list[Found], again: Callable[[], list[Found]]) -> list[Found]:
        """Return what a poll finds when the job here is as far as that of the live service.

        What it finds is final when no job here is unfinished, and after some seconds: the machine's other work goes
        before the jobs here.
        """
        if len(self._patience) >= MOST_POLLED:
            self._patience.pop(next(iter(self._patience)))
        began, pause = time.monotonic(), _POLL_PAUSE
        left = self._patience.setdefault(poll, POLL_SECONDS)
        goes_on = True
        while _differs(found) and goes_on and time.monotonic() - began < left:
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_POLL_PAUSE)
            goes_on = self._target.may_go_on()
            found = again()
        self._patience[poll] = left - (time.monotonic() - began)
        return found

    def _check_credentials(self, contract: Contract, operation: Operation, asked: Element, live: Outcome) -> str:
        """Return the session here for a call with one; else an empty text. Raises Unplayable for refused credentials.

        What was never accepted may be wrong, and is not tried here.
        """
        if contract is MAGNETMAIL and not self._own:
            self._open_session("")
        if not operation.header:
            if operation.name == "Authenticate" and not _is_authenticated(live):
                raise Unplayable("a login that the live service refused")
            return ""
        header = next(iter((asked.child("Header") or Element("")).children), Element(""))
        texts = {each.name.lower(): each.text.strip() for each in header.children}
        given = hash((texts.get("username"), texts.get("password"), texts.get("sessionid")))
        if not live.refused:
            self._accepted.add(given)
        elif given not in self._accepted:
            raise Unplayable("a login that the live service refused")
        if contract is not MAGNETMAIL:
            return ""
        live_session = texts.get("sessionid", "")
        return self._numbers.ours(contract.name, "session", live_session) or self._open_session(live_session)

    def _open_session(self, live_session: str) -> str:
        """Begin a session here, which stands for one of the live service. Raises Unplayable."""
        inner = f"<username>{escape(self._login)}</username><password>{escape(self._password)}</password>"
        request = envelope(SOAP_11, f'<Authenticate xmlns="{MAGNETMAIL.namespace}">{inner}</Authenticate>')
        headers = {"content-type": "text/xml; charset=utf-8", "soapaction": f'"{MAGNETMAIL.namespace}Authenticate"'}
        outcome = self._ask(MAGNETMAIL.path, headers, request)
        result = outcome.element.child("AuthenticateResult") if outcome.element is not None else None
        if result is None or not _is_authenticated(outcome):
            raise Unplayable("the login here is refused")
        self._own = {each.name: each.text for each in result.children}
        if live_session:
            self._numbers.bind(MAGNETMAIL.name, "session", live_session, self._own["sessionId"])
        return self._own["sessionId"]

    def _ask(self, path: str, headers: dict[str, str], body: bytes) -> Outcome:
        """Return the answer here. Raises Unplayable."""
        try:
            _, kind, answer = self._target.call(path, headers, body)
            outcome = Outcome.of(tree(answer, kind))
        except (OSError, UnreadableXml):
            outcome = Outcome(None)
        if outcome.element is None and outcome.fault is None:
            raise Unplayable("no answer here")
        return outcome


class _Edit:
    """The request as the server here needs it. `unknown` says that it has a number that was never met.

    `named_by_number` says that the texts of its recipients are numbers.
    """

    def __init__(
        self, player: Player, contract: Contract, operation: Operation, session: str, named_by_number: bool
    ) -> None:
        self._player, self._contract, self._operation, self._session = player, contract, operation, session
        self._named_by_number = named_by_number
        self.live_session = ""
        self.unknown = False
        self.numbers: list[str] = []

    def __call__(self, path: Path, text: str) -> str:
        player, name = self._player, path[-1].lower()
        inner = path[2:]
        if path[1:2] == ("Header",) or (inner and inner[0] == "Authenticate"):
            if name == "sessionid":
                self.live_session = text.strip()
            own = {"username": player._login, "password": player._password, "sessionid": self._session}
            if name in own and text.strip():
                return own[name]
        if not text.strip() or path[1:2] not in (("Body",), ("Header",)):
            return text
        kind = "account" if name == "user_id" else None
        if path[1] == "Body":
            kind = kind_at(self._contract, self._operation, inner)
            if self._named_by_number and inner[1:2] == ("recipients",):
                kind = "recipient"
        if kind is None:
            return text
        return translated(text, lambda number: self._translate(kind, number))

    def _translate(self, kind: str, number: str) -> str:
        numbers, contract = self._player._numbers, self._contract.name
        ours = numbers.ours(contract, kind, number)
        if ours is None and kind in ("account", "login"):
            own = self._player._own
            name = "loginid" if kind == "login" else "user_nbr" if number.strip().isdigit() else "user_id"
            ours = own.get(name, number)
        if ours is None:
            if numbers.is_taken(contract, kind, number):
                raise Unplayable("records from before")
            self.unknown = True
            ours = number
        self.numbers.append(ours)
        return ours


class _Page:
    """The request for another page."""

    def __init__(self, page: int) -> None:
        self._page = page

    def __call__(self, path: Path, text: str) -> str:
        return str(self._page) if path[1:2] == ("Body",) and path[3:] == ("Page",) else text


def _named_by_number(operation: Operation, asked: Element) -> bool:
    """Return whether a send to single people names them by their numbers; they may be addresses as well (mm-101)."""
    inner = next(iter((asked.child("Body") or Element("")).children), Element(""))
    kind = inner.child("recp_type") if operation.name == "sendEmailToIndividual" else None
    return kind is not None and kind.text.strip() == recipient_type.recipient_id.value


def _differs(found: list[Found]) -> bool:
    return any(each.agreement is Agreement.DIFFERENT for each in found)


def _is_authenticated(outcome: Outcome) -> bool:
    result = outcome.element.child("AuthenticateResult") if outcome.element is not None else None
    told = result.child("authenticated") if result is not None else None
    return told is not None and told.text.strip() in ("true", "1")
