"""Imports from submission to the end: what is refused, and each outcome a row can have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection

from soapstone.accounts.account import Account, Accounts
from soapstone.clock import now
from soapstone.contacts.erased_addresses import remember
from soapstone.contacts.members import Members
from soapstone.contacts.suppressions import Suppressions
from soapstone.errors import InvalidError
from soapstone.imports.imports import Imports
from soapstone.imports.misfits import misfits_of
from soapstone.imports.outcomes import ImportCounts, RejectedRow
from soapstone.imports.runner import run_import
from soapstone.imports.spec import Column, ImportSpec, OptOut
from soapstone.imports.surplus import Surplus, surplus_of
from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.jobs.worker import Worker
from soapstone.lists.lists import ContactList, Lists
from soapstone.lists.profiles import Profiles
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.vocabulary.jobs import JobKind
from soapstone.vocabulary.rows import REJECTED, TAKEN, ImportOutcome

RunFile = Callable[..., Job]
Look = Callable[[int], dict[str, Any]]

EMAIL = Column(index=0, target="email")
NAME = Column(index=1, target="first_name")
ADD = ImportSpec(columns=(EMAIL, NAME))


def test_what_is_returned_is_queued_however_fast_a_worker_is(
    database: Database,
    account: Account,
    newsletter: ContactList,
    submit: Callable[..., Job],
    work_off: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """mm-41: an upload's answer is the record of a job that waits."""
    write = database.write

    @contextmanager
    def written_and_taken(**how: Any) -> Iterator[Connection]:
        with write(**how) as connection:
            yield connection
        monkeypatch.setattr(database, "write", write)
        work_off()

    monkeypatch.setattr(database, "write", written_and_taken)
    job = submit(account, newsletter, b"a@example.com,Ann\n", ADD)
    assert job.state == "queued"
    ended = Jobs(database).get(None, job.id)
    assert ended is not None
    assert ended.state == "completed"


def test_a_worker_does_it(
    database: Database, blobs: Blobs, imports: Imports, account: Account, newsletter: ContactList
) -> None:
    login = Accounts(database).add_login(account, "ann", "secret")
    upload = blobs.new()
    upload.write(b"Email,First\r\na@example.com,Ann\r\nbad,x\r\n\r\nb@example.com,Bob\nA@example.com,Anna\n")
    spec = ImportSpec(columns=(EMAIL, NAME), header=True)
    job = imports.submit(
        account=account, login=login, contact_list=newsletter, upload=upload, spec=spec, label="people.csv"
    )
    assert (job.kind, job.state, job.steps, job.login_id, job.list_id) == (
        JobKind.IMPORT,
        "queued",
        1,
        login.id,
        newsletter.id,
    )
    assert (job.label, job.blob_size) == ("people.csv", upload.size)
    assert imports.spec(job) == spec
    assert imports.counts(job) == ImportCounts.of({})
    assert imports.progress(job).rows is None

    jobs = Jobs(database)
    Worker(database, blobs, {JobKind.IMPORT: run_import}, idle=0.05).run(
        until=lambda: all(job.over for job in jobs.find())
    )
    done = jobs.get([account.id], job.id)
    assert done is not None
    assert (done.state, done.step) == ("completed", 1)
    counts = imports.counts(done)
    assert (counts.total, counts.good, counts.new_contacts, counts.changed_contacts) == (4, 2, 2, 0)
    assert counts.list_members == 2
    assert imports.progress(done).rows == 4
    duplicate = RejectedRow(
        line=2, reason="duplicate", words=ImportOutcome.DUPLICATE.meaning, fields=["a@example.com", "Ann"]
    )
    invalid = RejectedRow(
        line=3, reason="invalid_address", words=ImportOutcome.INVALID_ADDRESS.meaning, fields=["bad", "x"]
    )
    assert imports.rejected(job.id) == [duplicate, invalid]
    assert imports.rejected(job.id, after_line=duplicate.line, limit=1) == [invalid]
    members = Members(database).page(newsletter.id)
    assert [(m.number, m.email, m.state, m.added_by) for m in members] == [
        (1, "A@example.com", "subscribed", "Import"),
        (2, "b@example.com", "subscribed", "Import"),
    ]
    kept = Lists(database).get(account.id, newsletter.id)
    assert kept is not None
    assert (kept.members, kept.subscribed) == (2, 2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"columns": ()}, "e-mail address"),
        ({"columns": (NAME,)}, "e-mail address"),
        ({"columns": (EMAIL, EMAIL)}, "Two columns"),
        ({"columns": (Column(index=-1, target="email"),)}, "counted from 0"),
        ({"columns": (EMAIL, Column(index=1, target="shoe_size"))}, "no field shoe_size"),
        ({"columns": (EMAIL, Column(index=1, target="attribute:99"))}, "no profile attribute 99"),
        ({"columns": (EMAIL, Column(index=1, target="attribute:x"))}, "no profile attribute x"),
        ({"columns": (EMAIL, Column(index=1, target="attribute:"))}, "no profile attribute"),
        ({"delimiter": ""}, "one character"),
        ({"delimiter": "||"}, "one character"),
        ({"delimiter": "\n"}, "one character"),
        ({"qualifier": "''"}, "one character"),
        ({"qualifier": ","}, "must differ"),
        ({"action": "delete"}, "action must be"),
        ({"known": ""}, "known must be"),
        ({"blocked": "x"}, "blocked must be"),
        ({"identified_by": "phone"}, "identified_by must be"),
        ({"encoding": "klingon"}, "There is no encoding klingon"),
        ({"source": ""}, "source must be"),
        ({"replace": True, "action": "update"}, "Only an import that adds"),
    ],
)
def test_what_cannot_work_is_refused_and_nothing_is_kept(
    database: Database,
    blobs: Blobs,
    submit: Callable[..., Job],
    account: Account,
    newsletter: ContactList,
    changes: dict[str, Any],
    words: str,
) -> None:
    """lk-70, mm-44."""
    spec = ImportSpec(**{"columns": (EMAIL,)} | changes)
    with pytest.raises(InvalidError, match=words):
        submit(account, newsletter, b"a@example.com\n", spec)
    assert list(blobs.folder.iterdir()) == []
    assert Jobs(database).find() == []


