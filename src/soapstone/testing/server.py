"""The test server: records in a temporary folder, web server and worker as threads, and the control API in front."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, event
from starlette.concurrency import run_in_threadpool

from soapstone.clock import Shift, now, shifted, system_now
from soapstone.demo import demo_settings, prepare_demo
from soapstone.jobs.worker import Worker
from soapstone.local_server import serving, working
from soapstone.product import Product
from soapstone.runners import chores, runners
from soapstone.server import App, Application, Receive, Scope, Send, listen
from soapstone.settings import Settings
from soapstone.store import private, schema
from soapstone.store.database import Database
from soapstone.store.instants import EPOCH
from soapstone.testing.gate import Gate

CONTROL = "/_test/"
# Seconds between two looks of the worker for jobs.
IDLE = 0.02


class TestServer:
    """A test server that runs, and the ASGI app of its web server: `base` is its URL, without a slash at the end.

    `product` are the rooms on its records; a reset opens them anew, so nobody keeps them.
    """

    # Not a class of tests.
    __test__ = False

    def __init__(self, base: str, settings: Settings, seed_folder: Path) -> None:
        self.base = base
        self.clock = Shift()
        # Parts that tests steer: each has `clear`, which a reset calls. T2: self.calls, self.faults, self.mails.
        # T4: self.transitions.
        self._settings = settings
        self._seed = seed_folder
        self._database = Database(settings.database)
        _follow_clock(self._database.engine)
        self._resetting = asyncio.Lock()
        self._control: App | None = None

    @property
    def product(self) -> Product:
        """The rooms on the records of now."""
        return self._product

    def prepare(self) -> None:
        """Set up the records: the demo account, whose jobs are done. A reset goes back to them."""
        private.make_folder(self._settings.data_dir)
        schema.upgrade(self._database)
        self._open()
        prepare_demo(self._product)
        worker = self._worker()
        worker.run(until=lambda: not self._product.jobs.unfinished())
        self._keep()

    def start(self) -> None:
        """Begin to work on the jobs."""
        self._working = working(self._worker())
        with shifted(self.clock):
            self._working.__enter__()

    def stop(self) -> None:
        """End the work and close the records."""
        self._working.__exit__(None, None, None)
        self._application.close()
        self._database.close()

    def reset(self) -> None:
        """Go back to the seed. Called in any thread but the web server's."""
        asyncio.run_coroutine_threadsafe(self.go_back(), self._loop).result()

    def set_clock(self, moment: datetime) -> None:
        """Let the clock go on from `moment`. Called on the event loop."""
        self.clock.ahead = moment - system_now()
        self._application.forget()

    async def go_back(self) -> None:
        """Go back to the seed: records, clock and all that tests have set. Called on the event loop."""
        async with self._resetting:
            await self._gate.hold()
            try:
                await run_in_threadpool(self._restore)
            finally:
                self._gate.release()

    def _open(self) -> None:
        self._product = Product.open(self._settings, self._database)
        self._application = Application(self._product, demo=True)

    def _worker(self) -> Worker:
        # T4: the hooks of the transitions go in here.
        product = self._product
        return Worker(product.database, product.blobs, runners(product), idle=IDLE, chores=chores(product))

    def _layered(self) -> App:
        # T2: the layers of faults and of recorded calls go around the gate, the recorder outermost:
        # self.calls.layer(self.faults.layer(self._gate)). A reset waits for what is behind the gate alone.
        return self._gate

    def _clear(self) -> None:
        """Forget what tests have set and what happened."""
        # T2, T4: clear the other parts here.
        self.clock.ahead = timedelta(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self._loop = asyncio.get_running_loop()
            self._gate = Gate(self._application)
            self._app = self._layered()
            await self._application(scope, receive, send)
            return
        with shifted(self.clock):
            if not scope["path"].startswith(CONTROL):
                await self._app(scope, receive, send)
                return
            if self._control is None:
                self._control = await run_in_threadpool(self._make_control)
            await self._control(scope, receive, send)

    def _make_control(self) -> App:
        # FastAPI takes a while to load: a server answers its first call without it.
        from soapstone.testing.control import control

        return control(self)

    def _keep(self) -> None:
        """Copy the records as they stand: a reset goes back to them. No work is under way."""
        self._database.checkpoint()
        shutil.rmtree(self._seed, ignore_errors=True)
        shutil.copytree(self._settings.data_dir, self._seed)

    def _restore(self) -> None:
        self._working.__exit__(None, None, None)
        self._application.close()
        self._database.close()
        shutil.rmtree(self._settings.data_dir)
        shutil.copytree(self._seed, self._settings.data_dir)
        self._clear()
        self._open()
        self._gate.app = self._application
        self.start()


def _follow_clock(engine: Engine) -> None:
    """Let triggers of SQLite, which ask for the time by `julianday('now')`, follow the clock."""

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.create_function("julianday", 1, lambda _: 2440587.5 + (now() - EPOCH) / timedelta(days=1))


@contextmanager
def local_test_server(*, host: str = "127.0.0.1", port: int = 0) -> Iterator[TestServer]:
    """Serve until the block ends. Nothing is left of it then. Raises PortTaken."""
    with (
        tempfile.TemporaryDirectory(prefix="soapstone-") as folder,
        listen(host, port) as listener,
    ):
        name = f"[{host}]" if ":" in host else host
        base = f"http://{name}:{listener.getsockname()[1]}"
        data = Path(folder) / "data"
        settings = demo_settings(Settings(data_dir=data, database_url="", tls_cert="", tls_key=""), base)
        server = TestServer(base, settings, Path(folder) / "seed")
        server.prepare()
        server.start()
        try:
            with serving(server, listener, settings):
                yield server
        finally:
            server.stop()
