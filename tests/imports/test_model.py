"""Imports against a plain model: any sequence of them leaves the same people, members, figures and outcomes."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import case, func, select, update

from soapstone.accounts.account import Account, Accounts
from soapstone.addresses import address_key
from soapstone.contacts.suppressions import Suppressions
from soapstone.imports.imports import Imports
from soapstone.imports.spec import Column, ImportSpec, OptOut
from soapstone.jobs.job import Job
from soapstone.lists.lists import Lists
from soapstone.lists.profiles import Profiles
from soapstone.store.database import Database
from soapstone.store.tables import lists, memberships
from soapstone.vocabulary.rows import TAKEN, ImportOutcome

BANNED, SUPPRESSED, SUPPRESSED_HERE = "d@x.com", "e@x.com", "f@x.com"
VALUES = {
    "email": [
        "a@x.com",
        "A@x.com",
        "a@ü.com",
        "A@xn--tda.com",
        "b@x.com",
        "c@x.com",
        BANNED,
        SUPPRESSED,
        SUPPRESSED_HERE,
        "info@x.com",
        "bad",
        "",
    ],
    "custom_id": ["1", "2", "3", ""],
    "first_name": ["", "Ann", "Bob"],
    "city": ["", "Ulm"],
    "text": ["", "x", "longer"],
    "box": ["", "on", "0", "maybe"],
    "opt_out": ["", "subscribed", "pending", "unsubscribed", "bounced", "who knows"],
}
# No column of the contact nor attribute: what the file says of people who get no mail.
MEANINGS = {"": "", "subscribed": "", "pending": "waiting", "unsubscribed": "left", "bounced": "suppressed"}
RANKS = {"left": 1, "suppressed": 2}


@dataclass
class Person:
    """One contact of the model."""

    fields: dict[str, str]
    blocked: set[str] = field(default_factory=set)

    @property
    def email_key(self) -> str:
        return address_key(self.fields.get("email", ""))


@dataclass
class Membership:
    """A person on the list."""

    number: int
    state: str = "subscribed"
    profile: dict[str, str] = field(default_factory=dict)
    touched: bool = True


@dataclass
class Model:
    """What imports do, one row at a time."""

    identifier: str
    attributes: dict[str, str]
    people: list[Person] = field(default_factory=list)
    members: dict[int, Membership] = field(default_factory=dict)
    last_number: int = 0
    # Who was unsubscribed when the list's members were replaced.
    left: set[int] = field(default_factory=set)
    # Who is unsubscribed from everything; the addresses that files said must get nothing, those of this chunk apart.
    everywhere: set[int] = field(default_factory=set)
    suppressed: set[str] = field(default_factory=lambda: {SUPPRESSED})
    coming: set[str] = field(default_factory=set)

    def run(
        self, spec: ImportSpec, rows: list[dict[str, str]], on_list: bool, chunk_rows: int
    ) -> tuple[list[str], bool]:
        """Outcomes of the rows, and whether the job failed. In a chunk rows are merged in the order of their keys."""
        key = "email" if spec.identified_by == "email" else self.identifier
        outcomes = [self.flaw(spec, key, row) for row in rows]
        keys = [address_key(row[key]) if key == "email" else row[key] for row in rows]
        good = [n for n in range(len(rows)) if not outcomes[n]]
        # An opt-out counts, wherever it stands; else the last row does.
        good.sort(key=lambda n: (RANKS.get(MEANINGS[rows[n].get("opt_out", "")], 0), n))
        last = {keys[n]: n for n in good}
        for member in self.members.values():
            member.touched = False
        chunk = 0
        for n in sorted(range(len(rows)), key=lambda n: (n // chunk_rows, keys[n])):
            if n // chunk_rows > chunk:
                chunk = n // chunk_rows
                self.suppressed |= self.coming
            if not outcomes[n]:
                outcomes[n] = self.merge(spec, key, rows[n], on_list) if last[keys[n]] == n else "duplicate"
        self.suppressed |= self.coming
        if spec.replace:
            if not any(outcome in TAKEN for outcome in outcomes):
                return outcomes, True
            gone = {who for who, member in self.members.items() if not member.touched}
            self.left |= {who for who in gone if self.members[who].state == "unsubscribed"}
            self.members = {who: member for who, member in self.members.items() if member.touched}
        return outcomes, False

    def flaw(self, spec: ImportSpec, key: str, row: dict[str, str]) -> str:
        if not row[key]:
            return "missing_key"
        if row.get("email") == "bad":
            return "invalid_address"
        out = MEANINGS.get(row.get("opt_out", "")) in RANKS
        if spec.reject_roles and row.get("email") == "info@x.com" and not out:
            return "role_address"
        return "" if row.get("opt_out", "") in MEANINGS else "unclear_opt_out"

    def find(self, key: str, row: dict[str, str], on_list: bool) -> int | None:
        if key == "custom_id":
            found = [n for n, person in enumerate(self.people) if person.fields.get("custom_id") == row["custom_id"]]
        else:
            found = [n for n, person in enumerate(self.people) if person.email_key == address_key(row["email"])]
        found.sort(key=lambda n: (not (on_list and n in self.members), n))
        return found[0] if found else None

    def merge(self, spec: ImportSpec, key: str, row: dict[str, str], on_list: bool) -> str:
        who = self.find(key, row, on_list)
        member = self.members.get(who) if on_list and who is not None else None
        averse = on_list and who in self.left | self.everywhere and (member is None or member.state == "waiting")
        meaning = MEANINGS[row.get("opt_out", "")]
        # Without a list nobody can wait on it.
        out = meaning in RANKS or (meaning == "waiting" and not on_list and who is None)
        if member:
            member.touched = True
        if spec.action.startswith("remove"):
            if member is None:
                return "nothing_to_remove"
            was, member.state = member.state, "unsubscribed"
            if spec.action == "remove_with_profile":
                member.profile = {}
            return "already_removed" if was == "unsubscribed" else "removed"
        if out and member:
            return self.leave(spec, key, row, who, on_list, meaning)
        if spec.blocked == "skip":
            keys = {address_key(row.get("email", "")), self.people[who].email_key if who is not None else ""}
            if BANNED in keys:
                return "banned"
            if out and spec.action == "add":
                return self.leave(spec, key, row, who, on_list, meaning)
            if self.suppressed & keys - {""} or (on_list and SUPPRESSED_HERE in keys):
                return "suppressed"
            if averse or (member and member.state == "unsubscribed"):
                return "previously_unsubscribed"
        if out and (spec.action == "add" or (not on_list and who is not None)):
            return self.leave(spec, key, row, who, on_list, meaning)
        if spec.action == "update" and (who is None if not on_list else member is None or member.state == "waiting"):
            return "not_on_list"
        profile, record = self.profile(spec, row), self.record(row)
        waits = on_list and spec.action == "add" and meaning == "waiting"
        if who is None:
            who = self.meet(record)
            if on_list:
                self.join(who, profile, "waiting" if waits else "subscribed")
            return "added_unconfirmed" if waits else "added"
        changed = self.change(spec, self.people[who].fields, {n: v for n, v in record.items() if n != key})
        if not on_list:
            return "updated" if changed else "unchanged"
        if waits and not averse and (member is None or member.state == "waiting"):
            if member is None:
                self.join(who, profile, "waiting")
            else:
                changed = self.change(spec, member.profile, profile) or changed
            return "imported_unconfirmed_updated" if changed else "imported_unconfirmed"
        if member is None:
            self.join(who, profile, "unsubscribed" if averse else "subscribed")
            if averse:
                return "still_unsubscribed_updated" if changed else "still_unsubscribed"
            return "joined_updated" if changed else "joined"
        changed = self.change(spec, member.profile, profile) or changed
        if member.state == "unsubscribed" or averse:
            return "still_unsubscribed_updated" if changed else "still_unsubscribed"
        if member.state == "waiting":
            member.state = "subscribed"
            return "joined_updated" if changed else "joined"
        return "updated" if changed else "unchanged"

    def leave(
        self, spec: ImportSpec, key: str, row: dict[str, str], who: int | None, on_list: bool, meaning: str
    ) -> str:
        """The file says that the person gets no mail."""
        profile, record = self.profile(spec, row), self.record(row)
        member = self.members.get(who) if on_list and who is not None else None
        outcome = "added_unsubscribed"
        if who is None:
            who = self.meet(record)
        else:
            changed = self.change(spec, self.people[who].fields, {n: v for n, v in record.items() if n != key})
            if member:
                changed = self.change(spec, member.profile, profile) or changed
            outcome = "imported_unsubscribed_updated" if changed else "imported_unsubscribed"
        if member:
            member.state = "unsubscribed"
        elif on_list:
            self.join(who, profile, "unsubscribed")
        else:
            # From the lists that the person is on, and from those that it comes to later.
            self.everywhere.add(who)
            if who in self.members:
                self.members[who].state = "unsubscribed"
        if meaning == "suppressed":
            self.coming |= {address_key(row.get("email", "")), self.people[who].email_key} - {""}
        return outcome

    def meet(self, record: dict[str, str]) -> int:
        self.people.append(Person({name: value for name, value in record.items() if value}))
        return len(self.people) - 1

    def profile(self, spec: ImportSpec, row: dict[str, str]) -> dict[str, str]:
        return {self.attributes[name]: self.stored(spec, name, row[name]) for name in ("text", "box") if name in row}

    def record(self, row: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in row.items() if name not in ("text", "box", "opt_out")}

    def join(self, who: int, profile: dict[str, str], state: str = "subscribed") -> None:
        self.last_number += 1
        self.members[who] = Membership(self.last_number, state, profile={n: v for n, v in profile.items() if v})

    def stored(self, spec: ImportSpec, name: str, value: str) -> str:
        """A blank that counts switches a box off (lk-47)."""
        blank = "off" if spec.known == "overwrite" else ""
        return value[:3] if name == "text" else {"": blank, "on": "on", "maybe": "on", "0": "off"}[value]

    def change(self, spec: ImportSpec, old: dict[str, str], new: dict[str, str]) -> bool:
        before = dict(old)
        for name, value in new.items():
            if (
                spec.known == "overwrite"
                or (spec.known == "update" and value)
                or (spec.known == "append" and not old.get(name))
            ):
                old[name] = value
                if not value:
                    del old[name]
        return old != before


SPECS = st.fixed_dictionaries(
    {
        "action": st.sampled_from(["add", "add", "add", "update", "remove", "remove_with_profile"]),
        "known": st.sampled_from(["keep", "overwrite", "update", "append"]),
        "blocked": st.sampled_from(["keep", "skip"]),
        "identified_by": st.sampled_from(["account", "email"]),
        "replace": st.booleans(),
        "reject_roles": st.booleans(),
        "header": st.booleans(),
    }
)
STEPS = st.lists(
    st.tuples(
        SPECS,
        st.permutations(list(VALUES)).flatmap(lambda names: st.integers(1, 6).map(lambda n: names[:n])),
        st.lists(st.fixed_dictionaries({name: st.sampled_from(values) for name, values in VALUES.items()}), max_size=9),
        st.booleans() | st.just(True),
        st.integers(1, 10),
        st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["subscribed", "unsubscribed", "waiting"])), max_size=3),
    ),
    min_size=1,
    max_size=4,
)


def one_row(with_list: bool, **values: str) -> tuple[Any, ...]:
    """A step: an import that adds one person, or keeps the values of one who is known."""
    options: dict[str, Any] = {"action": "add", "known": "keep", "blocked": "keep", "identified_by": "account"}
    options |= {"replace": False, "reject_roles": False, "header": False}
    return options, list(values), [values], with_list, 1, []


@settings(
    deadline=None, max_examples=20, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(st.sampled_from(["email", "custom_id"]), STEPS)
# Somebody waits on the list, or is subscribed to it, until a file without a list says that the person has left.
@example("email", [one_row(True, email="a@ü.com", opt_out=""), one_row(False, email="a@ü.com", opt_out="unsubscribed")])
@example(
    "email",
    [one_row(True, email="a@ü.com", opt_out="pending"), one_row(False, email="A@xn--tda.com", opt_out="unsubscribed")],
)
def test_any_sequence_of_imports_does_what_the_model_does(
    database: Database,
    imports: Imports,
    run_file: Callable[..., Job],
    look: Callable[[int], dict[str, Any]],
    rejects: Callable[[int], list[tuple[int, str]]],
    identifier: str,
    steps: list[Any],
) -> None:
    account = Accounts(database).create(uuid4().hex, time_zone="UTC", identifier=identifier)
    here = Lists(database).create(account.id, "Newsletter")
    profiles = Profiles(database)
    header = profiles.add_header(account.id, here.id, "About")
    numbers = {
        "text": profiles.add_attribute(account.id, here.id, header, "Text", max_length=3),
        "box": profiles.add_attribute(account.id, here.id, header, "Box", kind="check_box"),
    }
    suppressions = Suppressions(database)
    suppressions.add(account.id, BANNED, kind="banned")
    suppressions.add(account.id, SUPPRESSED)
    suppressions.add(account.id, SUPPRESSED_HERE, list_id=here.id)
    model = Model(identifier, {name: str(number) for name, number in numbers.items()})

    for options, names, rows, with_list, chunk_rows, changes in steps:
        key = "email" if options["identified_by"] == "email" else identifier
        names = names if key in names else [*names, key]
        on_list = with_list or options["action"].startswith("remove")
        if not on_list:
            names = [name for name in names if name not in numbers]
        if options["action"].startswith("remove"):
            names = [name for name in names if name != "opt_out"]
        if key == "custom_id" and options["blocked"] == "skip":
            # Two contacts may share an address that one chunk suppresses and a later one finds: a dry run cannot know.
            rows = [row | ({"opt_out": "unsubscribed"} if row["opt_out"] == "bounced" else {}) for row in rows]
        targets = [f"attribute:{numbers[name]}" if name in numbers else name for name in names]
        options = options | {"replace": options["replace"] and on_list and options["action"] == "add"}
        columns = tuple(Column(index=n, target=t) for n, t in enumerate(targets) if t != "opt_out")
        told = tuple(OptOut(index=n, heading="Subscription-Status") for n, t in enumerate(targets) if t == "opt_out")
        spec = ImportSpec(columns=columns, opt_outs=told, **options)
        rows = [{name: row[name] for name in names} for row in rows]
        data = written(names, rows, spec.header)
        where = here if on_list else None

        before = look(account.id)
        rehearsal = run_file(account, where, data, replaced(spec, dry_run=True), chunk_rows=chunk_rows)
        assert look(account.id) == before

        expected, failed = model.run(spec, rows, on_list, chunk_rows)
        job = run_file(account, where, data, spec, chunk_rows=chunk_rows)
        assert job.state == ("failed" if failed else "completed")
        assert job.counters == dict(Counter(expected))
        assert set(job.counters) <= set(ImportOutcome)
        assert (rehearsal.state, rehearsal.counters) == (job.state, job.counters)
        assert rejects(job.id) == rejects(rehearsal.id)
        assert [reason for _, reason in rejects(job.id)] == [o for o in expected if o not in TAKEN]
        check_figures(imports, job, len(rows), len(model.members) if on_list and not failed else 0)
        if not failed:
            assert imports.counts(rehearsal).list_members == imports.counts(job).list_members
        check_people(model, look(account.id), here.id, identifier)
        for place, state in changes:
            if model.members:
                member = list(model.members.values())[place % len(model.members)]
                member.state = state
                set_state(database, account, member.number, state)


def written(names: list[str], rows: list[dict[str, str]], header: bool) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    if header:
        writer.writerow(names)
    writer.writerows(row.values() for row in rows)
    return text.getvalue().encode()


def replaced(spec: ImportSpec, **changes: Any) -> ImportSpec:
    return ImportSpec.of(spec.document() | changes)


def check_figures(imports: Imports, job: Job, rows: int, members: int) -> None:
    """mm-48, lk-93: the figures of both contracts reconcile."""
    counts = imports.counts(job)
    assert counts.total == counts.processed == rows
    assert counts.good - sum(job.counters.get(outcome, 0) for outcome in TAKEN) == 0
    assert counts.list_members == members
    assert counts.processed == (
        counts.invalid
        + counts.subscribed
        + counts.unsubscribed
        + counts.already_subscribed
        + counts.already_unsubscribed
        + counts.previously_unsubscribed
        + counts.suppressed
        + counts.banned
        + counts.skipped
    )


def check_people(model: Model, found: dict[str, Any], list_id: int, identifier: str) -> None:
    expected = []
    for number, person in enumerate(model.people):
        key = {"email_key": person.email_key} if person.email_key else {}
        unique = {"unique_email": person.email_key} if identifier == "email" else {}
        left = {"unsubscribed_at": "some time"} if number in model.everywhere else {}
        expected.append(sorted((person.fields | key | unique | left).items()))
    people = [dict(person) for person in found["contacts"]]
    people = [each | ({"unsubscribed_at": "some time"} if "unsubscribed_at" in each else {}) for each in people]
    assert sorted(sorted(person.items()) for person in people) == sorted(expected)
    members = sorted(
        (
            list_id,
            who.fields.get("custom_id") or who.email_key,
            member.state,
            sorted(member.profile.items()),
            member.number,
        )
        for who, member in ((model.people[n], member) for n, member in model.members.items())
    )
    assert found["members"] == members
    assert found["last_number"] == model.last_number


def set_state(database: Database, account: Account, number: int, state: str) -> None:
    """Somebody subscribes or unsubscribes by other means."""
    member = memberships.c
    here = select(func.coalesce(func.sum(case((member.state == "subscribed", 1), else_=0)), 0))
    with database.write() as connection:
        removal = {"removed_at": None, "removed_by": ""}
        connection.execute(
            update(memberships)
            .where(member.account_id == account.id, member.number == number)
            .values(state=state, **removal)
        )
        connection.execute(
            update(lists)
            .where(lists.c.account_id == account.id)
            .values(subscribed=here.where(member.list_id == lists.c.id).scalar_subquery())
        )
