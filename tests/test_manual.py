"""The manual tells the truth: commands and settings exist, examples work, links lead somewhere."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import typer.main

from soapstone import body_limit, connection, relay_calls, subscriber
from soapstone.accounts import logon, passwords
from soapstone.accounts.sessions import LONGEST as LONGEST_SESSIONS
from soapstone.addresses import MOST_CHARACTERS
from soapstone.api.limits import JSON_BYTES
from soapstone.cli import app
from soapstone.console import recent_calls
from soapstone.contacts.fields import FIELDS
from soapstone.http import compression
from soapstone.imports import records
from soapstone.imports import runner as imports_runner
from soapstone.imports.workbook import MEMORY_BYTES
from soapstone.listrak import operations as listrak
from soapstone.listrak import service as listrak_service
from soapstone.listrak.call import PAGE_ROWS
from soapstone.listrak.processes import STATES
from soapstone.magnetmail import operations as magnetmail
from soapstone.magnetmail import service as magnetmail_service
from soapstone.magnetmail.call import LARGEST_PAGE
from soapstone.magnetmail.uploads import STATUS
from soapstone.sending.messages import message
from soapstone.sending.messages.template import FILTERS, Template
from soapstone.sending.smtp.url import SmtpAddress
from soapstone.settings import SECRETS, SETTINGS
from soapstone.store import waiting
from soapstone.store.numbers import LARGEST
from soapstone.store.tables import metadata
from soapstone.tracking import mail_listener
from soapstone.tracking.links import MOST_LINKS
from soapstone.tracking.mail_parts import LARGEST_MAIL
from soapstone.tracking.recipient_reports import MOST_RECIPIENTS
from soapstone.tracking.relays import MOST_REPORTS
from soapstone.vocabulary.rows import REJECTED, TAKEN
from soapstone.wire import frames, large_calls, reader
from soapstone.xmlhttp import request as xml_request
from soapstone.xmlhttp.refusal import ANSWERS

if TYPE_CHECKING:
    from tests.conftest import Served

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a language, those in lists too."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", page, re.MULTILINE | re.DOTALL)
    return [code.replace(f"\n{indent}", "\n") for indent, code in found]


def prose(page: str) -> str:
    """The page without its code blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page, flags=re.MULTILINE | re.DOTALL)


def reference() -> ModuleType:
    """The script that writes parts of the manual."""
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- what follows from the code --------------------------------------------------------------------------------------


GENERATED = ["settings.md", "command-line.md", "operations.md", "headings.md", "glossary.md", "../README.md"]


@pytest.mark.parametrize("name", GENERATED)
def test_generated_parts_are_those_of_the_program(name: str) -> None:
    assert text(name) == reference().page(name), "run .venv/bin/python docs/reference.py"
    assert [*reference().PARTS] == GENERATED


def test_the_page_of_operations_names_all_of_them() -> None:
    facts = [
        (ROOT / "tests" / "contracts" / f"{name}.txt").read_text(encoding="utf-8") for name in ("magnetmail", "listrak")
    ]
    names = [name for each in facts for name in re.findall(r"^operation (\w+)", each, re.MULTILINE)]
    assert names
    rows = re.findall(r"^\| `(\w+)` \| (?:available|not available yet) \|", text("operations.md"), re.MULTILINE)
    assert rows == names


def test_variables_that_the_manual_names_are_settings() -> None:
    known = set(re.findall(r"^\| `(SOAPSTONE_\w+)` \|", text("settings.md"), re.MULTILINE))
    assert len(known) > 5
    known |= {f"SOAPSTONE_{name.upper()}_FILE" for name in SECRETS}
    for path in PAGES:
        assert set(re.findall(r"\bSOAPSTONE_[A-Z_]+\b", path.read_text(encoding="utf-8"))) <= known, named(path)


def test_states_of_jobs_are_those_of_the_contracts() -> None:
    rows = re.findall(r"^\| (\w+) \| [^|]+ \| (\d) \| `(\w+)` \|$", text("jobs.md"), re.MULTILINE)
    assert {state: int(number) for state, number, _ in rows} == STATUS
    assert {state: name for state, _, name in rows} == {state: status.value for state, status in STATES.items()}


