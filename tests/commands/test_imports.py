"""`soapstone import` with every kind of file and every mode."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.imports import exports_of_products
from tests.imports.workbooks import Cell, encrypted, excel_xml, html, ods, xls, xlsx
from typer.testing import CliRunner, Result

from soapstone.cli import app
from soapstone.imports.reader import LARGE_BYTES
from soapstone.imports.rejects import rejects_file
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import contacts, memberships

Run = Callable[..., Result]

ROWS = "Email,First_Name,Größe\nann@example.org,Ann,38\nnobody,Nobody,\nzoe@example.org,Zoë,39\n"
CELLS: list[list[Cell]] = [
    ["Email", "First_Name", "Größe"],
    ["ann@example.org", "Ann", 38],
    ["nobody", "Nobody"],
    ["zoe@example.org", "Zoë", 39.0],
]


@pytest.fixture
def product(database: Database, tmp_path: Path) -> Product:
    """With an account and a list that has one profile attribute."""
    product = Product.open(Settings(data_dir=tmp_path / "data"), database)
    account = product.accounts.create("ACME", time_zone="UTC")
    news = product.lists.create(account.id, "News")
    header = product.profiles.add_header(account.id, news.id, "Feet")
    product.profiles.add_attribute(account.id, news.id, header, "Größe")
    return product


@pytest.fixture
def run(product: Product, tmp_path: Path) -> Run:
    """`soapstone import` with a file of that name and content; fails the test unless the exit code is as expected."""

    def call(name: str, content: bytes | str, *options: str, code: int = 0) -> Result:
        file = tmp_path / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        url = product.database.url.render_as_string(hide_password=False)
        arguments = ["import", str(file), *options, "--data", str(product.settings.data_dir), "--database", url]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return call


def people(product: Product) -> dict[str, tuple[str, str, str]]:
    """The members of the list: state, first name, and the value of the attribute."""
    joined = memberships.join(contacts, contacts.c.id == memberships.c.contact_id)
    query = select(contacts.c.email, memberships.c.state, contacts.c.first_name, memberships.c.profile)
    with product.database.read() as connection:
        found = connection.execute(query.select_from(joined)).all()
    return {row.email: (row.state, row.first_name, row.profile.get("1", "")) for row in found}


def zipped(content: bytes, *others: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in others:
            archive.writestr(name, b"\0\0\0\1Bud1")
        archive.writestr("people.csv", content)
    return file.getvalue()


NORMAL = {"ann@example.org": ("subscribed", "Ann", "38"), "zoe@example.org": ("subscribed", "Zoë", "39")}

FILES = {
    "as it is": ("people.csv", ROWS.encode(), []),
    "Windows-1252": ("people.csv", ROWS.encode("cp1252"), []),
    "said to be Windows-1252": ("people.csv", ROWS.encode("cp1252"), ["--encoding", "windows-1252"]),
    "UTF-16": ("people.csv", ROWS.encode("utf-16"), []),
    "UTF-16 without mark": ("people.csv", ROWS.encode("utf-16-be"), ["--encoding", "utf-16"]),
    "gzip": ("people.csv.gz", gzip.compress(ROWS.encode()), []),
    "gzip, whatever the name": ("people.csv", gzip.compress(ROWS.encode("utf-16")), []),
    "zip": ("people.zip", zipped(ROWS.encode("cp1252")), []),
    "tabs": ("people.tsv", ROWS.replace(",", "\t").encode(), ["--delimiter", r"\t"]),
    "single quotes": ("people.csv", ROWS.replace("Ann", "'Ann'").encode(), ["--qualifier", "'"]),
    "XLSX": ("people.xlsx", xlsx({"People": CELLS}), []),
    "XLSX, the second sheet": ("people.xlsx", xlsx({"Notes": [["x"]], "People": CELLS}), ["--sheet", "People"]),
    "XLS": ("people.xls", xls({"People": CELLS}), []),
    "ODS": ("people.ods", ods({"People": CELLS}), []),
    "a workbook without suffix": ("people", xlsx({"People": CELLS}), []),
    "semicolons": ("people.csv", ROWS.replace(",", ";").encode("cp1252"), []),
    "tabs, found out": ("people.csv", ROWS.replace(",", "\t").encode("utf-16"), []),
    "bars": ("people.csv", ROWS.replace(",", "|").encode(), []),
    "tabs under the name of a workbook": ("people.xls", ROWS.replace(",", "\t").encode("utf-16"), []),
    "HTML under the name of a workbook": ("people.xls", html(CELLS), []),
    "XML of Excel 2003": ("people.xls", excel_xml({"People": CELLS}), []),
    "XML of Excel 2003, the second sheet": (
        "people.xml",
        excel_xml({"Notes": [["x"]], "People": CELLS}),
        ["--sheet", "People"],
    ),
    "mark in quotes": ("people.csv", ('"\ufeffEmail"' + ROWS.removeprefix("Email")).encode(), []),
    "mark twice": ("people.csv", ("\ufeff\ufeff" + ROWS).encode(), []),
    "Mac": ("people.csv", ROWS.replace("\n", "\r").encode("mac-roman"), ["--encoding", "mac-roman"]),
    "DOS": ("people.csv", ROWS.encode("cp850"), ["--encoding", "CP850"]),
    "Latin 9": ("people.csv", ROWS.encode("iso8859-15"), ["--encoding", "iso-8859-15"]),
    "GB18030": ("people.csv", ROWS.encode("gb18030"), ["--encoding", "gb18030"]),
    "zip with .DS_Store": ("people.zip", zipped(ROWS.encode(), ".DS_Store"), []),
}


@pytest.mark.parametrize(("name", "content", "options"), FILES.values(), ids=FILES)
def test_files(run: Run, product: Product, name: str, content: bytes, options: list[str]) -> None:
    """The same people from each, and the rejected row by its line."""
    output = run(name, content, "--list", "1", *options).output
    assert "3 rows, 2 good, 2 new" in output
    assert people(product) == NORMAL
    assert [(row.line, row.reason, row.fields[0]) for row in product.imports.rejected(1)] == [
        (3, "invalid_address", "nobody")
    ]
    assert product.jobs.find()[0].label == name


def test_no_text_qualifier(run: Run, product: Product) -> None:
    run("people.csv", 'Email,First_Name\nann@example.org,"Ann\n', "--list", "1", "--qualifier", "")
    assert people(product) == {"ann@example.org": ("subscribed", '"Ann', "")}


TITLED = {
    "text": ("people.csv", ("Members\nas of 1 May; 2024\n" + ROWS).encode(), ["--skip", "2"], 5),
    "sep": ("people.csv", b"sep=,\r\n" + ROWS.encode().replace(b"\n", b"\r\n"), [], 4),
    "sep and a title": ("people.csv", b"sep=,\nMembers; 2024\n" + ROWS.encode(), ["--skip", "2"], 5),
    "sheet": ("people.xlsx", xlsx({"P": [["Members"], [], *CELLS]}), ["--skip", "2"], 5),
    "HTML": ("people.xls", html([["Members"], *CELLS]), ["--skip", "1"], 4),
    "XML": ("people.xls", excel_xml({"P": [["Members"], [], *CELLS]}), ["--skip", "2"], 5),
    "UTF-16": ("people.txt", ("Members\n" + ROWS).replace(",", "\t").encode("utf-16"), ["--skip", "1"], 4),
    "gzip": ("people.gz", gzip.compress(("Members\n" + ROWS).encode()), ["--skip", "1"], 4),
    "mapped": (
        "people.csv",
        ("Members\n" + ROWS).encode(),
        ["--skip", "1", "--map", "1=Email", "--map", "2=First_Name", "--map", "3=Größe"],
        4,
    ),
}


@pytest.mark.parametrize(("name", "content", "options", "line"), TITLED.values(), ids=TITLED)
def test_lines_above_the_header(
    run: Run, product: Product, name: str, content: bytes, options: list[str], line: int
) -> None:
    """They are no rows, and rejected rows keep the lines that they have in the file."""
    assert "3 rows, 2 good, 2 new" in run(name, content, "--list", "1", *options).output
    assert people(product) == NORMAL
    assert [row.line for row in product.imports.rejected(1)] == [line]


def test_a_large_file_with_a_title(run: Run, product: Product) -> None:
    """A reader of its own reads it; titles, the delimiter and a charset reach it."""
    rows = "".join(f"p{n}@example.org;ポ{n};{'x' * 400}\n" for n in range(15_000))
    data = ("People; all\nEmail;First_Name;Note\nno address;ポ;\n" + rows).encode("cp932")
    assert len(data) > LARGE_BYTES
    output = run("people.csv", data, "--list", "1", "--skip", "1", "--encoding", "shift_jis").output
    assert "15,001 rows, 15,000 good" in output
    assert people(product)["p14999@example.org"][1] == "ポ14999"
    assert [(row.line, row.fields[1]) for row in product.imports.rejected(1)] == [(3, "ポ")]


def test_one_bad_line_among_good_ones(run: Run, product: Product) -> None:
    """lk-68"""
    rows = b"".join(f"p{n}@example.org,Zoë\n".encode() for n in range(50))
    run("people.csv", b"Email,First_Name\n" + rows + b"bad@example.org,Zo\xeb\n", "--list", "1")
    assert {first for _, first, _ in people(product).values()} == {"Zoë"}
    assert [(row.line, row.reason) for row in product.imports.rejected(1)] == [(52, "encoding")]


def test_lines_of_a_sheet_are_its_rows(run: Run, product: Product) -> None:
    rows = [[], ["Email", "First_Name"], [], ["ann@example.org", "A\nnn"], ["nobody"]]
    run("people.xlsx", xlsx({"People": rows}), "--list", "1")
    assert people(product) == {"ann@example.org": ("subscribed", "A nn", "")}
    assert [row.line for row in product.imports.rejected(1)] == [5]


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ([], ("", "40")),
        (["--on-existing", "overwrite"], ("", "40")),
        (["--on-existing", "update"], ("Ann", "40")),
        (["--on-existing", "append"], ("Ann", "38")),
        (["--on-existing", "keep"], ("Ann", "38")),
        (["--keep"], ("Ann", "38")),
        (["--keep", "--on-existing", "keep"], ("Ann", "38")),
        (["--dry-run"], ("Ann", "38")),
    ],
)
def test_known_contacts(run: Run, product: Product, options: list[str], changed: tuple[str, str]) -> None:
    """lk-55, mm-58."""
    run("people.csv", ROWS, "--list", "1")
    run("more.csv", "Email,First_Name,Größe\nann@example.org,,40\nnew@example.org,New,1\n", "--list", "1", *options)
    now = people(product)
    assert now["ann@example.org"] == ("subscribed", *changed)
    assert ("new@example.org" in now) == ("--dry-run" not in options)


def test_only_members(run: Run, product: Product) -> None:
    """lk-73."""
    run("people.csv", ROWS, "--list", "1")
    run("more.csv", "Email,First_Name\nann@example.org,Anna\nnew@example.org,New\n", "--list", "1", "--members-only")
    assert people(product) == NORMAL | {"ann@example.org": ("subscribed", "Anna", "38")}


@pytest.mark.parametrize(("options", "profile"), [([], "38"), (["--clear"], "")])
def test_removal(run: Run, product: Product, options: list[str], profile: str) -> None:
    """lk-73; a role address that is on the list can be removed too."""
    run("people.csv", ROWS + "info@example.org,,\n", "--list", "1", "--roles")
    run("gone.csv", "Email\nann@example.org\ninfo@example.org\n", "--list", "1", "--remove", *options)
    assert people(product) == NORMAL | {
        "ann@example.org": ("unsubscribed", "Ann", profile),
        "info@example.org": ("unsubscribed", "", ""),
    }


def test_replacing(run: Run, product: Product) -> None:
    """mm-42."""
    run("people.csv", ROWS, "--list", "1")
    run("new.csv", "Email\nnew@example.org\n", "--list", "1", "--replace")
    assert list(people(product)) == ["new@example.org"]


def test_contacts_on_no_list(run: Run, product: Product) -> None:
    """mm-61; profile attributes belong to lists."""
    output = run("people.csv", ROWS, "--no-list").output
    assert "Not used: Größe" in output
    assert "2 good, 2 new" in output
    assert people(product) == {}


REFUSED = {
    "no list": ("people.csv", ROWS, [], "--list"),
    "a list and none": ("people.csv", ROWS, ["--list", "1", "--no-list"], "--no-list"),
    "replacing nothing": ("people.csv", ROWS, ["--no-list", "--replace"], "needs a list"),
    "removing from nothing": ("people.csv", ROWS, ["--no-list", "--remove"], "needs a list"),
    "removing and replacing": ("people.csv", ROWS, ["--list", "1", "--remove", "--replace"], "replace the members"),
    "removing and changing": ("people.csv", ROWS, ["--list", "1", "--remove", "--members-only"], "exclude"),
    "clearing without removing": ("people.csv", ROWS, ["--list", "1", "--clear"], "--remove"),
    "two answers": ("people.csv", ROWS, ["--list", "1", "--keep", "--on-existing", "append"], "exclude"),
    "a sheet of a text": ("people.csv", ROWS, ["--list", "1", "--sheet", "x"], "is not one"),
    "an unknown sheet": ("people.xlsx", xlsx({"P": CELLS}), ["--list", "1", "--sheet", "x"], "workbook has: P"),
    "a broken workbook": ("people.xlsx", xlsx({"P": CELLS})[:500], ["--list", "1"], "broken"),
    "a workbook with a password": ("people.xlsx", encrypted(), ["--list", "1"], "password"),
    "an unknown encoding": ("people.csv", ROWS, ["--list", "1", "--encoding", "utf-7"], "no encoding utf-7"),
    "an unknown encoding of a page": ("people.xls", html(CELLS), ["--list", "1", "--encoding", "x"], "no encoding x"),
    "a page without a table": ("people.xls", "<html><p>Log in again", ["--list", "1"], "without a table"),
    "an unknown sheet of XML": ("p.xls", excel_xml({"P": CELLS}), ["--list", "1", "--sheet", "x"], "workbook has: P"),
    "a broken workbook of XML": ("p.xls", excel_xml({"P": CELLS})[:-9], ["--list", "1"], "broken"),
    "a packed page": ("people.xls.gz", gzip.compress(html(CELLS)), ["--list", "1"], "HTML page"),
    "a PDF": ("people.pdf", b"%PDF-1.7 x", ["--list", "1"], "PDF"),
    "two delimiters": ("people.csv", ROWS, ["--list", "1", "--delimiter", ";;"], "one character"),
    "a broken archive": ("people.zip", zipped(ROWS.encode())[:-9], ["--list", "1"], "damaged"),
}


@pytest.mark.parametrize(("name", "content", "options", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(run: Run, product: Product, name: str, content: bytes | str, options: list[str], words: str) -> None:
    """One line says why, and nothing is kept."""
    assert words in run(name, content, *options, code=1).output
    assert product.jobs.find() == []
    assert list(product.blobs.folder.iterdir()) == []


def test_an_archive_whose_damage_shows_later_fails_with_a_reason(run: Run, product: Product) -> None:
    content = gzip.compress((ROWS + "".join(f"ann{n}@example.org,Ann,38\n" for n in range(400_000))).encode())
    output = run("people.csv.gz", content[:-8] + bytes(8), "--list", "1", code=1).output
    assert "damaged" in output
    assert people(product) == {}


def test_unknown_words_are_not_understood(run: Run) -> None:
    run("people.csv", ROWS, "--list", "1", "--skip", "1001", code=2)
    run("people.csv", ROWS, "--list", "1", "--on-existing", "forget", code=2)


def test_an_import_that_no_worker_can_do_waits(run: Run, product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that cannot be used keeps this process from working, as it keeps workers from it; the job is kept."""
    monkeypatch.setenv("SOAPSTONE_DKIM_KEYS", "example.com:june:nowhere.pem")
    result = run("people.csv", ROWS, "--list", "1", code=1)
    assert "waits for a worker: The DKIM key nowhere.pem cannot be read: No such file or directory." in result.output
    assert [job.state for job in product.jobs.find()] == ["queued"]


