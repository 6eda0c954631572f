"""A worker whose database file has no room beyond so many pages: the first argument; the others are the worker's."""

from __future__ import annotations

import sys
from typing import Any

from sqlalchemy import Engine, event

from soapstone.cli import app

pages = int(sys.argv.pop(1))


@event.listens_for(Engine, "connect")
def _limit(connection: Any, _record: object) -> None:
    connection.execute(f"PRAGMA max_page_count={pages}")


app(["worker", *sys.argv[1:]])
