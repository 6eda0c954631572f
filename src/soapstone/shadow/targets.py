"""Servers to play calls on: a scratch account inside this process, or any server by its URL."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any

from soapstone.errors import SoapstoneError
from soapstone.jobs.lock import WorkerLock
from soapstone.jobs.queue import Jobs
from soapstone.jobs.worker import Worker
from soapstone.local_server import working
from soapstone.product import Product
from soapstone.runners import maintenance, recorder, runners
from soapstone.server import Application
from soapstone.settings import Settings
from soapstone.shadow.exchange import MOST_KEPT
from soapstone.shadow.upstream import Address
from soapstone.store import private, schema
from soapstone.store.database import Database

ACCOUNT = "SHADOW"
LOGIN = "shadow"
_SECONDS = 120.0
# Links of mails that nobody gets.
_PUBLIC_URL = "https://shadow.invalid"


class FolderTaken(SoapstoneError):
    """Another shadow works in the folder."""


class Scratch:
    """A server without a socket. All calls are made in one thread."""

    def __init__(self, app: Application, jobs: Jobs, runner: asyncio.Runner, password: str) -> None:
        self._app, self._jobs, self._runner, self.password = app, jobs, runner, password

    def call(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        """Return status, media type and body of the answer to a POST request."""
        return self._runner.run(self._call(path, headers, body))

    def may_go_on(self) -> bool:
        """Return whether a job is unfinished."""
        return bool(self._jobs.unfinished())

    async def _call(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost"), (b"content-length", str(len(body)).encode()), *pairs],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
        }
        waiting = [{"type": "http.request", "body": body, "more_body": False}]
        status, kind, pieces = 0, "", []

        async def receive() -> MutableMapping[str, Any]:
            return waiting.pop() if waiting else {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal status, kind
            if message["type"] == "http.response.start":
                status = message["status"]
                kind = dict(message["headers"]).get(b"content-type", b"").decode("latin-1")
            else:
                pieces.append(message.get("body", b""))

        await self._app(scope, receive, send)
        return status, kind, b"".join(pieces)


@contextmanager
def scratch(folder: Path, settings: Settings) -> Iterator[Scratch]:
    """Yield the server of a scratch account, whose records stay in the folder. It sends no mail, and takes none.

    Raises FolderTaken.
    """
    settings = settings.changed(
        data_dir=folder,
        database_url="",
        blob_url="",
        public_url=_PUBLIC_URL,
        smtp_url="",
        bounce_listen="",
        admin_login="",
        metrics_token="",
        # The mails of played sends have no reader.
        result_retention_days=1,
    )
    private.make_folder(folder)
    with ExitStack() as opened:
        lock = WorkerLock(settings.worker_lock)
        if not lock.acquire():
            raise FolderTaken(f"Another shadow works in {folder}.")
        opened.callback(lock.release)
        database = opened.enter_context(closing(Database(settings.database)))
        schema.upgrade(database)
        product = Product.open(settings, database)
        account = product.accounts.named(ACCOUNT)
        # Known to this process alone.
        password = secrets.token_urlsafe(24)
        if account is None:
            account = product.accounts.create(ACCOUNT, time_zone=settings.time_zone)
            product.accounts.add_login(account, LOGIN, password)
        else:
            product.accounts.set_password(LOGIN, password)
        worker = Worker(database, product.blobs, runners(product), slots=2, maintenance=maintenance(product))
        app = opened.enter_context(closing(Application(product, lazy=True, repeatable=())))
        opened.enter_context(working(worker))
        opened.enter_context(recorder(product).running())
        yield Scratch(app, product.jobs, opened.enter_context(asyncio.Runner()), password)


class Remote:
    """A server by its URL. Each call has a connection of its own."""

    def __init__(self, url: str) -> None:
        """Take the URL of a server. Raises InvalidError for anything else."""
        self._address = Address.of(url)

    def call(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        """Return status, media type and body of the answer to a POST request. Raises OSError."""
        kind = HTTPSConnection if self._address.scheme == "https" else HTTPConnection
        with closing(kind(self._address.host, self._address.port, timeout=_SECONDS)) as connection:
            try:
                connection.request("POST", path, body, headers)
                response = connection.getresponse()
                return response.status, response.headers.get("content-type", ""), response.read(MOST_KEPT)
            except HTTPException as trouble:
                raise OSError(str(trouble)) from None

    def may_go_on(self) -> bool:
        """Return True: nobody can ask a server by its URL for all its jobs."""
        return True
