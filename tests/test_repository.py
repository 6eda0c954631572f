"""The repository keeps to its own rules: locks, sizes, places, pages."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCKS = ("run", "dev", "image", "build", "bench")

# Written in parts, so that this file does not hold what it looks for.
CHECKOUTS = ("home", "Users", "root", "work", "workspace", "builds")
# A path inside a longer one is something else.
MACHINE_PATH = re.compile(rf"(?<![\w.~$)}}>-])/(?:{'|'.join(CHECKOUTS)})/[\w.-]")
REGISTRIES = [("pypi", "org"), ("pythonhosted", "org"), ("registry", "npmjs", "org"), ("deb", "debian", "org")]
REGISTRY_HOST = re.compile("|".join(re.escape(".".join(parts)) for parts in REGISTRIES))


def tracked() -> list[Path]:
    """Files of the repository as git knows them, those that are still here."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.decode()
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def pins(lock: str) -> Iterator[tuple[Requirement, list[str]]]:
    """Every requirement of a lock with its hashes."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            requirement, *hashes = line.split(" --hash=")
            yield Requirement(requirement), [digest.strip() for digest in hashes]


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_every_package_by_hash_and_says_nothing_of_where_it_came_from(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    assert "://" not in text
    assert re.findall(r"^\s*-(?!-hash=sha256:[0-9a-f]{64}\b).*", text, re.MULTILINE) == []
    assert re.findall(r"#.*\s/\S*", text) == []
    for requirement, hashes in pins(lock):
        assert requirement.url is None
        assert [clause.operator for clause in requirement.specifier] == ["=="], requirement
        assert hashes, requirement


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock != "dev"])
def test_locks_agree_so_that_one_environment_serves_all(lock: str) -> None:
    dev = {(pin.name, str(pin.marker)): (str(pin.specifier), hashes) for pin, hashes in pins("dev")}
    own = {(pin.name, str(pin.marker)): (str(pin.specifier), hashes) for pin, hashes in pins(lock)}
    assert {name: pin for name, pin in own.items() if name in dev} == {name: dev[name] for name in own if name in dev}
    if lock not in ("build", "bench"):
        assert own.keys() <= dev.keys()


def test_the_locks_hold_what_the_project_asks_for() -> None:
    data = project()
    groups = data["dependency-groups"]
    core = data["project"]["dependencies"]
    extra = data["project"]["optional-dependencies"]["postgresql"]
    asked = {
        "run": core + groups["demo"],
        "dev": core + extra + groups["demo"] + groups["dev"] + groups["docs"],
        "image": core + extra,
        "build": groups["build"],
        "bench": groups["bench"],
    }
    for lock, lines in asked.items():
        pinned: dict[str, list[Requirement]] = {}
        for pin, _ in pins(lock):
            pinned.setdefault(canonicalize_name(pin.name), []).append(pin)
        for line in lines:
            if isinstance(line, str):
                wanted = Requirement(line)
                found = pinned.get(canonicalize_name(wanted.name), [])
                versions = [next(iter(pin.specifier)).version for pin in found]
                assert versions, f"{lock}: {wanted} is missing; run make lock"
                assert all(wanted.specifier.contains(version) for version in versions), f"{lock}: {wanted}, {versions}"


def test_the_node_lock_names_no_registry() -> None:
    lock = json.loads((ROOT / "tests/interop/node/package-lock.json").read_text())
    for place, package in lock["packages"].items():
        assert "resolved" not in package, place
        assert not place or package["integrity"].startswith("sha512-"), place


def test_no_module_is_long() -> None:
    """A module of more than 500 lines holds more than one noun. Tables and migrations are lists."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "src").rglob("*.py")}
    long = {path.relative_to(ROOT / "src/soapstone").as_posix() for path, length in lengths.items() if length > 500}
    assert long <= {"store/tables.py"}


def test_no_file_is_large() -> None:
    assert [path for path in tracked() if path.stat().st_size >= 1_000_000] == []


def test_no_file_names_a_place_on_somebodys_machine_or_a_package_registry() -> None:
    found = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            if MACHINE_PATH.search(line) or REGISTRY_HOST.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_every_page_of_the_manual_is_reachable_from_its_navigation() -> None:
    docs = ROOT / "docs"
    waiting = [docs / name for name in re.findall(r"- .+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)]
    reached: set[Path] = set()
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        for target in re.findall(r"\]\(([^)#:\s]+\.md)(?:#[^)]*)?\)", page.read_text()):
            waiting.append((page.parent / target).resolve())
    assert {path for path in tracked() if path.is_relative_to(docs) and path.suffix == ".md"} - reached == set()


def test_the_map_of_the_tests_names_every_folder_and_only_files_that_exist() -> None:
    folders = {
        path.relative_to(ROOT).parts[1] for path in tracked() if re.match(r"tests/\w+/", str(path.relative_to(ROOT)))
    }
    rows = [
        line.split("|")[1] for line in (ROOT / "tests/README.md").read_text().splitlines() if line.startswith("| `")
    ]
    named = re.findall(r"`([\w.]+)`", " ".join(rows))
    assert sorted(name for name in named if not name.endswith(".py")) == sorted(folders)
    assert [name for name in named if name.endswith(".py") and not (ROOT / "tests" / name).is_file()] == []


def test_the_index_of_findings_names_every_script_once() -> None:
    scripts = [path.name for path in tracked() if path.parent == ROOT / "findings" and path.suffix == ".sh"]
    rows = [line for line in (ROOT / "findings/README.md").read_text().splitlines() if line.startswith("| ")]
    assert sorted(re.findall(r"\| `([\w.-]+\.sh)` \|", "\n".join(rows))) == sorted(scripts)
    assert len(scripts) > 3


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_a_page_for_people_who_read_the_code_names_modules_that_exist(page: str) -> None:
    named = re.findall(r"`([a-z_0-9]+/[a-z_0-9/]*\.py)`", (ROOT / page).read_text(encoding="utf-8"))
    assert len(named) > 5
    assert [each for each in named if not any((ROOT / at / each).exists() for at in (".", "src/soapstone"))] == []


def test_the_changelog_has_a_place_for_what_comes_next() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"


def test_the_licence_is_the_unmodified_apache_text() -> None:
    digest = hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest()
    assert digest == "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
    assert project()["project"]["license"] == "Apache-2.0"
