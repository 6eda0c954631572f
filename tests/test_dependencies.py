"""docs/dependencies.md says of every direct dependency why it is there and under which licence."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
COPYLEFT = re.compile(r"GPL|MPL|EPL|EUPL|CDDL|CeCILL|OSL-|General Public|Mozilla Public")

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]
# Heading of the page → what of pyproject.toml it lists.
SECTIONS = {
    "Runtime": PROJECT["project"]["dependencies"],
    "Extra `postgresql`": PROJECT["project"]["optional-dependencies"]["postgresql"],
    "Extra `s3`": PROJECT["project"]["optional-dependencies"]["s3"],
    "Extra `testing`": PROJECT["project"]["optional-dependencies"]["testing"],
    "Example scripts": GROUPS["demo"],
    "Tests and checks": GROUPS["dev"],
    "Manual": GROUPS["docs"],
    "Bench": GROUPS["bench"],
    "Build": GROUPS["build"],
    "Package": GROUPS["package"],
}


def page() -> dict[str, dict[str, tuple[str, str]]]:
    """The page's tables: heading → package → reason and licence."""
    sections: dict[str, dict[str, tuple[str, str]]] = {}
    rows: dict[str, tuple[str, str]] = {}
    for line in (ROOT / "docs/dependencies.md").read_text().splitlines():
        if line.startswith("## "):
            rows = sections.setdefault(line[3:], {})
        elif line.startswith("| ") and not line.startswith(("| package", "| ---")):
            name, reason, licence = (cell.strip() for cell in line.strip("|").split("|"))
            rows[name] = (reason, licence)
    return sections


def names(requirements: list[object]) -> set[str]:
    return {Requirement(line).name for line in requirements if isinstance(line, str)}


def expression(package: str) -> str | None:
    """The SPDX expression that a package states, where it does and is installed; those of the bench need not be."""
    try:
        stated = metadata.metadata(package).get_all("License-Expression")
    except metadata.PackageNotFoundError:
        return None
    return stated[0] if stated else None


def said_by(package: str) -> str:
    """What an installed package says of its licence, in all the ways that package metadata knows."""
    data = metadata.metadata(package)
    classifiers = [line for line in data.get_all("Classifier") or [] if line.startswith("License")]
    # Some packages put the whole text into the older field; its first line is the name.
    older = [text.split("\n")[0] for text in data.get_all("License") or []]
    return expression(package) or " ".join(classifiers + older)


def needed_by_the_core() -> set[str]:
    """Installed packages that the server needs without any extra, directly or not."""
    needed: set[str] = set()
    waiting = [(line, {""}) for line in SECTIONS["Runtime"]]
    while waiting:
        line, extras = waiting.pop()
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        applies = requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)
        if applies and name not in needed:
            needed.add(name)
            waiting += [(inner, requirement.extras or {""}) for inner in metadata.requires(name) or []]
    return needed


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_direct_dependency_is_on_the_page_with_reason_and_licence(heading: str) -> None:
    rows = page()[heading]
    assert rows.keys() == names(SECTIONS[heading])
    assert all(reason and licence for reason, licence in rows.values())


def test_the_page_has_no_other_section_with_packages() -> None:
    assert page().keys() == SECTIONS.keys()


def test_the_licences_are_those_that_the_packages_state() -> None:
    stated = {
        name: (licence, spdx)
        for rows in page().values()
        for name, (_, licence) in rows.items()
        if (spdx := expression(name))
    }
    assert {name: pair for name, pair in stated.items() if pair[0] != pair[1]} == {}


def test_copyleft_stays_outside_the_core() -> None:
    assert {name: licence for name, (_, licence) in page()["Runtime"].items() if COPYLEFT.search(licence)} == {}
    assert {name: text for name in needed_by_the_core() if COPYLEFT.search(text := said_by(name))} == {}
