"""Folders of attempts: a late attempt leaves the one that took over alone."""

from __future__ import annotations

from pathlib import Path

from soapstone.imports import scratch


def test_an_attempt_deletes_those_before_it_and_none_after_it(tmp_path: Path) -> None:
    old = tmp_path / "import-7-abc_123"
    foreign = tmp_path / "import-70-1-abc"
    for path in (old, foreign):
        path.mkdir()
    with scratch.folder(tmp_path, 7, 2) as second:
        assert not old.exists()
        with scratch.folder(tmp_path, 7, 1) as first:
            assert second.exists()
            assert first != second
        with scratch.folder(tmp_path, 7, 10) as tenth:
            assert not second.exists()
            assert tenth.exists()
    assert [path.name for path in tmp_path.iterdir()] == [foreign.name]


def test_folders_of_ended_jobs_are_swept(tmp_path: Path) -> None:
    for name in ("import-7-1-abc", "import-8-2-abc"):
        (tmp_path / name).mkdir()
    scratch.sweep(tmp_path, [8])
    assert [path.name for path in tmp_path.iterdir()] == ["import-8-2-abc"]
