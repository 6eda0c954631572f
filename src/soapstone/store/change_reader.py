"""Hearing of changes: a connection to PostgreSQL that listens to what the triggers of the tables tell."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4
from weakref import WeakSet

from sqlalchemy import Engine

from soapstone.store.transient_errors import driver_words

if TYPE_CHECKING:
    from psycopg import Connection

log = logging.getLogger(__name__)

# What the function of the triggers (migration 0021) notifies.
CHANNEL = "soapstone_change"
# How many triggers there are: two for each of ten tables.
TRIGGERS = 20
# Seconds after which a change of another process counts at the latest.
FRESH = 0.1
# Seconds between two round trips while somebody asks, and while nobody does.
PAUSE, IDLE_PAUSE = 0.025, 1.0
# Seconds after which nobody asks any more.
ASKED = 1.0
# Seconds that a notification of another connection may take at the start.
PROOF = 2.0
# Seconds between two attempts to connect: the first, and the longest.
RETRY, LONGEST_RETRY = 0.1, 30.0
# Seconds until a connection to a host that does not answer counts as lost.
_LOST = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}


class _Deaf(Exception):
    """Notifications do not arrive here; the message says why."""


class Listener:
    """One listening connection of a process, in a thread of its own, and the token that follows from it.

    PostgreSQL hands a listening connection all notifications of commits that were acknowledged before it answers a
    query. So after a round trip everything is known that others committed before it began, and for `FRESH` seconds the
    token is valid: without a newer round trip, for whatever reason, it is None.
    """

    # All of this process: what a process wrote it sees at once, by whichever connections.
    _here: ClassVar[WeakSet[Listener]] = WeakSet()

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._here.add(self)
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._closed = threading.Event()
        # Changes so far: commits of this process, those heard of, and each beginning of listening.
        self._changes = 0
        self._changing = threading.Lock()
        # Monotonic times: when the last successful round trip began, and when somebody last asked.
        self._known_at = float("-inf")
        self._asked_at = float("-inf")
        self._told = False

    def start(self) -> None:
        """Begin to listen. Once for all."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)
            self._thread.start()

    def token(self) -> int | None:
        """Return a number that is another one after each change; None if changes may have been missed."""
        self._asked_at = moment = time.monotonic()
        if moment - self._known_at < FRESH:
            # Read after the age: a number from before that round trip would lack what came to light in it.
            return self._changes
        self._wake.set()
        return None

    def note_change(self) -> None:
        """Count a commit of this process on this database, after it."""
        for each in list(self._here):
            if each._engine.url == self._engine.url:
                each._count()

    def _count(self) -> None:
        with self._changing:
            self._changes += 1

    def close(self) -> None:
        """End the thread and its connection."""
        self._closed.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5.0)
        self._known_at = float("-inf")

    def _listen(self) -> None:
        pause = RETRY
        while not self._closed.is_set():
            try:
                with self._connect() as connection:
                    self._prepare(connection)
                    pause = RETRY
                    self._say_heard()
                    self._follow(connection)
            except Exception as error:
                self._known_at = float("-inf")
                if not self._closed.is_set():
                    self._say_deaf(error)
            self._closed.wait(pause)
            pause = min(2 * pause, LONGEST_RETRY)

    def _connect(self) -> Connection[Any]:
        arguments, options = self._engine.dialect.create_connect_args(self._engine.url)
        options = {"connect_timeout": 10, "application_name": "soapstone_listener", **_LOST, **options}
        connection: Connection[Any] = self._engine.dialect.loaded_dbapi.connect(*arguments, **options, autocommit=True)
        return connection

    def _prepare(self, connection: Connection[Any]) -> None:
        """Begin to listen. Raises _Deaf if changes would be missed.

        A pooler in transaction mode accepts LISTEN, and drops what is notified later, while no query runs. So a
        notification of another connection must arrive by itself.
        """
        query = "SELECT count(*) FROM pg_trigger WHERE tgfoid = to_regproc('tell_of_change') AND tgenabled = 'O'"
        found = connection.execute(query).fetchone()
        if found is None or found[0] != TRIGGERS:
            raise _Deaf("the triggers that tell of changes are missing or disabled")
        word = uuid4().hex
        connection.execute(f"LISTEN {CHANNEL}".encode())
        with self._engine.connect() as other:
            other.exec_driver_sql("SELECT pg_notify(%s, %s)", (CHANNEL, word))
            other.commit()
        end = time.monotonic() + PROOF
        while time.monotonic() < end and not self._closed.is_set():
            if any(each.payload == word for each in connection.notifies(timeout=0.1)):
                return
        raise _Deaf("notifications do not arrive through this connection")

    def _follow(self, connection: Connection[Any]) -> None:
        """Keep the token valid until the connection breaks or is closed."""
        # Before the first round trip is over, the token is None.
        self._count()
        while not self._closed.is_set():
            began = time.monotonic()
            connection.execute("SELECT 1")
            for _ in connection.notifies(timeout=0):
                self._count()
            self._known_at = began
            # Ends early when somebody asks for a token that is out of date.
            self._wake.wait(PAUSE if began - self._asked_at < ASKED else IDLE_PAUSE)
            self._wake.clear()

    def _say_deaf(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            words = str(error) if isinstance(error, _Deaf) else driver_words(error)
            log.warning("changes are not heard of, so each poll is worked out: %s", words)

    def _say_heard(self) -> None:
        if self._told:
            self._told = False
            log.info("changes are heard of again")
