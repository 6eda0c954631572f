"""What clients see while they wait is what the transitions say, by every way to ask, and whatever happens meanwhile."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.jobs.conftest import wait_for
from tests.listrak.conftest import Listrak
from tests.magnetmail.conftest import MagnetMail

from soapstone.demo import prepare_demo
from soapstone.jobs.worker import Worker
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.sending.messages.message import Draft
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.testing.server import TestServer, local_test_server
from soapstone.testing.transition_forms import AfterPolls, TransitionIn
from soapstone.testing.transitions import Transitions

ROWS = "Email\nann@one.example\nbob@one.example\ncat@one.example\ndan@one.example\n"


class Client:
    """A client of the control API and of the REST API."""

    def __init__(self, base: str) -> None:
        self.control = httpx.Client(base_url=f"{base}/_test", timeout=30)
        self.rest = httpx.Client(base_url=f"{base}/api/v1", auth=("demo", "demo"), timeout=30)

    def transition(self, **members: Any) -> dict[str, Any]:
        answer = self.control.post("/transitions", json=members)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def upload(self, rows: str = ROWS, list_id: int = 1) -> int:
        answer = self.rest.post(
            f"/lists/{list_id}/imports", content=rows, params={"header": "true"}, headers={"Content-Type": "text/csv"}
        )
        assert answer.status_code == 202, answer.text
        return int(answer.json()["id"])

    def job(self, number: int) -> dict[str, Any]:
        answer = self.rest.get(f"/jobs/{number}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def states(self, number: int, polls: int) -> list[str]:
        return [self.job(number)["state"] for _ in range(polls)]

    def send(self, server: TestServer, **members: Any) -> int:
        account = server.product.accounts.named("DEMO")
        assert account is not None
        message = server.product.messages.save(account.id, 1, Draft(subject="News", plain="Hello"))
        given = {"message_id": message.id, "to": {"kind": "list", "list_id": 1}, "unsubscribe": "none", **members}
        answer = self.rest.post("/sends", json=given)
        assert answer.status_code == 202, answer.text
        return int(answer.json()["sends"][0]["id"])

    def pass_time(self, seconds: float) -> None:
        answer = self.control.post("/clock", json={"advance": seconds})
        assert answer.status_code == 200, answer.text

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.control.close()
        self.rest.close()


@pytest.fixture
def client(server: TestServer) -> Iterator[Client]:
    with Client(server.base) as made:
        yield made


class Ways:
    """Each way to ask how far a job is: the state as getUploadJobStatus numbers it."""

    PROCESSES = ("DataReadyForProcessing", "ProcessingData", "ProcessingCompleted", "ProcessingFailed")
    STATES = ("queued", "running", "completed", "failed")

    def __init__(self, base: str) -> None:
        self.magnetmail, self.listrak = MagnetMail(base, "1.1"), Listrak(base, "1.2")

    def log_on(self) -> None:
        """A reset has forgotten the session."""
        session = self.magnetmail.service.Authenticate(username="demo", password="demo")
        self.magnetmail.header = {"sessionId": session.sessionId, "user_id": session.user_id}

    def of(self, client: Client) -> dict[str, Callable[[int], int]]:
        return {
            "getUploadJobStatus": lambda number: int(self.magnetmail.getUploadJobStatus(jobid=number)["status"]),
            "getUploadJobStatusUTC": lambda number: int(self.magnetmail.getUploadJobStatusUTC(jobid=number)["status"]),
            "GetProcessStatus": lambda number: self.PROCESSES.index(self.listrak.GetProcessStatus(number)["Status"]),
            "REST": lambda number: self.STATES.index(client.job(number)["state"]),
        }


@pytest.fixture(scope="module")
def clients(started: TestServer) -> Ways:
    return Ways(started.base)


@pytest.fixture
def ways(clients: Ways, server: TestServer) -> Ways:
    clients.log_on()
    return clients


@pytest.mark.parametrize("way", ["getUploadJobStatus", "getUploadJobStatusUTC", "GetProcessStatus", "REST"])
@pytest.mark.parametrize(
    ("transition", "seen"),
    [
        ({"start": {"after_polls": 2}, "end": {"after_polls": 3}}, [0, 0, 1, 1, 1, 2, 2]),
        ({"start": {"after_polls": 1}, "end": "at_once"}, [0, 2, 2]),
        ({"start": "at_once", "end": {"after_polls": 1}}, [1, 2]),
        ({"start": {"after_polls": 0}, "end": {"after_polls": 0}}, [2]),
        ({"start": {"after_polls": 1}, "end": {"after_polls": 1}, "outcome": "failed", "reason": "No."}, [0, 1, 3]),
    ],
)
def test_polls_see_exactly_what_the_transition_says(
    client: Client, ways: Ways, way: str, transition: dict[str, Any], seen: list[int]
) -> None:
    poll = ways.of(client)[way]
    client.transition(**transition)
    job = client.upload()
    assert [poll(job) for _ in seen] == seen


def test_polls_of_all_kinds_count_together(client: Client, ways: Ways) -> None:
    """A client may ask by one contract for what it has submitted by another."""
    polls = list(ways.of(client).values())
    client.transition(start={"after_polls": 4}, end={"after_polls": 4})
    job = client.upload()
    assert [poll(job) for poll in polls * 3] == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]


def test_polls_at_the_same_time_see_as_much_as_polls_in_turn(client: Client) -> None:
    for _ in range(3):
        client.transition(start={"after_polls": 7}, end={"after_polls": 8})
        job = client.upload()
        with ThreadPoolExecutor(10) as pool:
            seen = Counter(each["state"] for each in pool.map(client.job, [job] * 30))
        assert seen == {"queued": 7, "running": 8, "completed": 15}


def test_a_send_by_every_way_to_ask(client: Client, ways: Ways, server: TestServer) -> None:
    product, listrak = server.product, ways.listrak
    account = product.accounts.named("DEMO")
    assert account is not None
    newsletter = product.lists.get(account.id, 1)
    assert newsletter is not None
    client.transition(start={"after_polls": 1}, end={"after_polls": 4})
    made = product.sends.to_list(
        account=account, login=None, contact_list=newsletter, message=Draft(subject="News", plain="Hello")
    )
    send = made.job.id

    def legacy() -> bool:
        """Whether it has ended."""
        found = next(row for row in listrak.GetLegacyProcessStatus(1) if row["StatusID"] == send)
        return bool(found["ProcessCompleteTime"].year > 1)

    def sent() -> str:
        return str(listrak.GetMessageStatus(made.message.id)["MessageStatus"])

    assert client.rest.get(f"/sends/{send}").json()["state"] == "queued"
    assert client.job(send)["state"] == "running"
    assert not legacy()
    assert sent() == "Sending"
    assert client.rest.get(f"/sends/{send}").json()["state"] == "running"
    assert sent() == "Sent"
    assert legacy()
    assert client.rest.get(f"/sends/{send}").json()["recipients"]["handed"] > 0


def test_an_event_stream_shows_each_state(client: Client) -> None:
    client.transition(start={"after_polls": 1}, end={"after_polls": 1})
    job = client.upload()
    states = []
    with client.rest.stream("GET", f"/jobs/{job}/events") as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                states.append(httpx.Response(200, content=line[6:]).json()["state"])
    assert states == ["queued", "running", "completed"]


def test_a_job_that_is_told_goes_on_when_it_is(client: Client) -> None:
    client.transition(start="told", end="told")
    job = client.upload()
    assert client.states(job, 5) == ["queued"] * 5
    assert client.control.post(f"/jobs/{job}/advance").json() == {"job": job, "state": "running"}
    assert client.states(job, 5) == ["running"] * 5
    # Its work is done: the counters say so.
    assert client.job(job)["counters"] == {"added": 4}
    assert client.control.post(f"/jobs/{job}/advance").json() == {"job": job, "state": "completed"}
    over = client.control.post(f"/jobs/{job}/advance")
    assert (over.status_code, over.json()["detail"]) == (409, "The job is over.")
    assert client.control.post("/jobs/987654/advance").status_code == 404
    assert client.control.post(f"/jobs/{10**30}/advance").status_code == 422


def test_a_job_that_stays_holds_up_its_list_alone(client: Client) -> None:
    """More of them than the worker has slots."""
    client.transition(jobs="all", end="never")
    lists = [client.rest.post("/lists", json={"name": f"list {number}"}).json()["id"] for number in range(6)]
    held = [client.upload(list_id=number) for number in lists]
    assert [client.job(job)["state"] for job in held] == ["running"] * 6
    refused = client.control.post(f"/jobs/{held[0]}/advance")
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "The job's transition says that it stays where it is.",
    )
    client.transition(jobs="next", end={"after_polls": 0})
    assert client.job(client.upload())["state"] == "completed"
    behind = client.upload(list_id=lists[0])
    assert client.states(behind, 2) == ["queued"] * 2
    assert client.control.delete("/transitions").status_code == 204
    wait_for(lambda: all(client.job(job)["state"] == "completed" for job in [*held, behind]))


def test_time_of_the_server_brings_a_job_on(client: Client) -> None:
    client.transition(start={"after_seconds": 3600}, end={"after_seconds": 7200})
    job = client.upload()
    assert client.states(job, 2) == ["queued"] * 2
    client.pass_time(3600)
    assert client.states(job, 2) == ["running"] * 2
    client.pass_time(7200)
    assert client.states(job, 2) == ["completed"] * 2


def test_each_next_job_takes_a_transition_of_its_own_and_all_the_rest(client: Client) -> None:
    first = client.transition(jobs="next", outcome="failed", reason="The first.")
    second = client.transition(jobs="next", outcome="failed", reason="The second.")
    rest = client.transition(jobs="all", outcome="failed", reason="The rest.")
    jobs = [client.upload() for _ in range(4)]
    assert [client.job(job)["error"] for job in jobs] == ["The first.", "The second.", "The rest.", "The rest."]
    listed = client.control.get("/transitions").json()["transitions"]
    assert [(each["number"], each["applied_to"]) for each in listed] == [
        (first["number"], jobs[:1]),
        (second["number"], jobs[1:2]),
        (rest["number"], jobs[2:]),
    ]


def test_a_transition_of_one_job(client: Client) -> None:
    client.transition(start="told")
    job = client.upload()
    assert client.job(job)["state"] == "queued"
    client.transition(jobs=job, outcome="failed", reason="Meanwhile.")
    assert (client.job(job)["state"], client.job(job)["error"]) == ("failed", "Meanwhile.")
    assert client.control.post("/transitions", json={"jobs": job}).status_code == 409
    assert client.control.post("/transitions", json={"jobs": 987654}).status_code == 404


def test_a_job_that_fails_does_no_work_and_can_be_retried(client: Client, ways: Ways, server: TestServer) -> None:
    before = client.rest.get("/lists/1").json()["members"]
    client.transition(end={"after_polls": 1}, outcome="failed", reason="The disk is full.")
    job = client.upload()
    assert client.states(job, 2) == ["running", "failed"]
    status = ways.magnetmail.getUploadJobStatus(jobid=job)
    assert (status["status"], status["msg"], status["total_records"]) == (3, "The disk is full.", 0)
    assert [event.state for event in server.product.jobs.events(job)] == ["queued", "running", "failed"]
    assert client.rest.get("/lists/1").json()["members"] == before
    assert client.rest.post(f"/jobs/{job}/retry").status_code == 202
    wait_for(lambda: client.job(job)["state"] == "completed")
    assert client.rest.get("/lists/1").json()["members"] == before + 4


def test_a_job_that_fails_by_itself_fails_when_its_transition_says(client: Client) -> None:
    client.transition(start={"after_polls": 1}, end={"after_polls": 2})
    job = client.upload("Email\n" + '"' * 3)
    assert client.states(job, 2) == ["queued", "running"]
    assert client.states(job, 2) in (["running", "completed"], ["running", "failed"])


@pytest.mark.parametrize("start", ["told", "at_once"])
def test_a_held_job_can_be_cancelled(client: Client, start: str) -> None:
    client.transition(start=start, end="told")
    job = client.upload()
    assert client.job(job)["state"] == ("queued" if start == "told" else "running")
    assert client.rest.post(f"/jobs/{job}/cancel").status_code == 202
    wait_for(lambda: client.job(job)["state"] == "cancelled")


def test_a_job_that_is_not_due_holds_nobody_who_asks(client: Client, server: TestServer) -> None:
    client.transition(end={"after_polls": 1})
    send = client.send(server, at="2200-01-01T00:00:00Z")
    began = time.monotonic()
    assert client.states(send, 3) == ["queued"] * 3
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("start", ["told", "at_once"])
def test_a_reset_lets_go_of_held_jobs(client: Client, server: TestServer, start: str) -> None:
    client.transition(jobs="all", start=start, end="told")
    job = client.upload()
    client.job(job)
    began = time.monotonic()
    server.reset()
    assert time.monotonic() - began < 5
    assert client.control.get("/transitions").json() == {"transitions": []}
    # The number is given again, and nothing is known of the job that had it.
    assert client.upload() == job
    wait_for(lambda: client.job(job)["state"] == "completed")


def test_a_server_ends_with_held_jobs() -> None:
    before = set(threading.enumerate())
    with local_test_server() as server, Client(server.base) as client:
        client.transition(jobs="all", end="told")
        assert client.job(client.upload())["state"] == "running"
        client.transition(jobs="all", start="told")
        assert client.job(client.upload())["state"] == "queued"
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert not {name for name in left if name.startswith("job-")}


def test_rows_are_rejected_as_told(client: Client, ways: Ways) -> None:
    """Lines count as in the report, a heading among them. A row that is rejected supersedes no other one."""
    client.transition(
        reject_rows=[{"row": 3, "reason": "banned"}, {"row": 5}, {"row": 6, "reason": "too_long"}, {"row": 99}]
    )
    job = client.upload("Email\nann@one.example\nbob@one.example\ncat@one.example\ndan@one.example\nann@one.example\n")
    wait_for(lambda: client.job(job)["state"] == "completed")
    assert client.job(job)["counters"] == {"added": 2, "banned": 1, "invalid_address": 1, "too_long": 1}
    rejected = client.rest.get(f"/imports/{job}/rejects").text.splitlines()
    assert [(line.partition(",")[0], line.rpartition(",")[2]) for line in rejected[1:]] == [
        ("3", "bob@one.example"),
        ("5", "dan@one.example"),
        ("6", "ann@one.example"),
    ]
    status = ways.magnetmail.getUploadJobStatus(jobid=job)
    assert (status["total_records"], status["good_records"], status["new_added"]) == (5, 2, 2)


def test_rows_of_both_contracts_are_rejected_as_told(client: Client, ways: Ways) -> None:
    client.transition(jobs="all", reject_rows=[{"row": 2, "reason": "invalid_address"}])
    done = ways.magnetmail.upload(ROWS, groupid=1, header_line=True)
    assert (done["total_records"], done["good_records"], done["status"]) == (4, 3, 2)
    listrak = ways.listrak
    process = listrak.load(1, b"eve@one.example\nfay@one.example\n")
    (run,) = (each for each in listrak.history(1) if each["ImportFileID"] == process)
    assert (run["ProcessedCount"], run["InvalidEmailCount"]) == (2, 1)


@pytest.mark.parametrize(
    "given",
    [
        {"jobs": "some"},
        {"jobs": 0},
        {"jobs": 10**30},
        {"start": "soon"},
        {"start": {"after_polls": -1}},
        {"end": {"after_seconds": -1}},
        {"end": {"after_polls": 1, "after_seconds": 1}},
        {"outcome": "failed"},
        {"reason": "without an outcome"},
        {"outcome": "failed", "reason": "No.", "reject_rows": [{"row": 1}]},
        {"reject_rows": [{"row": 0}]},
        {"reject_rows": [{"row": 10**30}]},
        {"reject_rows": [{"row": 1, "reason": "no reason of ours"}]},
        {"unknown": 1},
    ],
)
def test_what_is_no_transition(started: TestServer, given: dict[str, Any]) -> None:
    answer = httpx.post(f"{started.base}/_test/transitions", json=given)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_wrong_credentials_are_no_poll(client: Client) -> None:
    client.transition(start={"after_polls": 1})
    job = client.upload()
    for _ in range(3):
        assert httpx.get(f"{client.rest.base_url}jobs/{job}", auth=("demo", "wrong")).status_code == 401
    assert client.states(job, 2) == ["queued", "completed"]


def test_on_both_databases(database: Database, tmp_path: Path) -> None:
    """The test server has SQLite; programs may put the parts together for PostgreSQL."""
    product = Product.open(Settings(data_dir=tmp_path), database)
    prepare_demo(product)
    transitions = Transitions(database)
    product.jobs.asked = transitions.asked
    for number, end in ((1, 1), (2, 2)):
        asked = TransitionIn(jobs=number, start=AfterPolls(after_polls=1), end=AfterPolls(after_polls=end))
        transitions.add(asked)
    worker = Worker(
        database, product.blobs, transitions.runners(runners(product)), slots=1, idle=0.01, gate=transitions
    )
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        for number, seen in ((1, ["queued", "running", "completed"]), (2, ["queued", "running", "running"])):
            jobs = [product.jobs.asked(product.jobs.get(None, number) or pytest.fail("no job")) for _ in seen]
            assert [job.state for job in jobs] == seen
        assert product.jobs.cancel(None, 2)
        wait_for(lambda: (job := product.jobs.get(None, 2)) is not None and job.state == "cancelled")
    finally:
        worker.stop()
        thread.join()
