"""The command line: `soapstone …`."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from soapstone.banner import NO_PUBLIC_URL, announce
from soapstone.commands import (
    accounts,
    attributes,
    bounces,
    campaigns,
    categories,
    contacts,
    database,
    event_sign_ups,
    external_events,
    imports,
    jobs,
    lists,
    mappings,
    messages,
    migrate,
    replay,
    review_groups,
    saved_searches,
    sends,
    tokens,
    track,
)
from soapstone.commands.common import Commands, Data, DatabaseUrl, console, opened, settings_of, stop
from soapstone.commands.json_output import Json, print_json
from soapstone.commands.startup_checks import check_settings
from soapstone.jobs.lock import WorkerLock
from soapstone.jobs.worker import Worker
from soapstone.logs import configure_logs
from soapstone.loopback import is_loopback
from soapstone.product import Product
from soapstone.settings import PREFIX, SECRETS, SETTINGS, Settings, source_of

log = logging.getLogger(__name__)

app = typer.Typer(
    no_args_is_help=True,
    cls=Commands,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(accounts.app, name="account")
app.add_typer(lists.app, name="list")
app.add_typer(messages.app, name="message")
app.add_typer(sends.app, name="send")
app.add_typer(track.app, name="track")
app.add_typer(contacts.app, name="contact")
app.add_typer(categories.app, name="category")
app.add_typer(external_events.app, name="event")
app.add_typer(attributes.app, name="attribute")
app.add_typer(campaigns.app, name="campaign")
app.add_typer(review_groups.app, name="review")
app.add_typer(saved_searches.app, name="search")
app.add_typer(mappings.app, name="mapping")
app.add_typer(event_sign_ups.app, name="occasion")
app.add_typer(tokens.app, name="token")
app.add_typer(jobs.app, name="jobs")
app.add_typer(database.app, name="db")
app.add_typer(migrate.app, name="migrate")
app.command("import")(imports.import_)
app.command()(bounces.bounce)
app.command()(replay.replay)

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")]
TlsCert = Annotated[str | None, typer.Option(help="File with the certificate and its chain, PEM, to serve https.")]
TlsKey = Annotated[str | None, typer.Option(help="File with the key of the certificate, PEM, without a password.")]
Record = Annotated[Path | None, typer.Option(metavar="FILE", help="With --shadow: keep calls and answers in a file.")]
Unmasked = Annotated[
    bool, typer.Option("--unmasked", help="With --record: keep credentials, e-mail addresses and card data.")
]
Workers = Annotated[int, typer.Option(min=1, max=64, help="Jobs that run at the same time.")]

# How long a worker waits for the one before it to end.
LOCK_PATIENCE = 60.0


def _show_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def start(
    _: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A self-hosted e-mail list server that speaks the MagnetMail and Listrak v31 SOAP contracts."""


