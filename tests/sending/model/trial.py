"""One send in a world of its own, from its submission to its end, as a worker drives it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Row, select
from tests.sending.model.crowd import LINKS, Crowd
from tests.sending.model.plan import LONG, Disturbance, Plan, plan
from tests.sending.model.server import Server
from tests.sending.model.world import BEGIN, Fault, Killed, Process, VirtualLoop, World

from soapstone.clock import clock
from soapstone.jobs.job import Job
from soapstone.jobs.run import Cancelled, Chunk, JobFailed, LeaseLost, Paused, Run, Snooze, Stopped
from soapstone.sending.mail.builder import MailOptions
from soapstone.sending.runner import SendRunner
from soapstone.sending.smtp.rate_limits import Rates
from soapstone.sending.smtp.server import SmtpServer
from soapstone.sending.smtp.url import SmtpAddress
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.tables import deliveries

LEASE = timedelta(seconds=15)
# A send that takes longer than this, in attempts and in seconds, is taken for one that never ends.
MOST_ATTEMPTS = 300
LONGEST = 4 * 86_400.0
# How often a person sends a failed send on its way again.
MOST_RETRIES = 4


class ModelRun(Run):
    """A run whose process may be killed before or after each transaction, or in the middle of one."""

    def __init__(self, world: World, process: Process, database: Database, blobs: Blobs, job: Job) -> None:
        super().__init__(database, blobs, job, lease=LEASE, stopping=lambda: process.stopping)
        self._world = world
        self._process = process

    @contextmanager
    def chunk(self, *, last_words: bool = False, durable: bool = False, gives_way: bool = False) -> Iterator[Chunk]:
        self._live()
        self._world.point()
        self._live()
        with super().chunk(last_words=last_words, durable=durable, gives_way=gives_way) as chunk:
            yield chunk
        self._world.point()
        self._live()

    def _live(self) -> None:
        if not self._process.alive:
            raise Killed


class Trial:
    """The send of a seed, or of a plan of one's own. The server and the ledger tell afterwards what came out of it."""

    def __init__(self, seed: int, database: Database, folder: Path, given: Plan | None = None) -> None:
        self.seed = seed
        self.plan: Plan = given or plan(seed)
        self.world = World(seed)
        self.database = database
        self._folder = folder
        self._blobs = Blobs(folder / "blobs")
        self.attempts = 0
        self.retries = 0
        # How often each job's process died, and whether its ends were seen.
        self.deaths = 0
        # Reasons for which the send failed, in order, with the moment.
        self.failures: list[tuple[float, str]] = []
        # From when on nothing may go out (True), and may again (False).
        self.rests: list[tuple[float, bool]] = [(0.0, False)]
        # When a process was started, or a person let the send go on: whoever knew how long to wait is gone.
        self.beginnings: list[float] = []
        self.faults: list[str] = []
        self._stolen: Job | None = None
        with clock(self.world.now):
            self.crowd = Crowd(
                self.world,
                database,
                self._blobs,
                people=self.plan.people,
                kind=self.plan.kind,
                unsubscribe_type=self.plan.unsubscribe_type,
            )
        self.server = Server(self.world, self.plan.manners, self.crowd.who)
        self._start_process()
        for disturbance in self.plan.disturbances:
            self._arrange(disturbance)

    @property
    def job(self) -> Job:
        """The job as it is now."""
        job = self.crowd.jobs.get(None, self.crowd.job_id)
        assert job is not None
        return job

    def rows(self) -> list[Row[Any]]:
        """The ledger."""
        query = select(deliveries).where(deliveries.c.job_id == self.crowd.job_id).order_by(deliveries.c.id)
        with self.database.read() as connection:
            return list(connection.execute(query))

    def run(self) -> None:
        """Let the send go on to its end. Raises Fault when it has none."""
        with clock(self.world.now):
            while self._go_on():
                if self.world.time > LONGEST:
                    raise Fault("the send does not end")
        self.faults += self.server.faults

    # --- the worker -------------------------------------------------------------------------------------------------

    def _start_process(self) -> None:
        """A worker with nothing in its memory."""
        process = self._process = Process()
        self.beginnings.append(self.world.time)
        world, plan = self.world, self.plan
        user = "user:secret@" if plan.manners.login else ""
        server = SmtpServer(
            SmtpAddress.of(f"smtp://{user}127.0.0.1:25?starttls=never"),
            connections=plan.connections,
            rates=Rates(*plan.rates, clock=world.seconds),
            retries=plan.retries,
            timeout=plan.timeout,
            local_hostname="client.example",
            loop_factory=lambda: VirtualLoop(world, process, self.server, self.faults),
            chance=Random(world.random.random()),
        )
        folder = self._folder
        sender = SendRunner(
            self.database, folder / "mail", folder / "drafts", server=server, options=MailOptions(links=LINKS)
        )
        self._runners = sender.runners

    def _go_on(self) -> bool:
        """Run the next attempt, or let time pass until something may be done; False at the end."""
        job = self.job
        if job.over:
            return self._after_end(job)
        if not self._process.alive or self._process.stopping:
            self._start_process()
        if self._stolen is not None:
            claimed, self._stolen = self._stolen, None
        elif job.state == "queued" and (job.paused or job.due_at > self.world.now()):
            self._wait(job)
            return True
        else:
            # Whoever ran it is dead.
            self.crowd.jobs.expire_leases()
            found = self.crowd.jobs.claim("worker", self._runners, LEASE)
            if found is None:
                raise Fault("a send that is due cannot be taken")
            claimed = found
        self.attempts += 1
        if self.attempts > MOST_ATTEMPTS:
            raise Fault(f"the send has no end after {MOST_ATTEMPTS} attempts")
        self.world.note(f"ATTEMPT {claimed.attempt} begins")
        try:
            self._attempt(ModelRun(self.world, self._process, self.database, self._blobs, claimed))
        except Killed:
            self.deaths += 1
            self.world.note("ATTEMPT was killed")
        except LeaseLost:
            self.deaths += 1
            self.world.note("ATTEMPT was taken over")
        return True

    def _attempt(self, run: ModelRun) -> None:
        """One attempt and its end, as Worker stores it."""
        try:
            self._runners[run.job.kind](run)
        except (Stopped, Paused) as why:
            self._note_end(type(why).__name__)
            run.release()
        except Snooze as snooze:
            self._note_end(f"later, in {snooze.delay.total_seconds():.1f} s: {snooze}")
            run.release(snooze.delay, str(snooze))
        except Cancelled:
            self._note_end("cancelled")
            run.cancel()
        except JobFailed as failure:
            self._note_end(f"failed: {failure}")
            run.fail(str(failure))
            self.failures.append((self.world.time, str(failure)))
        else:
            self._note_end("completed")
            run.complete()

    def _note_end(self, how: str) -> None:
        self.world.note(f"ATTEMPT ends: {how}")

    def _wait(self, job: Job) -> None:
        """Nothing may run: until the job is due, or until somebody does something."""
        due = (job.due_at - BEGIN).total_seconds() + 1e-6
        until = due if not job.paused and due > self.world.time else self.world.next
        if until is None:
            raise Fault("the send may not go on, and nobody will ever change that")
        self.world.step(until)

    def _after_end(self, job: Job) -> bool:
        """A person looks after a failed send, and sends it on its way again."""
        if job.state != "failed" or self.retries >= MOST_RETRIES:
            return False
        self.retries += 1
        self.world.pass_to(self.world.time + 300.0)
        self.server.relent()
        self.world.note("OPERATOR repairs the server, and retries the send")
        if self.crowd.jobs.retry(None, job.id):
            self.rests.append((self.world.time, False))
        self.beginnings.append(self.world.time)
        return True

    # --- what happens from outside ----------------------------------------------------------------------------------

    def _arrange(self, disturbance: Disturbance) -> None:
        def happen() -> None:
            self._disturb(disturbance)

        if disturbance.moment.point:
            self.world.at_point(disturbance.moment.point, happen)
        else:
            self.world.at(disturbance.moment.seconds, happen)

    def _disturb(self, disturbance: Disturbance) -> None:
        world, jobs, job_id = self.world, self.crowd.jobs, self.crowd.job_id
        if disturbance.what.startswith("person "):
            self.crowd.do(disturbance.what.removeprefix("person "), self.crowd.person(disturbance.person))
            return
        match disturbance.what:
            case "kill":
                self._kill()
            case "stop":
                world.note("WORKER is asked to stop")
                self._process.stopping = True
            case "take over":
                self._take_over()
            case "pause":
                if jobs.pause(None, job_id):
                    self._rest("pauses", True)
                    world.after(disturbance.seconds, self._resume)
            case "cancel":
                if jobs.cancel(None, job_id):
                    self._rest("cancels", True)
            case "restart" | "deaf":
                self.server.restart(disturbance.seconds, deaf=disturbance.what == "deaf")
            case "hang up":
                self.server.hang_up()
            case "complain":
                stage, code, text = disturbance.complaint
                self.server.complain(stage, code, text, disturbance.seconds)
            case _:
                raise LookupError(disturbance.what)

    def _rest(self, what: str, rests: bool) -> None:
        self.world.note(f"OWNER   {what} the send")
        self.rests.append((self.world.time, rests))

    def _resume(self) -> None:
        if self.crowd.jobs.pause(None, self.crowd.job_id, paused=False):
            self._rest("resumes", False)
            self.beginnings.append(self.world.time)

    def _kill(self) -> None:
        self.world.note("WORKER is killed")
        self._process.alive = False
        self.server.bereave()

    def _take_over(self) -> None:
        """Another worker takes the job for that of a dead one. It begins when this attempt has ended."""
        if self.job.state == "running":
            self.crowd.jobs.expire_leases()
            self._stolen = self.crowd.jobs.claim("another worker", self._runners, LEASE)
            self.world.note("ANOTHER worker takes the job over")
            self.beginnings.append(self.world.time)


def fresh(database: Database, template: Path) -> None:
    """Make a SQLite database a copy of another one, which nobody has open; statements that are compiled stay so."""
    database.close()
    assert database.path is not None
    for ending in ("-wal", "-shm"):
        Path(f"{database.path}{ending}").unlink(missing_ok=True)
    shutil.copyfile(template, database.path)


__all__ = ["LONG", "ModelRun", "Trial", "fresh"]
