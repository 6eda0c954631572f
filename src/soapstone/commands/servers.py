"""`soapstone serve`, `web` and `worker`: the processes of a server."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from soapstone.banner import NO_PUBLIC_URL, announce
from soapstone.commands.common import BlobUrl, Data, DatabaseUrl, opened, settings_of, stop
from soapstone.commands.startup_checks import check_settings
from soapstone.demo import demo_settings
from soapstone.heap import collect_rarely, limit_heap, loading
from soapstone.jobs import wakeups
from soapstone.jobs.lock import WorkerLock
from soapstone.jobs.worker import IDLE, Worker
from soapstone.listening import listen
from soapstone.logs import configure_logs
from soapstone.loopback import is_loopback
from soapstone.product import Product
from soapstone.settings import PREFIX, SECRETS, Settings
from soapstone.supervisor import Supervisor

log = logging.getLogger(__name__)

app = typer.Typer()

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")]
TlsCert = Annotated[str | None, typer.Option(help="File with the certificate and its chain, PEM, to serve https.")]
TlsKey = Annotated[str | None, typer.Option(help="File with the key of the certificate, PEM, without a password.")]
Record = Annotated[Path | None, typer.Option(metavar="FILE", help="With --shadow: keep calls and answers in a file.")]
Unmasked = Annotated[
    bool, typer.Option("--unmasked", help="With --record: keep credentials, e-mail addresses and card data.")
]
Workers = Annotated[int, typer.Option(min=1, max=64, help="Jobs that run at the same time.")]
WebWorkers = Annotated[int, typer.Option(min=1, max=64, help="Web processes that share the port.")]

# How long a process goes on to record clicks at its end: some are judged by what comes within ten seconds.
RECORDING_PATIENCE = 12.0
# How long a worker waits for the one before it to end.
LOCK_PATIENCE = 60.0


@app.command()
def serve(
    host: Host = "127.0.0.1",
    port: Port = 8080,
    data: Data = None,
    database: DatabaseUrl = None,
    blobs: BlobUrl = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="With a demo account, and no mail by SMTP; only on a loopback address.")
    ] = False,
    workers: Workers = 4,
    web_workers: WebWorkers = 1,
    test: Annotated[
        bool, typer.Option("--test", help="A test server: new records in a temporary folder, controlled under /_test/.")
    ] = False,
    test_on_any_address: Annotated[
        bool, typer.Option("--test-on-any-address", help="With --test: listen on every address, as in a container.")
    ] = False,
    seed: Annotated[Path | None, typer.Option(help="With --test: a YAML or JSON file of initial records.")] = None,
    shadow: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Pass calls on to the live service, play them on a scratch account, and compare."
        ),
    ] = None,
    record: Record = None,
    unmasked: Unmasked = False,
) -> None:
    """Serve both contracts, the console and the worker."""
    if web_workers > 1 and (shadow or test):
        stop("A test server and a shadow are one process: leave out --web-workers.")
    if shadow:
        from soapstone.shadow.serving import serve_shadow

        if test or demo or seed or database or blobs:
            stop("--shadow has records of its own: leave out --test, --seed, --demo, --database and --blobs.")
        settings = settings_of(data, tls_cert=tls_cert, tls_key=tls_key)
        configure_logs(settings.log_format, settings.log_level)
        serve_shadow(settings, host, port, shadow, record, masks=not unmasked)
        return
    if record or unmasked:
        stop("--record and --unmasked are only for a shadow: add --shadow URL.")
    if test or test_on_any_address or seed:
        from soapstone.testing.command import serve_test

        if not test:
            stop("--seed and --test-on-any-address are only for a test server: add --test.")
        if demo or data or database or blobs or tls_cert or tls_key:
            stop(
                "--test has records of its own: leave out --demo, --data, --database, --blobs, --tls-cert and "
                "--tls-key."
            )
        serve_test(host, port, seed, any_address=test_on_any_address)
        return
    settings = settings_of(data, database, blob_url=blobs, tls_cert=tls_cert, tls_key=tls_key)
    _web(settings, host, port, demo=demo, workers=workers, web_workers=web_workers)


@app.command()
def web(
    host: Host = "127.0.0.1",
    port: Port = 8080,
    data: Data = None,
    database: DatabaseUrl = None,
    blobs: BlobUrl = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    web_workers: WebWorkers = 1,
    process: Annotated[str, typer.Option(hidden=True)] = "",
    demo: Annotated[bool, typer.Option("--demo", hidden=True)] = False,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
) -> None:
    """Serve both contracts and the console; workers run elsewhere."""
    settings = settings_of(data, database, blob_url=blobs, tls_cert=tls_cert, tls_key=tls_key)
    if supervised:
        _web_process(settings, host, process, demo=demo)
        return
    _web(settings, host, port, demo=False, workers=0, web_workers=web_workers)


def _web_process(settings: Settings, host: str, process: str, *, demo: bool) -> None:
    """Serve as one of several web processes, as WebProcesses starts it."""
    from soapstone.server import Application, serve
    from soapstone.tls import tls_context
    from soapstone.web_processes import WebProcess, end_with_parent

    number, listener, pipe, folder = process.split(":", 3)
    own = WebProcess(int(number), Path(folder))
    configure_logs(settings.log_format, settings.log_level, own.name)
    limit_heap()
    end_with_parent()
    tls = tls_context(settings.tls_cert, settings.tls_key)
    with socket.socket(fileno=int(listener)) as accepting, opened(settings, keeps_mark=False) as product:
        if not is_loopback(host):
            product.logons.refuse_published()
        with closing(Application(product, demo=demo, process=own)) as app:
            serve(app, [accepting], settings, ready=lambda: _tell_ready(int(pipe)), tls=tls)


def _tell_ready(pipe: int) -> None:
    # The pipe has no reader any more when the server ends.
    with suppress(OSError):
        os.write(pipe, b".")


@app.command()
def worker(
    data: Data = None,
    database: DatabaseUrl = None,
    blobs: BlobUrl = None,
    workers: Workers = 4,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
) -> None:
    """Run jobs. One worker serves a SQLite database; PostgreSQL takes any number."""
    with loading():
        from soapstone.runners import maintenance, runners

    settings = settings_of(data, database, blob_url=blobs)
    configure_logs(settings.log_format, settings.log_level)
    collect_rarely()
    check_settings(settings)
    if supervised and not os.read(sys.stdin.fileno(), 1):
        # The process that prepares the records has ended.
        return
    with opened(settings, waits=True) as product:
        lock = WorkerLock(settings.worker_lock)
        if product.database.kind == "sqlite" and not lock.acquire(LOCK_PATIENCE if supervised else 0):
            stop("Another worker serves this database.")
        if not settings.public_url and not supervised:
            log.warning(NO_PUBLIC_URL)
        running = Worker(
            product.database,
            product.blobs,
            runners(product),
            slots=workers,
            idle=wakeups.IDLE if product.database.kind == "postgresql" else IDLE,
            maintenance=maintenance(product),
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: running.stop())
        if supervised:
            threading.Thread(target=_stop_with_parent, args=(running,), daemon=True).start()
        with _recorder(product), wakeups.waking(product.database, running):
            running.run()


def _web(settings: Settings, host: str, port: int, *, demo: bool, workers: int, web_workers: int) -> None:
    configure_logs(settings.log_format, settings.log_level)
    limit_heap()
    if demo and not is_loopback(host):
        stop("--demo has a well-known password and is only for a loopback address such as 127.0.0.1.")
    check_settings(settings)
    smtp_unused = demo and bool(settings.smtp_url)
    with listen(host, port) as listener:
        scheme, name = "https" if settings.tls_cert else "http", f"[{host}]" if ":" in host else host
        base = f"{scheme}://{name}:{listener.getsockname()[1]}"
        if demo:
            settings = demo_settings(settings, base)

        def ready() -> None:
            announce(base, settings, demo=demo, smtp_unused=smtp_unused)

        # It loads its modules while this process prepares the records.
        supervisor = Supervisor(*_call(settings, "--workers", str(workers))) if workers else None
        if supervisor:
            supervisor.start()
        try:
            _serve(settings, host, listener, supervisor, ready, demo=demo, web_workers=web_workers)
        finally:
            if supervisor:
                supervisor.stop()


def _serve(
    settings: Settings,
    host: str,
    listener: socket.socket,
    supervisor: Supervisor | None,
    ready: Callable[[], None],
    *,
    demo: bool,
    web_workers: int,
) -> None:
    with loading():
        from soapstone.demo import prepare_demo, refusal
        from soapstone.server import Application, serve
        from soapstone.tls import tls_context
        from soapstone.uvicorn_check import check_uvicorn
        from soapstone.web_processes import WebProcesses

    check_uvicorn()
    tls = tls_context(settings.tls_cert, settings.tls_key)
    with opened(settings, upgrade=True) as product:
        if sentence := refusal(product, demo=demo, loopback=is_loopback(host)):
            stop(sentence)
        if not is_loopback(host):
            # Another process may make the demo in these records while they are served.
            product.logons.refuse_published()
        if demo:
            prepare_demo(product)
        elif settings.admin_login:
            _make_first_account(product)
        if supervisor:
            supervisor.tell_ready()
        with taking_bounces(product), _recording(product, supervisor):
            if web_workers == 1:
                with loading():
                    app = Application(product, demo=demo, supervisor=supervisor)
                # Closed before the last opens and clicks are recorded.
                with closing(app):
                    serve(app, [listener], settings, ready=ready, tls=tls)
            else:
                arguments, environment = _call(settings, "--host", host, *(["--demo"] if demo else []))
                WebProcesses(web_workers, listener, arguments, environment, supervisor).run(ready)


def _call(settings: Settings, *more: str) -> tuple[list[str], dict[str, str]]:
    """Return arguments and environment of a process with these settings; passwords stay out of the arguments."""
    arguments = ["--data", str(settings.data_dir), *more]
    # The process checks all settings as well: it has to see the same ones.
    variables = ("database_url", "blob_url", "public_url", "smtp_url", "tls_cert", "tls_key")
    # A file must not override the flags or the demo.
    files = {f"{PREFIX}{name.upper()}_FILE": "" for name in variables if name in SECRETS}
    return arguments, files | {f"{PREFIX}{name.upper()}": getattr(settings, name) for name in variables}


@contextmanager
def taking_bounces(product: Product) -> Iterator[None]:
    """Take bounces by LMTP and SMTP where the settings say so."""
    settings = product.settings
    if not settings.bounce_listen:
        yield
        return
    from soapstone.tracking.mail_listener import MailListener, UnusablePlace, listening

    hostname = settings.smtp_hostname or settings.bounce_domain
    try:
        with listening(MailListener(product.incoming_mails, settings.bounce_domain, hostname), settings.bounce_listen):
            yield
    except UnusablePlace as trouble:
        stop(str(trouble))


@contextmanager
def _recording(product: Product, worker: Supervisor | None) -> Iterator[None]:
    """Record opens and clicks in this process, if its host may have no worker to do it, or has none any more."""
    if product.database.kind == "sqlite":
        yield
        return
    if worker is None:
        with _recorder(product):
            yield
        return
    from soapstone.tracking.spool import SUFFIX

    try:
        yield
    finally:
        worker.stop()
        # A signal to all processes has ended the worker before the last click.
        if any(product.settings.spool.glob(f"*{SUFFIX}")):
            with _recorder(product):
                pass


def _recorder(product: Product) -> AbstractContextManager[None]:
    """Return what records opens and clicks in this process while a block runs, and some time longer.

    The disk of one host of many may be gone then.
    """
    from soapstone.runners import recorder

    return recorder(product).running(patience=RECORDING_PATIENCE if product.database.kind == "postgresql" else 0)


def _make_first_account(product: Product) -> None:
    settings = product.settings
    name, _, login = settings.admin_login.partition("/")
    login = login or name
    if product.accounts.create_first(name, login, settings.admin_password, time_zone=settings.time_zone):
        log.info("account %s with login %s was created", name.upper(), login)


def _stop_with_parent(running: Worker) -> None:
    # The pipe ends when the supervising process does, however it dies. Read without Python's buffer: a thread that
    # waits inside it holds its lock, and the interpreter aborts when the worker ends for another reason.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    running.stop()