# --- people who get no mail, in files of other products --------------------------------------------------------------


OTHERS = exports_of_products.FILES


def test_files_of_other_products_resubscribe_nobody(product: Product, run: Run) -> None:
    expected: dict[str, str] = {}
    for number, (name, (text, meant)) in enumerate(OTHERS.items()):
        out = sum(state in ("unsubscribed", "suppressed") for state in meant.values())
        for options in (["--dry-run"], []):
            shown = run(f"{number}.csv", text, "--list", "1", *options).output
            assert (f"{out} imported as unsubscribed" in shown) == bool(out), name
        expected |= meant
    held = {each.email for each in product.suppressions.page(1)}
    found = {who: "suppressed" if who in held else state for who, (state, *_) in people(product).items()}
    assert found == expected


def test_columns_that_may_mean_something_else_are_told_apart(run: Run) -> None:
    """A plain "Status" or "State" is not called an opt-out: that depends on the values."""
    output = run("people.csv", "Email,State,Opt Out\na@example.org,CA,\n", "--list", "1").output
    assert "Opt-out columns: Opt Out.\nOpt-out columns if their values say so: State.\n" in output


@pytest.mark.parametrize(("mark", "option"), [("\t", r"\t"), (";", ";")])
def test_a_file_with_another_delimiter_is_told_by_its_header(run: Run, mark: str, option: str) -> None:
    rows = f"Email{mark}Opt Out\na@example.org{mark}1\n"
    output = run("people.csv", rows, "--list", "1", "--delimiter", ",", code=1).output
    assert f"The header is one column: perhaps it needs --delimiter '{option}'." in " ".join(output.split())
    assert "Opt-out columns" not in output
    assert "1 imported as unsubscribed" in run("people.csv", rows, "--list", "1", "--delimiter", option).output