def test_what_needs_a_list_is_refused_without_one(
    database: Database, submit: Callable[..., Job], account: Account, newsletter: ContactList
) -> None:
    for spec in (
        ImportSpec(columns=(EMAIL,), action="remove"),
        ImportSpec(columns=(EMAIL,), replace=True),
        ImportSpec(columns=(EMAIL, Column(index=1, target="attribute:1"))),
    ):
        with pytest.raises(InvalidError):
            submit(account, None, b"", spec)
    other = Accounts(database).create("OTHER", time_zone="UTC")
    with pytest.raises(InvalidError, match="another account"):
        submit(other, newsletter, b"", ADD)
    by_custom_id = Accounts(database).create("NUMBERS", time_zone="UTC", identifier="custom_id")
    with pytest.raises(InvalidError, match="custom member id"):
        submit(by_custom_id, None, b"", ADD)
    assert submit(by_custom_id, None, b"", ImportSpec(columns=(EMAIL,), identified_by="email")).list_id is None


def test_a_spec_survives_its_job(submit: Callable[..., Job], imports: Imports, account: Account) -> None:
    spec = ImportSpec(
        columns=(Column(index=3, target="email", default="x@example.com"), NAME),
        header=True,
        delimiter="\t",
        qualifier="",
        encoding="utf-8",
        action="update",
        known="append",
        blocked="skip",
        identified_by="email",
        dry_run=True,
        reject_roles=True,
        source="File",
        opt_outs=(OptOut(index=1, heading="unsubscribed"),),
    )
    job = submit(account, None, b"", spec)
    assert imports.spec(job) == spec
    assert job.kind == JobKind.TRIAL_IMPORT


