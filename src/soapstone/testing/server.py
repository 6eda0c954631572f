"""The test server: records in a temporary folder, web server and worker as threads, and the control API in front."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from functools import cache, cached_property, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Engine, event
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from soapstone.accounts.passwords import cheap_hashes
from soapstone.clock import Shift, now, shifted, system_now
from soapstone.demo import demo_settings
from soapstone.jobs.run import Run, Runner
from soapstone.jobs.worker import Worker
from soapstone.listening import listen
from soapstone.local_server import serving, working
from soapstone.product import Product
from soapstone.server import Application, LateApp
from soapstone.settings import Settings, UnusableSetting, read_settings
from soapstone.store import private
from soapstone.store.database import Database
from soapstone.store.timestamps import EPOCH
from soapstone.testing.calls import CallRecorder, RecordedCalls
from soapstone.testing.errors import UnusableSeed
from soapstone.testing.fault_layer import FaultLayer
from soapstone.testing.faults import Faults
from soapstone.testing.gate import Gate
from soapstone.testing.records import make_records
from soapstone.testing.transitions import Transitions
from soapstone.tracking.recorder import Recorder
from soapstone.vocabulary.jobs import JobKind

if TYPE_CHECKING:
    from soapstone.testing.mails import WrittenMails
    from soapstone.testing.seed import Planted, Seed

T = TypeVar("T")

CONTROL = "/_test/"
# Kinds of jobs that its worker runs: all but entries of the upload queue, which are imported by jobs of their own.
JOB_KINDS = [kind for kind in JobKind if kind is not JobKind.UPLOAD_ENTRY]
# Seconds between two looks of the worker for jobs.
IDLE = 0.02
# Seconds that calls under way have at the end, as at a reset: containers are killed after ten.
GRACE = 2


class TestServer:
    """A test server that runs, and the ASGI app of its web server: `base` is its URL, without a slash at the end.

    `product` are the services on its records. A reset opens them anew, so do not keep them.
    """

    # Not a class of tests.
    __test__ = False

    def __init__(self, base: str, settings: Settings, seed_folder: Path) -> None:
        self.base = base
        self.clock = Shift()
        # Parts that tests steer: each has `clear`, which a reset calls.
        self.calls = RecordedCalls(seed_folder.parent / "calls")
        self.faults = Faults()
        self._settings = settings
        self._seed = seed_folder
        self._database = Database(settings.database)
        _follow_clock(self._database.engine)
        self.transitions = Transitions(self._database)
        self._changing = asyncio.Lock()
        self._working = ExitStack()
        # FastAPI takes a while to load: a server answers its first call without it.
        self._control = LateApp(self._make_control)

    @property
    def product(self) -> Product:
        """The services on the present records."""
        return self._product

    @cached_property
    def mails(self) -> WrittenMails:
        """The mails that it wrote."""
        # It loads the modules that send.
        from soapstone.testing.mails import WrittenMails

        return WrittenMails(lambda: self.product)

    def prepare(self, seed: Path | None) -> None:
        """Set up the records: the demo account, whose jobs are done, and a file's seed. A reset goes back to them.

        Raises UnusableSeed.
        """
        private.make_folder(self._settings.data_dir)
        make_records(self._database, self._settings)
        self._database.checkpoint()
        self._database.close()
        if seed is not None:
            # Imported late: without a seed it is not needed.
            from soapstone.testing.seed_document import read_seed

            try:
                self._plant(read_seed(seed))
            except UnusableSeed as trouble:
                raise UnusableSeed(f"Cannot use {seed}: {trouble}") from None
        self._copy(self._seed)
        self._open()

    def start(self) -> None:
        """Begin to work on the jobs."""
        with shifted(self.clock):
            self._working.enter_context(working(self._worker()))
            self._working.enter_context(self._recorder().running())

    def stop(self) -> None:
        """End the work and close the records."""
        self._working.close()
        self._application.close()
        self._database.close()

    def reset(self) -> None:
        """Go back to the seed. Called in any thread but the web server's."""
        asyncio.run_coroutine_threadsafe(self.go_back(), self._loop).result()

    def seed(self, document: Mapping[str, Any], *, keep: bool = False) -> Planted:
        """Make the records of a seed document. Called in any thread but the web server's.

        Raises ValidationError and UnusableSeed.
        """
        from soapstone.testing.seed import Seed

        adding = self.add(Seed.model_validate(document), keep=keep)
        return asyncio.run_coroutine_threadsafe(adding, self._loop).result()

    def set_clock(self, moment: datetime) -> None:
        """Let the clock go on from `moment`. Called on the event loop."""
        self.clock.ahead = moment - system_now()
        self._application.forget()

    async def go_back(self) -> None:
        """Go back to the seed: records, clock and all that tests have set. Called on the event loop."""

        def restore() -> None:
            self._bring_back(self._seed)
            self._clear()

        # Polls no longer wait for a held job.
        self.transitions.clear()
        await self._at_rest(restore)

    async def add(self, seed: Seed, *, keep: bool) -> Planted:
        """Make the records of a seed, all or none; with `keep` a reset goes back to what is there then.

        Called on the event loop. Raises UnusableSeed.
        """
        return await self._at_rest(partial(self._plant, seed, keep=keep))

    async def _at_rest(self, change: Callable[[], T]) -> T:
        """Change the records in a thread while no call and no job is under way, and nothing remembers them."""
        async with self._changing:
            await self._gate.hold()
            try:
                return await run_in_threadpool(self._closed, change)
            finally:
                self._gate.release()

    def _closed(self, change: Callable[[], T]) -> T:
        self._working.close()
        self._application.close()
        self._database.close()
        try:
            return change()
        finally:
            self._open()
            self._gate.app = self._application
            self.start()

    def _plant(self, seed: Seed, *, keep: bool = False) -> Planted:
        from soapstone.testing.seed import plant

        before = self._seed.with_name("before")
        self._copy(before)
        try:
            with cheap_hashes():
                planted = plant(Product.open(self._settings, self._database), seed)
        except BaseException:
            self._database.close()
            self._bring_back(before)
            raise
        self._database.checkpoint()
        self._database.close()
        if keep:
            self._copy(self._seed)
        return planted

    def _open(self) -> None:
        self._product = Product.open(self._settings, self._database)
        self._product.jobs.asked = self.transitions.asked
        # Each poll of a client is to be seen.
        self._application = Application(self._product, demo=True, lazy=True, repeatable=())

    def _worker(self) -> Worker:
        product = self._product
        return Worker(
            product.database,
            product.blobs,
            dict.fromkeys(JOB_KINDS, self._late_runner(product)),
            idle=IDLE,
            gate=self.transitions,
        )

    def _recorder(self) -> Recorder:
        # Tests click at once, and do not wait long for what they did.
        return Recorder(self._database, self._settings.spool, machine_seconds=0, pause=IDLE)

    def _late_runner(self, product: Product) -> Runner:
        """Return a runner for all kinds of jobs: a server answers its first call without what they need."""
        making = Lock()

        @cache
        def made() -> dict[str, Runner]:
            from soapstone.runners import runners

            return self.transitions.runners(runners(product, simulates=True))

        def run(job: Run) -> None:
            with making:
                runner = made()[job.job.kind]
            runner(job)

        return run

    def _layered(self) -> ASGIApp:
        # A reset waits for what is behind the gate alone.
        return CallRecorder(FaultLayer(self._gate, self.faults), self.calls)

    def _clear(self) -> None:
        """Forget what tests have set and what happened."""
        self.clock.ahead = timedelta(0)
        self.calls.clear()
        self.faults.clear()
        self.transitions.clear()

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
            await self._control(scope, receive, send)

    def _make_control(self) -> ASGIApp:
        from soapstone.testing import clock, control_calls, control_faults, control_mails, control_transitions
        from soapstone.testing.control import control

        return control(
            self.base,
            self,
            clock.router(self.set_clock),
            control_calls.router(self.calls),
            control_faults.router(self.faults),
            control_mails.router(self.mails),
            control_transitions.router(self.transitions),
        )

    def _copy(self, folder: Path) -> None:
        """Copy the records, which are closed: the worker has moved SQLite's log into the file when it ended."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._settings.data_dir, folder)

    def _bring_back(self, folder: Path) -> None:
        """Put a copy in the place of the records, which are closed."""
        shutil.rmtree(self._settings.data_dir, ignore_errors=True)
        shutil.copytree(folder, self._settings.data_dir)


def _follow_clock(engine: Engine) -> None:
    """Let triggers of SQLite, which ask for the time by `julianday('now')`, follow the clock."""

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.create_function("julianday", 1, lambda _: 2440587.5 + (now() - EPOCH) / timedelta(days=1))


def _settings(data_dir: Path, base: str) -> Settings:
    """Return the settings of the environment, with records in a folder. Raises UnusableSetting."""
    own = {"database_url": "", "blob_url": "", "tls_cert": "", "tls_key": ""}
    settings = demo_settings(read_settings(data_dir=data_dir, **own), base)
    # The checks load more than the server; all others are made when settings are read.
    if settings.dkim_keys or settings.spamd_url or settings.relay or settings.relay_key:
        from soapstone.commands.startup_checks import faults

        if found := list(faults(settings)):
            raise UnusableSetting("\n".join(found))
    return settings


@contextmanager
def local_test_server(seed: Path | None = None, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[TestServer]:
    """Serve until the block ends. Nothing is left of it then.

    Raises PortTaken, UnusableSeed and UnusableSetting.
    """
    with (
        tempfile.TemporaryDirectory(prefix="soapstone-") as folder,
        listen(host, port) as listener,
    ):
        name = f"[{host}]" if ":" in host else host
        base = f"http://{name}:{listener.getsockname()[1]}"
        settings = _settings(Path(folder) / "data", base)
        server = TestServer(base, settings, Path(folder) / "seed")
        server.prepare(seed)
        try:
            server.start()
            with serving(server, listener, settings, grace=GRACE):
                yield server
        finally:
            server.stop()