def test_outcomes_of_rows_are_those_of_imports() -> None:
    taken, _, rejected = text("imports.md").partition("| taken | |")[2].partition("| rejected | |")
    for part, outcomes in ((taken, TAKEN), (rejected.partition("\n\n")[0], REJECTED)):
        cells = re.findall(r"^\| ([a-z ,]+) \|", part, re.MULTILINE)
        assert sorted(name for cell in cells for name in cell.split(", ")) == sorted(
            outcome.replace("_", " ") for outcome in outcomes
        )


# --- merge fields ----------------------------------------------------------------------------------------------------

PERSON = {"first_name": "Ann", "city": "Rome", "favourite colour": "green"}
EXAMPLES = [
    tuple(part.strip() for part in line.split(" → "))
    for block in blocks(text("merge-fields.md"), "text")
    for line in block.splitlines()
]


@pytest.mark.parametrize(("source", "result"), EXAMPLES)
def test_examples_of_merge_fields(source: str, result: str) -> None:
    template = Template(source, "example")
    assert template.render({name: PERSON.get(name, "") for name in template.names}) == result


def test_merge_fields_and_filters_are_those_of_the_program() -> None:
    page = text("merge-fields.md")
    table = page.partition("## Filters")[2].partition("## ")[0]
    cells = re.findall(r"^\| (`[^|]*`) \|", table, re.MULTILINE)
    assert set(re.findall(r"`(\w+)", " ".join(cells))) == FILTERS.keys()
    row = next(line for line in page.splitlines() if line.startswith("| the contact |"))
    first = {name for name in FIELDS if not name.startswith("custom") or name in ("custom1", "custom30")}
    assert set(re.findall(r"`(\w+)`", row)) == first


# --- commands --------------------------------------------------------------------------------------------------------


def calls() -> Iterator[tuple[str, list[str]]]:
    """Page and arguments of each call of the program in a shell block."""
    for path in PAGES:
        for block in blocks(path.read_text(encoding="utf-8"), "sh"):
            for line in re.sub(r"\\\n", " ", block).splitlines():
                # Behind variables for this call, or behind a pipe.
                if match := re.search(r"(?:^|\| )(?:\w+=\S+ )*soapstone (.+)", line):
                    yield named(path), shlex.split(match[1], comments=True)


COMMANDS: Any = typer.main.get_command(app)


