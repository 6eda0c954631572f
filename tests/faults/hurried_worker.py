"""A worker that waits so many seconds for other writers: the first argument; the others are the worker's."""

from __future__ import annotations

import sys

from soapstone.cli import app
from soapstone.store.database import Database

Database.patience = float(sys.argv.pop(1))

app(["worker", *sys.argv[1:]])