@app.command()
def serve(
    host: Host = "127.0.0.1",
    port: Port = 8080,
    data: Data = None,
    database: DatabaseUrl = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="With a demo account, and no mail by SMTP; only on a loopback address.")
    ] = False,
    workers: Workers = 4,
    test: Annotated[
        bool, typer.Option("--test", help="A test server: new records in a temporary folder, controlled under /_test/.")
    ] = False,
    test_on_any_address: Annotated[
        bool,
        typer.Option("--test-on-any-address", help="With --test: listen on every address, as in a container."),
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
    if shadow:
        from soapstone.shadow.serving import serve_shadow

        if test or demo or seed or database:
            stop("--shadow has records of its own: leave out --test, --seed, --demo and --database.")
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
        if demo or data or database or tls_cert or tls_key:
            stop("--test has records of its own: leave out --demo, --data, --database, --tls-cert and --tls-key.")
        serve_test(host, port, seed, any_address=test_on_any_address)
        return
    settings = settings_of(data, database, tls_cert=tls_cert, tls_key=tls_key)
    _web(settings, host, port, demo=demo, workers=workers)


@app.command()
def web(
    host: Host = "127.0.0.1",
    port: Port = 8080,
    data: Data = None,
    database: DatabaseUrl = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
) -> None:
    """Serve both contracts and the console; workers run elsewhere."""
    _web(settings_of(data, database, tls_cert=tls_cert, tls_key=tls_key), host, port, demo=False, workers=0)


@app.command()
def worker(
    data: Data = None,
    database: DatabaseUrl = None,
    workers: Workers = 4,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
) -> None:
    """Run jobs. One worker serves a SQLite database; PostgreSQL takes any number."""
    from soapstone.heap import collect_rarely
    from soapstone.runners import maintenance, recorder, runners

    settings = settings_of(data, database)
    configure_logs(settings.log_format, settings.log_level)
    collect_rarely()
    check_settings(settings)
    with opened(settings, waits=True) as product:
        lock = WorkerLock(settings.worker_lock)
        if product.database.kind == "sqlite" and not lock.acquire(LOCK_PATIENCE if supervised else 0):
            stop("Another worker serves this database.")
        if not settings.public_url and not supervised:
            log.warning(NO_PUBLIC_URL)
        running = Worker(
            product.database, product.blobs, runners(product), slots=workers, maintenance=maintenance(product)
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: running.stop())
        if supervised:
            threading.Thread(target=_stop_with_parent, args=(running,), daemon=True).start()
        with recorder(product).running():
            running.run()


@app.command("settings")
def show_settings(
    check: Annotated[
        bool, typer.Option("--check", help="Only check whether a server can start with them: exit code 0 or 1.")
    ] = False,
    as_json: Json = False,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Show all settings with their values and sources, without passwords; or check them."""
    settings, table = settings_of(data, database), Table("Setting", "Value", "Source", "Meaning")
    if check:
        check_settings(settings)
        console.print("All settings can be used.")
        return
    flags = {name for name, given in (("data_dir", data), ("database_url", database)) if given is not None}
    # Passwords stay out of the output.
    safe = {"database_url": settings.database_url and settings.safe_database_url, "smtp_url": settings.safe_smtp_url}
    passwords = ("secret_key", "metrics_token", "admin_password", "relay_key")
    safe |= {name: "***" if getattr(settings, name) else "" for name in passwords}
    rows = []
    for name, field in SETTINGS.items():
        source = "flag" if name in flags else source_of(name)
        value = safe.get(name, getattr(settings, name))
        rows.append({"name": f"{PREFIX}{name.upper()}", "value": value, "source": source, "meaning": field.description})
        shown = ", ".join(value) if isinstance(value, list) else str(value)
        table.add_row(f"{PREFIX}{name.upper()}", shown, source, field.description or "")
    if as_json:
        print_json(rows)
        return
    console.print(table)


@app.command("dkim")
def show_dkim(as_json: Json = False) -> None:
    """Show the DNS text records that publish the DKIM keys of the settings."""
    from soapstone.runners import dkim_signer

    signer = dkim_signer(settings_of())
    if signer is None:
        stop("No DKIM key is set: SOAPSTONE_DKIM_KEYS is empty.")
    if as_json:
        print_json([{"name": name, "type": "TXT", "value": record} for name, record in signer.records.items()])
        return
    for name, record in signer.records.items():
        # A string of a text record holds 255 characters; receivers join them (RFC 6376 3.6.2.2).
        strings = [record[place : place + 255] for place in range(0, len(record), 255)]
        typer.echo(f"{name}. IN TXT " + " ".join(f'"{string}"' for string in strings))


@app.command()
def version() -> None:
    """Print the version."""
    console.print(installed_version("soapstone"))


def main() -> None:
    """Run the command line. All files that it writes are private to this user."""
    os.umask(0o077)
    app()


def _web(settings: Settings, host: str, port: int, *, demo: bool, workers: int) -> None:
    from soapstone.demo import demo_settings, prepare_demo, refusal
    from soapstone.heap import limit_heap
    from soapstone.server import Application, listen, serve
    from soapstone.supervisor import Supervisor
    from soapstone.tls import tls_context
    from soapstone.uvicorn_check import check_uvicorn

    configure_logs(settings.log_format, settings.log_level)
    limit_heap()
    if demo and not is_loopback(host):
        stop("--demo has a well-known password and is only for a loopback address such as 127.0.0.1.")
    check_settings(settings)
    check_uvicorn()
    tls = tls_context(settings.tls_cert, settings.tls_key)
    listener = listen(host, port)
    scheme, name = "https" if tls else "http", f"[{host}]" if ":" in host else host
    base = f"{scheme}://{name}:{listener.getsockname()[1]}"
    smtp_unused = demo and bool(settings.smtp_url)
    if demo:
        settings = demo_settings(settings, base)
    with listener, opened(settings, upgrade=True) as product:
        if sentence := refusal(product, demo=demo, loopback=is_loopback(host)):
            stop(sentence)
        if not is_loopback(host):
            # Another process may make the demo in these records while they are served.
            product.logons.refuse_published()
        if demo:
            prepare_demo(product)
        elif settings.admin_login:
            _make_first_account(product)
        supervisor = Supervisor(*_worker_call(settings, workers)) if workers else None
        if supervisor:
            supervisor.start()
        try:
            app = Application(product, demo=demo, supervisor=supervisor)
            with taking_bounces(product):
                serve(
                    app,
                    [listener],
                    settings,
                    ready=lambda: announce(base, settings, demo=demo, smtp_unused=smtp_unused),
                    tls=tls,
                )
        finally:
            if supervisor:
                supervisor.stop()


def _worker_call(settings: Settings, workers: int) -> tuple[list[str], dict[str, str]]:
    """Arguments and environment of a worker with these settings; a password in a URL stays out of the arguments."""
    arguments = ["--data", str(settings.data_dir), "--workers", str(workers)]
    # The worker checks all settings as well: it has to see the same ones.
    variables = ("database_url", "public_url", "smtp_url", "tls_cert", "tls_key")
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