def test_opt_outs_are_ignored_on_request(product: Product, run: Run) -> None:
    shown = run("people.csv", OTHERS["Ghost"][0], "--list", "1", "--opt-outs", "ignore").output
    assert "imported as unsubscribed" not in shown
    assert "subscribed_to_emails" in shown
    assert {state for state, *_ in people(product).values()} == {"subscribed"}
    run("people.csv", OTHERS["Ghost"][0], "--list", "1", "--opt-outs", "perhaps", code=2)


def test_opt_outs_are_read_beside_mapped_columns(product: Product, run: Run) -> None:
    rows = "Mail,Gone\nann@example.org,yes\nbob@example.org,no\n"
    run("people.csv", rows, "--list", "1", "--map", "1=Email", "--map", "2=opt_out")
    assert people(product)["ann@example.org"][0] == "unsubscribed"
    run("people.csv", "x,UNSUB_TIME\nzoe@example.org,2024-02-29 13:05:07\n", "--list", "1", "--map", "1=Email")
    assert people(product)["zoe@example.org"][0] == "unsubscribed"
    shown = run("people.csv", "Email,opt_out\nbob@example.org,yes\n", "--list", "1", "--remove").output
    assert "imported as unsubscribed" not in shown


def test_sheets_say_who_gets_no_mail(product: Product, run: Run) -> None:
    cells: list[list[Cell]] = [["Email", "Opted Out"], ["ann@example.org", True], ["zoe@example.org", False]]
    run("people.xlsx", xlsx({"Sheet": cells}), "--list", "1")
    assert people(product)["ann@example.org"][0] == "unsubscribed"
    assert people(product)["zoe@example.org"][0] == "subscribed"


