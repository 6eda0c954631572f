"""Polls that ask for the same thing get the same answer, while nothing has changed that it was made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soapstone.wire import answer_cache

if TYPE_CHECKING:
    from tests.wire.conftest import Driver, Kit, Reply, Rows

Ask = Callable[..., "Reply"]


@pytest.fixture
def rows(kit: Kit) -> Rows:
    return kit.rows()


@pytest.fixture
def polled(kit: Kit, rows: Rows) -> Driver:
    return kit.driver(repeatable=("Add", "Fail"), records=rows)


def asking(driver: Driver, kit: Kit) -> Ask:
    def send(name: str = "Add", inner: str = "<a>1</a><b>2</b>", *, envelope: str = "", **options: Any) -> Reply:
        token, header = options.pop("token", "good"), options.pop("header", "")
        payload = f'<{name} xmlns="{kit.namespace}">{inner}</{name}>'
        body = envelope or kit.envelope(payload, token=token, header=header)
        length = ("Content-Length", str(len(body.encode())))
        return driver.post(body, action=f'"{kit.namespace}{name}"', headers=[length], **options)

    return send


@pytest.fixture
def ask(polled: Driver, kit: Kit) -> Ask:
    return asking(polled, kit)


def worked(driver: Driver) -> int:
    return sum(step == "handle" for step, _ in driver.service.log)


def test_the_same_request_is_worked_out_once(polled: Driver, ask: Ask) -> None:
    first, second = ask(), ask()
    assert (first.status, first.content, first.headers) == (second.status, second.content, second.headers)
    assert worked(polled) == 1
    one, two = polled.records
    assert one._replace(time=two.time, seconds=two.seconds) == two
    assert (two.operation, two.caller_name, two.status) == ("Add", "ACME", 200)


def test_a_caller_and_an_answer_that_are_known_make_a_new_one(polled: Driver, kit: Kit) -> None:
    """Two tickets of one account: what one of them asked is known when the other one asks for the first time."""

    def ticket(number: int, a: int) -> str:
        # The service ignores members that it does not know.
        more = f"<Note>{number}</Note>"
        body = kit.envelope(f'<Add xmlns="{kit.namespace}"><a>{a}</a></Add>')
        return body.replace("<Account>", f"{more}<Account>")

    ask = asking(polled, kit)
    replies = {(number, a): ask(envelope=ticket(number, a)).result for number, a in [(1, 1), (2, 2)]}
    assert worked(polled) == 2
    replies |= {(number, a): ask(envelope=ticket(number, a)).result for number, a in [(1, 2), (2, 1)]}
    assert worked(polled) == 2
    assert replies[1, 1] == replies[2, 1] != replies[2, 2] == replies[1, 2]


def test_a_change_of_what_was_read_counts_at_once(polled: Driver, ask: Ask, rows: Rows) -> None:
    first = ask().result
    for changes, row in enumerate(("sum", "caller"), 2):
        rows.change(row)
        ask()
        assert worked(polled) == changes
    assert ask().result != first


def test_a_change_of_something_else_costs_a_comparison(polled: Driver, ask: Ask, rows: Rows) -> None:
    ask()
    rows.change()
    compared = rows.compared
    ask()
    ask()
    assert worked(polled) == 1
    # Of the caller, and of the answer.
    assert rows.compared == compared + 2


def test_what_cannot_be_compared_lasts_until_any_change(polled: Driver, ask: Ask, rows: Rows) -> None:
    rows.comparable = False
    ask()
    ask()
    assert worked(polled) == 1
    rows.change()
    ask()
    assert worked(polled) == 2


def test_without_a_token_nothing_is_repeated(polled: Driver, ask: Ask, rows: Rows) -> None:
    rows.version = None
    ask()
    ask()
    assert worked(polled) == 2


def test_a_caller_expires(polled: Driver, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_cache, "LIFETIME", -1.0)
    ask()
    ask()
    assert worked(polled) == 2


def test_everything_can_be_forgotten(polled: Driver, ask: Ask) -> None:
    ask()
    polled.app.forget()
    ask()
    assert worked(polled) == 2


def test_any_difference_counts(polled: Driver, ask: Ask) -> None:
    """Another body, other credentials, another caller, another media type: each is a request of its own."""
    ask()
    assert ask(inner="<a>1</a><b>3</b>").result != ask().result
    assert ask(token="bad").status == 500
    assert ask(peer="192.0.2.99").status == 200
    assert ask(content_type="text/xml").status == 200
    assert worked(polled) == 4


def test_another_account_has_answers_of_its_own(polled: Driver, kit: Kit) -> None:
    body = kit.envelope(f'<Add xmlns="{kit.namespace}"><a>1</a></Add>')
    ask = asking(polled, kit)
    for account in ("ACME", "EMCA", "ACME", "EMCA"):
        assert ask(envelope=body.replace("ACME", account)).status == 200
    assert worked(polled) == 2
    assert [record.caller_name for record in polled.records] == ["ACME", "EMCA", "ACME", "EMCA"]


def test_a_caller_who_became_another_one_is_worked_out(polled: Driver, ask: Ask, rows: Rows) -> None:
    """The same credentials give another context, of the same name: its answers are not those of the old one."""

    class Context(str):
        __slots__ = ("zone",)
        zone: str

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Context) and other.zone == self.zone

        __hash__ = str.__hash__

    authorise, zone = polled.service.authorise, "one"

    def of_zone(*arguments: Any) -> Context:
        context = Context(authorise(*arguments))
        context.zone = zone
        return context

    polled.service.authorise = of_zone
    ask()
    zone = "two"
    rows.change("caller")
    ask()
    ask()
    assert worked(polled) == 2
    zone = "one"
    rows.change("caller")
    ask()
    assert worked(polled) == 3


def test_faults_and_other_operations_are_not_repeated(polled: Driver, ask: Ask) -> None:
    for _ in range(2):
        assert ask("Fail", "<how>fault</how>").status == 500
        assert ask("Ping", "<word>x</word>").status == 200
        assert ask(token="bad").status == 500
    assert worked(polled) == 4


@pytest.mark.parametrize(("exact", "times"), [(True, 1), (False, 2)])
def test_what_tells_of_nothing_is_repeated_only_if_changes_show_at_once(
    polled: Driver, ask: Ask, rows: Rows, exact: bool, times: int
) -> None:
    rows.exact = exact
    for _ in range(2):
        assert "<AddResult>0<" in ask(inner="<a>1</a><b>-1</b>").result
    assert worked(polled) == times


def test_large_requests_are_not_looked_up(polled: Driver, ask: Ask) -> None:
    for _ in range(2):
        ask(inner="<a>1</a><b>2</b>" + " " * answer_cache.LARGEST_BODY)
    assert worked(polled) == 2


def test_a_request_that_is_too_long_is_not_known(kit: Kit, rows: Rows) -> None:
    """A longer text makes a request of known layout longer than the limit."""
    body = kit.envelope(f'<Add xmlns="{kit.namespace}"><a>1</a><note>n</note></Add>')
    ask = asking(kit.driver(repeatable=("Add",), records=rows, max_body=len(body) + 3), kit)
    notes = ["n", "nnnn", "nnnnn"]
    assert [ask(envelope=body.replace(">n<", f">{note}<")).status for note in notes] == [200, 200, 500]


def test_a_change_during_the_work_counts(polled: Driver, ask: Ask, rows: Rows) -> None:
    """What changes while an answer is worked out makes it stale, even if the row has the new value now."""
    add = polled.service._Add

    def change_then(request: Any) -> Any:
        value = add(request)
        rows.change("sum")
        return value

    polled.service._Add = change_then
    first = ask().result
    polled.service._Add = add
    assert ask().result != first
    assert worked(polled) == 2


def test_it_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch, polled: Driver, ask: Ask) -> None:
    monkeypatch.setattr(answer_cache, "MOST_ANSWERS", 2)
    for number in (1, 2, 3):
        ask(inner=f"<a>{number}</a>")
    ask(inner="<a>3</a>")
    assert worked(polled) == 3
    ask(inner="<a>1</a>")
    assert worked(polled) == 4


@pytest.mark.parametrize(
    ("header", "inner"),
    [
        pytest.param("", "<a>1</a><!-- <b>5</b> --><b>{}</b>", id="comment"),
        pytest.param("", "<a>1</a><note><![CDATA[<b>5</b>]]></note><b>{}</b>", id="section"),
        pytest.param("", "<?skip <b>5</b> ?><b>{}</b>", id="instruction"),
        pytest.param("", "<a>1</a><more><s:Body>4</s:Body></more><b>{}</b>", id="another Body"),
        pytest.param("<x:Body xmlns:x='urn:x'>4</x:Body>", "<a>1</a><b>{}</b>", id="a Body in the header"),
        pytest.param("", "<a>1</a><note>a>1</note><b>{}</b>", id="bracket in a text"),
        pytest.param("", "<a>1</a><note>é &amp;</note><b>{}</b>", id="texts that are markup"),
        pytest.param("", "<a>1</a><note x='>7'>8</note><b>{}</b>", id="bracket in an attribute"),
    ],
)
def test_unusual_markup_is_answered_right(polled: Driver, kit: Kit, header: str, inner: str) -> None:
    plain = kit.driver()
    for b in (2, 3, 2, 3, 2):
        one, other = (asking(driver, kit)(inner=inner.format(b), header=header) for driver in (polled, plain))
        assert (one.status, one.content) == (other.status, other.content)


@pytest.mark.parametrize("charset", ["utf-7", "utf-16", "hz", "iso-2022-jp", "cp500"])
def test_other_charsets_are_worked_out(polled: Driver, ask: Ask, charset: str) -> None:
    """In these the bytes of a text may stand for markup."""
    statuses = [ask(content_type=f"text/xml; charset={charset}").status for _ in range(2)]
    assert len(set(statuses)) == 1
    assert len(polled.service.log) == (4 if statuses[0] == 200 else 0)


TEXTS = st.sampled_from(["1", "2", "12", " 1", "1 ", "-1", "", "x", "&#49;", "1<!---->2", "\0", "99999999999", "0 1"])


@settings(max_examples=40)
@given(asked=st.lists(st.tuples(TEXTS, TEXTS, st.sampled_from(["good", "bad", "good good"])), max_size=12))
def test_every_answer_is_the_one_that_is_worked_out(kit: Kit, asked: list[tuple[str, str, str]]) -> None:
    known, plain = kit.driver(repeatable=("Add",), records=kit.rows()), kit.driver()
    for a, b, token in asked:
        inner = f"<a>{a}</a><b>{b}</b><note>{a}</note>"
        one, other = (asking(driver, kit)(inner=inner, token=token) for driver in (known, plain))
        assert (one.status, one.headers, one.content) == (other.status, other.headers, other.content)