def test_every_outcome(
    database: Database,
    run_file: RunFile,
    imports: Imports,
    account: Account,
    newsletter: ContactList,
    look: Look,
) -> None:
    """One file after another, until each outcome was there; mm-48 and lk-93 count them."""
    suppressions = Suppressions(database)
    suppressions.add(account.id, "banned@example.com", kind="banned")
    suppressions.add(account.id, "Suppressed@example.com", list_id=newsletter.id)
    reached: set[str] = set()

    def outcomes(data: bytes, on_list: bool = True, **changes: Any) -> dict[str, int]:
        columns = (EMAIL, NAME)
        job = run_file(account, newsletter if on_list else None, data, ImportSpec(**{"columns": columns} | changes))
        assert job.state == "completed"
        assert set(job.counters) <= set(ImportOutcome)
        assert sum(job.counters.values()) == imports.counts(job).total
        reached.update(job.counters)
        return dict(job.counters)

    assert outcomes(b"a@example.com,Ann\nb@example.com,Bob\nA@EXAMPLE.com,Anna\n") == {"added": 2, "duplicate": 1}
    assert outcomes(b"c@example.com,Cem\nd@example.com,Dan\n", on_list=False) == {"added": 2}
    assert outcomes(b"c@example.com,Cem\n", on_list=False, known="update") == {"unchanged": 1}
    # mm-58: joins, record untouched.
    assert outcomes(b"a@example.com,X\nc@example.com,X\n") == {"unchanged": 1, "joined": 1}
    assert outcomes(b"a@example.com,Ada\nd@example.com,Dora\nb@example.com,Bob\n", known="overwrite") == {
        "updated": 1,
        "joined_updated": 1,
        "unchanged": 1,
    }
    remove: dict[str, Any] = {"action": "remove", "identified_by": "email", "blocked": "skip"}
    assert outcomes(b"b@example.com\nb@example.com\n", **remove) == {"removed": 1, "duplicate": 1}
    assert outcomes(b"b@example.com\nz@example.com\n", **remove) == {"already_removed": 1, "nothing_to_remove": 1}
    # mm-59 and lk-75.
    assert outcomes(b"b@example.com,Bob\n", known="overwrite") == {"still_unsubscribed": 1}
    assert outcomes(b"b@example.com,Ben\n", known="overwrite") == {"still_unsubscribed_updated": 1}
    assert outcomes(
        b"b@example.com\nBANNED@example.com\nsuppressed@example.com\n", identified_by="email", blocked="skip"
    ) == {"previously_unsubscribed": 1, "banned": 1, "suppressed": 1}
    assert outcomes(b"y@example.com\n", action="update", blocked="skip") == {"not_on_list": 1}
    # Deleted people, of whom a keyed hash is kept.
    with database.write() as connection:
        remember(connection, account.id, {"deleted@example.com"}, now())
    assert outcomes(b"deleted@example.com\n") == {"deleted": 1}
    # mm-55.
    assert outcomes(b"info@example.com\nbad\n,\n", reject_roles=True) == {
        "role_address": 1,
        "invalid_address": 1,
        "missing_key": 1,
    }
    broken = b"k@example.com,\xe9\n" + b"l@example.com," + b"x" * 1_048_577 + b'\nm@example.com,"\n'
    assert outcomes(broken, encoding="utf-8") == {"encoding": 1, "too_long": 1, "unterminated_quote": 1}
    # What the file says of people who get no mail.
    opt_outs = (OptOut(index=2, heading="unsubscribed"), OptOut(index=3, heading="subscription"))
    assert outcomes(
        b"o@example.com,O,yes,\na@example.com,Ada,1,\nw@example.com,W,,waiting\nq@example.com,Q,perhaps,\n",
        opt_outs=opt_outs,
    ) == {"added_unsubscribed": 1, "imported_unsubscribed": 1, "added_unconfirmed": 1, "unclear_opt_out": 1}
    assert outcomes(
        b"o@example.com,Olga,yes,\nw@example.com,Will,no,waiting\n", opt_outs=opt_outs, known="overwrite"
    ) == {"imported_unsubscribed_updated": 1, "imported_unconfirmed_updated": 1}
    assert outcomes(b"w@example.com,Will,no,waiting\n", opt_outs=opt_outs) == {"imported_unconfirmed": 1}
    assert reached == set(ImportOutcome)
    assert outcomes(b"banned@example.com\nsuppressed@example.com\n") == {"added": 2}
    states = {who: state for _, who, state, *_ in look(account.id)["members"]}
    assert states["b@example.com"] == "unsubscribed"


