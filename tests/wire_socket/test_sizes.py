"""Bodies of any size in flat memory; `make soak` does the same with 1 GiB."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "bench/soak/sizes.py"


def test_files_of_64_mib() -> None:
    """asmx-23"""
    command = [sys.executable, str(SCRIPT), "--mib", "64"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
