"""A whole server inside this process: the web server and the worker as threads, on a loopback address."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from contextvars import copy_context
from dataclasses import dataclass

from starlette.types import ASGIApp

from soapstone.demo import demo_settings, prepare_demo
from soapstone.jobs.heartbeats import Heartbeats
from soapstone.jobs.lock import WorkerLock
from soapstone.jobs.worker import Worker
from soapstone.listening import listen
from soapstone.product import Product
from soapstone.server import Application, WebServer
from soapstone.settings import Settings
from soapstone.store import private, schema
from soapstone.store.database import Database

HOST = "127.0.0.1"
# Seconds until the web server and the worker must be ready.
PATIENCE = 30.0


@dataclass(frozen=True)
class LocalServer:
    """A running server; `base` is its URL, without a trailing slash."""

    base: str
    product: Product


@contextmanager
def local_server(settings: Settings, *, port: int = 0, demo: bool = False, slots: int = 4) -> Iterator[LocalServer]:
    """Serve until the block ends, with `slots` concurrent jobs. An empty database is set up.

    Raises PortTaken, UNUSABLE_SETTINGS, and RuntimeError if another worker serves the records or ours does not start.
    """
    # Imported late: the test server uses this module without them.
    from soapstone.runners import maintenance, recorder, runners

    with listen(HOST, port) as listener:
        base = f"http://{HOST}:{listener.getsockname()[1]}"
        if demo:
            settings = demo_settings(settings, base)
        private.make_folder(settings.data_dir)
        database, lock = Database(settings.database), WorkerLock(settings.worker_lock)
        try:
            if database.kind == "sqlite" and not lock.acquire():
                raise RuntimeError("Another worker serves this database.")
            schema.upgrade(database)
            product = Product.open(settings, database)
            if demo:
                prepare_demo(product)
            worker = Worker(database, product.blobs, runners(product), slots=slots, maintenance=maintenance(product))
            with (
                closing(Application(product, demo=demo)) as application,
                serving(application, listener, settings),
                working(worker),
                recorder(product).running(),
            ):
                wait_for_worker(worker, database)
                yield LocalServer(base, product)
        finally:
            lock.release()
            database.close()


@contextmanager
def serving(
    app: ASGIApp, listener: socket.socket, settings: Settings, *, grace: int = 10, date_header: bool = True
) -> Iterator[None]:
    """Serve the app in a thread until the block ends, which starts once the server is ready.

    At the end, calls under way get `grace` seconds.
    """
    ready: Future[None] = Future()
    web = WebServer(app, settings, ready=lambda: ready.set_result(None), grace=grace, date_header=date_header)

    def serve() -> None:
        try:
            web.run(sockets=[listener])
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=serve, name="web")
    thread.start()
    try:
        ready.result(PATIENCE)
        yield
    finally:
        web.should_exit = True
        thread.join()


@contextmanager
def working(worker: Worker) -> Iterator[None]:
    """Run the worker in a thread until the block ends."""
    thread = threading.Thread(target=copy_context().run, args=(worker.run,), name="worker")
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join()


def wait_for_worker(worker: Worker, database: Database) -> None:
    """Wait for the worker's first heartbeat, which makes the server ready. Raises RuntimeError."""
    end = time.monotonic() + PATIENCE
    while all(each.worker != worker.name for each in Heartbeats(database).all()):
        if time.monotonic() > end:
            raise RuntimeError("The worker does not start; the log may say why.")
        time.sleep(0.005)
