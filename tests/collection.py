"""Which tests `make test-quick` leaves out, and in which order all of them run."""

from __future__ import annotations

import inspect
import os
from collections import defaultdict
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

# What starts processes, by its name in the code of a test or of a fixture.
_STARTERS = frozenset({"Served", "Popen", "opened_site", "subprocess"})
# About the seconds that a test takes, by its marks. Long ones begin first, so that no process has to wait for another.
_SECONDS = {"long": 15.0, "process": 2.0, "postgresql": 0.1}
_SHORT = 0.05


def pytest_xdist_auto_num_workers() -> int:
    """Return one test process more than there are processors: tests wait for files, databases and servers."""
    return (os.cpu_count() or 1) + 1


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of a module on a server of each kind of database that its `SERVED_ON` names."""
    kinds = getattr(metafunc.module, "SERVED_ON", ())
    if kinds and "served" in metafunc.fixturenames:
        metafunc.parametrize("served", kinds, indirect=True, scope="module")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs PostgreSQL or processes of its own, and put the files first whose tests take longest."""
    seconds: defaultdict[Path, float] = defaultdict(float)
    for item in items:
        if isinstance(item, pytest.Function):
            _mark(item)
        seconds[item.path] += max([_SHORT, *(_SECONDS.get(mark.name, _SHORT) for mark in item.iter_markers())])
    items.sort(key=lambda item: -seconds[item.path])


def _mark(item: pytest.Function) -> None:
    given = item.callspec.params.values() if hasattr(item, "callspec") else ()
    if "postgresql" in given or "postgresql_server" in item.fixturenames:
        item.add_marker("postgresql")
    fixtures = [each.func for found in item._fixtureinfo.name2fixturedefs.values() for each in found]
    if any(_STARTERS & _names(function) for function in (item.function, *fixtures)):
        item.add_marker("process")


def _names(function: Any) -> frozenset[str]:
    """Return the names of other things that a function uses, and functions in it."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return _names_in(code) if code else frozenset()


def _names_in(code: CodeType) -> frozenset[str]:
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return frozenset(code.co_names).union(*map(_names_in, inner))
