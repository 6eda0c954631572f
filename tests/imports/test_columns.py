"""What the columns of a file are for, by their headings: the table, the list's own attributes, whole names."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.imports.headings_of_products import FILES, ProductFile

from soapstone.contacts.fields import FIELDS
from soapstone.errors import InvalidError
from soapstone.imports.columns import LONGEST_TOLD, MOST_NEW, MOST_TOLD, Headings, Plan, heading_column, plain_heading
from soapstone.imports.headings import HEADINGS, WHOLE_NAMES
from soapstone.imports.opt_outs import is_opt_out
from soapstone.imports.rows import name_parts
from soapstone.imports.spec import CONTACT_COLUMNS
from soapstone.lists.profiles import ProfileAttribute


def attributes(*names: str) -> list[ProfileAttribute]:
    """Attributes with the numbers 1, 2, 3 …"""
    common = {"list_id": 1, "header_id": 1, "kind": "text", "max_length": 0}
    return [ProfileAttribute(id=n, name=name, position=n, **common) for n, name in enumerate(names, 1)]  # type: ignore[arg-type]


def read(headings: Headings, names: Sequence[str]) -> Plan:
    ignored = {index for index, name in enumerate(names) if is_opt_out(name)}
    return headings.read(dict(enumerate(names)), "email", ignored)


def targets(names: Sequence[str], own: Sequence[ProfileAttribute] = ()) -> dict[str, str]:
    """Heading → what its column fills."""
    plan = read(Headings(own), names)
    return {names[column.index]: column.target for column in plan.columns} | {
        names[index]: f"new:{name}" for index, name in plan.new.items()
    }


# --- the table --------------------------------------------------------------------------------------------------------


def test_the_table_is_of_all_fields_and_no_heading_stands_there_twice() -> None:
    assert HEADINGS.keys() == CONTACT_COLUMNS
    plain = [plain_heading(name) for names in HEADINGS.values() for name in names]
    plain += map(plain_heading, WHOLE_NAMES)
    assert len(plain) == len(set(plain)), sorted(name for name in plain if plain.count(name) > 1)
    assert all(plain)


def test_fields_have_the_names_of_the_contract_too() -> None:
    """mm-43"""
    for name, column in FIELDS.items():
        assert heading_column(name) == column


@pytest.mark.parametrize(
    "heading", ["First Name", "FIRST_NAME", "first-name", " FirstName ", "first  name", "First name:"]
)
def test_case_and_what_stands_between_words_do_not_matter(heading: str) -> None:
    assert heading_column(heading) == "first_name"


def test_accents_do_not_matter() -> None:
    for heading in ("Prénom", "prenom", "PRÉNOM", "Pre\u0301nom"):
        assert heading_column(heading) == "first_name"
    assert heading_column("STRASSE") == heading_column("Straße") == "address"


def test_what_means_something_else_too_is_not_in_the_table() -> None:
    for heading in ("Region", "Estado", "Status", "Title", "SMS", "Country", "Country/Region", "Department", ""):
        assert heading_column(heading) is None, heading


@pytest.mark.parametrize("product", FILES)
def test_headings_of_other_programs(product: str) -> None:
    file: ProductFile = FILES[product]
    plan = read(Headings([]), file.names)
    row = [file.values.get(name, "") for name in file.names]
    filled = {column.target: row[column.index] for column in plan.columns if row[column.index]}
    assert filled == {**file.fields, "email": "ann@example.org"}
    assert {name: row[index] for index, name in plan.new.items()} == file.attributes
    assert len(plan.unused) == file.unused, plan.unused


# --- several columns for one field, and attributes of the list -------------------------------------------------------


def test_the_better_of_two_columns_fills_the_field() -> None:
    names = ["Home Phone", "Mobile Phone", "Business Phone", "E-mail Address", "Mail"]
    plan = read(Headings([]), names)
    assert {names[column.index] for column in plan.columns} == {"Business Phone", "E-mail Address"}
    assert list(plan.unused.values()) == ["Home Phone", "Mobile Phone", "Mail"]
    # The contract's own name is the best.
    assert targets(["EmailAddress", "Email"]) == {"Email": "email"}


def test_columns_that_are_alike_both_stay_to_be_refused() -> None:
    plan = read(Headings([]), ["Email", "First Name", "FirstName"])
    assert [column.target for column in plan.columns] == ["email", "first_name", "first_name"]


def test_attributes_come_before_the_table_and_after_names_of_fields() -> None:
    own = attributes("First Name", "Company", "Postcode", "Shoe size")
    names = ["E-mail", "first name", "COMPANY", "postcode", "shoe_size"]
    assert targets(names, own) == {
        "E-mail": "email",
        "first name": "attribute:1",
        "COMPANY": "company",
        "postcode": "attribute:3",
        "shoe_size": "attribute:4",
    }
    plan = read(Headings(own), names)
    assert plan.doubled == ("COMPANY",)
    both = read(Headings(own), [*names, "attribute:2"])
    assert [column.target for column in both.columns if column.index in (2, 5)] == ["company", "attribute:2"]
    assert both.doubled == ()


def test_an_attribute_takes_the_address_only_from_a_better_column() -> None:
    own = attributes("Email Address")
    assert targets(["Email Address"], own) == {"Email Address": "email"}
    assert targets(["Email", "Email Address"], own) == {"Email": "email", "Email Address": "attribute:1"}


def test_the_exact_name_of_an_attribute_is_the_best() -> None:
    own = attributes("Shoe size", "Hat-size", "Hat size")
    assert targets(["Email", "SHOE_SIZE", "Shoe Size"], own) == {"Email": "email", "Shoe Size": "attribute:1"}
    # Two attributes differ by what does not count: their names must be given as they are.
    assert targets(["Email", "HatSize", "hat size"], own) == {"Email": "email", "hat size": "attribute:3"}


# --- whole names ------------------------------------------------------------------------------------------------------


def test_a_whole_name_is_kept_in_an_attribute() -> None:
    assert targets(["email", "name"]) == {"email": "email", "name": "new:Name"}
    assert targets(["email", "Full Name"], attributes("NAME")) == {"email": "email", "Full Name": "attribute:1"}
    assert targets(["email", "Full Name"], attributes("Name", "Full name"))["Full Name"] == "attribute:2"
    # The better of two.
    assert targets(["email", "Display Name", "Name"]) == {"email": "email", "Name": "new:Name"}


def test_a_name_beside_one_of_its_parts_is_the_other() -> None:
    assert targets(["email", "Vorname", "Name"])["Name"] == "last_name"
    assert targets(["email", "Name", "Last name"])["Name"] == "first_name"
    assert targets(["email", "First Name", "Full Name"])["Full Name"] == "new:Name"


def test_a_whole_name_beside_both_parts_is_told() -> None:
    plan = read(Headings([]), ["email", "Name", "First Name", "Last Name"])
    assert (plan.new, plan.unused) == ({}, {1: "Name"})


def test_without_a_list_a_whole_name_is_told() -> None:
    for headings in (Headings(None), Headings([], may_make=False)):
        plan = read(headings, ["email", "Name"])
        assert (plan.new, plan.unused) == ({}, {1: "Name"})


def test_whole_names_are_split_on_request() -> None:
    for own in (None, [], attributes("Shoe size")):
        plan = read(Headings(own, splits_names=True), ["email", "Name"])
        assert [(column.target, column.part) for column in plan.columns if column.index == 1] == [
            ("first_name", "first_name"),
            ("last_name", "last_name"),
        ]
        assert (plan.new, plan.unused) == ({}, {})
    kept = read(Headings(attributes("Name"), splits_names=True), ["email", "Name"])
    assert [column.target for column in kept.columns] == ["email", "attribute:1", "first_name", "last_name"]
    only = read(Headings([], splits_names=True), ["email", "First Name", "Full Name"])
    assert [column.target for column in only.columns if column.index == 2] == ["last_name"]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Ann Lee", ("Ann", "Lee")),
        ("  Ann   Lee ", ("Ann", "Lee")),
        ("Ludwig van Beethoven", ("Ludwig", "van Beethoven")),
        ("García López, Ana María", ("Ana María", "García López")),
        ("Ann", ("Ann", "")),
        ("Lee,", ("", "Lee")),
        ("", ("", "")),
    ],
)
def test_parts_of_names(name: str, parts: tuple[str, str]) -> None:
    assert name_parts(name) == parts


# --- what is not recognised -------------------------------------------------------------------------------------------


def test_new_attributes() -> None:
    plan = read(Headings([]), ["Email", "Shoe size", " ", "x" * 256, "a\0b", "Größe"])
    made = plan.making(plan.unused)
    assert made.new == {1: "Shoe size", 5: "Größe"}
    # No attribute can have such a name, so these are told.
    assert list(made.unused) == [3, 4]
    with pytest.raises(InvalidError, match="Two columns of the file are called size"):
        read(Headings([]), ["Email", "SIZE", "size"]).making([1, 2])
    many = read(Headings([]), ["Email", *(f"Size of {n}" for n in range(MOST_NEW + 1))])
    with pytest.raises(InvalidError, match=f"at most {MOST_NEW} attributes, not {MOST_NEW + 1}"):
        many.making(many.unused)
    assert len(many.making(list(many.unused)[1:]).new) == MOST_NEW


@pytest.mark.parametrize("first", ["Anne Person <anne@example.com>", "anne@example.com", '"Lee, Ann" <a@example.com>'])
def test_a_file_without_a_header_is_told_as_one(first: str) -> None:
    """As `mailman members` and MySQL's INTO OUTFILE write it."""
    with pytest.raises(InvalidError, match="An address is among them: if the file has no header, name its columns"):
        read(Headings([]), [first, "x"])
    with pytest.raises(InvalidError) as refusal:
        read(Headings([]), ["First Name", "@ann", "x@y@z"])
    assert "no header" not in str(refusal.value)


