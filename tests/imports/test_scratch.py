"""An import's folder is its own, and nothing of it stays."""

from __future__ import annotations

from pathlib import Path

from soapstone.imports import scratch


def test_a_folder_is_fresh_and_goes_with_its_attempt(tmp_path: Path) -> None:
    (tmp_path / "import-7-left").mkdir()
    (tmp_path / "import-7-left" / "left by a dead attempt").touch()
    with scratch.folder(tmp_path, 7) as folder:
        assert list(folder.iterdir()) == []
        (folder / "stage").touch()
    assert list(tmp_path.iterdir()) == []


def test_folders_of_imports_that_are_over_are_swept(tmp_path: Path) -> None:
    for name in ("import-1-a", "import-2-b", "import-x", "other"):
        (tmp_path / name).mkdir()
    scratch.sweep(tmp_path, [2])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["import-2-b", "import-x", "other"]
