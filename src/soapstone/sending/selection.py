"""Choosing the recipients of a send from its list, file or request, into the ledger.

The job's checkpoint holds the phase (`read`, `choose`) and its progress.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import select

from soapstone.clock import now
from soapstone.imports import scratch
from soapstone.imports.records import Place
from soapstone.jobs.run import JobFailed, Run, Snooze
from soapstone.lists.profile_filter import Term
from soapstone.sending import ledger
from soapstone.sending.audience import Audience, Candidate, Rules
from soapstone.sending.mail.builder import MailBuilder
from soapstone.sending.mail.mailbox import is_mailbox
from soapstone.sending.messages.message import InvalidMessage
from soapstone.sending.supplied_file import FileForm, InvalidFile, SuppliedFile
from soapstone.store.tables import jobs

Item = TypeVar("Item")

# Rows of a file between two renewals of the lease; candidates judged per chunk.
READ_ROWS = 20_000
CHOOSE_ROWS = 1_000

# Snooze while another send of the same call chooses its recipients.
TURN = timedelta(milliseconds=200)
# Longest snooze of a notice between two checks whether its sends have ended.
LONGEST_TURN = timedelta(minutes=1)


class Selection:
    """One attempt at choosing the recipients of a send. `then` is the phase that follows.

    `form` says how to read the file of a Send to File.
    """

    def __init__(self, run: Run, builder: MailBuilder, form: FileForm | None, then: str) -> None:
        self._run = run
        self._builder = builder
        self._form = form
        self._then = then
        request: Mapping[str, Any] = run.job.request
        self._wanted: Mapping[str, Any] = request.get("audience", {"kind": "members"})
        rules = Rules(**request.get("rules", {}))
        self._after = rules.after
        is_test = bool(request.get("is_test", False))
        self._audience = Audience(run.database, run.job, request["message_id"], rules, is_test=is_test)

    @property
    def _phase(self) -> str:
        return str(self._run.job.checkpoint.get("phase", "choose" if self._form is None else "read"))

    @property
    def _place(self) -> int:
        return int(self._run.job.checkpoint.get("place", 0))

    def run(self) -> None:
        """Choose the recipients, from where an earlier attempt stopped; do nothing if they are chosen."""
        if self._phase not in ("read", "choose"):
            return
        self._wait_for_others()
        if self._form is not None:
            self._take_from_file(self._form)
            return
        match self._wanted["kind"]:
            case "members":
                terms = [Term(**term) for term in self._wanted.get("filter", ())]
                self._choose(lambda place: self._audience.members(place, CHOOSE_ROWS, terms))
            case "failures":
                job_id: int = self._wanted["job_id"]
                self._choose(lambda place: self._audience.failures(job_id, place, CHOOSE_ROWS))
            case "people":
                self._choose_among(self._wanted["contact_ids"], self._audience.people)
            case "addresses":
                fields: Mapping[str, str] = self._wanted.get("fields", {})
                self._choose_among(self._wanted["emails"], lambda part: self._audience.addresses(part, fields))
            case "notice":
                fields = {**self._wanted["fields"], **self._outcome()}
                self._choose_among(self._wanted["emails"], lambda part: self._audience.addresses(part, fields))
            case _:
                raise JobFailed("This version cannot find the recipients of this send.")
        self._chosen(1)

    def _wait_for_others(self) -> None:
        """Wait until earlier sends of the same call have chosen their recipients (mm-103)."""
        if not self._after:
            return
        open_ones = select(jobs.c.id).where(jobs.c.id.in_(self._after), jobs.c.finished_at.is_(None), jobs.c.step == 0)
        with self._run.database.read() as connection:
            first = connection.execute(open_ones.limit(1)).scalar_one_or_none()
        if first is not None:
            raise Snooze(TURN, f"The send waits until send {first} has chosen its recipients.")

    def _outcome(self) -> dict[str, str]:
        """Return a notice's merge values about its sends; wait for their end, and for the notice's time."""
        query = select(jobs.c.state, jobs.c.counters, jobs.c.finished_at).where(jobs.c.id.in_(self._wanted["of"]))
        with self._run.database.read() as connection:
            rows = connection.execute(query).all()
        moment = now()
        ends = [row.finished_at for row in rows if row.finished_at is not None]
        if len(ends) < len(rows):
            # The longer sends take, the less often they are checked.
            pause = min(max((moment - self._run.job.submitted_at) / 10, TURN), LONGEST_TURN)
            raise Snooze(pause, "The notice waits until the sends that it is about have ended.")
        due = max(ends, default=self._run.job.submitted_at) + timedelta(seconds=self._wanted["after"])
        if due > moment:
            raise Snooze(due - moment, "The notice waits for its time.")
        states = ", ".join(sorted({row.state for row in rows}))
        return {"mails": str(sum(row.counters.get("handed", 0) for row in rows)), "outcome": states}

    def _take_from_file(self, form: FileForm) -> None:
        blob = self._run.job.blob
        assert blob is not None  # noqa: S101 - no Send to File is submitted without one
        blobs = self._run.blobs
        with scratch.folder(blobs.folder, self._run.job.id, self._run.job.attempt) as folder:
            try:
                file = SuppliedFile(blobs.fetch(blob, folder, self._heed), form)
                if self._phase == "read":
                    self._read(file)
                if self._phase == "choose":
                    self._choose_from(file)
            except FileNotFoundError:
                raise JobFailed("The file of this send is gone.") from None
            except (InvalidFile, InvalidMessage) as error:
                raise JobFailed(str(error)) from None

    def _heed(self) -> None:
        """Heed a request to stop or cancel, or a lost lease, while the file is fetched."""
        with self._run.chunk() as chunk:
            chunk.progress = False

    def _read(self, file: SuppliedFile) -> None:
        """Read the whole file before the first mail goes out, to refuse an unusable message or file."""
        self._builder.content.check_names(self._builder.known | file.columns)
        rows = usable = repaired = 0
        for batch in _batches(file.rows(), READ_ROWS):
            rows += len(batch)
            usable += sum(is_mailbox(row.address) and not row.flawed for row in batch)
            repaired += sum(row.repaired and not row.flawed for row in batch)
            with self._run.chunk() as chunk:
                # Reading restarts after an interruption, so these are no sums.
                chunk.counters["rows"] = rows
                if repaired:
                    chunk.counters["repaired"] = repaired
        if not usable:
            raise JobFailed("The file has no row with a valid e-mail address.")
        ledger.step(self._run, 1, "choose")

    def _choose_from(self, file: SuppliedFile) -> None:
        wanted = self._builder.content.names.keys() & file.columns
        checkpoint = self._run.job.checkpoint
        start = Place(checkpoint["place"], checkpoint["line"]) if "line" in checkpoint else None
        for batch in _batches(file.rows(start), CHOOSE_ROWS):
            rows = self._audience.judge(self._audience.strangers(batch, wanted))
            with self._run.chunk() as chunk:
                ledger.enter(chunk, rows)
                end = batch[-1].end
                chunk.checkpoint = {"phase": "choose", "place": end.offset, "line": end.line}
        self._chosen(2)

    def _choose(self, read: Callable[[int], tuple[list[Candidate], int | None]]) -> None:
        """Choose among contacts that are read in order of their numbers, from the checkpoint on."""
        while True:
            candidates, place = read(self._place)
            if place is None:
                return
            self._enter(candidates, place)

    def _choose_among(self, named: list[Any], find: Callable[[list[Any]], list[Candidate]]) -> None:
        """Choose among the recipients named in the request; the checkpoint holds how many were judged."""
        while part := named[self._place : self._place + CHOOSE_ROWS]:
            self._enter(find(part), self._place + len(part))

    def _enter(self, candidates: list[Candidate], place: int) -> None:
        rows = self._audience.judge(candidates)
        with self._run.chunk() as chunk:
            ledger.enter(chunk, rows)
            chunk.checkpoint = {"phase": "choose", "place": place}

    def _chosen(self, step: int) -> None:
        first, last = ledger.span(self._run.database, self._run.job.id)
        ledger.step(self._run, step, self._then, place=first - 1, first=first, last=last)


def _batches(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    while batch := list(islice(items, size)):
        yield batch
