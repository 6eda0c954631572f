"""Every row of a large and nasty file has the outcome that it must have, on the line where it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from soapstone.accounts.account import Account
from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.job import Job
from soapstone.lists.lists import ContactList

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The generator of files, which belongs to the benches."""
    monkeypatch.syspath_prepend(BENCH)
    return import_module("crowd")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rejects_and_counters_are_those_of_the_generator(
    seed: int,
    people: ModuleType,
    account: Account,
    newsletter: ContactList,
    run_file: Callable[..., Job],
    rejects: Callable[[int], list[tuple[int, str]]],
    tmp_path: Path,
) -> None:
    """mm-46, mm-54, mm-55: 20,000 rows with each way to be bad, and many ways to be odd and good."""
    truth = people.make(tmp_path / "people.csv", people.Recipe(rows=20_000, seed=seed))
    columns = tuple(Column(index=index, target=target) for index, target in enumerate(people.TARGETS))
    spec = ImportSpec(columns=columns, header=True, known="overwrite", reject_roles=True)

    job = run_file(account, newsletter, (tmp_path / "people.csv").read_bytes(), spec)

    assert job.state == "completed"
    expected = list(truth.rejected())
    found = rejects(job.id)
    assert (sorted(set(found) - set(expected)), sorted(set(expected) - set(found))) == ([], [])
    assert found == expected
    assert job.counters == truth.counters


def test_the_generator_keeps_its_shares(people: ModuleType, tmp_path: Path) -> None:
    """10 % superseded rows, 2 % bad ones and those of the lost letter, every reason, the same file for one seed."""
    recipe = people.Recipe(rows=20_000, seed=4)
    truth = people.make(tmp_path / "one.csv", recipe)
    again = people.make(tmp_path / "two.csv", recipe)
    reasons = Counter(reason for _, reason in truth.rejected())
    assert reasons["duplicate"] == 2000
    assert {"invalid_address", "missing_key", "role_address", "encoding", "unterminated_quote", "too_long"} < set(
        reasons
    )
    assert truth.rows == sum(truth.counters.values()) == 20_000 + people.VALUE_LINES + 202
    assert truth.counters == dict(reasons) | {"added": 17_600}
    assert truth.lines == len((tmp_path / "one.csv").read_bytes().splitlines())
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert list(truth.rejected()) == list(again.rejected())


def test_a_clean_file_has_neither_quotes_nor_rejects(people: ModuleType, tmp_path: Path) -> None:
    truth = people.make(tmp_path / "clean.csv", people.clean(5000, seed=5))
    other = people.make(tmp_path / "other.csv", people.clean(5000, seed=5, edition=1))
    lines, changed = ((tmp_path / name).read_bytes().splitlines() for name in ("clean.csv", "other.csv"))
    assert b'"' not in b"".join(lines)
    assert truth.counters == other.counters == {"added": 5000}
    assert sum(before != after for before, after in zip(lines, changed, strict=True)) == truth.changed == 2500