def test_figures_are_sums_over_all_outcomes() -> None:
    """mm-48, lk-93: each row counts once in what processed adds up from."""
    assert TAKEN.isdisjoint(REJECTED)
    beside = {"total", "good", "new_contacts", "changed_contacts", "list_members", "imported_unsubscribed", "processed"}
    parts = ImportCounts.__dataclass_fields__.keys() - beside
    for outcome in ImportOutcome:
        counts = ImportCounts.of({outcome: 3})
        assert counts.total == counts.processed == 3
        assert counts.good == (3 if outcome in TAKEN else 0)
        assert sum(getattr(counts, name) for name in parts) == 3, outcome
        assert counts.new_contacts + counts.changed_contacts <= counts.good


def test_short_rows_are_padded_surplus_columns_ignored_and_defaults_fill_in(
    run_file: RunFile, account: Account, newsletter: ContactList, look: Look
) -> None:
    """mm-46, lk-69."""
    spec = ImportSpec(columns=(EMAIL, Column(index=2, target="city", default="Ulm"), Column(index=1, target="zip")))
    run_file(account, newsletter, b"a@example.com\nb@example.com,1,Bonn,x,y\nc@example.com,2,  \n", spec)
    found = [dict(person) for person in look(account.id)["contacts"]]
    assert [(person.get("zip"), person.get("city")) for person in found] == [(None, "Ulm"), ("1", "Bonn"), ("2", "Ulm")]


def test_profile_values_are_stored_in_their_form(
    database: Database, run_file: RunFile, account: Account, newsletter: ContactList, look: Look
) -> None:
    """lk-47."""
    profiles = Profiles(database)
    header = profiles.add_header(account.id, newsletter.id, "About")
    kinds = ("check_box", "numeric", "date", "text")
    numbers = [
        profiles.add_attribute(account.id, newsletter.id, header, kind, kind=kind, max_length=4) for kind in kinds
    ]
    columns = (EMAIL, *(Column(index=n, target=f"attribute:{number}") for n, number in enumerate(numbers, 1)))
    data = "a@example.com,1,2.50,2024-02-09,größer\nb@example.com,maybe,1.234,02/30/2024,\n".encode()
    run_file(account, newsletter, data, ImportSpec(columns=columns))
    first, second = (member[3] for member in look(account.id)["members"])
    assert first == sorted(zip(map(str, numbers), ["on", "2.50", "02/09/2024", "größ"], strict=True))
    # Every value fits a check box.
    assert second == [(str(numbers[0]), "on")]
    # The same again changes nothing, whatever the kind of update; misfits leave what is there.
    for known in ("update", "append", "overwrite"):
        job = run_file(account, newsletter, data, ImportSpec(columns=columns, known=known))
        assert job.counters == {"unchanged": 2}
    job = run_file(account, newsletter, b"a@example.com,1,x,?,\n", ImportSpec(columns=columns, known="overwrite"))
    assert job.counters == {"updated": 1}
    assert look(account.id)["members"][0][3] == first[:3]


@pytest.mark.parametrize("stage_rows", [1, 3, 6])
def test_the_first_line_with_a_value_left_out_is_that_of_the_file(
    database: Database, run_file: RunFile, account: Account, newsletter: ContactList, stage_rows: int
) -> None:
    """lk-47, mm-46: rows are merged in the order of their keys."""
    profiles = Profiles(database)
    header = profiles.add_header(account.id, newsletter.id, "About")
    number = profiles.add_attribute(account.id, newsletter.id, header, "Age", kind="numeric", max_length=9)
    spec = ImportSpec(columns=(EMAIL, Column(index=1, target=f"attribute:{number}")), header=True)
    rows = ["f@x.com,old,more", "d@x.com,4", "e@x.com,5", "c@x.com,3", "a@x.com,young,more", "b@x.com,2"]
    # Its first range is as large as a stage: the others are of one chunk.
    data = "\n".join(["Email,Age", *[f"{n}@x.com,1" for n in range(6)], *rows]).encode()
    job = run_file(account, newsletter, data, spec, chunk_rows=6, stage_rows=stage_rows)
    (misfits,) = misfits_of(job)
    assert (misfits.values, misfits.line) == (2, 8)
    assert surplus_of(job) == Surplus(rows=2, line=8)


