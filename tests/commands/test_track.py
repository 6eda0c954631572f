"""`soapstone track …`: what became of sent mails, in words and as JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from soapstone.cli import app
from soapstone.demo import prepare_demo
from soapstone.jobs.worker import Worker
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.sending.messages.message import Draft
from soapstone.sending.simulator import DOMAIN, RETURNED
from soapstone.settings import Settings
from soapstone.store.database import Database

Run = Callable[..., Result]
URL = "https://example.com/[bold]x[/bold]"


@pytest.fixture
def run(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs commands on the records of a demo; the addresses of its mail simulator got message 1."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(sqlite_template, data / "soapstone.sqlite")
    monkeypatch.setenv("SOAPSTONE_DATA_DIR", str(data))
    settings = Settings(data_dir=data, public_url="https://lists.example")
    database = Database(settings.database)
    product = Product.open(settings, database)
    prepare_demo(product, sends=False)
    owner = product.accounts.all()[0]
    to = product.lists.all(owner.id)[1]
    draft = Draft(subject="News", html=f'<a href="{URL}">See</a>', plain="Hello")
    stored = product.messages.save(owner.id, to.id, draft)
    product.sends.to_members(account=owner, login=None, contact_list=to, message=stored, unsubscribe="none")
    worker = Worker(product.database, product.blobs, runners(product), idle=0.01)
    worker.run(
        until=lambda: all(job.over or job.attempt > 1 or job.counters.get("deferred") for job in product.jobs.find())
    )
    database.close()

    def call(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, ["track", *arguments])
        assert result.exit_code == code, result.output
        return result

    return call


def read(run: Run, *arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").output)


def test_figures(run: Run) -> None:
    found = read(run, "figures", "--message", "1")
    (of_send,) = found.pop("sends")
    number = str(of_send.pop("send_id"))
    assert found == of_send
    assert (found["sent"], found["delivered"], found["bounced"]) == (6, 4, 2)
    for which in (("--message", "1"), ("--send", number)):
        told = run("figures", *which).output.splitlines()
        assert told[:4] == ["6 sent", "4 delivered", "2 came back", "3 mails opened"]
        assert len(told) == len(found)
    assert "1 clicks" in told
    assert read(run, "figures", "--send", number) == of_send | {"send_id": int(number)}


def test_links(run: Run) -> None:
    (link,) = read(run, "links", "1")
    assert (link["url"], link["clicks"], link["clickers"]) == (URL, 1, 1)
    assert URL in run("links", "1").output


def test_events_and_bounces(run: Run) -> None:
    number = str(read(run, "figures", "--message", "1")["sends"][0]["send_id"])
    opened = [f"{local}@{DOMAIN}" for local in ("opens", "reads", "clicks")]
    events = read(run, "events", "open", "--send", number)
    assert [each["email"] for each in events] == opened
    assert read(run, "events", "open") == events
    assert read(run, "events", "open", "--message", str(events[0]["message_id"])) == events
    table = run("events", "open", "--limit", "2").output
    assert [address in table for address in opened] == [True, True, False]
    assert "These are 2: show more with --limit, or all with --json." in table
    assert "These are" not in run("events", "open", "--limit", "3").output
    assert URL in run("events", "click").output
    back = read(run, "bounces", number)
    assert {each["bounce"]["words"] for each in back} == {
        RETURNED,
        "550 5.1.1 Recipient address rejected: user unknown",
    }
    assert RETURNED in run("bounces", number).output


def test_what_is_not_there(run: Run) -> None:
    number = str(read(run, "figures", "--message", "1")["sends"][0]["send_id"])
    for arguments, sentence in (
        (("figures",), "Name a message with --message, or a send with --send."),
        (("figures", "--message", "99"), "There is no message 99 in account DEMO."),
        (("figures", "--send", "99"), "There is no send 99 in account DEMO."),
        (("figures", "--send", number, "--message", "99"), f"Send {number} did not send message 99."),
        (("links", "99"), "There is no message 99 in account DEMO."),
        (("bounces", "99"), "There is no send 99 in account DEMO."),
        (
            ("events", "open", "--message", "1"),
            "Sends made copies of message 1. Ask for the events of each send with --send.",
        ),
    ):
        assert run(*arguments, code=1).output.strip() == sentence


def test_recipients_of_a_send_as_json(run: Run) -> None:
    number = str(read(run, "figures", "--message", "1")["sends"][0]["send_id"])
    result = CliRunner().invoke(app, ["send", "status", number, "--recipients", "--json"])
    found = {each["email"].partition("@")[0]: each for each in json.loads(result.output)}
    assert (found["clicks"]["clicks"], found["opens"]["opens"]) == (1, 1)
    assert found["bounces"]["bounce"]["class"] == "user"


def test_mails_that_came_in(run: Run, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    product = Product.open(settings, Database(settings.database))
    note = b"Subject: [bold]Away\r\n\r\nI am away.\r\n"
    for raw in (note, b"Something else."):
        product.incoming_mails.take(raw, source="pipe")
    product.database.close()
    first, second = read(run, "incoming")
    assert (first["kind"], first["outcome"], first["source"], first["has_content"]) == (
        "reply",
        "unsigned",
        "pipe",
        True,
    )
    assert "not signed" in run("incoming").output
    assert "show more with --limit" in run("incoming", "--limit", "1").output
    # They are about no mail of any account.
    assert read(run, "incoming", "--account", "DEMO") == []
    assert read(run, "incoming", "--outcome", "recorded") == []
    assert run("content", str(first["id"])).stdout_bytes == note
    run("content", str(second["id"]), "-o", str(tmp_path / "mail.eml"))
    assert (tmp_path / "mail.eml").read_bytes() == b"Something else."
    assert "Nothing is kept of a mail 4711." in run("content", "4711", code=1).output
