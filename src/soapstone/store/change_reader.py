"""Changes on PostgreSQL: a connection that reads how far the triggers of the tables have counted them."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakSet

from sqlalchemy import Engine

from soapstone.store.transient_errors import driver_words

if TYPE_CHECKING:
    from psycopg import Connection

log = logging.getLogger(__name__)

# How many triggers there are (migration 0023): two for each of nine tables.
TRIGGERS = 18
# Seconds after which a change of another process counts at the latest.
FRESH = 0.1
# Age of what is known, in seconds, from which on who asks makes the thread read again.
AGED = FRESH / 2
# Seconds between two readings while nobody asks, which find out that a connection is lost.
IDLE_PAUSE = 5.0
# Seconds that a call waits for a reading, rather than to work out an answer.
PATIENCE = 0.1
# Seconds between two attempts to connect: the first, and the longest.
RETRY, LONGEST_RETRY = 0.1, 30.0
# Transactions, also those within others, that are watched of those that a snapshot does not list.
MOST = 20_000
# Seconds until a connection to a host that does not answer counts as lost.
_LOST = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}

# A number that is not known yet comes with the id of a transaction, which is later than all that have moved it so far.
_READING = (
    b"SELECT change_state || CASE WHEN change_state LIKE '%b %%' THEN '' ELSE ' ' || pg_current_xact_id() END"
    b" FROM change_state()"
)


class Uncounted(Exception):
    """Changes are not counted; the message says why."""


class ChangeState:
    """What follows from one reading after the other.

    A reading is the last number of the sequence that the triggers advance, then a snapshot, and behind a new number the
    id of a transaction of its own. The number moves before its transaction commits. So until all transactions have
    ended that were under way when a new number was seen, those of them that are still under way are part of the state:
    each of their ends may be the change. They are the ones before the id: a snapshot does not list those that began
    after the last one that has ended. Everything that commits between two readings of the same state is no change: it
    would have moved the number, or ended.
    """

    def __init__(self) -> None:
        self.number = ""
        # The transaction that began when the number was seen first, and those before it that still run.
        self._border = 0
        self._running: frozenset[int] = frozenset()

    def differs(self, reading: str) -> bool:
        """Take a reading, `NUMBER XMIN:XMAX:XID,XID… ID`; return whether there may be a change since the one before."""
        number, snapshot, *own = reading.split(" ")
        _, following, running = snapshot.split(":")
        if own:
            self.number, self._border = number, int(own[0])
        listed = {each for each in map(int, filter(None, running.split(","))) if each < self._border}
        # What is left out of many makes the next reading differ.
        left = frozenset(listed.union(range(max(int(following), self._border - MOST), self._border)))
        if not own and left == self._running:
            return False
        self._running = left
        return True


class ChangeReader:
    """One connection of a process that reads what is counted, in a thread of its own, and the token that follows.

    A reading tells of everything that others committed before it began. For `FRESH` seconds from then on the token is
    valid: without a newer reading, for whatever reason, it is None.
    """

    # All of this process: what a process wrote it sees at once, by whichever connections.
    _here: ClassVar[WeakSet[ChangeReader]] = WeakSet()

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._here.add(self)
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._asked = False
        self._closed = threading.Event()
        # Changes so far: commits of this process, changed states, and each beginning of a connection.
        self._changes = 0
        self._lock = threading.Lock()
        # Monotonic time at which the last successful reading began.
        self._known_at = float("-inf")
        # Those who wait for the next reading, by their event loops.
        self._waiting: dict[asyncio.AbstractEventLoop, asyncio.Future[None]] = {}
        self._told = False
        self._state = ChangeState()

    def start(self) -> None:
        """Begin to read. Once for all."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="changes", daemon=True)
            self._thread.start()

    def token(self) -> int | None:
        """Return a number that is another one after each change; None if changes may have been missed."""
        age = time.monotonic() - self._known_at
        if age >= AGED and not self._asked:
            self._asked = True
            self._wake.set()
        # Read after the age: a number from before that reading would lack what came to light in it.
        return self._changes if age < FRESH else None

    async def renewed(self) -> int | None:
        """Return the token, after a new reading if it is out of date; None if there is none soon.

        All calls that wait share one reading, which costs less than to work out an answer.
        """
        token = self.token()
        if token is None and self._known_at > float("-inf"):
            loop = asyncio.get_running_loop()
            with self._lock:
                reading = self._waiting.setdefault(loop, loop.create_future())
            self._wake.set()
            await asyncio.wait([reading], timeout=PATIENCE)
            token = self.token()
        return token

    def note_change(self) -> None:
        """Count a commit of this process on this database, after it."""
        for each in list(self._here):
            if each._engine.url == self._engine.url:
                each._count()

    def _count(self) -> None:
        with self._lock:
            self._changes += 1

    def close(self) -> None:
        """End the thread and its connection."""
        self._closed.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5.0)
        self._known_at = float("-inf")

    def _run(self) -> None:
        pause = RETRY
        while not self._closed.is_set():
            try:
                with self._connect() as connection:
                    self._prepare(connection)
                    pause = RETRY
                    self._say_known()
                    self._follow(connection)
            except Exception as error:
                self._known_at = float("-inf")
                if not self._closed.is_set():
                    self._say_unknown(error)
            self._closed.wait(pause)
            pause = min(2 * pause, LONGEST_RETRY)

    def _connect(self) -> Connection[Any]:
        arguments, options = self._engine.dialect.create_connect_args(self._engine.url)
        options = {"connect_timeout": 10, "application_name": "soapstone_changes", **_LOST, **options}
        connection: Connection[Any] = self._engine.dialect.loaded_dbapi.connect(*arguments, **options, autocommit=True)
        return connection

    def _prepare(self, connection: Connection[Any]) -> None:
        """Raise Uncounted if changes are not counted."""
        query = "SELECT count(*) FROM pg_trigger WHERE tgfoid = to_regproc('count_change') AND tgenabled = 'O'"
        found = connection.execute(query).fetchone()
        if found is None or found[0] != TRIGGERS:
            raise Uncounted("the triggers that count changes are missing or disabled")
        # In other transactions the snapshot would be older than the number.
        connection.execute("SET default_transaction_isolation TO 'read committed'")

    def _follow(self, connection: Connection[Any]) -> None:
        """Keep the token valid, as long as somebody asks, until the connection breaks or is closed."""
        self._state = ChangeState()
        while not self._closed.is_set():
            self._wake.clear()
            self._asked = False
            began = time.monotonic()
            if self._state.differs(self._read(connection)):
                self._count()
            self._known_at = began
            self._tell_waiting()
            self._wake.wait(IDLE_PAUSE)

    def _read(self, connection: Connection[Any]) -> str:
        # In one call that needs the interpreter's lock at its end only: in a busy process each turn takes 5 ms.
        result = connection.pgconn.exec_(_READING % self._state.number.encode())
        if result.ntuples != 1 or (value := result.get_value(0, 0)) is None:
            raise Uncounted(result.error_message.decode(errors="replace").strip() or "the connection is lost")
        return value.decode()

    def _tell_waiting(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for loop, reading in waiting.items():
            # A loop that is closed waits for nothing.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_finish, reading)

    def _say_unknown(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            words = str(error) if isinstance(error, Uncounted) else driver_words(error)
            log.warning("changes are not known, so each poll is worked out: %s", words)

    def _say_known(self) -> None:
        if self._told:
            self._told = False
            log.info("changes are known again")


def _finish(reading: asyncio.Future[None]) -> None:
    if not reading.done():
        reading.set_result(None)
