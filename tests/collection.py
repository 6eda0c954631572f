"""Which tests `make test-quick` leaves out, and in which order all of them run."""

from __future__ import annotations

import gc
import inspect
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

# What starts processes, by its name in the code of a test, of a fixture, or of a helper that these use.
_STARTERS = frozenset({"Popen", "subprocess", "multiprocessing", "fork", "pytester", "Supervisor"})
# Expressions of marks without any test of interop, and the line by which a whole file is of it.
_WITHOUT_INTEROP = re.compile(r"not interop|not \(interop( or \w+)*\)")
_INTEROP = re.compile(r"^pytestmark = .*pytest\.mark\.interop\b", re.MULTILINE)
_TESTS = Path(__file__).parent
# Methods that nobody needs to name.
_ALWAYS = frozenset({"__init__", "__post_init__", "__enter__", "__exit__", "__call__", "__getattr__"})
# Mean seconds of a test's cases, and of the fixtures that the tests of one file share, as `--store-times` wrote them;
# short ones are left out.
_TIMES = Path(__file__).parent / "times.txt"
_SHORT = 0.05
# From so many seconds on `make test-quick` leaves a test out.
_SLOW = 0.06
# So many seconds of a fixture make all tests of the file slow that share it: whichever remained would wait for it.
_SLOW_SHARED = 1.0
# A test that is not in the file and takes so many seconds is told at the end of a run.
_TOLD = 1.0
# About the seconds that a test takes which is not in the file, by its marks.
_SECONDS = {"long": 15.0, "process": 2.0, "postgresql": 0.1}
# New objects between two runs of the garbage collector; with Python's 700 it took an eighth of the time of all tests.
_OBJECTS = 20_000
# Seconds of each case that ran, by test, and of each shared fixture.
_spent: defaultdict[str, list[float]] = defaultdict(list)
_marked: set[str] = set()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes the times of a run."""
    parser.addoption("--store-times", action="store_true", help=f"write the seconds of tests to {_TIMES.name}")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return one test process more than there are processors, as tests wait for servers; no more with `-n logical`."""
    return (os.cpu_count() or 1) + int(config.getoption("numprocesses") == "auto")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of a module on a server of each kind of database that its `SERVED_ON` names."""
    kinds = getattr(metafunc.module, "SERVED_ON", ())
    if kinds and "served" in metafunc.fixturenames:
        metafunc.parametrize("served", kinds, indirect=True, scope="module")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no file of interop whose tests would all be left out."""
    if collection_path.parent not in (_TESTS / "interop", _TESTS / "hosts") or collection_path.suffix != ".py":
        return None
    unwanted = _WITHOUT_INTEROP.fullmatch(config.getoption("markexpr")) and _INTEROP.search(collection_path.read_text())
    return True if unwanted else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make test-quick` leaves out, and put the files first whose tests take longest."""
    times = _times()
    seconds: defaultdict[Path, float] = defaultdict(float)
    known: set[str] = set()
    for item in items:
        if isinstance(item, pytest.Function):
            _mark(item)
        usual = max([_SHORT, *(_SECONDS.get(mark.name, _SHORT) for mark in item.iter_markers())])
        spent = times.get(_test(item.nodeid), usual)
        file = item.nodeid.partition("::")[0]
        shared = {key for name in getattr(item, "fixturenames", ()) if (key := f"{file}::{name}") in times}
        if spent >= _SLOW or any(times[key] >= _SLOW_SHARED for key in shared):
            item.add_marker("slow")
        seconds[item.path] += spent + sum(times[key] for key in shared - known)
        known |= shared
    # Long files begin first, so that no process has to wait for another.
    items.sort(key=lambda item: -seconds[item.path])


def pytest_collection() -> None:
    """Leave garbage alone meanwhile: nearly all that comes into being stays."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Spare the garbage collector all that is there before the first test, and let it work less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS, 20, 20)
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: Any) -> Iterator[None]:
    """Note the seconds of a fixture that the tests of one file share."""
    began = time.perf_counter()
    try:
        return (yield)
    finally:
        if fixturedef.scope == "module" and fixturedef.baseid.endswith(".py"):
            key = f"{fixturedef.baseid}::{fixturedef.argname}"
            request._pyfuncitem.user_properties.append((key, time.perf_counter() - began))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count the seconds of a case; what it shares with others counts for itself."""
    spent = _spent[_test(report.nodeid)]
    if report.when == "setup":
        spent.append(0.0)
        for key, seconds in report.user_properties:
            if isinstance(seconds, float):
                _spent[key].append(seconds)
                spent[-1] -= seconds
    spent[-1] += report.duration
    if not {"long", "process", "interop"}.isdisjoint(report.keywords):
        _marked.add(_test(report.nodeid))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Tell which new tests are slow, and write the times if that is asked for."""
    means = {test: sum(spent) / len(spent) for test, spent in _spent.items()}
    times = _times()
    if config.getoption("store_times"):
        kept = {test: mean for test, mean in {**times, **means}.items() if mean >= _SHORT and _is_there(test)}
        _TIMES.write_text("".join(f"{kept[test]:.2f} {test}\n" for test in sorted(kept)))
        return
    slow = {test: mean for test, mean in means.items() if mean > _TOLD and test not in times.keys() | _marked}
    for test, mean in slow.items():
        terminalreporter.write_line(f"{test} takes {mean:.1f} s; `make test-times` would keep it out of test-quick")


@cache
def _times() -> dict[str, float]:
    lines = (line.split(" ", 1) for line in _TIMES.read_text().splitlines())
    return {test: float(seconds) for seconds, test in lines}


def _is_there(test: str) -> bool:
    """Return whether a test or a fixture of a file is still there: one that is gone would keep its time for good."""
    file, _, name = test.partition("::")
    path = _TESTS.parent / file
    return path.exists() and re.search(rf"\bdef {name.rpartition('::')[2]}\b", path.read_text()) is not None


def _test(nodeid: str) -> str:
    """Return the id of a test without its case."""
    return nodeid.partition("[")[0]


def _mark(item: pytest.Function) -> None:
    given = item.callspec.params.values() if hasattr(item, "callspec") else ()
    if "postgresql" in given or "postgresql_server" in item.fixturenames:
        item.add_marker("postgresql")
    fixtures = {each.func for found in item._fixtureinfo.name2fixturedefs.values() for each in found}
    if _STARTERS.intersection(item.fixturenames) or _starts_processes(frozenset({item.function, *fixtures})):
        item.add_marker("process")


@cache
def _starts_processes(functions: frozenset[Any]) -> bool:
    """Return whether the functions, or helpers in the tests that these use, name what starts processes.

    Of a class only the methods count whose names occur.
    """
    known: set[str] = set()
    waiting = [function for each in functions if (function := _function(each)) is not None]
    reached = set(waiting)
    classes: set[type] = set()
    while waiting:
        function = waiting.pop()
        names, used = _uses(function)
        if names & _STARTERS:
            return True
        known |= names
        classes.update(each for each in used if isinstance(each, type))
        found = {each for each in used if isinstance(each, FunctionType)}
        named = known | _ALWAYS
        found.update(method for each in classes for name, method in _methods(each) if name in named)
        waiting += found - reached
        reached |= found
    return False


@cache
def _uses(function: FunctionType) -> tuple[frozenset[str], frozenset[Any]]:
    """Return the names of other things that a function uses, and which of them are helpers in the tests."""
    names = _names_in(function.__code__)
    found = (function.__globals__.get(name) for name in names)
    helpers = (each if isinstance(each, type) else _function(each) for each in found)
    return names, frozenset(each for each in helpers if each is not None and each.__module__.startswith("tests."))


@cache
def _methods(kind: type) -> tuple[tuple[str, FunctionType], ...]:
    return tuple(_methods_of(kind))


def _methods_of(kind: type) -> Iterator[tuple[str, FunctionType]]:
    for name, value in vars(kind).items():
        function = _function(getattr(value, "fget", None) or value)
        if function is not None:
            yield name, function


def _function(given: Any) -> FunctionType | None:
    """Return the function behind a fixture, a method or a decorator; None for what is none."""
    given = inspect.unwrap(getattr(given, "__func__", given)) if callable(given) else getattr(given, "__func__", given)
    return given if isinstance(given, FunctionType) else None


def _names_in(code: CodeType) -> frozenset[str]:
    inner: Iterable[CodeType] = (each for each in code.co_consts if isinstance(each, CodeType))
    return frozenset(code.co_names).union(*map(_names_in, inner))
