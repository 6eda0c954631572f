"""The manual tells the truth: commands and settings exist, examples work, links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import typer.main

from soapstone.cli import app
from soapstone.imports.outcomes import REASONS, TAKEN
from soapstone.listrak.processes import STATES
from soapstone.lists.fields import FIELDS
from soapstone.magnetmail.uploads import STATUS
from soapstone.sending.template import FILTERS, Template

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


GENERATED = ["settings.md", "command-line.md", "operations.md"]


@pytest.mark.parametrize("name", GENERATED)
def test_settings_command_line_and_operations_are_those_of_the_program(name: str) -> None:
    assert text(name) == reference().page(name), "run .venv/bin/python docs/reference.py"
    assert [*reference().PARTS] == GENERATED


@pytest.mark.parametrize(("contract", "number"), [("magnetmail", 55), ("listrak", 97)])
def test_the_page_of_operations_names_all_of_them(contract: str, number: int) -> None:
    facts = (ROOT / "tests" / "contracts" / f"{contract}.txt").read_text(encoding="utf-8")
    names = re.findall(r"^operation (\w+)", facts, re.MULTILINE)
    assert len(names) == number
    rows = re.findall(r"^\| `(\w+)` \| (?:available|not available yet) \|", text("operations.md"), re.MULTILINE)
    assert [name for name in rows if name in names] == names
    assert len(rows) == 152


def test_variables_that_the_manual_names_are_settings() -> None:
    known = set(re.findall(r"^\| `(SOAPSTONE_\w+)` \|", text("settings.md"), re.MULTILINE))
    assert len(known) > 5
    for path in PAGES:
        assert set(re.findall(r"\bSOAPSTONE_[A-Z_]+\b", path.read_text(encoding="utf-8"))) <= known, named(path)


def test_states_of_jobs_are_those_of_the_contracts() -> None:
    rows = re.findall(r"^\| (\w+) \| [^|]+ \| (\d) \| `(\w+)` \|$", text("jobs.md"), re.MULTILINE)
    assert {state: int(number) for state, number, _ in rows} == STATUS
    assert {state: name for state, _, name in rows} == {state: status.value for state, status in STATES.items()}


def test_outcomes_of_rows_are_those_of_imports() -> None:
    taken, _, rejected = text("imports.md").partition("| taken | |")[2].partition("| rejected | |")
    for part, outcomes in ((taken, TAKEN), (rejected.partition("\n\n")[0], REASONS.keys())):
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


def resolve(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and the words behind it."""
    command: Any = typer.main.get_command(app)
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
    for name in ("people.csv", "people.xlsx"):
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


def test_the_first_page_says_what_the_project_is_not() -> None:
    page = " ".join(text("index.md").split())
    for words in ("not affiliated with or endorsed by", "no vendor code", "not tested against the live services"):
        assert words in page


# --- the promises of SECURITY.md ------------------------------------------------------------------------------------


def test_every_promise_of_security_has_its_test() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Z][^|]+\.) \| `(tests/\S+\.py)::(test_\w+)` \|$", page, re.MULTILINE)
    assert len(rows) == page.count("\n| ") - 2 > 20
    for _, module, name in rows:
        assert f"\ndef {name}(" in (ROOT / module).read_text(encoding="utf-8"), f"{module} has no {name}"
