"""A trial: three worker hosts and two web hosts, of which some die, are cut off or lose their database.

    unshare --net python -m tests.hosts.trial FOLDER [--people 20000] [--mails 2000] [--cut 18] [--seed 1]

The same ten imports and two sends run twice, on two databases: by one worker in peace, then by three workers while
clients poll and click. Of these one host dies, another is cut off for `--cut` seconds and comes back, the PostgreSQL
server crashes and starts again, and a web host is killed. Prints one line of JSON: see `Result`.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.hosts.clients import Clients
from tests.hosts.cluster import Cluster, Running, kill
from tests.hosts.network import HERE, SOURCES, Host, make_bridge
from tests.hosts.postgresql_server import PostgresqlServer
from tests.kills.picture import differences, torn, unfinished

# Seconds within which the jobs of a dead host must go on.
TAKEN_OVER = 15.0
DATABASE = "soapstone"


@dataclass
class Result:
    """What came of it: seconds, what clients saw, how soon jobs went on by what happened, and what is `wrong`."""

    calm_seconds: float = 0.0
    disturbed_seconds: float = 0.0
    restart_seconds: float = 0.0
    rows: int = 0
    mails: int = 0
    polls: int = 0
    refused: int = 0
    clicks: int = 0
    taken_over: dict[str, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def hold(folder: Path, *, people: int, mails: int, clicks: int, cut: float, seed: int) -> Result:
    """Hold a trial in a folder, in a network namespace of this process."""
    make_bridge()
    result = Result(mails=2 * mails)
    server = PostgresqlServer(folder / "postgresql", HERE, SOURCES)
    hosts = [Host.make(number) for number in range(11, 16)]
    try:
        calm = Cluster(folder / "calm", server.create("calm"))
        calm.clickable(clicks)
        calm.submit(people=people, mails=mails, seed=seed)
        began = time.monotonic()
        calm.start_worker(hosts[0])
        calm.wait(lambda: not calm.open_jobs(), "the undisturbed jobs do not end")
        result.calm_seconds = time.monotonic() - began
        expected = calm.state()
        calm.close()
        cluster = Cluster(folder / "disturbed", server.create("disturbed"))
        try:
            _disturb(cluster, server, hosts, result, people=people, mails=mails, clicks=clicks, cut=cut, seed=seed)
            found = cluster.state()
        finally:
            cluster.close()
        result.rows = cluster.rows
        result.wrong += [*torn(found), *unfinished(found), *differences(found, expected)]
        logs = "".join(each.log.read_text(errors="replace") for each in (*cluster.workers, *cluster.webs))
        result.wrong += [line for line in logs.splitlines() if "failed by a fault of the server" in line]
        if len(found["mails"]) != 2 * mails or len(set(found["mails"])) != 2 * mails:
            result.wrong.append(f"{len(found['mails'])} mails to {len(set(found['mails']))} recipients")
    finally:
        for host in hosts:
            host.remove()
        server.stop()
    return result


def _disturb(
    cluster: Cluster,
    server: PostgresqlServer,
    hosts: list[Host],
    result: Result,
    *,
    people: int,
    mails: int,
    clicks: int,
    cut: float,
    seed: int,
) -> None:
    links = cluster.clickable(clicks)
    for host in hosts[:3]:
        cluster.start_worker(host)
    for host in hosts[3:]:
        cluster.start_web(host)
    cluster.wait_for_webs()
    cluster.submit(people=people, mails=mails, seed=seed)
    clients = Clients(cluster, links, seed=seed)
    began = time.monotonic()
    try:
        _wait_for_share(cluster, 0.1)
        dead = _busy(cluster, cluster.workers)
        held, at = _leave(cluster, dead)
        kill(dead)
        taken = [("host killed", job_id, attempt, at) for job_id, attempt in held]
        _wait_for_share(cluster, 0.2)
        lost = _busy(cluster, [each for each in cluster.workers if each is not dead])
        held, at = _leave(cluster, lost)
        taken += [("host cut off", job_id, attempt, at) for job_id, attempt in held]
        back = time.monotonic() + cut
        time.sleep(cut / 4)
        down = time.monotonic()
        server.restart()
        result.restart_seconds = time.monotonic() - down
        time.sleep(cut / 8)
        victim = cluster.webs[0]
        clients.dying = victim
        kill(victim)
        cluster.wait(lambda: clients.refused, "no client meets the web host that was killed")
        clients.dead.append(victim)
        time.sleep(max(0.0, back - time.monotonic()))
        lost.host.join()
        cluster.wait(lambda: not cluster.open_jobs(), "the disturbed jobs do not end")
        result.disturbed_seconds = time.monotonic() - began
    finally:
        clients.stop()
    # The recorder may be on the host that was cut off.
    cluster.wait(lambda: not set(clients.answered) - clients.recorded().keys(), "clicks are not recorded")
    recorded = clients.recorded()
    result.wrong += clients.errors[:10]
    result.wrong += [f"mail {mail}: {times} clicks" for mail, times in recorded.items() if times != 1]
    result.polls, result.refused, result.clicks = clients.polls, clients.refused, len(clients.answered)
    if lost.process.poll() is not None:
        result.wrong.append("the worker that was cut off has ended")
    for what, job_id, attempt, at in taken:
        events = cluster.product.jobs.events(job_id)
        seconds = [(event.at - at).total_seconds() for event in events if event.attempt > attempt]
        if seconds:
            result.taken_over.setdefault(what, []).append(round(seconds[0], 1))
            # Nobody takes anything over while the server is down.
            if seconds[0] > TAKEN_OVER + (result.restart_seconds if what == "host cut off" else 0):
                result.wrong.append(f"job {job_id} went on {seconds[0]:.1f} s after: {what}")
        elif not any(event.state == "completed" and event.at <= at for event in events):
            result.wrong.append(f"job {job_id} was not taken over after: {what}")


def _wait_for_share(cluster: Cluster, share: float) -> None:
    cluster.wait(lambda: cluster.share() >= share, "the imports do not get on")


def _busy(cluster: Cluster, workers: list[Running]) -> Running:
    """Return a worker that runs an import."""

    def found() -> Running | None:
        busy = (each for each in workers if any(job.id in cluster.imports for job in cluster.jobs_of(each)))
        return next(busy, None)

    worker: Running = cluster.wait(found, "no worker runs an import")
    return worker


def _leave(cluster: Cluster, worker: Running) -> tuple[list[tuple[int, int]], datetime]:
    """Cut a worker's host off. Return the jobs that it had just before, with their attempts, and the time."""
    worker.host.cut_off()
    at = datetime.now(UTC)
    return [(job.id, job.attempt) for job in cluster.jobs_of(worker)], at


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Hosts die, and nobody can tell.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--mails", type=int, default=2_000)
    parser.add_argument("--clicks", type=int, default=3_000)
    parser.add_argument("--cut", type=float, default=18.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patience", type=float, default=Cluster.patience)
    given = vars(parser.parse_args())
    Cluster.patience = given.pop("patience")
    print(json.dumps(asdict(hold(given.pop("folder"), **given))))


if __name__ == "__main__":
    main()