def resolve(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and the words behind it."""
    command = COMMANDS
    while (inner := getattr(command, "commands", None)) and words and words[0] in inner:
        command, words = inner[words[0]], words[1:]
    return command, words


CALLS = list(calls())


def test_calls_are_found() -> None:
    assert len(CALLS) > 20
    assert len({page for page, _ in CALLS}) > 5


@pytest.mark.parametrize(("page", "words"), CALLS, ids=[f"{page}: {' '.join(words)}" for page, words in CALLS])
def test_calls_of_the_program_parse(
    page: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("people.csv", "people.xlsx", "opt-outs.csv", "unsubscribed.csv"):
        Path(name).write_text("Email\n")
    command, rest = resolve(words)
    assert not hasattr(command, "commands"), f"{words} is not a command"
    if rest != ["--help"]:
        command.make_context("soapstone", list(rest))


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_commands_in_the_text_exist(path: Path) -> None:
    for code in re.findall(r"`soapstone ([^`]+)`", prose(path.read_text(encoding="utf-8"))):
        words = code.split()
        command, rest = resolve(words)
        assert rest != words or words[0].startswith(("--", "COMMAND")), code
        if hasattr(command, "commands"):
            assert all(word in ("--help", "COMMAND", "…", "...") for word in rest), code
        names = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
        assert {word for word in rest if word.startswith("--")} <= names, code


# --- examples --------------------------------------------------------------------------------------------------------

BASE = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("page", "printed"),
    [("magnetmail.md", "2.0 2.0 2.0 2.0 0.0 1.0"), ("listrak.md", "ProcessingCompleted True 2 2 List 14")],
)
def test_examples_in_python_work(served: Served, page: str, printed: str) -> None:
    # Later examples go on with what the first one has.
    code = "\n".join(blocks(text(page), "python"))
    assert BASE in code
    done = subprocess.run(
        [sys.executable, "-c", code.replace(BASE, served.base)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[: len(printed.split())] == printed.split()


@pytest.mark.parametrize(
    ("page", "answers"),
    [
        ("magnetmail.md", ["<authenticated>true</authenticated>"]),
        ("listrak.md", ["<ListName>Newsletter</ListName>"]),
        ("xml-over-http.md", ["<MaxStep>3</MaxStep>", "<MaxStep>4</MaxStep>"]),
    ],
)
def test_examples_with_curl_work(served: Served, page: str, answers: list[str]) -> None:
    posted = [block for block in blocks(text(page), "sh") if block.startswith("curl") and " -d " in block]
    assert len(posted) == len(answers)
    for block, expected in zip(posted, answers, strict=True):
        words = shlex.split(block)
        url = next(word for word in words if word.startswith(BASE))
        headers = [words[at + 1].split(": ") for at, word in enumerate(words) if word == "-H"]
        body = words[words.index("-d") + 1]
        answer = httpx.post(url.replace(BASE, served.base), headers=dict(headers), content=body.encode())
        assert (answer.status_code, expected in answer.text) == (200, True), answer.text


def test_the_example_of_a_supplied_file_works(served: Served, tmp_path: Path) -> None:
    (block,) = [block for block in blocks(text("xml-over-http.md"), "sh") if "-F " in block]
    file = re.search(r"^printf '(.*)' > seats.csv$", block, re.MULTILINE)
    request = re.search(r"<<'XML'\n(.*)^XML$", block, re.MULTILINE | re.DOTALL)
    assert file is not None
    assert request is not None
    answer = httpx.post(
        f"{served.base}/xml/SendToFile",
        files=[
            ("request", ("request.xml", request[1].encode(), "application/xml")),
            ("file", ("seats.csv", file[1].replace(r"\n", "\n").encode(), "text/csv")),
        ],
    )
    assert answer.status_code == 200, answer.text
    served.settle()
    number = re.search(r"<StatusID>(\d+)</StatusID>", answer.text)
    assert number is not None
    mails = sorted((served.data / "mail").glob(f"{int(number[1]):08d}-*.eml"))
    assert ["Subject: Your seat, Cy" in mail.read_text() for mail in mails] == [True, False]
    assert "You sit in row 12." in mails[0].read_text()


def test_the_first_steps_work_on_an_empty_machine(tmp_path: Path) -> None:
    """As they stand, in two terminals: the account and the lists are in the server's records."""
    page = text("running.md")
    server, *terminal = blocks(page.partition("## The data folder")[0], "sh")
    program = tmp_path / "bin" / "soapstone"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m soapstone "$@"\n')
    program.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SOAPSTONE_")}
    environment |= {"PATH": f"{program.parent}:{environment['PATH']}"}
    environment["PYTHONPATH"] = str(ROOT / "src")
    folder = tmp_path / "var"

    def here(block: str) -> str:
        moved = block.replace("/var/lib/soapstone", str(folder))
        assert str(folder) in moved or block not in (server, terminal[0])
        return moved

    # As the page has it but for the folder and the port.
    command = here(server).replace("soapstone serve", "exec soapstone serve --port 0")
    with (tmp_path / "log").open("wb") as log:
        started = subprocess.Popen(
            ["sh", "-euc", command], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            assert started.stdout is not None
            base = next(line.split()[-1] for line in started.stdout if "serves on" in line)
            done = subprocess.run(
                ["sh", "-euc", "\n".join(map(here, terminal))],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, "")
            answer = httpx.get(f"{base}/api/v1/lists", auth=("acme", "a long password"), timeout=30)
            assert answer.status_code == 200, answer.text
            assert all(name in answer.text for name in ("Customers", "Partners"))
        finally:
            started.terminate()
            started.wait(60)
            if started.stdout is not None:
                started.stdout.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "log", "passwords.txt", "var"]


def test_the_image_keeps_everything_in_its_volume() -> None:
    """Commands in a container find the records of its server."""
    steps = (ROOT / "Dockerfile").read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    volume = re.search(r"^VOLUME (\S+)$", steps, re.MULTILINE)
    assert volume is not None
    assert f"SOAPSTONE_DATA_DIR={volume[1]}\n" in steps
    assert "--data" not in steps


# --- links -----------------------------------------------------------------------------------------------------------


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as both the manual and repository pages make them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_links_lead_somewhere(path: Path) -> None:
    wrong = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name) if name else path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            wrong.append(link)
    assert wrong == []


