"""What a set of imports leaves behind, times aside, in a form that two databases can be compared by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from tests.orphans import ORPHANS

from soapstone.product import Product
from soapstone.store.tables import accounts, contacts, lists, memberships, rejected_rows

# Ids differ when an attempt that was rolled back used some up; times differ anyway.
RECORD = [column for column in contacts.c if column.name not in ("id", "account_id", "created_at", "updated_at")]
MEMBER = [
    memberships.c[name] for name in ("list_id", "number", "state", "added_by", "removed_by", "last_job", "profile")
]
PAGE = 20_000

Picture = dict[str, list[Any]]


def picture(product: Product, job_ids: Sequence[int]) -> Picture:
    """Everything that the jobs left: people, members, lists, and all that is told of each job."""
    people = select(accounts.c.name, *RECORD).join(accounts, accounts.c.id == contacts.c.account_id)
    members = (
        select(
            contacts.c.email_key,
            contacts.c.custom_id,
            *MEMBER,
            memberships.c.removed_at.is_not(None),
        )
        .join(contacts, contacts.c.id == memberships.c.contact_id)
        .order_by(memberships.c.account_id, memberships.c.number)
    )
    kept = select(lists.c.id, lists.c.name, lists.c.members, lists.c.subscribed).order_by(lists.c.id)
    counted = (
        select(memberships.c.list_id, func.count(), func.count().filter(memberships.c.state == "subscribed"))
        .group_by(memberships.c.list_id)
        .order_by(memberships.c.list_id)
    )
    found: Picture = {}
    with product.database.read() as connection:
        found["contacts"] = sorted(tuple(row) for row in connection.execute(people))
        found["memberships"] = [_plain(row) for row in connection.execute(members)]
        found["lists"] = [tuple(row) for row in connection.execute(kept)]
        found["lists, counted"] = [tuple(row) for row in connection.execute(counted)]
        numbers = select(accounts.c.name, accounts.c.last_number).order_by(accounts.c.id)
        found["orphans"] = list(connection.exec_driver_sql(ORPHANS).scalars())
        found["last numbers"] = [tuple(row) for row in connection.execute(numbers)]
    for job_id in job_ids:
        job = product.jobs.get(None, job_id)
        assert job is not None
        found[f"job {job_id}"] = [
            (job.kind, job.label, job.state, job.step, job.steps, job.error),
            sorted(job.counters.items()),
            product.imports.counts(job),
            ("completed", [event.state for event in product.jobs.events(job_id)].count("completed")),
        ]
        found[f"rejects of job {job_id}"] = _rejects(product, job_id)
        found[f"outcomes of job {job_id}"] = _outcomes(product, job_id)
    return found


def differences(disturbed: Picture, calm: Picture) -> list[str]:
    """Where the two differ, a line each; empty when they are the same."""
    if disturbed.keys() != calm.keys():
        return [f"not the same parts: {sorted(disturbed.keys() ^ calm.keys())}"]
    found = []
    for name, expected in calm.items():
        got = disturbed[name]
        if len(got) != len(expected):
            found.append(f"{name}: {len(got)} instead of {len(expected)}")
        pairs = zip(got, expected, strict=False)
        found += [
            f"{name}, {n}: {ours!r} instead of {theirs!r}" for n, (ours, theirs) in enumerate(pairs) if ours != theirs
        ]
    return found


def torn(found: Picture) -> list[str]:
    """What is half done in a picture: kept counts that are not true, counters and rejected rows that do not agree."""
    wrong = []
    kept = [(number, members, subscribed) for number, _, members, subscribed in found["lists"] if members]
    if kept != found["lists, counted"]:
        wrong.append(f"lists say {kept}, their members {found['lists, counted']}")
    wrong += [f"orphan: {orphan}" for orphan in found["orphans"]]
    for name, (_, counters, counts, _) in _jobs(found):
        if sum(rows for _, rows in counters) != counts.total:
            wrong.append(f"{name} counts {counters} as {counts}")
        if counts.total - counts.good != len(found[f"rejects of {name}"]):
            wrong.append(f"{name} has {len(found[f'rejects of {name}'])} rejected rows, its counts are {counts}")
        told = Counter(row[1] for row in found[f"outcomes of {name}"])
        if told != Counter(dict(counters)):
            wrong.append(f"{name} counts {counters}, the outcomes of its rows are {told}")
    return wrong


def unfinished(found: Picture) -> list[str]:
    """Jobs that did not end well, or not once."""
    return [
        f"{name}: {facts}, completed {completions} times"
        for name, (facts, _, _, (_, completions)) in _jobs(found)
        if (facts[2], facts[3], facts[5], completions) != ("completed", facts[4], "", 1)
    ]


def _jobs(found: Picture) -> list[tuple[str, list[Any]]]:
    return [(name, facts) for name, facts in found.items() if name.startswith("job ")]


def _plain(row: Any) -> tuple[Any, ...]:
    return tuple(sorted(value.items()) if isinstance(value, dict) else value for value in row)


def _rejects(product: Product, job_id: int) -> list[Any]:
    table = rejected_rows
    query = select(table.c.line, table.c.reason, table.c.fields).where(table.c.job_id == job_id).order_by(table.c.line)
    with product.database.read() as connection:
        return [tuple(row) for row in connection.execute(query)]


def _outcomes(product: Product, job_id: int) -> list[Any]:
    """Line, outcome, address and number of every row; the contact by what it is, not by its id."""
    with product.database.read() as connection:
        who = {row.id: (row.email_key, row.custom_id) for row in connection.execute(_WHO)}
    found: list[Any] = []
    while page := product.imports.outcomes(job_id, offset=len(found), limit=PAGE):
        found += [(row.line, row.outcome, who.get(row.contact_id), row.number, row.email) for row in page]
    return found


_WHO = select(contacts.c.id, contacts.c.email_key, contacts.c.custom_id)
