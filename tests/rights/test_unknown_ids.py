"""Every operation of both contracts as docs/rights.md says: with a login that lacks exactly the right, with one that
has it, and with numbers of another account (mm-14, mm-22, mm-24 to mm-26, lk-9, lk-11, lk-12, lk-19)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.contracts.calls import TABLES, Expected, Ground, Things
from tests.rights.records import Records
from tests.rights.table import rights

from soapstone.accounts.account import Login
from soapstone.listrak.operations import CONTRACT as LISTRAK
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL

CONTRACTS = {"magnetmail": MAGNETMAIL, "listrak": LISTRAK}
RIGHTS = {"magnetmail": rights("MagnetMail"), "listrak": rights("Listrak")}
OPERATIONS = [(contract, each.name) for contract in CONTRACTS for each in CONTRACTS[contract].operations]
AVAILABLE = [(contract, name) for contract, name in OPERATIONS if name in TABLES[contract][2]]
# Nothing here corrects addresses or passes mails on (lk-114) and there is no automation (lk-123), so nobody gets
# another answer.
ALWAYS_EMPTY = {
    "ReportRangeListContactHygiene",
    "ReportRangeMessageContactPassalong",
    "ConductorGetConversations",
    *(each.name for each in LISTRAK.operations if each.name.startswith("ReportConversation")),
}
DENIED = ("[AccessDenied]", "[InvalidSession]", "[InvalidLogonAttempt]")
# It is taken in and refused later.
REFUSED_LATER = "UploadListInitialQueue"


def operations(*reaches: str) -> pytest.MarkDecorator:
    """All available operations of these reaches. A missing row is what `test_every_operation_has_a_row` tells."""
    known = [(contract, name) for contract, name in AVAILABLE if name in RIGHTS[contract]]
    chosen = [(contract, name) for contract, name in known if RIGHTS[contract][name].reach in reaches]
    return pytest.mark.parametrize(("contract", "operation"), chosen)


def ask(ground: Ground, contract: str, operation: str, login: Login | None, things: Things) -> Any:
    calls, others, _ = TABLES[contract]
    make = calls[operation][0] if operation in calls else others.get(operation, lambda it, ground: {})
    return ground.call(contract, operation, login, make(things, ground))


def is_denied(answer: Any) -> bool:
    return isinstance(answer, str) and answer.startswith(DENIED)


def names(answer: Any, ground: Ground) -> set[str]:
    """Whose things an answer tells of: by their name, or by the number of their contact."""
    text = repr(answer)
    numbers = {things.name: f"RecipientId={things.contact}," for things in (ground.mine, ground.hidden, ground.foreign)}
    return {name for name, number in numbers.items() if name in text or number in text}


def is_unknown(contract: str, operation: str, ground: Ground) -> Expected:
    if operation != REFUSED_LATER:
        return TABLES[contract][0][operation][1]

    def refused(answer: Any) -> bool:
        entry = ground.product.initial_queue.get(ground.acme.id, int(answer.InitialQueueId))
        return entry is not None and entry.error.endswith("does not exist.") and entry.job_id is None

    return refused


def test_every_operation_has_a_row() -> None:
    for contract, declared in CONTRACTS.items():
        assert RIGHTS[contract].keys() == {each.name for each in declared.operations}
        calls, others, available = TABLES[contract]
        assert calls.keys() | others.keys() == available
        assert calls.keys() & others.keys() == set()


@pytest.mark.parametrize(("contract", "operation"), OPERATIONS)
def test_permission(ground: Ground, records: Records, contract: str, operation: str) -> None:
    """lk-9, lk-11, mm-14: also operations that are not available yet ask for it first."""
    right = RIGHTS[contract][operation]
    if right.permission == "none":
        assert not is_denied(ask(ground, contract, operation, None, ground.mine))
        return
    for login in (None, ground.mute):
        assert is_denied(ask(ground, contract, operation, login, ground.mine))
    assert records.written() == set()
    answer = ask(ground, contract, operation, ground.nan, ground.mine)
    if right.permission == "API, analytics":
        assert answer == "[AccessDenied] The user does not have the Analytics permission."
        assert records.written() == set()
    else:
        assert not is_denied(answer)
    if operation not in TABLES[contract][2]:
        for login in (ground.ann, ground.cat, ground.bob):
            assert ask(ground, contract, operation, login, ground.mine).startswith("[NotImplemented]")
        assert records.written() == set()


@operations("list", "person", "job")
def test_what_is_not_there_for_the_login(ground: Ground, records: Records, contract: str, operation: str) -> None:
    """mm-24 to mm-26, lk-19: one answer to unknown, foreign and hidden numbers, and nothing is changed."""
    unknown = is_unknown(contract, operation, ground)
    for login, things in (
        (ground.ann, ground.unknown),
        (ground.ann, ground.foreign),
        (ground.cat, ground.unknown),
        (ground.cat, ground.foreign),
        (ground.cat, ground.hidden),
        (ground.bob, ground.mine),
    ):
        answer = ask(ground, contract, operation, login, things)
        assert unknown(answer), f"{login.name}, {things.name}: {answer!r}"
        if operation != REFUSED_LATER:
            assert records.written() == set(), f"{login.name}, {things.name}"


@operations("list", "person", "job")
def test_what_is_there(ground: Ground, records: Records, contract: str, operation: str) -> None:
    unknown = is_unknown(contract, operation, ground)
    for login in (ground.ann, ground.cat):
        answer = ask(ground, contract, operation, login, ground.mine)
        assert not is_denied(answer)
        assert operation in ALWAYS_EMPTY or not unknown(answer), answer
        assert not names(answer, ground) & {"hidden", "foreign"}, answer
        assert bool(records.written()) == RIGHTS[contract][operation].writes
        records.restore()
    if operation in ALWAYS_EMPTY:
        assert unknown(answer)


@operations("lists", "people")
def test_what_is_left_out(ground: Ground, records: Records, contract: str, operation: str) -> None:
    for login, expected in ((ground.ann, {"mine", "hidden"}), (ground.cat, {"mine"}), (ground.bob, set())):
        answer = ask(ground, contract, operation, login, ground.mine)
        assert not isinstance(answer, str), answer
        assert names(answer, ground) == expected, answer
    assert records.written() == set()


@operations("account")
def test_what_all_logins_share(ground: Ground, records: Records, contract: str, operation: str) -> None:
    """mm-96, lk-36: and nobody shares it with another account."""
    calls, _, _ = TABLES[contract]
    if operation in calls:
        for things in (ground.unknown, ground.foreign):
            answer = ask(ground, contract, operation, ground.ann, things)
            assert calls[operation][1](answer), answer
            assert records.written() == set()
    answers = []
    for login in (ground.ann, ground.cat, ground.bob):
        answers.append(ask(ground, contract, operation, login, ground.mine))
        assert not is_denied(answers[-1])
        assert operation not in calls or not calls[operation][1](answers[-1]), answers[-1]
        assert "foreign" not in names(answers[-1], ground)
        assert bool(records.written()) == RIGHTS[contract][operation].writes
        records.restore()
    if operation in ("getUserDetails", "getRecipientFields", "getSavedSearches", "GetMessageCategory"):
        assert answers[0] == answers[1] == answers[2]


@operations("all lists")
def test_what_concerns_the_whole_account(ground: Ground, records: Records, contract: str, operation: str) -> None:
    for login in (ground.cat, ground.bob):
        answer = ask(ground, contract, operation, login, ground.mine)
        assert answer == "[AccessDenied] This login sees only the lists that it was granted."
        assert records.written() == set()
    assert not isinstance(ask(ground, contract, operation, ground.ann, ground.mine), str)
    assert bool(records.written()) == RIGHTS[contract][operation].writes


@operations("nothing", "own login")
def test_what_is_nobodys(ground: Ground, records: Records, contract: str, operation: str) -> None:
    answers = [ask(ground, contract, operation, login, ground.mine) for login in (ground.ann, ground.bob)]
    assert not any(isinstance(answer, str) for answer in answers)
    assert RIGHTS[contract][operation].reach != "nothing" or answers[0] == answers[1]
    assert all(names(answer, ground) == set() for answer in answers)
    assert records.written() == set()
