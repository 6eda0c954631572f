"""Sends by SMTP as clients see them: during, after success, after failure and after cancelling (lk-83, lk-84, lk-101).

The SMTP server holds its replies while the test looks.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.conftest import locally_served
from tests.sending.smtp_trial import Sink

from soapstone.accounts.account import Accounts
from soapstone.jobs.queue import Jobs
from soapstone.store import schema
from soapstone.store.database import Database

NEVER = datetime.min
EASTERN = ZoneInfo("America/New_York")
PEOPLE = [f"p{number}@people.example" for number in range(5)]
LETTER = "<Message><Subject>News</Subject><TextBody>Hello {{ Email }}</TextBody></Message>"
CALLS = pytest.mark.parametrize(("call", "steps"), [("SendToList", 3), ("SendToFile", 4)])


class Post:
    """A server whose mail goes to a sink, over one connection, so one mail is under way at a time."""

    def __init__(self, folder: Path, *options: str, user: str = "", **settings: Any) -> None:
        self.hold = folder / "hold"
        self.sink = Sink(folder / "accepted.jsonl", "--hold", str(self.hold), *options)
        given = {"smtp_connections": 1, "smtp_hostname": "client.example", **settings}
        url = f"smtp://{user}127.0.0.1:{self.sink.port}?starttls=never"
        # With --demo no mail would go to the SMTP server, so the account that clients use is made by hand.
        (folder / "data").mkdir()
        self.database = Database(f"sqlite:///{folder}/data/soapstone.sqlite")
        schema.upgrade(self.database)
        accounts = Accounts(self.database)
        accounts.add_login(accounts.create("DEMO", time_zone="America/New_York"), "demo", "demo")
        self._ends = ExitStack()
        server = locally_served(folder / "data", demo=False, smtp_url=url, **given)
        self.served = self._ends.enter_context(server)
        self.jobs = Jobs(self.database)

    def stop(self) -> None:
        self.hold.unlink(missing_ok=True)
        self.database.close()
        self._ends.close()
        self.sink.stop()

    def accepted(self, domain: str) -> int:
        """How many mails to a domain the sink has taken."""
        return sum(line["to"].endswith(f"@{domain}") for line in self.sink.lines())


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    running = Post(tmp_path_factory.mktemp("post"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def barred(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    """An SMTP server that does not let our server in."""
    running = Post(tmp_path_factory.mktemp("barred"), "--auth", user="user:wrong@")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def hesitant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    """An SMTP server that takes every mail at its second try only."""
    running = Post(tmp_path_factory.mktemp("hesitant"), "--deferred", "100", smtp_retry_seconds=4)
    yield running
    running.stop()


@pytest.fixture(params=["1.1", "1.2"])
def connect(request: pytest.FixtureRequest, client_class: Any) -> Callable[[Post], Any]:
    """A client of a server, in one of the SOAP versions."""
    return lambda post: client_class(post.served.base, request.param)


def submit(client: Any, call: str, list_id: int, people: list[str]) -> tuple[int, int]:
    """Start a Send to List or Send to File to these people: (StatusID, MsgID)."""
    file = ""
    if call == "SendToList":
        client.load(list_id, "\n".join(people).encode())
    else:
        file = f"<File>{base64.b64encode(chr(10).join(['EmailAddress', *people]).encode()).decode()}</File>"
    user = "<UserName>demo</UserName><Password>demo</Password>"
    status, text = client.post(call, f"<{call}>{user}<ListID>{list_id}</ListID>{LETTER}{file}</{call}>")
    assert status == 200, text
    return tuple(int(text.partition(f"<{name}>")[2].partition("<")[0]) for name in ("StatusID", "MsgID"))  # type: ignore[return-value]


def until(look: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    end = time.monotonic() + 60
    while not wanted(found := look()):
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


def clock() -> datetime:
    """Now, as the contract writes it (lk-23)."""
    return datetime.now(EASTERN).replace(tzinfo=None, microsecond=0)


def legacy(client: Any, list_id: int, process: int) -> Callable[[], Any]:
    return lambda: next(row for row in client.GetLegacyProcessStatus(list_id) if row["StatusID"] == process)


def over(row: Any) -> bool:
    return bool(row["ProcessCompleteTime"] != NEVER)


@CALLS
@pytest.mark.parametrize("many", [True, False])
def test_during_and_after_success(
    post: Post, connect: Callable[[Post], Any], call: str, steps: int, many: bool
) -> None:
    """lk-83, lk-84, lk-90: mails are built when the last one has been taken up, all is done when all were taken."""
    client, before = connect(post), clock()
    list_id = client.create()
    people = [f"{name.partition('@')[0]}@{list_id}.example" for name in (PEOPLE if many else PEOPLE[:1])]
    post.hold.touch()
    process, number = submit(client, call, list_id, people)
    # All recipients are chosen; of several, one is under way and the others wait.
    step = steps - 2 if many else steps - 1
    during = until(legacy(client, list_id, process), lambda row: row["CurrentStep"] == step)
    status = until(lambda: client.GetMessageStatus(number), lambda status: status["MessageStatus"] == "Sending")
    assert (status["SentCount"], status["EndTime"]) == (0, NEVER)
    time.sleep(0.3)
    again = legacy(client, list_id, process)()
    assert again == during
    assert before <= during.pop("ProcessStartTime") <= clock()
    kind = "Send to List" if call == "SendToList" else "Send to File"
    expected = {"StatusID": process, "ListID": list_id, "ProcessType": kind, "MaxStep": steps}
    assert during == {**expected, "CurrentStep": step, "ProcessCompleteTime": NEVER}
    assert client.GetProcessStatus(process)["Status"] == "ProcessingData"
    post.hold.unlink()
    done = until(legacy(client, list_id, process), over)
    assert again["ProcessStartTime"] == done.pop("ProcessStartTime") <= done.pop("ProcessCompleteTime") <= clock()
    assert done == {**expected, "CurrentStep": steps}
    assert post.accepted(f"{list_id}.example") == len(people)
    status = client.GetMessageStatus(number)
    assert (status["MessageStatus"], status["SentCount"]) == ("Sent", len(people))
    assert status["EndTime"] >= status["StartTime"] == again["ProcessStartTime"]


@CALLS
def test_after_failure(barred: Post, connect: Callable[[Post], Any], call: str, steps: int) -> None:
    """lk-84: ProcessCompleteTime is set, and CurrentStep stays below MaxStep; lk-101: the send waits to be retried."""
    client, before = connect(barred), clock()
    list_id = client.create()
    process, number = submit(client, call, list_id, PEOPLE)
    failed = until(legacy(client, list_id, process), over)
    assert 0 < failed["CurrentStep"] < failed["MaxStep"] == steps
    assert (failed["StatusID"], failed["ListID"]) == (process, list_id)
    assert failed["ProcessType"] == ("Send to List" if call == "SendToList" else "Send to File")
    assert before <= failed["ProcessStartTime"] <= failed["ProcessCompleteTime"] <= clock()
    status = client.GetMessageStatus(number)
    assert (status["MessageStatus"], status["SentCount"], status["EndTime"]) == ("ErrorSetToRetry", 0, NEVER)
    assert client.GetProcessStatus(process)["Status"] == "ProcessingFailed"
    assert barred.sink.lines() == []
    time.sleep(0.3)
    assert legacy(client, list_id, process)() == failed


@CALLS
def test_after_cancelling(post: Post, connect: Callable[[Post], Any], call: str, steps: int) -> None:
    """lk-84, lk-101: what was under way arrives and is counted, the others get nothing."""
    client, before = connect(post), clock()
    list_id = client.create()
    domain = f"{list_id}.example"
    post.hold.touch()
    process, number = submit(client, call, list_id, [f"p{each}@{domain}" for each in range(5)])
    until(legacy(client, list_id, process), lambda row: row["CurrentStep"] == steps - 2)
    until(
        lambda: post.jobs.get(None, process), lambda job: job.checkpoint.get("place", 0) > job.checkpoint["first"] - 1
    )
    account = Accounts(post.database).named("DEMO")
    assert account is not None
    assert post.jobs.cancel([account.id], process)
    post.hold.unlink()
    ended = until(legacy(client, list_id, process), over)
    assert ended["CurrentStep"] == steps - 2
    assert (ended["StatusID"], ended["ListID"], ended["MaxStep"]) == (process, list_id, steps)
    assert before <= ended["ProcessStartTime"] <= ended["ProcessCompleteTime"] <= clock()
    status = client.GetMessageStatus(number)
    assert (status["MessageStatus"], status["EndTime"]) == ("NotReady", NEVER)
    assert status["SentCount"] == post.accepted(domain) < 5
    assert client.GetProcessStatus(process)["Status"] == "ProcessingFailed"
    time.sleep(0.5)
    assert legacy(client, list_id, process)() == ended
    assert post.accepted(domain) == status["SentCount"]
    # The newest comes first, whatever became of it.
    other, _ = submit(client, call, list_id, [f"q{each}@{domain}" for each in range(2)])
    assert [row["StatusID"] for row in client.GetLegacyProcessStatus(list_id)] == [other, process]
    until(legacy(client, list_id, other), over)


def test_lk_101_a_soap_send_during_and_after(post: Post, connect: Callable[[Post], Any]) -> None:
    """And lk-83: it is no legacy process at any time."""
    client = connect(post)
    list_id = client.create()
    people = [f"p{each}@{list_id}.example" for each in range(3)]
    client.load(list_id, "\n".join(people).encode())
    message = {"ListID": list_id, "ListCampaignID": 0, "CharacterSetID": 1, "Subject": "News", "TextBody": "Hello"}
    message |= {"EnablePassalong": False, "EnableTracking": False}
    post.hold.touch()
    number = client.SendListMessage(message)
    status = until(lambda: client.GetMessageStatus(number), lambda status: status["MessageStatus"] == "Sending")
    assert (status["DeliveryType"], status["SentCount"], status["EndTime"]) == ("List", 0, NEVER)
    assert not client.GetLegacyProcessStatus(list_id)
    # A list is not deleted under a send (lk-44).
    assert client.DeleteContactList(list_id) is False
    post.hold.unlink()
    status = until(lambda: client.GetMessageStatus(number), lambda status: status["MessageStatus"] == "Sent")
    assert (status["SentCount"], post.accepted(f"{list_id}.example")) == (3, 3)
    assert not client.GetLegacyProcessStatus(list_id)


def test_lk_101_refused_for_now(hesitant: Post, connect: Callable[[Post], Any]) -> None:
    """A send whose mails wait to be tried again says so, and is Sent in the end."""
    client = connect(hesitant)
    list_id = client.create()
    client.load(list_id, f"p@{list_id}.example".encode())
    message = {"ListID": list_id, "ListCampaignID": 0, "CharacterSetID": 1, "Subject": "News", "TextBody": "Hello"}
    number = client.SendListMessage({**message, "EnablePassalong": False, "EnableTracking": False})
    status = until(lambda: client.GetMessageStatus(number), lambda status: status["MessageStatus"] == "ErrorSetToRetry")
    assert (status["SentCount"], status["EndTime"]) == (0, NEVER)
    status = until(lambda: client.GetMessageStatus(number), lambda status: status["MessageStatus"] == "Sent")
    assert status["SentCount"] == 1
