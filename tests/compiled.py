"""In a new checkout all processors compile the tests, before test processes begin that would each do it alone."""

from __future__ import annotations

import compileall
import importlib.util
import multiprocessing
import os
import sys
from pathlib import Path

import pytest
from _pytest.assertion.rewrite import PYC_TAIL, _rewrite_test, _write_pyc, assertstate_key, get_cache_dir

_TESTS = Path(__file__).parent
# Less is compiled by the test processes as they meet it.
_MANY = 40


def compile_together(config: pytest.Config) -> None:
    """Compile what this process will import, if much of it is new and test processes will begin."""
    if sys.platform != "linux" or sys.dont_write_bytecode or not config.getoption("numprocesses", None):
        return
    new = [path for pattern in ("test_*.py", "conftest.py") for path in _TESTS.rglob(pattern) if _is_new(path)]
    if len(new) < _MANY:
        return
    # Plain modules: helpers of tests, and what they test.
    roots = (_TESTS, _TESTS.parent / "src")
    plain = [path for root in roots for path in root.rglob("*.py") if not path.name.startswith(("test_", "conftest"))]
    count = os.cpu_count() or 1
    forked = multiprocessing.get_context("fork")
    processes = [forked.Process(target=_compile, args=(config, new[n::count], plain[n::count])) for n in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def _pyc(path: Path) -> Path:
    return get_cache_dir(path) / (path.name.removesuffix(".py") + PYC_TAIL)


def _is_new(path: Path) -> bool:
    """Return whether pytest has not compiled the file as it is: eight bytes of its hash follow the first eight."""
    try:
        with _pyc(path).open("rb") as file:
            return file.read(16)[8:] != importlib.util.source_hash(path.read_bytes())[:8]
    except FileNotFoundError:
        return True


def _compile(config: pytest.Config, tests: list[Path], plain: list[Path]) -> None:
    """Compile test modules as pytest does, with asserts that tell what they compared, and others as Python does."""
    state = config.stash[assertstate_key]
    for path in tests:
        source_hash, code = _rewrite_test(path, config)
        pyc = _pyc(path)
        pyc.parent.mkdir(exist_ok=True)
        _write_pyc(state, code, source_hash, pyc)
    for path in plain:
        compileall.compile_file(path, quiet=2)
