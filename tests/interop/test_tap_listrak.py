"""tap-listrak, which copies reports into a warehouse, reads all its streams while people open and click.

Its windows touch: the end of one run is the start of the next. What it wrote is exactly what happened.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import LocalServed, locally_served

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent / "tap"
PYTHON = HERE / "environment" / "bin" / "python"
PUBLIC = "https://mail.example.com"
READERS, MESSAGES = 40, 2
GONE = ("bounces+1@simulator.example", "bounces+2@simulator.example")
SECONDS = float(os.environ.get("TAP_SECONDS", "12"))
# Events are dated this much ahead at most, and recorded some moments after the answer.
SETTLED = 3.0
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}
LINK = re.compile(r'"(https://mail\.example\.com(/[cor]/[^"]+))"')


@pytest.fixture
def served(tmp_path: Path, demo_records: Path) -> Iterator[LocalServed]:
    settings: dict[str, Any] = {"public_url": PUBLIC, "machine_click_seconds": 0.0}
    with locally_served(tmp_path / "data", demo_records, **settings) as running:
        # Windows of a client that speaks of times without a zone touch only where that is the account's zone.
        account = running.product.accounts.named("DEMO")
        assert account is not None
        running.product.accounts.change(account, time_zone="UTC")
        yield running


class Mailing:
    """A list with readers who were sent messages, and what they did: stream → what its rows must be."""

    def __init__(self, served: LocalServed) -> None:
        self.api = httpx.Client(base_url=f"{served.base}/api/v1", auth=("demo", "demo"), timeout=60)
        self.web = httpx.Client(base_url=served.base, headers=BROWSER, timeout=60)
        self.lock = threading.Lock()
        self.did: dict[str, Counter[tuple[str, ...]]] = {
            name: Counter() for name in ("message_clicks", "message_opens", "message_reads", "message_unsubs")
        }
        self.list = self.api.post("/lists", json={"name": "Warehouse"}).json()["id"]
        rows = "Email\n" + "".join(f"reader{number}@tap.example\n" for number in range(READERS))
        rows += "".join(f"{address}\n" for address in GONE)
        self.api.post(f"/lists/{self.list}/imports", content=rows, headers={"Content-Type": "text/csv"})
        served.settle()
        html = '<p><a href="https://shop.example/one">One</a> <a href="https://shop.example/two">Two</a></p>'
        self.messages = [
            self.api.post(
                "/messages",
                json={"list_id": self.list, "subject": f"Number {n}", "html": html, "from_address": "a@tap.example"},
            ).json()["id"]
            for n in range(MESSAGES)
        ]
        for message in self.messages:
            to = {"kind": "list", "list_id": self.list}
            answer = self.api.post("/sends", json={"message_id": message, "to": to, "unsubscribe": "none"})
            assert answer.status_code == 202, answer.text
        served.settle()
        # Address and message of each mail, and its tracked paths by their letter.
        self.mails: list[tuple[str, str, dict[str, list[str]]]] = []
        sent = {
            each["id"]: str(each["message_id"])
            for each in self.api.get("/sends?list_id=" + str(self.list)).json()["items"]
        }
        for path in sorted(served.data.glob("mail/*.eml")):
            mail: EmailMessage = BytesParser(EmailMessage, policy=policy.default).parsebytes(path.read_bytes())
            job = int(path.name.partition("-")[0])
            if job in sent and mail["To"].addresses[0].addr_spec not in GONE:
                body = mail.get_body(("html",))
                assert body is not None
                paths: dict[str, list[str]] = {"c": [], "o": [], "r": []}
                for _, found in LINK.findall(body.get_content()):
                    paths[found[1]].append(found)
                self.mails.append((sent[job], mail["To"].addresses[0].addr_spec, paths))
        assert len(self.mails) == READERS * MESSAGES

    def close(self) -> None:
        self.api.close()
        self.web.close()

    def act(self, chance: random.Random, kinds: str) -> None:
        """Do one thing of these kinds that some reader does: click, open, read."""
        message, address, paths = chance.choice(self.mails)
        kind = chance.choice(kinds)
        target = chance.choice(paths[kind])
        answer = self.web.get(target, follow_redirects=False)
        with self.lock:
            if kind == "c":
                assert answer.status_code == 302
                self.did["message_clicks"][message, address, answer.headers["location"]] += 1
            else:
                assert answer.status_code == 200
            # A click proves an open and a read.
            self.did["message_opens"][message, address] += 1
            if kind != "o":
                self.did["message_reads"][message, address] += 1


def run(served: LocalServed, folder: Path, state: dict[str, Any] | None) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run the tap once; its records, and the state for its next run."""
    config = folder / "config.json"
    config.write_text(json.dumps({"start_date": "2020-01-01T00:00:00Z", "username": "demo", "password": "demo"}))
    catalog = folder / "catalog.json"
    address = f"{served.base}/v31/IntegrationService.asmx?wsdl"
    command: list[str | Path] = [PYTHON, HERE / "start.py", address, "--config", config]
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    if not catalog.exists():
        found = subprocess.run([*command, "--discover"], env=environment, text=True, capture_output=True, check=True)
        streams = json.loads(found.stdout)
        for stream in streams["streams"]:
            stream["schema"]["selected"] = True
        catalog.write_text(json.dumps(streams))
    command += ["--properties", catalog]
    if state is not None:
        (folder / "state.json").write_text(json.dumps(state))
        command += ["--state", folder / "state.json"]
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    states = [line["value"] for line in lines if line["type"] == "STATE"]
    return [line for line in lines if line["type"] == "RECORD"], states[-1]