def test_addresses_are_repaired_and_misfits_told(product: Product, run: Run) -> None:
    news = product.lists.all(1)[0]
    (header,) = product.profiles.headers(news.id)
    product.profiles.add_attribute(1, news.id, header.id, "Born", kind="date")
    product.profiles.add_attribute(1, news.id, header.id, "Note", max_length=3)
    rows = (
        'Email,Born,Note\nAnn <ann@example.org>,soon,abcd,Rome\n"zoe@example.org;",2000-01-02,abc\nno one,later,abcd\n'
    )
    output = run("people.csv", rows, "--list", "1").output
    assert "2 added as new contacts, 1 with an invalid address, 2 with an address that was repaired" in output
    assert "Born: 1 value did not fit and was left out, on line 2." in output
    assert "Note: 1 value was too long and was cut, on line 2." in output
    assert set(people(product)) == {"ann@example.org", "zoe@example.org"}
    shown = CliRunner().invoke(app, ["jobs", "show", "1", *_place(product)]).output
    assert "Born: 1 value did not fit" in shown
    told = "1 row has values beyond the last heading, which were left out, on line 2."
    assert told in output
    assert told in " ".join(shown.split())


def _place(product: Product) -> list[str]:
    url = product.database.url.render_as_string(hide_password=False)
    return ["--data", str(product.settings.data_dir), "--database", url]