# --- limits ----------------------------------------------------------------------------------------------------------


def table(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, row by row, without those of its head."""
    part = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def kib(size: int) -> str:
    return f"{size >> 10} KiB"


def mib(size: int) -> str:
    return f"{size >> 20} MiB"


(_, SMALL), (LARGE, MANY), (_, ONE) = ((size, turns) for size, turns in large_calls.TIERS)
# First cell of a row of the table of bounds → texts of its second cell, as the program has them.
BOUNDS: dict[str, tuple[str, ...]] = {
    "everything in an XML over HTTP request but the file": (mib(xml_request.TEXT_SIZE),),
    "a SOAP request before the end of its header, and one of `Authenticate` or `getErrorDetails` as a whole": (
        kib(reader.MAX_EARLY),
    ),
    "an XML over HTTP request before the end of `UserName` and `Password`": (kib(xml_request.EARLY),),
    "a form of the console or of the pages for subscribers": (kib(body_limit.FORM_BYTES),),
    "a body of the REST API that is neither a file nor a mail": (mib(JSON_BYTES),),
    "a [mail that comes in](bounces.md)": (
        f"{mib(mail_listener.LARGEST_TAKEN)} by",
        f"{kib(LARGEST_MAIL)} of it",
        f"{MOST_RECIPIENTS} recipients",
    ),
    "connections of mail servers that bring mails": (str(mail_listener.MOST_CONNECTIONS),),
    "a call of a [relay service](bounces.md#from-a-relay-service)": (mib(relay_calls.LARGEST), f"{MOST_REPORTS:,}"),
    "links of a mail that are tracked": (f"{MOST_LINKS:,};",),
    "SOAP and XML over HTTP requests of more than 64 KiB besides the file, at once": (
        f"{MANY}; of more than {mib(LARGE)}, {ONE}.",
        f"up to {large_calls.PATIENCE:.0f} seconds",
    ),
    "nesting of XML": (f"{frames.MAX_DEPTH} levels in SOAP, {xml_request.DEPTH} in XML over HTTP",),
    "attributes of an element in SOAP": (str(frames.MAX_ATTRIBUTES),),
    "different names of elements and attributes in a request": (f"{reader.MAX_NAMES:,}", f"{xml_request.NAMES:,}"),
    "one piece of markup: a tag, a comment, an instruction": (kib(reader.MAX_STALL), kib(xml_request.TOKEN_SIZE)),
    "request line and headers": (kib(connection.MAX_HEAD),),
    "a compressed request": (mib(compression.FREE_SIZE), f"{compression.MAX_RATIO} times"),
    "requests that a client sends ahead of answers": (str(connection.MAX_PIPELINED),),
    "the body of a request": (f"{connection.LEAST_BODY:,} bytes",),
    "a value in an import file": (f"{records.VALUE_CHARACTERS:,} characters",),
    "a password": (f"{passwords.LONGEST_PASSWORD:,} characters",),
    "passwords of callers from unknown addresses that are checked at a time": (f"{logon.MOST_WAITING} in",),
    "a record of an import file": (f"{records.RECORD_LINES:,} lines, {mib(records.RECORD_BYTES)}",),
    "a workbook while it is read": (f"{MEMORY_BYTES >> 30} GiB",),
    "a packed import file": (mib(imports_runner.FREE_BYTES), f"{imports_runner.MOST_GROWTH} times"),
    "calls that the console shows": (
        f"last {recent_calls.CALLS_KEPT} of an account, of the {recent_calls.ACCOUNTS_KEPT:,} accounts",
    ),
    "rows of a page": (f"{LARGEST_PAGE:,} in MagnetMail, {PAGE_ROWS:,} in Listrak",),
    "a body of a message": (f"{message.LONGEST_BODY:,} characters",),
    "subject and names of a message": (f"{message.LONGEST_LINE:,} characters",),
    "merge tags of a message": (f"{message.MOST_TAGS:,}, with {message.MOST_SIGNS:,} words and signs",),
    "markup of an HTML body": (f"{message.MOST_MARKUP:,} tags",),
    "a mail to one person": (f"{message.MOST_MERGED:,} characters",),
    "text that filters, and `in` in conditions, read for one mail": (f"{message.MOST_FILTERED:,} characters",),
    "an e-mail address": (f"{MOST_CHARACTERS} characters",),
    "ContactIDs of an account": (f"{LARGEST:,}",),
    "a change that waits for others": (f"{waiting.LONGEST_WAIT:.0f} seconds",),
    "changes of a web process that wait while none gets on": (
        f"{waiting.MOST_WAITING} after {waiting.STUCK:.0f} seconds",
    ),
    "a session of the console": (f"{LONGEST_SESSIONS['console'].total_seconds() / 3600:.0f} hours",),
}


def test_bounds_are_those_of_the_program() -> None:
    rows = dict(table(text("limits.md"), "Bounds"))
    assert BOUNDS.keys() <= rows.keys()
    for name, texts in BOUNDS.items():
        for said in texts:
            assert said in rows[name], name
    for name, bound in rows.items():
        # A bound that a setting sets has its default there.
        for variable, default in re.findall(r"`SOAPSTONE_(\w+)`, ([\d,]+)(?: by default|$)", bound):
            assert int(default.replace(",", "")) == SETTINGS[variable.lower()].default, name


def routes(heading: str) -> list[str]:
    """The routes of docs/rights.md, which tests compare with the program."""
    return re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", text("rights.md").partition(f"\n## {heading}\n")[2], re.MULTILINE)


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[str]:
    inner = getattr(command, "commands", {})
    for name, each in inner.items():
        yield from commands(each, (*words, name))
    if not inner:
        yield " ".join(words)


# What a line of things that are not built may name → all of that kind that there is.
THERE = {
    "operation": [*magnetmail_service.available(), *listrak_service.available()],
    "command": [*commands(COMMANDS)],
    "setting": [*SETTINGS],
    "table": [*metadata.tables],
    "REST": routes("REST API"),
    "console": routes("Console"),
    "page": re.findall(r'Route\("([^"]+)"', (Path(*subscriber.__path__) / "app.py").read_text(encoding="utf-8")),
}
DECLARED = {operation.name for module in (magnetmail, listrak) for operation in module.CONTRACT.operations}
NOT_BUILT = [
    (name, code)
    for name, codes in table(text("limits.md"), "Not built yet")
    for code in re.findall(r"`([^`]+)`", codes)
]


@pytest.mark.parametrize(("name", "code"), NOT_BUILT)
def test_what_is_not_built_is_not_there(name: str, code: str) -> None:
    kind, _, pattern = code.partition(" ")
    assert [each for each in THERE[kind] if fnmatchcase(each, pattern)] == [], f"{name}: this is built"
    # A pattern of operations that none has would prove nothing.
    assert kind != "operation" or [each for each in DECLARED if fnmatchcase(each, pattern)]


def test_every_line_of_things_that_are_not_built_names_what_is_absent() -> None:
    assert all(THERE.values())
    lines = [name for name, _ in table(text("limits.md"), "Not built yet")]
    assert lines == [*dict.fromkeys(name for name, _ in NOT_BUILT)]
    assert len(lines) > 8


# --- operations that pages name --------------------------------------------------------------------------------------

OPERATION = re.compile(
    r"`((?:Authenticate|Report|[Gg]et|[Ss]et|[Ss]end|Schedule|[Cc]reate|[Uu]pdate|Delete|[Uu]pload|[Uu]nsubscribe|Subscribe"
    r"|Bulk|Conductor|add|edit|Search|Change|replace)[A-Z]\w+)`"
)
# Members and calls that look like operations.
NO_OPERATIONS = {"SendDateTime", "SendToList", "SendToFile"}


@pytest.mark.parametrize("name", ["magnetmail.md", "listrak.md", "moving.md", "records.md", "xml-over-http.md"])
def test_operations_that_pages_tell_to_call_are_available(name: str) -> None:
    named_there = set(OPERATION.findall(prose(text(name)))) - NO_OPERATIONS
    assert named_there
    assert named_there <= set(THERE["operation"])


def test_the_changelog_counts_the_operations_that_work() -> None:
    unreleased = (
        (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition("\n## [Unreleased]\n")[2].partition("\n## ")[0]
    )
    counts = re.findall(r"(\d+) of the (\d+) operations work", unreleased)
    services = (magnetmail_service, magnetmail), (listrak_service, listrak)
    assert counts == [
        (str(len(service.available())), str(len(module.CONTRACT.operations))) for service, module in services
    ]


def test_refusals_of_xml_over_http_are_those_of_the_program() -> None:
    package = ROOT / "src" / "soapstone" / "xmlhttp"
    source = "".join(path.read_text(encoding="utf-8") for path in sorted(package.glob("*.py")))
    pairs = {(int(status), code) for status, code in re.findall(r'CallError\(\s*(\d+), "(\w+)"', source)}
    pairs |= {*ANSWERS.values(), (500, "InternalError")}
    rows = table(text("xml-over-http.md"), "Refusals")
    said = {(int(status), code.strip("`")) for statuses, code, _ in rows for status in statuses.split(", ")}
    assert said == pairs


# --- moving ----------------------------------------------------------------------------------------------------------


def test_smtp_urls_of_relays_are_read_as_the_page_means() -> None:
    urls = re.findall(r"`(smtps?://[^`]+)`", text("moving.md").partition("## A relay in front")[2])
    read = {address.host: address for address in map(SmtpAddress.of, urls)}
    assert len(read) == len(urls) == 4
    for address in read.values():
        assert (address.port, address.starttls, address.verify) == (587, "require", True)
    assert read["smtp.mailgun.org"].user == "news@mg.example.com"
    assert read["smtp.sendgrid.net"].user == "apikey"


def test_opt_outs_that_come_first_hold(tmp_path: Path) -> None:
    part = text("moving.md").partition("## Unsubscribes first")[2].partition("\n## ")[0]
    opt_outs, people = blocks(part, "text")
    files = {"opt-outs.csv": opt_outs, "people.csv": people, "password.txt": "a long password\n"}
    files["addresses.csv"] = "E-mail\ndi@example.org\n"
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "soapstone").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m soapstone "$@"\n')
    (tmp_path / "soapstone").chmod(0o755)
    environment = {
        **os.environ,
        "SOAPSTONE_DATA_DIR": str(tmp_path / "data"),
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "COLUMNS": "200",
    }

    def run(script: str) -> str:
        command = ["sh", "-ec", script]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    first, second = blocks(part, "sh")
    assert re.search(r"│ 1 +│ Customers │ 3 +│ 1 +│", run(first))
    assert "1 imported as unsubscribed" in run(second)
    (tmp_path / "people.csv").write_text("Email\ndi@example.org\n")
    run("soapstone import people.csv --list 1")
    assert re.search(r"│ 1 +│ Customers │ 4 +│ 1 +│", run("soapstone list list"))


# --- the first page --------------------------------------------------------------------------------------------------


def test_pictures_are_those_of_the_script_and_pages_show_them() -> None:
    script = (DOCS / "screenshots.py").read_text(encoding="utf-8")
    there = {path.name for path in DOCS.rglob("*.png")}
    assert there == set(re.findall(r'"(\w+\.png)"', script))
    shown = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    assert all(f"{name})" in shown for name in there)


@pytest.mark.parametrize("path", [ROOT / "README.md", DOCS / "index.md"], ids=named)
def test_the_first_pages_say_what_the_project_is_not(path: Path) -> None:
    page = " ".join(path.read_text(encoding="utf-8").split())
    for words in (
        "not affiliated with or endorsed by Listrak, Higher Logic, Real Magnet or Microsoft",
        "no vendor code",
        "not tested against the live services",
        "XML over HTTP is our own design",
    ):
        assert words in page


def test_the_readme_begins_with_its_readers_and_says_when_to_take_something_else() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"MagnetMail or Listrak by SOAP\?.*URL", page.partition("## ")[0])
    other = page.partition("## Use something else if")[2].partition("\n## ")[0]
    assert all(name in other for name in ("listmonk", "Mailpit", "docs/listmonk.md"))


# --- the promises of SECURITY.md ------------------------------------------------------------------------------------


def test_every_promise_of_security_has_its_test() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Z][^|]+\.) \| `(tests/\S+\.py)::(test_\w+)` \|$", page, re.MULTILINE)
    assert len(rows) == page.count("\n| ") - 2 > 20
    for _, module, name in rows:
        assert f"\ndef {name}(" in (ROOT / module).read_text(encoding="utf-8"), f"{module} has no {name}"