def test_what_is_told_is_bounded_and_can_be_stored() -> None:
    plan = read(Headings([]), ["Email", "a\0b\ud800", "x" * 5000, *(f"Size of {n}" for n in range(500))])
    assert len(plan.told) == MOST_TOLD
    assert plan.told[:2] == ("a\ufffdb?", "x" * (LONGEST_TOLD - 1) + "…")


def test_a_file_without_the_address_says_what_it_has_and_what_would_do() -> None:
    with pytest.raises(InvalidError) as refusal:
        read(Headings([]), ["First Name", "", "Shoe size"])
    said = str(refusal.value)
    assert said.startswith("One column of the file must hold the e-mail address: it tells people apart.")
    assert "The file has the headings First Name, Shoe size." in said
    assert "Accepted are: Email, Email Address, Mail, " in said
    with pytest.raises(InvalidError, match=r"The file has no headings\."):
        read(Headings([]), [])
    with pytest.raises(InvalidError, match=r"the custom member id: .* Accepted are: Custom_Member_Id\."):
        Headings([]).read({0: "Email"}, "custom_id")
    with pytest.raises(InvalidError) as refusal:
        read(Headings([]), ["y" * 3000] * 3000)
    assert len(str(refusal.value)) < 5000


def test_named_columns() -> None:
    own = attributes("Shoe size")
    names = {0: "Email", 2: " given name ", 3: "shoe_size", 4: "", 5: "attribute:1", 6: "opt_out"}
    plan = Headings(own).named(names, ignored=[6])
    assert [(column.index, column.target) for column in plan.columns] == [
        (0, "email"),
        (2, "first_name"),
        (3, "attribute:1"),
        (5, "attribute:1"),
    ]
    assert plan.unused == {}
    with pytest.raises(InvalidError, match="There is no field or attribute Hat"):
        Headings(own).named({0: "Email", 1: "Hat"})
    assert Headings(own).named({0: "Email", 1: "Hat"}, make_attributes=True).new == {1: "Hat"}