def test_accounts_identified_by_custom_id(database: Database, run_file: RunFile, imports: Imports, look: Look) -> None:
    """mm-53, mm-54: the last row of an id wins, addresses may repeat and change, and must be well-formed if given."""
    account = Accounts(database).create("NUMBERS", time_zone="UTC", identifier="custom_id")
    here = Lists(database).create(account.id, "List")
    spec = ImportSpec(columns=(EMAIL, Column(index=1, target="custom_id")), known="overwrite")
    data = b"a@example.com,1\nA@example.com,2\n,3\nb@example.com,\nbad,4\nc@example.com,1\nC@Example.com,5\n"
    job = run_file(account, here, data, spec)
    assert job.counters == {"added": 4, "duplicate": 1, "missing_key": 1, "invalid_address": 1}
    job = run_file(account, here, b"New@example.com,2\n,1\n", spec)
    assert job.counters == {"updated": 2}
    found = {dict(person)["custom_id"]: dict(person) for person in look(account.id)["contacts"]}
    assert found["2"] == {"email": "New@example.com", "email_key": "new@example.com", "custom_id": "2"}
    assert [found[n].get("email") for n in ("1", "3", "5")] == [None, None, "C@Example.com"]


def test_letter_case_of_an_address_is_no_change(
    run_file: RunFile, account: Account, newsletter: ContactList, look: Look
) -> None:
    """lk-64: addresses are compared without regard to case and given back as first stored."""
    run_file(account, newsletter, b"Ann@Example.com,Ann\n", ADD)
    job = run_file(account, newsletter, b"ann@example.COM,Ann\n", ImportSpec(columns=(EMAIL, NAME), known="overwrite"))
    assert job.counters == {"unchanged": 1}
    assert dict(look(account.id)["contacts"][0])["email"] == "Ann@Example.com"


@pytest.mark.parametrize("chunk_rows", [1, 5000])
def test_forms_of_one_mailbox_are_one_contact(
    run_file: RunFile, account: Account, newsletter: ContactList, look: Look, chunk_rows: int
) -> None:
    """lk-64, mm-54: the last row counts, and the address stays as it was first stored."""
    forms = ["Ann@bücher.example", "ann@xn--bcher-kva.example", "ANN@BU\u0308CHER.example", "ann@ｂüｃｈｅｒ．example"]
    rows = "".join(f"{form},{number}\n" for number, form in enumerate(forms))
    spec = ImportSpec(columns=(EMAIL, NAME), known="overwrite")
    job = run_file(account, newsletter, rows.encode(), spec, chunk_rows=chunk_rows)
    assert job.counters == {"duplicate": 3, "added": 1}
    job = run_file(account, newsletter, f"{forms[0]},9\n{forms[1]},8\n".encode(), spec, chunk_rows=chunk_rows)
    assert job.counters == {"duplicate": 1, "updated": 1}
    person = dict(look(account.id)["contacts"][0])
    assert (person["email"], person["email_key"], person["first_name"]) == (forms[3], forms[1], "8")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "cp1252", "utf-8"])
def test_encodings_are_found_out(
    run_file: RunFile, account: Account, newsletter: ContactList, look: Look, encoding: str
) -> None:
    """lk-68."""
    data = "a@example.com,Jürgen €\r\n".encode(encoding)
    if encoding == "utf-16-be":
        data = b"\xfe\xff" + data
    run_file(account, newsletter, data, ADD)
    assert dict(look(account.id)["contacts"][0])["first_name"] == "Jürgen €"


def test_the_names_of_the_columns_are_read_before_the_upload_is_kept(imports: Imports, blobs: Blobs) -> None:
    """mm-45."""

    def names(data: bytes, **dialect: Any) -> list[str]:
        upload = blobs.new()
        upload.write(data)
        upload.close()
        try:
            return imports.header_names(upload, **dialect)
        finally:
            upload.discard()

    assert names(b'\xef\xbb\xbf\r\nEmail,"First, Name"\r\na,b\r\n', encoding="utf-8") == ["Email", "First, Name"]
    assert names(b"Email;City", delimiter=";", qualifier="") == ["Email", "City"]
    assert names(b"") == []
    with pytest.raises(InvalidError):
        names(b"Email", delimiter="")
    assert list(blobs.folder.iterdir()) == []
