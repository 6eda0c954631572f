"""What columns of other products mean, value by value; and what an import makes of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from tests.imports.exports_of_products import FILES

from soapstone.accounts.account import Account, Accounts
from soapstone.contacts.changes import Changes
from soapstone.contacts.suppressions import Suppressions
from soapstone.contacts.unsubscribes import Unsubscribes
from soapstone.errors import InvalidError
from soapstone.imports.opt_out_columns import COLUMNS
from soapstone.imports.opt_out_meanings import STRENGTH
from soapstone.imports.opt_outs import Reader, is_opt_out, time_of
from soapstone.imports.spec import Column, ImportSpec, OptOut, opt_outs_of
from soapstone.jobs.job import Job
from soapstone.lists.lists import ContactList, Lists
from soapstone.store.database import Database
from soapstone.store.tables import contact_events, contacts, memberships

EMAIL = Column(index=0, target="email")
NAME = Column(index=1, target="first_name")
RunFile = Callable[..., Job]
LEAP = datetime(2024, 2, 29, 13, 5, 7, tzinfo=UTC)


def told(*headings: str, first: int = 1) -> tuple[OptOut, ...]:
    return tuple(OptOut(index=index, heading=heading) for index, heading in enumerate(headings, first))


def settled(heading: str, *values: str) -> list[str]:
    """What a column with these values means."""
    reader = Reader(heading)
    if reader.asks:
        reader.notice(values)
        reader.settle()
    return list(reader.meanings(values))


def members(database: Database, list_id: int) -> dict[str, str]:
    query = select(contacts.c.email, memberships.c.state).join(memberships, memberships.c.contact_id == contacts.c.id)
    with database.read() as connection:
        return {row.email: row.state for row in connection.execute(query.where(memberships.c.list_id == list_id))}


def removals(database: Database) -> dict[str, tuple[Any, str]]:
    query = select(contacts.c.email, memberships.c.removed_at, memberships.c.removed_by)
    query = query.join(memberships, memberships.c.contact_id == contacts.c.id).where(
        memberships.c.state == "unsubscribed"
    )
    with database.read() as connection:
        return {email: (at, by) for email, at, by in connection.execute(query)}


def test_every_column_names_its_source_and_known_meanings() -> None:
    for column in COLUMNS:
        assert column.product
        assert column.source
        assert set(column.words.values()) <= STRENGTH.keys()
        assert bool(column.words) == (column.form == "words")
        assert all(is_opt_out(heading) for heading in column.headings)


def test_headings_are_known_however_they_are_written() -> None:
    for heading in ("HasOptedOutOfEmail", "hasoptedoutofemail", "HAS_OPTED-OUT of email", "\ufeffOpt Out", "opt-out"):
        assert is_opt_out(heading), heading
    for heading in ("Email", "active", "Name", "", "out"):
        assert not is_opt_out(heading), heading


@pytest.mark.parametrize(
    ("headings", "counted"),
    [
        (["Do Not Email", "Do Not Phone", "Do Not Mail"], ["Do Not Email"]),
        (["NO_MAIL", "NO_EMAIL"], ["NO_EMAIL"]),
        (["do_not_mail", "No Bulk Emails (User Opt Out)"], ["No Bulk Emails (User Opt Out)"]),
        # Nothing else may tell of opt-outs here.
        (["do_not_mail", "Email", "Email status", "Email Bounced Date"], None),
        (["no_mail", "unsubscribed"], None),
    ],
)
def test_mail_means_letters_beside_a_column_for_e_mail(headings: list[str], counted: list[str] | None) -> None:
    """As in CiviCRM and other software for donations."""
    found = [column.heading for column in opt_outs_of(dict(enumerate(headings)))]
    assert found == (list(filter(is_opt_out, headings)) if counted is None else counted)


@pytest.mark.parametrize(
    ("heading", "values", "meanings"),
    [
        ("opt_out", ["", "no", "0", "FALSE", "Yes", " 1 ", "x", "2024-02-29", "2/29/2024"], [""] * 4 + ["left"] * 5),
        ("unsubscribed", ["perhaps", "NULL"], ["unclear", ""]),
        (
            "UNSUB_TIME",
            ["", "0000-00-00 00:00:00", "null", "2024-02-29 13:05:07", "a while ago"],
            [""] * 3 + ["left"] * 2,
        ),
        ("CLEAN_TIME", ["2024-02-29 13:05:07", ""], ["suppressed", ""]),
        ("subscribed_to_emails", ["true", "FALSE", "", "2020-01-01"], ["", "left", "", ""]),
        ("subscribed_to_emails", ["WAHR", "FALSCH", "vrai", "FAUX", "VERDADERO", "FALSO"], ["", "left"] * 3),
        ("HasOptedOutOfEmail", ["FALSCH", "WAHR", "nein", "Ja", "non", "oui", "no", "sí"], ["", "left"] * 4),
        ("Subscribed", ["News, Offers"], ["unclear"]),
        # PHP's fputcsv, Perl and csv-stringify write a truth value as 1 or blank.
        ("opt_in", ["1", "", " "], ["", "left", "left"]),
        ("Is this subscriber confirmed", ["1", ""], ["", "waiting"]),
        ("opt_in", ["1", "", "0"], ["", "", "left"]),
        ("opt_in", ["yes", "", "1"], ["", "", ""]),
        ("opt_in", ["", ""], ["", ""]),
        ("opt_out", ["1", ""], ["left", ""]),
        ("subscription", ["subscribed", "unsubscribed", "waiting"], ["", "left", "waiting"]),
        # What a column of this name is, only its values can show.
        ("status", ["enabled", "disabled", "Block-Listed"], ["", "left", "suppressed"]),
        ("status", ["gold", "disabled"], ["", ""]),
        ("status", ["gold", "Unsubscribed", "disabled", ""], ["unclear", "left", "left", ""]),
        ("Status", ["Active", "Held", "Deleted"], ["", "suppressed", "left"]),
        ("State", ["CA", "NY", ""], ["", "", ""]),
        ("subscription", ["premium", "basic"], ["", ""]),
        ("Email status", ["", ""], ["", ""]),
        ("Email status", ["Active", ""], ["", "left"]),
        ("Email status", ["valid", "unsubscribed", ""], ["unclear", "left", ""]),
        ("Email status - other", ["Active", "Unsubscribed", ""], ["", "left", ""]),
        ("Email permission status", ["Express", "Unsubscribed", "Implied", "Not set"], ["", "left", "", "left"]),
        ("Email On Hold", ["0", "1", "2", "No"], ["", "suppressed", "left", ""]),
        ("On Hold", ["No", "On Hold Bounce"], ["", "suppressed"]),
        # An account or a bill may be on hold.
        ("On Hold", ["0", "1"], ["", ""]),
        ("dnc", ["0", "", "1", "2", "3", "9"], ["", "", "left", "suppressed", "left", "unclear"]),
    ],
)
def test_values_mean_what_their_product_means(heading: str, values: list[str], meanings: list[str]) -> None:
    assert settled(heading, *values) == meanings


def test_times_are_read_where_there_is_one_way_to_read_them() -> None:
    for text in (
        "2024-02-29 13:05:07",
        "2024/02/29 13:05:07",
        "2024/2/29 13:05:07",
        "2024-02-29T13:05:07Z",
        "2024-02-29T14:05:07+01:00",
        "2024-02-29 13:05:07.000000 +0000 UTC",
        "2024-02-29 13:05:07 UTC",
        "1709211907",
        "1709211907000",
    ):
        assert time_of(text) == LEAP, text
    assert time_of("2024-02-29") == time_of("2024/2/29") == LEAP.replace(hour=0, minute=0, second=0)
    # As Excel writes it in Japan.
    assert time_of("2024/2/29 9:05") == LEAP.replace(hour=9, second=0)
    for text in ("", "02/03/2024", "yesterday", "2024-13-01", "2024/2-29", "12", "0000-00-00 00:00:00", "9" * 400):
        assert time_of(text) is None, text
    coming = time_of("2999-01-01")
    assert coming is not None
    assert coming <= datetime.now(UTC)


def test_opt_outs_come_as_unsubscribed_since_the_file_says(
    database: Database, account: Account, newsletter: ContactList, run_file: RunFile, look: Any
) -> None:
    data = (
        b"new@example.com,2024-02-29 13:05:07,\nunread@example.com,some day,\nin@example.com,,\n"
        b"dead@example.com,,2024-02-29 13:05:07\n"
    )
    began = datetime.now(UTC)
    spec = ImportSpec(columns=(EMAIL,), opt_outs=told("UNSUB_TIME", "CLEAN_TIME"))
    job = run_file(account, newsletter, data, spec)
    assert job.counters == {"added_unsubscribed": 3, "added": 1}
    found = removals(database)
    assert found["new@example.com"] == found["dead@example.com"] == (LEAP, "Import")
    assert found["unread@example.com"][0] >= began
    # Reports of unsubscribes have the same dates.
    told_of = Unsubscribes(database).page(account.id, "unsubscribed")
    assert [(each.at, each.list_id) for each in told_of[:2]] == [(LEAP, newsletter.id)] * 2
    assert (len(told_of), told_of[2].at) == (3, found["unread@example.com"][0])
    assert members(database, newsletter.id)["in@example.com"] == "subscribed"
    assert [held.email for held in Suppressions(database).page(account.id)] == ["dead@example.com"]
    look(account.id)


@pytest.mark.parametrize("blocked", ["keep", "skip"])
def test_subscribers_whose_file_says_so_leave_and_nobody_comes_back(
    database: Database, account: Account, newsletter: ContactList, run_file: RunFile, look: Any, blocked: Any
) -> None:
    """lk-117: an import ends subscriptions, and begins none that was ended."""
    with Changes(database).begin(account) as change:
        for name, state in (("here", "subscribed"), ("waits", "waiting"), ("left", "unsubscribed")):
            change.join(newsletter.id, change.add(email=f"{name}@example.com"), state=state)  # type: ignore[arg-type]
    Suppressions(database).add(account.id, "here@example.com")
    spec = ImportSpec(columns=(EMAIL,), opt_outs=told("subscription"), blocked=blocked)
    data = b"here@example.com,unsubscribed\nwaits@example.com,unsubscribed\nleft@example.com,subscribed\n"
    rehearsal = run_file(account, newsletter, data, ImportSpec.of(spec.document() | {"dry_run": True}))
    job = run_file(account, newsletter, data, spec)
    stays = "still_unsubscribed" if blocked == "keep" else "previously_unsubscribed"
    assert job.counters == rehearsal.counters == {"imported_unsubscribed": 2, stays: 1}
    assert set(members(database, newsletter.id).values()) == {"unsubscribed"}
    with database.read() as connection:
        kinds = connection.execute(select(contact_events.c.kind).where(contact_events.c.by == "Import")).scalars().all()
    assert kinds == ["unsubscribed"] * 2
    look(account.id)


@pytest.mark.parametrize("chunk_rows", [1, 2, 5000])
def test_one_opt_out_of_several_rows_counts(
    database: Database, account: Account, newsletter: ContactList, run_file: RunFile, chunk_rows: int
) -> None:
    data = (
        b"a@example.com,One,unsubscribed\nb@example.com,Two,subscribed\nA@example.com,Three,subscribed\n"
        b"c@example.com,Four,bounced\nc@example.com,Five,unsubscribed\nb@example.com,Six,subscribed\n"
    )
    spec = ImportSpec(columns=(EMAIL, NAME), opt_outs=told("subscription status", first=2))
    job = run_file(account, newsletter, data, spec, chunk_rows=chunk_rows)
    assert job.counters == {"added_unsubscribed": 2, "added": 1, "duplicate": 3}
    assert members(database, newsletter.id) == {
        "a@example.com": "unsubscribed",
        "b@example.com": "subscribed",
        "c@example.com": "unsubscribed",
    }
    assert [held.email for held in Suppressions(database).page(account.id)] == ["c@example.com"]


def test_replacing_members_keeps_who_came_as_unsubscribed(
    database: Database, account: Account, newsletter: ContactList, run_file: RunFile
) -> None:
    spec = ImportSpec(columns=(EMAIL,), opt_outs=told("opt_out"))
    run_file(account, newsletter, b"a@example.com,\nb@example.com,\n", spec)
    replacing = ImportSpec.of(spec.document() | {"replace": True})
    run_file(account, newsletter, b"b@example.com,yes\nc@example.com,yes\n", replacing)
    assert members(database, newsletter.id) == {"b@example.com": "unsubscribed", "c@example.com": "unsubscribed"}
    run_file(account, newsletter, b"a@example.com,\n", replacing)
    run_file(account, newsletter, b"b@example.com,\nc@example.com,\n", spec)
    assert set(members(database, newsletter.id).values()) == {"unsubscribed", "subscribed"}
    assert members(database, newsletter.id)["b@example.com"] == "unsubscribed"
    assert members(database, newsletter.id)["c@example.com"] == "unsubscribed"


def test_without_a_list_people_are_unsubscribed_from_everything(
    database: Database, account: Account, newsletter: ContactList, run_file: RunFile
) -> None:
    spec = ImportSpec(columns=(EMAIL,), opt_outs=told("subscription", "unsubscribed_at"))
    data = b"a@example.com,unsubscribed,2024-02-29 13:05:07\nb@example.com,subscribed,\nc@example.com,waiting,\n"
    job = run_file(account, None, data, spec)
    assert job.counters == {"added_unsubscribed": 2, "added": 1}
    with database.read() as connection:
        found = connection.execute(select(contacts.c.email, contacts.c.unsubscribed_at)).all()
    left = {row.email: row.unsubscribed_at for row in found}
    assert left["a@example.com"] == LEAP
    assert left["b@example.com"] is None
    assert left["c@example.com"] is not None
    # And they come onto no list as subscribed.
    run_file(account, newsletter, b"a@example.com\nb@example.com\n", ImportSpec(columns=(EMAIL,)))
    assert members(database, newsletter.id) == {"a@example.com": "unsubscribed", "b@example.com": "subscribed"}


def test_without_a_list_the_subscriptions_of_known_people_end_on_every_list(
    database: Database, account: Account, newsletter: ContactList, run_file: RunFile
) -> None:
    other = Lists(database).create(account.id, "Other")
    for each in (newsletter, other):
        run_file(account, each, b"a@example.com\nb@example.com\n", ImportSpec(columns=(EMAIL,)))
    spec = ImportSpec(columns=(EMAIL,), opt_outs=told("unsubscribed_at"))
    data = b"a@example.com,2024-02-29 13:05:07\nb@example.com,\nc@example.com,2024-02-29 13:05:07\n"
    job = run_file(account, None, data, spec)
    assert job.counters == {"imported_unsubscribed": 1, "unchanged": 1, "added_unsubscribed": 1}
    for each in (newsletter, other):
        assert members(database, each.id) == {"a@example.com": "unsubscribed", "b@example.com": "subscribed"}
        found = Lists(database).get(account.id, each.id)
        assert found is not None
        assert (found.members, found.subscribed) == (2, 1)
    assert removals(database) == {"a@example.com": (LEAP, "Import")}
    wanted = (contact_events.c.id, contact_events.c.list_id, contact_events.c.by, contact_events.c.part_of)
    query = select(*wanted).where(contact_events.c.kind == "unsubscribed").order_by(contact_events.c.id)
    person = select(contacts.c.id).where(contacts.c.email == "c@example.com").scalar_subquery()
    new = contact_events.c.contact_id == person
    with database.read() as connection:
        first, *others = connection.execute(query.where(~new)).all()
        (of_new,) = connection.execute(query.where(new)).all()
    assert (first.list_id, first.by, first.part_of) == (None, "Import", None)
    assert {(each.list_id, each.by, each.part_of) for each in others} == {
        (newsletter.id, "Import", first.id),
        (other.id, "Import", first.id),
    }
    assert (of_new.list_id, of_new.by, of_new.part_of) == (None, "Import", None)
    # The same file once more ends nothing.
    run_file(account, None, data, spec)
    with database.read() as connection:
        assert len(connection.execute(query).all()) == 4
        left = connection.execute(select(contacts.c.unsubscribed_at).where(contacts.c.email == "a@example.com"))
        assert left.scalar_one() == LEAP


def test_addresses_are_suppressed_where_people_go_by_their_custom_id(database: Database, run_file: RunFile) -> None:
    account = Accounts(database).create("By number", time_zone="UTC", identifier="custom_id")
    here = Lists(database).create(account.id, "News")
    columns = (Column(index=0, target="custom_id"), Column(index=1, target="email"))
    run_file(account, here, b"7,Old@example.com,\n", ImportSpec(columns=columns))
    job = run_file(
        account,
        here,
        b"7,New@example.com,yes\n8,,yes\n",
        ImportSpec(columns=columns, opt_outs=told("bounced", first=2)),
    )
    assert job.counters == {"imported_unsubscribed": 1, "added_unsubscribed": 1}
    assert {held.email for held in Suppressions(database).page(account.id)} == {"old@example.com", "new@example.com"}


def test_columns_that_cannot_be_told_are_rejected_rows_not_subscribers(
    database: Database, account: Account, newsletter: ContactList, run_file: RunFile, rejects: Any
) -> None:
    spec = ImportSpec(columns=(EMAIL,), header=True, opt_outs=told("opt out"))
    job = run_file(account, newsletter, b"Email,opt out\na@example.com,yes\nb@example.com,perhaps\n", spec)
    assert rejects(job.id) == [(3, "unclear_opt_out")]
    assert members(database, newsletter.id) == {"a@example.com": "unsubscribed"}


def test_opt_outs_of_role_addresses_are_taken(
    database: Database, account: Account, newsletter: ContactList, run_file: RunFile
) -> None:
    """mm-55 refuses such addresses as subscribers; an opt-out makes none."""
    run_file(account, newsletter, b"info@example.com\n", ImportSpec(columns=(EMAIL,)))
    spec = ImportSpec(columns=(EMAIL,), opt_outs=told("opt_out"), reject_roles=True)
    job = run_file(account, newsletter, b"info@example.com,yes\nsales@example.com,no\n", spec)
    assert job.counters == {"imported_unsubscribed": 1, "role_address": 1}
    assert members(database, newsletter.id) == {"info@example.com": "unsubscribed"}


def test_headings_are_no_values_and_short_rows_say_nothing(
    database: Database, account: Account, newsletter: ContactList, run_file: RunFile
) -> None:
    spec = ImportSpec(columns=(EMAIL,), header=True, opt_outs=told("status"))
    run_file(account, newsletter, b"Email,status\na@example.com,disabled\nb@example.com\n", spec)
    assert members(database, newsletter.id) == {"a@example.com": "unsubscribed", "b@example.com": "subscribed"}


def test_blanks_among_ones_deny_a_consent(
    database: Database, account: Account, newsletter: ContactList, run_file: RunFile
) -> None:
    """As PHP writes `false`. Another value, wherever it stands, shows that blanks say nothing."""
    spec = ImportSpec(columns=(EMAIL,), header=True, opt_outs=told("opt_in"))
    run_file(account, newsletter, b"Email,opt_in\na@example.com,1\nb@example.com,\nc@example.com,1\n", spec)
    states = {"a@example.com": "subscribed", "b@example.com": "unsubscribed", "c@example.com": "subscribed"}
    assert members(database, newsletter.id) == states
    run_file(account, newsletter, b"Email,opt_in\nd@example.com,\ne@example.com,1\nf@example.com,0\n", spec)
    states |= {"d@example.com": "subscribed", "e@example.com": "subscribed", "f@example.com": "unsubscribed"}
    assert members(database, newsletter.id) == states


def test_imports_that_remove_take_none(account: Account, newsletter: ContactList, submit: Callable[..., Job]) -> None:
    spec = ImportSpec(columns=(EMAIL,), action="remove", opt_outs=told("opt_out"))
    with pytest.raises(InvalidError, match="takes no opt-outs"):
        submit(account, newsletter, b"", spec)


def test_files_of_all_products_are_there() -> None:
    families = {name.partition(",")[0].partition(" (")[0] for name in FILES}
    without = {"any", "Soapstone", "Salesforce Marketing Cloud", "Constant Contact Lead Gen & CRM", "Shopify", "MailUp"}
    assert {column.product.partition(" (")[0] for column in COLUMNS} - without <= families
