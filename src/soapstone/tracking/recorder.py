"""The recorder: brings opens, reads and clicks from the spool of all web processes into the records.

It runs as a thread of the worker, and of a web process whose host may have no worker. Of several processes with one
data folder only the holder of a lock records. Events and how far each segment was read are stored in one transaction,
so that each record counts once, however a process ends.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from datetime import timedelta
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Row, delete, insert, select, tuple_, update

from soapstone.backoff import backoff
from soapstone.clock import now
from soapstone.jobs.lock import WorkerLock
from soapstone.store import private
from soapstone.store.bucket import Bucket
from soapstone.store.bulk import large_cache, select_by_key
from soapstone.store.database import Database
from soapstone.store.tables import deliveries, sends, spool_positions, tracked_links
from soapstone.store.timestamps import EPOCH
from soapstone.store.transient_errors import RecordsUnavailable, transient_error
from soapstone.thread_turns import short_turns
from soapstone.tracking.act_batch import Act, AnonymousAct
from soapstone.tracking.act_plans import ActPlan, ActPlans, OutdatedPlan
from soapstone.tracking.judgement import REPEAT, Judgement
from soapstone.tracking.recording import record_acts
from soapstone.tracking.segment_shipping import SHIPPED, fetch, is_written, ship
from soapstone.tracking.segments import Move, Segment
from soapstone.tracking.spool import SUFFIX, SpoolRecord
from soapstone.vocabulary.tracking import MailEventKind

log = logging.getLogger(__name__)

# Seconds between two rounds, records in one transaction, and transactions in a round.
PAUSE = 0.25
MOST_RECORDS = 10_000
MOST_BATCHES = 4
# Records that are read ahead of the judgement, which looks some seconds ahead; and segments that are open.
AHEAD = 50_000
MOST_SEGMENTS = 64
# Seconds between two attempts to become the recorder.
LOCK_PAUSE = 2.0
LONGEST_WAIT = 60.0
# Seconds between two looks for segments that other hosts have shipped.
FETCH_PAUSE = 60.0
# Keys in one query.
BATCH = 500
# Numbers of deliveries and links that are remembered.
MOST_KNOWN = 100_000

_POSITION = spool_positions.c
_CLICK = MailEventKind.CLICK
# A named tuple's own constructor takes twice the time.
_made = tuple.__new__
_K = TypeVar("_K")


class _Batch(NamedTuple):
    """Records of one transaction: their number, where they came from, and what they were judged to be.

    Acts of delivery 0 are those of mails without persons; `messages` has their messages by their place among the acts.
    """

    records: int
    acts: list[Act]
    messages: dict[int, int]
    moves: list[Move]


class Recorder:
    """Records what the web processes of one data folder have spooled, and what others have shipped to the bucket."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        *,
        machine_seconds: float,
        pause: float = PAUSE,
        bucket: Bucket | None = None,
    ) -> None:
        self._database = database
        self._folder = folder
        self._machine_seconds = machine_seconds
        self._pause = pause
        self._bucket = bucket
        self._fetch_at = float("-inf")
        self._stop = threading.Event()
        self._patience = 0.0
        self._finish_by: float | None = None
        # Whether records may wait whose writers have ended: they are read, or in segments that are not open yet.
        self._unfinished = True
        self._segments: dict[str, Segment] = {}
        self._judgement = Judgement(machine_seconds)
        # When mails were handed over, in microseconds since 1970; and links by message and place.
        self._handed: dict[int, int] = {}
        self._links: dict[tuple[int, int], int] = {}
        # PostgreSQL stores a batch while the next ones are judged and planned. SQLite would hand Python's lock to and
        # fro with each row.
        self._storing = ThreadPoolExecutor(1, "recorder") if database.kind == "postgresql" else None
        self._plans = ActPlans()
        # The batch that is being stored, and whether it has a plan.
        self._stored: Future[None] | None = None
        self._is_planned = True

    @contextmanager
    def running(self, *, patience: float = 0) -> Iterator[None]:
        """Record in a thread until the block ends, and for up to `patience` seconds more what the spool holds then.

        What is left after that time goes into the bucket, if there is one.
        """
        self._stop.clear()
        self._patience, self._finish_by = patience, None
        thread = threading.Thread(target=copy_context().run, args=(self.run,), name="recorder")
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def run(self) -> None:
        """Record until stopped, whatever fails meanwhile: the spool keeps what is not recorded."""
        lock, failures = WorkerLock(self._folder / "recorder.lock"), 0
        held = False
        try:
            while not self._stop.is_set() or self._finishes():
                self._unfinished = held
                try:
                    if not held:
                        private.make_folder(self._folder)
                        # Who held it may be ending, too, and have looked before the last web process ended.
                        held = lock.acquire(LOCK_PAUSE if self._stop.is_set() else 0)
                        self._unfinished = held
                    if held:
                        self._fetch()
                    busy = held and self.round()
                    failures = 0
                except Exception as error:
                    failures += 1
                    reason = transient_error(error)
                    log.error("opens and clicks wait in the spool: %s", reason or "a fault", exc_info=error)
                    self._wait(backoff(failures, 1.0, LONGEST_WAIT), min(failures * self._pause, 1.0))
                    continue
                if not busy:
                    self._wait(self._pause if held else LOCK_PAUSE, self._pause)
        finally:
            self.close()
            if held and self._patience and self._unfinished:
                self._ship()
            lock.release()

    def _wait(self, seconds: float, at_the_end: float) -> None:
        """Wait until the end begins, or the shorter time if it has begun."""
        if self._stop.wait(seconds) and self._finish_by is not None:
            time.sleep(at_the_end)

    def _finishes(self) -> bool:
        """Return whether records still wait after the end, and there is patience.

        The first call returns True: who has held the lock until now may have ended as well.
        """
        if not self._patience:
            return False
        if self._finish_by is None:
            self._finish_by = time.monotonic() + self._patience
            return True
        return self._unfinished and time.monotonic() < self._finish_by

    def _fetch(self) -> None:
        """Look now and then for segments that others have shipped."""
        if self._bucket is None or time.monotonic() < self._fetch_at or self._stop.is_set():
            return
        self._fetch_at = time.monotonic() + FETCH_PAUSE
        try:
            fetch(self._folder, self._bucket)
        except (OSError, RecordsUnavailable) as error:
            log.warning("opens and clicks of other hosts wait in the bucket: %s", error)

    def _ship(self) -> None:
        """Leave to others what is not recorded."""
        try:
            if is_written(self._folder):
                # By another process, which records, too.
                return
            if self._bucket is not None:
                ship(self._folder, self._bucket)
                log.warning("opens and clicks that could not be recorded in time are in the bucket, for another host")
                return
            reason = "there is no bucket"
        except (OSError, RecordsUnavailable) as error:
            reason = str(error)
        log.error(
            "OPENS AND CLICKS ARE LEFT IN %s (%s): start soapstone web or worker with this folder again to record them",
            self._folder,
            reason,
        )

    def round(self) -> bool:
        """Record what can be judged now, up to a bound; return whether more can be. An error makes all begin anew."""
        try:
            with short_turns() if self._storing is not None else nullcontext():
                return self._round()
        except BaseException:
            self.close()
            raise

    def _round(self) -> bool:
        more = self._find()
        for segment in self._segments.values():
            room = AHEAD - sum(len(each.queue) for each in self._segments.values())
            for taken_before, others in segment.read(room):
                for record in chain(taken_before, others):
                    if record[1] is _CLICK:
                        self._judgement.see(record)
                for record in taken_before:
                    # Its successors are judged as if this recorder had taken it.
                    self._judgement.judge(record, None)
        taken = self._take()
        self._remove_ended()
        waits = any(segment.queue and segment.complete for segment in self._segments.values())
        self._unfinished = more or waits or self._stored is not None
        return taken >= MOST_RECORDS // 2

    def close(self) -> None:
        """Close the segments. The next round begins anew with what is stored."""
        stored, self._stored, self._is_planned = self._stored, None, True
        if stored is not None and (error := stored.exception()) is not None:
            log.error("opens and clicks wait in the spool", exc_info=error)
        self._plans.forget()
        for segment in self._segments.values():
            segment.close()
        self._segments.clear()
        self._judgement = Judgement(self._machine_seconds)

    def _find(self) -> bool:
        """Open segments that have appeared, up to `MOST_SEGMENTS`; return whether there are more."""
        with os.scandir(self._folder) as entries:
            names = sorted(each.name for each in entries if each.name.endswith((SUFFIX, SHIPPED)))
        unknown = [name for name in names if name not in self._segments]
        new = unknown[: MOST_SEGMENTS - len(self._segments)]
        if not new:
            return bool(unknown)
        spools = {name.partition("-")[0] for name in new}
        stored: dict[str, int] = {}
        with self._database.read() as connection:
            for these in _pieces(spools):
                for row in connection.execute(select(spool_positions).where(_POSITION.spool.in_(these))):
                    stored[f"{row.spool}-{row.segment}"] = row.position
        for name in new:
            self._segments[name] = Segment(self._folder / name, stored.get(name.partition(".")[0], 0))
        return len(new) < len(unknown)

    def _take(self) -> int:
        """Judge and record the next records of each segment; return their number."""
        taken = 0
        while batch := self._next_batch():
            taken += batch.records
            is_large = batch.records >= MOST_RECORDS // 2
            self._hand_over(batch, ahead=is_large)
            if self._storing is None:
                return taken
            if not is_large:
                break
            if taken >= MOST_BATCHES * MOST_RECORDS:
                # The last one is stored while the next round reads.
                return taken
        self._finish_storing()
        if not taken:
            self._plans.forget()
        return taken

    def _hand_over(self, batch: _Batch, *, ahead: bool) -> None:
        """Let a batch be stored after the one before it; plan it before that one is stored, if it goes `ahead`."""
        if not ahead or self._plans.is_full or not self._is_planned:
            # No plan may overlook what is recorded without one.
            self._finish_storing()
            self._plans.forget()
        plan = None
        if ahead:
            with self._database.read() as connection:
                plan = self._plans.plan(connection, _acts(connection, batch))
        self._finish_storing()
        self._is_planned = plan is not None
        if self._storing is None:
            self._store(batch, plan)
        else:
            self._stored = self._storing.submit(copy_context().run, self._store, batch, plan)

    def _finish_storing(self) -> None:
        """Wait until nothing is being stored. Raises what went wrong."""
        stored, self._stored = self._stored, None
        if stored is not None:
            stored.result()

    def _next_batch(self) -> _Batch | None:
        """Judge the next records of each segment, as far as they can be, and take them out of the queues."""
        waiting = [segment for segment in self._segments.values() if segment.queue]
        if not waiting:
            return None
        share = max(MOST_RECORDS // len(waiting), 1)
        next_ones = {segment: list(islice(segment.queue, share)) for segment in waiting}
        # With their places among the records.
        clicks = {
            segment: [(place, record) for place, (_, record) in enumerate(records) if record[1] is _CLICK]
            for segment, records in next_ones.items()
        }
        moment = _microseconds_now()
        self._learn([record for each in clicks.values() for _, record in each])
        must_wait, handed_at = self._judgement.must_wait, self._handed.get
        found: list[SpoolRecord] = []
        moves = []
        for segment, records in next_ones.items():
            waits = (place for place, each in clicks[segment] if must_wait(each, handed_at(each.delivery_id), moment))
            if count := next(waits, len(records)):
                moves.append(segment.take(records[count - 1][0], count))
                found += [record for _, record in records[:count]]
        found.sort(key=itemgetter(0))
        acts: list[Act] = []
        messages: dict[int, int] = {}
        judge, link_of = self._judgement.judge, self._links.get
        for record in found:
            _, kind, message_id, delivery_id, position, _, _ = record
            event = judge(record, handed_at(delivery_id))
            if event is None:
                continue
            link_id = None
            if kind is _CLICK:
                link_id = link_of((message_id, position))
                if link_id is None:
                    continue
            if not delivery_id:
                messages[len(acts)] = message_id
            acts.append(_made(Act, (event, delivery_id, link_id)))
        oldest = min((segment.queue[0][1].at for segment in waiting if segment.queue), default=moment)
        self._judgement.forget(min(oldest, moment))
        return _Batch(len(found), acts, messages, moves) if found else None

    def _store(self, batch: _Batch, plan: ActPlan | None = None) -> None:
        if plan is not None:
            try:
                self._record(batch, plan)
            except OutdatedPlan:
                log.info("opens and clicks of the same mails come from another host, too")
            else:
                return
        self._record(batch)

    def _record(self, batch: _Batch, plan: ActPlan | None = None) -> None:
        # No account, message or row of the ledger is ever deleted; and kinds come from a closed set.
        with self._database.write(is_proven=True) as connection, large_cache(connection):
            for move in batch.moves:
                _move(connection, move)
            record_acts(connection, _acts(connection, batch) if plan is None else batch.acts, plan)

    def _learn(self, clicks: Sequence[SpoolRecord]) -> None:
        """Look up the links of clicks, and when their mails were handed over."""
        messages = {each.message_id for each in clicks if (each.message_id, each.position) not in self._links}
        mails = {each.delivery_id for each in clicks if each.delivery_id and each.delivery_id not in self._handed}
        if not self._machine_seconds:
            mails.clear()
        if not messages and not mails:
            return
        if len(self._handed) > MOST_KNOWN:
            self._handed.clear()
            mails = {each.delivery_id for each in clicks if each.delivery_id}
        if len(self._links) > MOST_KNOWN:
            self._links.clear()
            messages = {each.message_id for each in clicks}
        link, delivery = tracked_links.c, deliveries.c
        with self._database.read() as connection:
            for these in _pieces(messages):
                query = select(link.message_id, link.position, link.id).where(link.message_id.in_(these))
                self._links |= {(row.message_id, row.position): row.id for row in connection.execute(query)}
            times = [delivery.id, delivery.handed_at]
            self._handed |= select_by_key(connection, times, delivery.id, mails, also="AND handed_at IS NOT NULL")

    def _remove_ended(self) -> None:
        """Remove segments whose records are stored and on the disk.

        Their last seconds stay readable, so that a recorder that begins anew knows which images counted.
        """
        moment = _microseconds_now()
        ended = [
            segment
            for segment in self._segments.values()
            if segment.exhausted and not segment.queue and not 0 <= moment - segment.newest <= 2 * REPEAT
        ]
        if not ended:
            return
        self._finish_storing()
        self._database.settle()
        for segment in ended:
            segment.path.unlink(missing_ok=True)
            segment.close()
            del self._segments[segment.path.name]
        # A file that came back after a power cut would be recorded again without its position.
        private.sync(self._folder)
        keys = [
            (segment.spool, segment.number) for segment in ended if segment.stored and segment.path.suffix == SUFFIX
        ]
        if keys:
            with self._database.write() as connection:
                connection.execute(delete(spool_positions).where(tuple_(_POSITION.spool, _POSITION.segment).in_(keys)))


def _move(connection: Connection, move: Move) -> None:
    """Store how far a segment was read. Raises RuntimeError if another recorder has moved it meanwhile."""
    spool, number = move.segment.spool, move.segment.number
    if move.is_first:
        connection.execute(insert(spool_positions).values(spool=spool, segment=number, position=move.end))
        return
    here = (_POSITION.spool == spool, _POSITION.segment == number, _POSITION.position == move.begin)
    if connection.execute(update(spool_positions).where(*here).values(position=move.end)).rowcount != 1:
        raise RuntimeError(f"another recorder reads {move.segment.path.name}")


def _acts(connection: Connection, batch: _Batch) -> list[Act | AnonymousAct]:
    """Return the acts of a batch, those of mails without persons as such."""
    acts: list[Act | AnonymousAct] = [*batch.acts]
    newest = _newest_sends(connection, set(batch.messages.values()))
    for place, message_id in batch.messages.items():
        # Without a send, it stays an act of no mail.
        if (send := newest.get(message_id)) is not None:
            of = (send.account_id, message_id, send.job_id, send.is_test)
            acts[place] = AnonymousAct(acts[place].kind, *of, acts[place].link_id)
    return acts


def _newest_sends(connection: Connection, message_ids: Collection[int]) -> dict[int, Row[Any]]:
    """Return the newest send of each message; a test only if there is no other."""
    found: dict[int, Row[Any]] = {}
    for these in _pieces(message_ids):
        query = select(sends.c.message_id, sends.c.account_id, sends.c.job_id, sends.c.is_test)
        ordered = query.where(sends.c.message_id.in_(these)).order_by(sends.c.is_test.desc(), sends.c.job_id)
        found |= {row.message_id: row for row in connection.execute(ordered)}
    return found


def _pieces(keys: Collection[_K]) -> Iterator[list[_K]]:
    listed = list(keys)
    return (listed[start : start + BATCH] for start in range(0, len(listed), BATCH))


def _microseconds_now() -> int:
    return (now() - EPOCH) // timedelta(microseconds=1)
