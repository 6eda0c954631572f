"""Imports of every type and profile kind, and of every shape of file, through a stock client."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import zeep

ADDRESS = {"AttributeID": 0, "FileColumn": 0, "IsEmailAddressColumn": True}
TYPES = [
    "AddSubscribers",
    "AddSubscribersAndProfileData",
    "UpdateSubscribers",
    "RemoveSubscribers",
    "RemoveSubscribersAndDeleteProfileData",
]
KINDS = ["NotDefined", "Update", "Append", "Overwrite"]
WITH_PROFILE = ("AddSubscribersAndProfileData", "UpdateSubscribers")
TEXTS = {
    "AddSubscribers": "Add Subscriber",
    "AddSubscribersAndProfileData": "Add Subscriber and Segment Data",
    "UpdateSubscribers": "Update Subscriber",
    "RemoveSubscribers": "Remove Subscriber",
    "RemoveSubscribersAndDeleteProfileData": "Remove Subscriber and Segment Data",
}


@pytest.fixture(scope="module", params=["1.2"])
def listrak(request: pytest.FixtureRequest, served: Any, client_class: Any) -> Any:
    """One SOAP version is enough here; the other tests use both."""
    return client_class(served.base, request.param)


def column(attribute: int, place: int, default: str | None = None) -> dict[str, Any]:
    return {
        "AttributeID": attribute,
        "FileColumn": place,
        "IsEmailAddressColumn": False,
        "DefaultValue": default,
    }


def start(listrak: Any, list_id: int, data: bytes, *columns: dict[str, Any], **directives: Any) -> int:
    """Start an import of addresses in column 0 and whatever else."""
    given = {
        "ImportTypeEnum": "AddSubscribersAndProfileData",
        "ImportProfileTypeEnum": "Overwrite",
        "HasColumnNames": False,
    }
    mappings = {"WSFileMappings": [ADDRESS, *columns]}
    return int(listrak.BulkLoadContacts(list_id, {**given, **directives}, mappings, data))


def load(listrak: Any, list_id: int, data: bytes, *columns: dict[str, Any], **directives: Any) -> dict[str, Any]:
    """Run such an import to its end; its row in the history."""
    process = start(listrak, list_id, data, *columns, **directives)
    assert listrak.wait(process)["Status"] == "ProcessingCompleted"
    run: dict[str, Any] = listrak.history(list_id)[-1]
    assert run["ImportFileID"] == process
    return run


def figures(run: dict[str, Any]) -> dict[str, int]:
    return {name.removesuffix("Count"): value for name, value in run.items() if name.endswith("Count") and value}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", TYPES)
def test_every_type_with_every_profile_kind(listrak: Any, profiles: Any, what: str, kind: str) -> None:
    """lk-55, lk-69, lk-73 to lk-76, lk-93, lk-94"""
    list_id = listrak.create()
    a, b = (listrak.attribute(list_id, name) for name in "ab")
    one, two = str(a), str(b)
    file = b"keep@{0},old\nblank@{0},old\nbare@{0},\ngone@{0},old\n".replace(b"{0}", b"%d.example" % list_id)
    load(listrak, list_id, file, column(a, 1))
    load(listrak, list_id, b"gone@%d.example\n" % list_id, ImportTypeEnum="RemoveSubscribers")

    file = (
        b"new@{0},fresh\nbare@{0},early,early\nkeep@{0},fresh,x\nnobody,fresh,x\n"
        b"gone@{0},fresh,x\nblank@{0}, ,\nBARE@{0},fresh,x\n"
    ).replace(b"{0}", b"%d.example" % list_id)
    run = load(
        listrak, list_id, file, column(a, 1), column(b, 2, "none"), ImportTypeEnum=what, ImportProfileTypeEnum=kind
    )

    both = {one: "fresh", two: "x"}
    removed = what.startswith("Remove")
    expected: dict[str, tuple[str, dict[str, str]]] = {
        "keep": ("subscribed", {one: "old"}),
        "blank": ("subscribed", {one: "old"}),
        "bare": ("subscribed", {}),
        "gone": ("unsubscribed", {one: "old"}),
    }
    if what == "AddSubscribers":
        expected["new"] = ("subscribed", {})
    elif what == "AddSubscribersAndProfileData":
        expected["new"] = ("subscribed", {one: "fresh", two: "none"})
    if what in WITH_PROFILE:
        expected["keep"] = ("subscribed", {one: "old", two: "x"} if kind == "Append" else both)
        expected["bare"] = ("subscribed", both)
        expected["blank"] = ("subscribed", {two: "none"} if kind == "Overwrite" else {one: "old", two: "none"})
    if removed:
        expected = {name: ("unsubscribed", profile) for name, (_, profile) in expected.items()}
    if what == "RemoveSubscribersAndDeleteProfileData":
        expected = {name: (state, {}) for name, (state, _) in expected.items()}
    found = {address.partition("@")[0]: member for address, member in profiles(list_id).items()}
    assert found == expected

    if removed:
        counted = {"UnSubscribed": 3, "AlreadyUnsubscribed": 2, "Skipped": 1}
    elif what == "UpdateSubscribers":
        counted = {"AlreadySubscribed": 3, "PreviouslyUnsubscribed": 1, "Skipped": 2}
    else:
        counted = {"Subscribed": 1, "AlreadySubscribed": 3, "PreviouslyUnsubscribed": 1, "Skipped": 1}
    assert figures(run) == {"Processed": 7, "InvalidEmail": 1, **counted}
    said = kind if what in WITH_PROFILE else None
    assert run["ImportType"] == TEXTS[what]
    # lk-74: not saying is Update.
    assert run["ProfileImportType"] == ("Update" if said == "NotDefined" else said)


def test_texts_do_not_depend_on_the_columns(listrak: Any) -> None:
    """lk-94: the type that was asked for counts, whatever columns were mapped."""
    list_id = listrak.create()
    for kind in ("Append", "NotDefined"):
        run = load(listrak, list_id, b"ann@texts.example\n", ImportProfileTypeEnum=kind)
        assert run["ImportType"] == "Add Subscriber and Segment Data"
        assert run["ProfileImportType"] == ("Update" if kind == "NotDefined" else kind)


@pytest.mark.parametrize(
    ("directives", "data"),
    [
        ({}, "{},1;2|'3'\n"),
        ({"FileDelimiter": "", "TextQualifier": ""}, "{},1;2|'3'\n"),
        ({"FileDelimiter": ",", "TextQualifier": None}, "{},1;2|'3'\r\n"),
        ({"FileDelimiter": ";"}, "{};1;2|'3'\n"),
        ({"FileDelimiter": r"\t"}, "{}\t1;2|'3'\n"),
        ({"FileDelimiter": "\t"}, "{}\t1;2|'3'\n"),
        ({"FileDelimiter": "|", "TextQualifier": '"'}, '"{}"|"1;2|\'3\'"\n'),
        ({"FileDelimiter": ",", "TextQualifier": "'"}, "'{}','1;2|''3'''\n"),
        ({"HasColumnNames": True}, "Mail,'No\n{},1;2|'3'\n"),
        ({"HasColumnNames": True, "TextQualifier": '"'}, '"Mail\nMail",No\n{},"1;2|\'3\'"\n'),
    ],
)
def test_shapes_of_files(listrak: Any, profiles: Any, directives: dict[str, Any], data: str) -> None:
    """lk-67, lk-68: without a qualifier a quote is a character like others."""
    list_id = listrak.create()
    attribute = listrak.attribute(list_id, "a")
    address = f"ann@{list_id}.example"
    run = load(listrak, list_id, data.format(address).encode(), column(attribute, 1), **directives)
    value = "1" if directives.get("FileDelimiter") == ";" else "1;2|'3'"
    assert profiles(list_id) == {address: ("subscribed", {str(attribute): value})}
    assert figures(run) == {"Processed": 1, "Subscribed": 1}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_encodings(listrak: Any, profiles: Any, encoding: str) -> None:
    """lk-68"""
    list_id = listrak.create()
    attribute = listrak.attribute(list_id, "a")
    address = f"ann@{list_id}.example"
    load(listrak, list_id, f"{address},grün – €\n".encode(encoding), column(attribute, 1))
    assert profiles(list_id) == {address: ("subscribed", {str(attribute): "grün – €"})}


def test_one_bad_line_does_not_spoil_the_others(listrak: Any, profiles: Any) -> None:
    """lk-68: 50 lines of UTF-8 and one that is none."""
    list_id = listrak.create()
    attribute = listrak.attribute(list_id, "a")
    rows = [f"p{n}@{list_id}.example,Jürgen\n".encode() for n in range(50)]
    run = load(
        listrak, list_id, b"".join([*rows, f"bad@{list_id}.example,Zo\xeb\n".encode("latin-1")]), column(attribute, 1)
    )
    assert len(profiles(list_id)) == 50
    assert set(map(str, profiles(list_id).values())) == {str(("subscribed", {str(attribute): "Jürgen"}))}
    assert run["ProcessedCount"] == 51


def test_no_delimiter_is_guessed(listrak: Any, profiles: Any) -> None:
    """lk-68: a delimiter that is not given is a comma, whatever the file looks like."""
    list_id = listrak.create()
    run = load(listrak, list_id, b"Mail;Colour\nann@example.org;blue\n", FileDelimiter="", HasColumnNames=True)
    assert figures(run) == {"Processed": 1, "InvalidEmail": 1}
    assert profiles(list_id) == {}


@pytest.mark.parametrize("delimiter", [",", r"\t"])
def test_base64_in_base64(listrak: Any, profiles: Any, delimiter: str) -> None:
    """lk-72: also with profile data and headings; the size is that of the file itself."""
    list_id = listrak.create()
    attribute = listrak.attribute(list_id, "a")
    address = f"ann@{list_id}.example"
    between = delimiter.replace(r"\t", "\t")
    data = f"Mail{between}Colour\n{address}{between}blue\n".encode()
    run = load(
        listrak,
        list_id,
        base64.b64encode(data),
        column(attribute, 1),
        FileDelimiter=delimiter,
        HasColumnNames=True,
    )
    assert profiles(list_id) == {address: ("subscribed", {str(attribute): "blue"})}
    assert run["FileSize"] == len(data)


def test_base64_with_line_breaks_in_base64(listrak: Any, profiles: Any) -> None:
    """lk-72: encoders break lines after 76 characters."""
    list_id = listrak.create()
    people = [f"p{n}@{list_id}.example" for n in range(20)]
    run = load(listrak, list_id, base64.encodebytes("\n".join(people).encode()).replace(b"\n", b"\r\n"))
    assert figures(run) == {"Processed": 20, "Subscribed": 20}
    assert set(profiles(list_id)) == set(people)


def test_what_only_looks_like_base64(listrak: Any, profiles: Any) -> None:
    """lk-72: a file that does not decode is taken as it is."""
    list_id = listrak.create()
    run = load(listrak, list_id, base64.b64encode(b"ann@example.org\n")[:-1] + b"\n")
    assert figures(run) == {"Processed": 1, "InvalidEmail": 1}
    assert profiles(list_id) == {}


def test_values_and_defaults(listrak: Any, profiles: Any) -> None:
    """lk-46, lk-47, lk-69: short rows are padded, values that do not fit are dropped, defaults are values too."""
    list_id = listrak.create()
    box, number, date, text = (
        listrak.attribute(list_id, name, kind, MaxLength=length)
        for name, kind, length in (("b", "CheckBox", 0), ("n", "Numeric", 0), ("d", "Date", 0), ("t", "Text", 4))
    )
    columns = [column(box, 1, "1"), column(number, 2), column(date, 3, "2024-02-29"), column(text, 9, "default")]
    file = b"full@{0},off,2.50,1/2/2024,a,b,c,d,e,text and more\nshort@{0}\nbad@{0},maybe,two,31/12/2024\n"
    load(listrak, list_id, file.replace(b"{0}", b"%d.example" % list_id), *columns)
    keys = [str(attribute) for attribute in (box, number, date, text)]
    found = {address.partition("@")[0]: member[1] for address, member in profiles(list_id).items()}
    assert found == {
        "full": dict(zip(keys, ["off", "2.50", "01/02/2024", "text"], strict=True)),
        "short": {keys[0]: "on", keys[2]: "02/29/2024", keys[3]: "defa"},
        "bad": {keys[0]: "on", keys[3]: "defa"},
    }


def test_lk_47_attribute_0_is_skipped(listrak: Any, profiles: Any) -> None:
    """A client in PHP sends 0 for a mapping that was left blank."""
    list_id = listrak.create()
    text = listrak.attribute(list_id, "Colour")
    load(listrak, list_id, f"ann@{list_id}.example,x,red\n".encode(), column(0, 1), column(text, 2))
    assert profiles(list_id) == {f"ann@{list_id}.example": ("subscribed", {str(text): "red"})}


def test_lk_47_a_blank_check_box_is_off_where_blanks_count(listrak: Any, profiles: Any) -> None:
    """lk-55: Overwrite takes blanks as the truth, Update leaves what is there."""
    list_id = listrak.create()
    box = listrak.attribute(list_id, "Box", "CheckBox")
    for kind, value, stored in (("Update", "4711", "on"), ("Update", "", "on"), ("Overwrite", "", "off")):
        row = f"ann@{list_id}.example,{value}\n".encode()
        load(listrak, list_id, row, column(box, 1), ImportProfileTypeEnum=kind)
        assert profiles(list_id) == {f"ann@{list_id}.example": ("subscribed", {str(box): stored})}


def test_a_default_address(listrak: Any, profiles: Any) -> None:
    """lk-69"""
    list_id = listrak.create()
    directives = {"ImportTypeEnum": "AddSubscribers", "ImportProfileTypeEnum": "NotDefined", "HasColumnNames": False}
    mapping = {**ADDRESS, "FileColumn": 1, "DefaultValue": f"ann@{list_id}.example"}
    process = listrak.BulkLoadContacts(list_id, directives, {"WSFileMappings": [mapping]}, b"x\n")
    assert listrak.wait(process)["Status"] == "ProcessingCompleted"
    assert profiles(list_id) == {f"ann@{list_id}.example": ("subscribed", {})}


@pytest.mark.parametrize("data", [b"", b"\n\r\n", b"Email\n"])
def test_files_without_rows(listrak: Any, data: bytes) -> None:
    """An empty file is no error; its import has nothing to count."""
    list_id = listrak.create()
    run = load(listrak, list_id, data, HasColumnNames=True)
    assert figures(run) == {}
    assert run["FileSize"] == len(data)


@pytest.mark.parametrize("options", [None, {"SuppressEmailNotifications": True}, {"SuppressEmailNotifications": False}])
@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_with_options(
    served: Any, client_class: Any, profiles: Any, version: str, options: dict[str, bool] | None
) -> None:
    """lk-66, lk-77, lk-81: the twin does the same, whatever the option says."""
    listrak = client_class(served.base, version)
    list_id = listrak.create()
    attribute = listrak.attribute(list_id, "a")
    directives = {
        "ImportTypeEnum": "AddSubscribersAndProfileData",
        "ImportProfileTypeEnum": "Append",
        "HasColumnNames": False,
        "FileName": "people.csv",
    }
    process = listrak.BulkLoadContactsWithOptions(
        list_id,
        directives,
        {"WSFileMappings": [ADDRESS, column(attribute, 1)]},
        f"ann@{list_id}.example,blue\nbad\n".encode(),
        options,
    )
    status = listrak.wait(process)
    assert (status["Status"], status["ProcessName"]) == ("ProcessingCompleted", "BulkLoadContacts")
    (run,) = listrak.history(list_id)
    assert (run["ImportFileID"], run["FileName"], run["ProfileImportType"]) == (process, "people.csv", "Append")
    assert figures(run) == {"Processed": 2, "InvalidEmail": 1, "Subscribed": 1}
    assert profiles(list_id) == {f"ann@{list_id}.example": ("subscribed", {str(attribute): "blue"})}
    with pytest.raises(zeep.exceptions.Fault, match=r"\[NotFound\] List 987654 "):
        listrak.BulkLoadContactsWithOptions(987654, directives, {"WSFileMappings": [ADDRESS]}, b"x\n", options)


def test_suppressed_and_banned(listrak: Any, profiles: Any, suppress: Any) -> None:
    """lk-73, lk-93, lk-118: they are counted and not added; a removal takes them off all the same."""
    list_id = listrak.create()
    people = [f"{name}@{list_id}.example" for name in ("ann", "bob", "cid", "dan")]
    file = "\n".join(people).encode()
    listrak.load(list_id, "\n".join([people[1], people[3]]).encode())
    suppress(people[0], "suppressed", 0)
    suppress(people[1], "suppressed", list_id)
    suppress(people[2], "banned", 0)
    run = load(listrak, list_id, file, ImportTypeEnum="AddSubscribers")
    assert figures(run) == {"Processed": 4, "Suppressed": 2, "Banned": 1, "AlreadySubscribed": 1}
    run = load(listrak, list_id, file, ImportTypeEnum="RemoveSubscribers")
    assert figures(run) == {"Processed": 4, "UnSubscribed": 2, "AlreadyUnsubscribed": 2}
    assert {state for state, _ in profiles(list_id).values()} == {"unsubscribed"}


@pytest.mark.parametrize(
    ("directives", "columns"),
    [
        ({"FileDelimiter": ",,"}, []),
        ({"FileDelimiter": "\n"}, []),
        ({"TextQualifier": "''"}, []),
        ({"FileDelimiter": "'", "TextQualifier": "'"}, []),
        ({}, [{**ADDRESS, "FileColumn": 1}]),
        ({}, [column(1, 1), column(1, 2)]),
    ],
)
def test_refused_directives(listrak: Any, directives: dict[str, Any], columns: list[dict[str, Any]]) -> None:
    """lk-17, lk-70: nothing is started."""
    before = listrak.history(1)
    with pytest.raises(zeep.exceptions.Fault, match=r"\[InvalidArgument\] "):
        start(listrak, 1, b"ann@example.org\n", *columns, **directives)
    assert listrak.history(1) == before


def test_attributes_of_another_list(listrak: Any) -> None:
    """lk-70: also when the import takes no profile data."""
    list_id = listrak.create()
    for what in TYPES:
        with pytest.raises(
            zeep.exceptions.Fault, match=rf"\[NotFound\] Attribute 1 does not exist on list {list_id}\."
        ):
            start(listrak, list_id, b"ann@example.org,x\n", column(1, 1), ImportTypeEnum=what)
    assert listrak.history(list_id) == []