def test_what_the_tap_wrote_is_what_happened(served: LocalServed, tmp_path: Path) -> None:
    with closing(Mailing(served)) as mailing:
        compare(served, tmp_path, mailing)


def compare(served: LocalServed, tmp_path: Path, mailing: Mailing) -> None:
    """Run the tap while readers act; compare what it wrote with what they did."""
    over = threading.Event()

    def live(seed: int, kinds: str) -> None:
        chance = random.Random(seed)
        while not over.is_set():
            mailing.act(chance, kinds)
            time.sleep(0.02)

    # A read takes as long as its picture, some seconds.
    threads = [threading.Thread(target=live, args=each) for each in ((17, "cco"), (18, "r"))]
    for thread in threads:
        thread.start()
    end = time.monotonic() + SECONDS
    records, state, runs = [], None, 0
    try:
        while time.monotonic() < end or runs < 2:
            found, state = run(served, tmp_path, state)
            records += found
            runs += 1
    finally:
        over.set()
        for thread in threads:
            thread.join()
    # The last read waits for its picture, and the recorder for the end of its batch.
    time.sleep(SETTLED)
    found, state = run(served, tmp_path, state)
    records += found

    def rows(stream: str, *names: str) -> Counter[tuple[str, ...]]:
        return Counter(
            tuple(str(line["record"][name]) for name in names) for line in records if line["stream"] == stream
        )

    mine = {str(message) for message, _, _ in mailing.mails}
    clicks = rows("message_clicks", "MsgID", "EmailAddress", "LinkUrl")
    assert clicks.total() > READERS
    assert {row: count for row, count in clicks.items() if row[0] in mine} == dict(mailing.did["message_clicks"])
    for stream in ("message_opens", "message_reads"):
        seen = rows(stream, "MsgID", "EmailAddress")
        assert {row for row in seen if row[0] in mine} == set(mailing.did[stream])
        # A later run may have the first one of its own window.
        assert max(seen.values()) <= runs + 1
    returned = {(message, address) for message in mine for address in GONE}
    bounces = rows("message_bounces", "MsgID", "EmailAddress")
    assert {row: count for row, count in bounces.items() if row[0] in mine} == dict.fromkeys(returned, 1)
    sent = rows("message_sends", "MsgID", "EmailAddress")
    readers = {(message, address) for message, address, _ in mailing.mails}
    assert {row for row in sent if row[0] in mine} == readers | returned
    subscribed = rows("subscribed_contacts", "ListID", "EmailAddress")
    assert len([row for row in subscribed if row[0] == str(mailing.list)]) == READERS + len(GONE)
