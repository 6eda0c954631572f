"""Sessions of PostgreSQL: how soon each side gives up a silent peer, and what a session is called."""

from __future__ import annotations

import logging
import select
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import DBAPIError

from soapstone.errors import ConflictError

log = logging.getLogger(__name__)

# Seconds after which either side gives up a peer that does not answer.
SILENCE = 5
# Seconds after which the server ends a transaction whose client does nothing: a frozen host holds no lock for longer.
# With 5 it ended transactions of live processes, on a machine with 15 times as much to do as it can. It does not count
# while a pipeline or a COPY is open.
IDLE = 10
# Parameters of a client's connections; the names are those of libpq, times in seconds, the last in milliseconds.
CLIENT = {
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": SILENCE - 2,
    "tcp_user_timeout": 1000 * SILENCE,
}
# The schema of the queue, which comes last: nothing of it hides a table of ours.
QUEUE_SCHEMA = "procrastinate"
TRANSACTION_POOLING = (
    "The pooler before PostgreSQL gives each transaction another session, so that sessions lose their limits and "
    "workers are not woken. Let it be in session mode for this database: in pgbouncer, pool_mode = session."
)
# How often a pooler is tried: one that others use may give the same session again by chance.
_TRIES = 3
_SESSION = f"""
    SELECT set_config('search_path', concat_ws(', ', nullif(current_setting('search_path'), ''), '{QUEUE_SCHEMA}'),
                      false),
           set_config('idle_in_transaction_session_timeout', '{IDLE}s', false),
           set_config('tcp_keepalives_idle', '2', false),
           set_config('tcp_keepalives_interval', '1', false),
           set_config('tcp_keepalives_count', '{SILENCE - 2}', false)
"""
# A server on a system other than Linux may refuse these.
_LINUX = f"""
    SELECT set_config('tcp_user_timeout', '{SILENCE}s', false),
           set_config('client_connection_check_interval', '{SILENCE}s', false)
"""


def client_parameters(url: URL) -> dict[str, Any]:
    """Return the parameters of new connections that the URL does not set itself."""
    return {name: value for name, value in CLIENT.items() if name not in url.query}


def configure(engine: Engine, *, lock_timeout: float | None) -> None:
    """Give each new session its limits. A statement waits for locks at most `lock_timeout` seconds; None: any time.

    The first connection raises ConflictError behind a pooler in transaction mode.
    """
    _spare_pings(engine)
    known = False

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        nonlocal known
        connection.autocommit = True
        if not known:
            if _pools_transactions(connection, engine):
                raise ConflictError(TRANSACTION_POOLING)
            known = True
        prepare_session(connection)
        if lock_timeout is not None:
            connection.execute(f"SET lock_timeout = {int(1000 * lock_timeout)}")
        connection.autocommit = False


def _pools_transactions(connection: Any, engine: Engine) -> bool:
    """Return whether statements of a connection in autocommit mode, which was just made, run in changing sessions.

    A pooler makes up the number that tells clients whom to cancel, which otherwise is that of the session's process.
    """
    mine = _process(connection)
    if mine == connection.info.backend_pid:
        return False
    arguments, options = engine.dialect.create_connect_args(engine.url)
    options = {"connect_timeout": 10, **options}
    for _ in range(_TRIES):
        with engine.dialect.loaded_dbapi.connect(*arguments, **options) as other:
            # In a transaction, so that a session that was given to it is not free meanwhile.
            if _process(other) == mine or _process(connection) != mine:
                return True
    return False


def _process(connection: Any) -> int:
    (process,) = connection.execute("SELECT pg_backend_pid()").fetchone()
    return int(process)


def _spare_pings(engine: Engine) -> None:
    """Ping a pooled connection only if there is something to read from it, as from one that the server has ended."""
    ping = engine.dialect.do_ping

    def spared(dbapi_connection: Any) -> bool:
        if dbapi_connection.closed:
            return False
        waiting = select.poll()
        waiting.register(dbapi_connection.fileno(), select.POLLIN)
        return not waiting.poll(0) or ping(dbapi_connection)

    engine.dialect.do_ping = spared  # type: ignore[method-assign]


def prepare_session(connection: Any) -> None:
    """Set the limits and the search path of a session of psycopg, in autocommit mode."""
    connection.execute(_SESSION)
    try:
        connection.execute(_LINUX)
    except connection_error() as error:
        log.info("the server does not watch its clients' connections: %s", error)


async def prepare_session_async(connection: Any) -> None:
    """Do the same in an asynchronous session."""
    await connection.set_autocommit(True)
    await connection.execute(_SESSION)
    try:
        await connection.execute(_LINUX)
    except connection_error() as error:
        log.info("the server does not watch its clients' connections: %s", error)


@contextmanager
def pipelined(connection: Connection) -> Iterator[None]:
    """Send the statements inside without waiting for the server between them. They may return no rows.

    The error of one of them is raised by a later one, or at the end.
    """
    driver: Any = connection.connection.driver_connection
    try:
        with driver.pipeline():
            yield
    except connection_error() as error:
        # As SQLAlchemy raises those of a single statement.
        raise DBAPIError.instance(None, None, error, connection_error()) from error


def connection_error() -> type[Exception]:
    """Return the class of the driver's errors; the driver is an extra."""
    import psycopg

    return psycopg.Error


def server_now(connection: Connection) -> datetime:
    """Return the server's present instant, which all hosts share."""
    moment: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    return moment
