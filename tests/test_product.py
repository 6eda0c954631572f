"""Rooms of the product are opened when they are first asked for, each once."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database

LATE = ("fastapi", "pydantic", "jinja2", "email_validator", "aiosmtplib", "sqlalchemy.dialects.postgresql")


def test_each_room_is_of_its_class(database: Database, tmp_path: Path) -> None:
    product = Product.open(Settings(data_dir=tmp_path), database)
    for name, kind in Product.__annotations__.items():
        assert type(getattr(product, name)).__name__ == kind


def test_threads_share_a_room(database: Database, tmp_path: Path) -> None:
    product = Product.open(Settings(data_dir=tmp_path), database)
    together = threading.Barrier(8)

    def room(_: int) -> object:
        together.wait()
        return product.initial_queue

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(room, range(8)))) == 1


def test_a_test_server_begins_without_what_takes_long_to_load() -> None:
    script = (
        "import sys; from soapstone.testing.server import local_test_server\n"
        f"with local_test_server(): print([each for each in {LATE!r} if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "[]\n"