def test_our_own_files_are_taken_as_they_are(product: Product, run: Run) -> None:
    """An export whose list has attributes called like the columns that exports add, and rejected rows."""
    news = product.lists.all(1)[0]
    (header,) = product.profiles.headers(news.id)
    for name in ("Reason", "number", "Subscription"):
        product.profiles.add_attribute(1, news.id, header.id, name)
    export = (
        "contact_id,number,Email,Custom_Member_Id,subscription,added_at,added_by,suppression,unsubscribed_at,"
        "Größe,Reason,attribute:number,attribute:Subscription\r\n"
        "7,3,ann@example.org,,subscribed,2026-01-02T03:04:05+00:00,API,,,38,why,seven,gold\r\n"
        "8,4,zoe@example.org,,unsubscribed,2026-01-02T03:04:05+00:00,API,,2026-02-01T00:00:00+00:00,39,,,\r\n"
        "9,5,nobody,,subscribed,2026-01-02T03:04:05+00:00,API,,,40,because,nine,tin\r\n"
    )
    profiles = {each.name: str(each.id) for each in product.profiles.attributes(news.id)}

    def found(email: str) -> tuple[str, dict[str, str]]:
        (member,) = [each for each in product.members.known(news.id) if each.email == email]
        return member.state, {name: member.profile.get(key, "") for name, key in profiles.items()}

    run("export.csv", export, "--list", "1")
    assert found("ann@example.org") == (
        "subscribed",
        {"Größe": "38", "Reason": "why", "number": "seven", "Subscription": "gold"},
    )
    assert found("zoe@example.org")[0] == "unsubscribed"
    job = product.jobs.find()[0]
    rejects = b"".join(rejects_file(product.imports, product.profiles, job)).decode()
    assert rejects.splitlines()[0] == "line,reason," + export.splitlines()[0]
    run("rejects.csv", rejects.replace(",nobody,", ",bob@example.org,"), "--list", "1")
    assert found("bob@example.org")[1] == {"Größe": "40", "Reason": "because", "number": "nine", "Subscription": "tin"}
