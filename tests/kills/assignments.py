"""The set of imports that a worker is killed over: every kind of import, one after another on the same people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tests.kills.files import BANNED, SUPPRESSED, SUPPRESSED_HERE, Layout, people

from soapstone.imports.spec import Column, ImportSpec
from soapstone.product import Product

PERSON = ("email", "first_name", "city", "custom1", "address")
PROFILE = ("email", "text", "first_name", "box", "date")
MEMBER = ("custom_id", "email", "city", "custom1", "address")

ADD = ImportSpec(columns=(), action="add", known="overwrite", reject_roles=True)


@dataclass(frozen=True)
class Assignment:
    """One import. `account` and `listed` say where; `first` and `rows` are shares of the whole number of people."""

    account: str
    label: str
    layout: Layout
    spec: ImportSpec
    first: float
    rows: float
    listed: bool = True


ASSIGNMENTS = (
    Assignment("MAIL", "add", Layout((*PERSON, "text", "box"), header=True), ADD, 0, 1),
    Assignment("MAIL", "dry run", Layout(PROFILE), replace(ADD, replace=True, dry_run=True), 0.5, 0.5),
    Assignment("MAIL", "update", Layout(PROFILE), replace(ADD, action="update", known="update"), 0.7, 0.6),
    Assignment("MAIL", "append", Layout(PROFILE), replace(ADD, known="append", blocked="skip"), 0.3, 0.5),
    Assignment("MAIL", "remove", Layout(("email",), line_end="\r\n"), replace(ADD, action="remove"), 0.1, 0.2),
    Assignment("MAIL", "clear", Layout(PERSON), replace(ADD, action="remove_with_profile"), 0.2, 0.2),
    Assignment(
        "MAIL",
        "overwrite",
        Layout(PROFILE, delimiter="\t", qualifier="'", encoding="utf-16"),
        replace(ADD, blocked="skip", source="File"),
        0.2,
        0.5,
    ),
    Assignment("MAIL", "keep", Layout(PERSON, packed=True), replace(ADD, known="keep"), 0.25, 0.3),
    Assignment("MAIL", "replace", Layout(PROFILE), replace(ADD, replace=True), 0.6, 0.8),
    Assignment("MEMBERS", "add", Layout(MEMBER), ADD, 0, 0.6),
    Assignment("MEMBERS", "update", Layout(MEMBER, delimiter=";"), replace(ADD, known="update"), 0.3, 0.5),
    Assignment("MEMBERS", "by address", Layout(PERSON), replace(ADD, identified_by="email"), 0.1, 0.4),
    Assignment("MEMBERS", "replace", Layout(MEMBER), replace(ADD, replace=True), 0.3, 0.5),
    Assignment("PEOPLE", "store", Layout(PERSON), ADD, 0, 0.4, listed=False),
)
ACCOUNTS = {"MAIL": "email", "MEMBERS": "custom_id", "PEOPLE": "email"}


# Few and large: the first of each account is read by a process of its own.
LARGE = tuple(ASSIGNMENTS[place] for place in (0, 8, 9))


def whole(people_count: int, assignments: Sequence[Assignment] = ASSIGNMENTS) -> int:
    """Rows of all files for so many people, bad ones and all."""
    return sum(int(assignment.rows * people_count) for assignment in assignments)


def submit_all(
    product: Product, people_count: int, seed: int, assignments: Sequence[Assignment] = ASSIGNMENTS
) -> list[int]:
    """Make the accounts with their lists, submit the imports, and return the jobs' numbers, the same everywhere."""
    return list(_submitted(product, people_count, seed, assignments))


def _submitted(product: Product, people_count: int, seed: int, assignments: Sequence[Assignment]) -> Iterator[int]:
    targets: dict[str, dict[str, str]] = {}
    for name, identifier in ACCOUNTS.items():
        account = product.accounts.create(name, time_zone="UTC", identifier=identifier)
        here = product.lists.create(account.id, name)
        header = product.profiles.add_header(account.id, here.id, "About")
        numbers = {
            "text": product.profiles.add_attribute(account.id, here.id, header, "Text", max_length=8),
            "box": product.profiles.add_attribute(account.id, here.id, header, "Box", kind="check_box"),
            "date": product.profiles.add_attribute(account.id, here.id, header, "Date", kind="date"),
        }
        targets[name] = {column: f"attribute:{number}" for column, number in numbers.items()}
        product.suppressions.add(account.id, BANNED, kind="banned")
        product.suppressions.add(account.id, SUPPRESSED)
        product.suppressions.add(account.id, SUPPRESSED_HERE, list_id=here.id)
    for place, assignment in enumerate(assignments):
        owner = product.accounts.named(assignment.account)
        assert owner is not None
        layout = assignment.layout
        upload = product.blobs.new()
        first, rows = int(assignment.first * people_count), int(assignment.rows * people_count)
        upload.write(people(layout, first, rows, seed * 100 + place))
        columns = tuple(
            Column(index=n, target=targets[assignment.account].get(name, name)) for n, name in enumerate(layout.columns)
        )
        spec = replace(
            assignment.spec,
            columns=columns,
            header=layout.header,
            delimiter=layout.delimiter,
            qualifier=layout.qualifier,
        )
        job = product.imports.submit(
            account=owner,
            login=None,
            contact_list=product.lists.all(owner.id)[0] if assignment.listed else None,
            upload=upload,
            spec=spec,
            label=assignment.label,
        )
        yield job.id
