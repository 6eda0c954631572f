"""docs/compatibility has an entry for every point that code and tests cite, and its entries keep to one form."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "compatibility"

HEADING = re.compile(r"(asmx|mm|lk)-([1-9][0-9]*)")
MARKS = ("known", "by analogy", "our decision")
STATES = ("in place", "in part", "not yet")
# Points that must have an entry whether something cites them or not.
WANTED = {
    "asmx": {*range(1, 30)},
    "mm": {*range(1, 71), *range(87, 95)},
    "lk": {*range(1, 32), *range(35, 49), *range(64, 106)},
}
# Page → the points that it holds.
HOMES = {
    "asmx.md": ("asmx", {*range(1, 30)}),
    "magnetmail.md": ("mm", {*range(1, 133)}),
    "listrak.md": ("lk", {*range(1, 85), *range(92, 128)}),
    "xml-over-http.md": ("lk", {*range(85, 92)}),
}

# mm-48; mm-47 to mm-51; lk-85…91; test_asmx_3_other_verbs.
CITATION = re.compile(r"(?<![a-z])(asmx|mm|lk)[-_]([1-9][0-9]*)(?: ?(?:…|–|to|through) ?(?:\1-)?([1-9][0-9]*))?")


@dataclass(frozen=True)
class Entry:
    """A numbered point: its page, its line of mark and state, and the text below it."""

    page: str
    contract: str
    number: int
    line: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.contract}-{self.number}"


def entries() -> list[Entry]:
    found = []
    for page in sorted(PAGES.glob("*.md")):
        for part in re.split(r"^### ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            heading, _, rest = part.partition("\n")
            if match := HEADING.fullmatch(heading):
                line, _, text = rest.strip().partition("\n")
                found.append(Entry(page.name, match[1], int(match[2]), line, text.split("\n## ")[0].strip()))
    return found


ENTRIES = entries()


def citations(text: str) -> Iterator[str]:
    """The points that a text cites, ranges spelt out."""
    for match in CITATION.finditer(text):
        first, last = int(match[2]), int(match[3] or match[2])
        for number in range(first, last + 1):
            yield f"{match[1]}-{number}"


def sources() -> Iterator[Path]:
    for folder in ("src", "tests"):
        for path in sorted((ROOT / folder).rglob("*")):
            inside = path.relative_to(ROOT).parts
            if path.suffix in (".py", ".sql", ".html", ".js", ".css", ".txt", ".sh") and "node_modules" not in inside:
                yield path


def test_every_form_of_citation_is_seen() -> None:
    text = "(mm-48), mm-47 to mm-49; lk-85…87 and lk-1–2, def test_asmx_3_other_verbs; summ-1, MM_1, mm_filename, mm-0"
    assert Counter(citations(text)) == Counter(
        ["mm-48", "mm-47", "mm-48", "mm-49", "lk-85", "lk-86", "lk-87", "lk-1", "lk-2", "asmx-3"]
    )


def test_every_point_that_is_cited_has_an_entry() -> None:
    there = {entry.name for entry in ENTRIES}
    missing = {
        f"{path.relative_to(ROOT)}: {point}"
        for path in sources()
        if path != Path(__file__)
        for point in citations(path.read_text(encoding="utf-8"))
        if point not in there
    }
    assert missing == set()


@pytest.mark.parametrize("contract", WANTED)
def test_no_point_of_the_built_subjects_is_left_out(contract: str) -> None:
    assert WANTED[contract] - {entry.number for entry in ENTRIES if entry.contract == contract} == set()


def test_no_point_has_two_entries() -> None:
    assert [name for name, times in Counter(entry.name for entry in ENTRIES).items() if times > 1] == []


@pytest.mark.parametrize("page", HOMES)
def test_a_page_holds_its_own_points_in_order(page: str) -> None:
    contract, numbers = HOMES[page]
    held = [(entry.contract, entry.number) for entry in ENTRIES if entry.page == page]
    assert {(kind, number) for kind, number in held if kind != contract or number not in numbers} == set()
    assert held == sorted(held)


def test_headings_of_the_third_level_are_points() -> None:
    for page in HOMES:
        headings = re.findall(r"^### (.*)$", (PAGES / page).read_text(encoding="utf-8"), re.MULTILINE)
        assert [heading for heading in headings if not HEADING.fullmatch(heading)] == []
        assert headings


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_entry_has_marks_a_state_and_a_text(entry: Entry) -> None:
    match = re.fullmatch(r"\*([A-Z][^·]*) · ([^·]*)\*", entry.line)
    assert match, entry.line
    marks = match[1].lower().split(", ")
    assert match[1] == match[1].capitalize()
    assert [mark for mark in MARKS if mark in marks] == marks
    assert match[2] in STATES
    assert len(entry.text) > 30
    assert entry.text.endswith((".", "|"))
    # What is missing is said.
    assert match[2] != "in part" or re.search(r"\b(not|no|only|cannot|nothing)\b", entry.text, re.IGNORECASE)
