"""Imports run one way (docs: `wire` could be published on its own; a contract package never touches a table)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "soapstone"

ROOMS = {"accounts", "addresses", "lists", "contacts", "imports", "sending", "tracking", "personal_data"}

MAY_IMPORT: dict[str, set[str]] = {
    "clock": set(),
    "errors": set(),
    "addresses": set(),
    "address_repair": {"addresses"},
    "http": set(),
    "xml_declaration": set(),
    # asmx-5: a service description gives the address that the client used.
    "wire": {"http", "xml_declaration"},
    "backoff": set(),
    "loopback": set(),
    "heap": set(),
    "thread_turns": set(),
    # Closed sets, which every part but `wire` may use.
    "vocabulary": set(),
    "store": set(),
    "log_context": set(),
    "jobs": {"store", "log_context"},
    "accounts": {"jobs", "store"},
    "lists": {"jobs", "store", "accounts", "addresses"},
    "contacts": {"jobs", "store", "accounts", "addresses", "lists"},
    "imports": {
        "jobs",
        "store",
        "accounts",
        "addresses",
        "address_repair",
        "lists",
        "contacts",
        "heap",
        "xml_declaration",
    },
    # A supplied file is read as an import file is.
    "sending": {"jobs", "store", "accounts", "address_repair", "addresses", "lists", "contacts", "imports", "tracking"},
    # Bounces and complaints change contacts.
    "tracking": {"jobs", "store", "accounts", "addresses", "lists", "contacts", "thread_turns"},
    # One person in all of these.
    "personal_data": {"jobs", "store", *ROOMS - {"personal_data"}},
    # What an operator may set. Rooms get the values handed to them.
    "settings": {"setting_values"},
    "setting_values": set(),
    # The rooms, opened on one set of records: what the contracts call.
    "product": {"settings", "jobs", "store", *ROOMS},
    "magnetmail": {"wire", "product", "jobs", *ROOMS},
    "listrak": {"wire", "product", "jobs", *ROOMS},
    "xmlhttp": {"wire", "http", "xml_declaration", "product", "jobs", *ROOMS},
    # It calls a service by the contracts' declarations, and fills an account by the product's services.
    "migration": {"wire", "product", "store", "listrak", "magnetmail", *ROOMS},
}
# Small modules that every part may import.
FOR_ALL = {"clock", "backoff", "loopback"}
# What puts the parts together: it may import anything, and only its own kind imports it.
ON_TOP = {
    "api",
    "console",
    "labels",
    "subscriber",
    "cli",
    "commands",
    "server",
    "readiness",
    "relay_calls",
    "tls",
    "connection",
    "connection_limits",
    "body_limit",
    "local_server",
    "shadow",
    "testing",
    "uvicorn_check",
    "listening",
    "supervisor",
    "early_worker",
    "web_processes",
    "demo",
    "banner",
    "logs",
    "metrics",
    "runners",
}

# Wire and contracts know no tables, not even through the library.
WITHOUT_SQLALCHEMY = {"wire", "magnetmail", "listrak", "xmlhttp", "migration"}


def part_of(path: Path) -> str:
    """The part of the package that a file belongs to: a folder or a module beside them."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@cache
def imported(path: Path, source: Path = SOURCE) -> tuple[tuple[int, str], ...]:
    """Line and full dotted name of everything that a module imports, wherever in the module."""
    return tuple(_imported(path, source))


def _imported(path: Path, source: Path) -> Iterator[tuple[int, str]]:
    package = ("soapstone", *path.relative_to(source).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) + 1 - node.level]] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"


MODULES = sorted(path for path in SOURCE.rglob("*.py") if part_of(path) != "__init__")


def test_every_part_has_a_rule() -> None:
    parts = {part_of(path) for path in MODULES} - {"__main__"}
    assert parts - MAY_IMPORT.keys() - ON_TOP == set(), "add the new part to the table"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_imports_run_one_way(path: Path) -> None:
    part = part_of(path)
    wrong = []
    common = {part} | FOR_ALL | (set() if part in FOR_ALL | {"wire", "http"} else {"errors", "vocabulary"})
    for line, name in imported(path):
        top, _, rest = name.partition(".")
        theirs = rest.partition(".")[0]
        # `from soapstone import __version__` names no part.
        is_part = top == "soapstone" and theirs in MAY_IMPORT.keys() | ON_TOP
        against_the_table = is_part and part in MAY_IMPORT and theirs not in MAY_IMPORT[part] | common
        if against_the_table or (top == "sqlalchemy" and part in WITHOUT_SQLALCHEMY):
            wrong.append(f"line {line}: {part} imports {name}")
    assert wrong == []


# The marks of a declaration, and what is read from them.
CIRCLES = [{"soapstone.wire.schema", "soapstone.wire.types"}]


def graph() -> dict[str, set[str]]:
    """The modules that each module imports, wherever it does; `a.b.c` is module `a.b` where `a.b.c` is no module."""
    names = {path: ".".join(("soapstone", *path.relative_to(SOURCE).with_suffix("").parts)) for path in MODULES}
    modules = {path: name.removesuffix(".__init__") for path, name in names.items()}
    known = set(modules.values())
    found: dict[str, set[str]] = {}
    for path, module in modules.items():
        ends = {name if name in known else name.rpartition(".")[0] for _, name in imported(path)}
        found[module] = ends & known - {module}
    return found


def circles(edges: dict[str, set[str]]) -> list[set[str]]:
    """Sets of modules that import one another, along however many others."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        ahead = [start]
        while ahead:
            new = edges[ahead.pop()] - seen
            seen |= new
            ahead += new
        return seen

    reach = {module: reached(module) for module in edges}
    return [
        whole
        for module in sorted(edges)
        if module in reach[module] and module == min(whole := {each for each in reach[module] if module in reach[each]})
    ]


def test_no_modules_import_one_another() -> None:
    edges = graph()
    assert len(edges) == len(MODULES) > 300
    assert circles(edges) == CIRCLES


def test_circles_are_found_at_any_length() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == [{"b", "c"}]
    assert circles({"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": {"e"}, "e": {"d"}}) == [{"a", "b", "c"}, {"d", "e"}]


def test_the_rule_sees_every_form_of_import(tmp_path: Path) -> None:
    module = tmp_path / "wire" / "reader.py"
    module.parent.mkdir()
    module.write_text(
        "import soapstone.store.tables\n"
        "from soapstone import store\n"
        "from soapstone.store import tables\n"
        "from . import faults\n"
        "from .. import store\n"
        "from ..store import tables\n"
        "def late():\n"
        "    from ..store.tables import jobs\n"
    )
    assert list(imported(module, tmp_path)) == [
        (1, "soapstone.store.tables"),
        (2, "soapstone.store"),
        (3, "soapstone.store.tables"),
        (4, "soapstone.wire.faults"),
        (5, "soapstone.store"),
        (6, "soapstone.store.tables"),
        (8, "soapstone.store.tables.jobs"),
    ]
