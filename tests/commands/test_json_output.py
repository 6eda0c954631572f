"""`--json`: every command that shows records prints them for programs, in the shapes of the REST API."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer.main
from tests.conftest import LocalServed
from typer.testing import CliRunner, Result

from soapstone.cli import app
from soapstone.demo import LOGIN, PASSWORD

# Command → its arguments, and the REST address that shows the same; None where there is no such address.
SHOWN: dict[str, tuple[list[str], str | None]] = {
    "account list": ([], None),
    "account logins": ([], "logins"),
    "account audit": ([], "account/audit"),
    "list list": ([], "lists"),
    "message list": ([], "messages"),
    "message show": (["1"], "messages/1"),
    "message preview": (["1", "--to", "ada@example.com"], None),
    "send list": ([], "sends"),
    "send status": (["2"], "sends/2"),
    "track figures": (["--send", "SEND"], "sends/SEND/figures"),
    "track links": (["MESSAGE"], "messages/MESSAGE/links"),
    "track events": (["click", "--send", "SEND"], "sends/SEND/events?kind=click"),
    "track bounces": (["SEND"], "sends/SEND/bounces"),
    "track incoming": ([], "incoming"),
    "category list": ([], "categories"),
    "event list": (["--list", "1"], "lists/1/external-events"),
    "attribute list": (["--list", "1"], "lists/1/profile"),
    "campaign list": (["--list", "1"], "lists/1/campaigns"),
    "review list": (["--list", "1"], "lists/1/review-group"),
    "search find": (["Email=a*"], "contacts?email=a*"),
    "search list": ([], "searches"),
    "mapping list": ([], "mappings"),
    "occasion list": ([], "occasions"),
    "occasion people": (["1"], "occasions/1/sign-ups"),
    "token list": ([LOGIN], "tokens"),
    "jobs list": ([], "jobs"),
    "jobs show": (["1"], "jobs/1"),
    "db check": ([], None),
    "settings": ([], None),
    "dkim": ([], None),
}
# Those that report on what they did with a server; their own tests look at their JSON.
REPORTS = {"db move", "replay", "migrate"}

# Numbers of what the tests made, by their words in SHOWN.
NUMBERS: dict[str, str] = {}


def commands(command: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command that does something, with the words that call it."""
    command = command or typer.main.get_command(app)
    for name, each in getattr(command, "commands", {}).items():
        if hasattr(each, "commands"):
            yield from commands(each, (*words, name))
        else:
            yield " ".join((*words, name)), each


def run(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def filled(served: LocalServed) -> Iterator[httpx.Client]:
    """A client of a server with one of each thing; the command line works on the same records."""
    with httpx.Client(base_url=f"{served.base}/api/v1/", auth=(LOGIN, PASSWORD)) as api:
        for address, body in (
            ("categories", {"name": "Clubs"}),
            ("lists/1/external-events", {"name": "Bought"}),
            ("lists/1/campaigns", {"name": "Spring"}),
            ("lists/1/review-group", {"email": "boss@example.com"}),
            ("searches", {"name": "London", "criteria": {"city": "London"}}),
            ("mappings", {"object_type": "Committee", "identifier": "C1", "own_id": 1}),
            ("occasions", {"name": "Picnic"}),
            ("tokens", {"name": "a \x9b program"}),
        ):
            assert api.post(address, json=body).is_success, address
        linked = {"html": '<a href="https://shop.example/">Shop</a>', "from_address": "news@example.com"}
        message = api.post("messages", json={"list_id": 1, "subject": "Seen", **linked}).json()["id"]
        to = {
            "kind": "addresses",
            "list_id": 1,
            "emails": [f"{name}@simulator.example" for name in ("bounces", "clicks")],
        }
        (send,) = api.post("sends", json={"message_id": message, "to": to}).json()["sends"]
        assert api.post("incoming", content=b"I am away", headers={"Content-Type": "message/rfc822"}).is_success
        served.settle()
        NUMBERS.update(SEND=str(send["id"]), MESSAGE=str(send["message_id"]))
        occasions = served.product.event_sign_ups
        (picnic,) = occasions.all(1)
        person = {"email": "ada@example.com", "first_name": "Ada", "last_name": "", "reference": "", "answers": []}
        occasions.sign_up(picnic, [person], live=True)
        yield api


@pytest.fixture
def records(served: LocalServed, filled: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> httpx.Client:
    monkeypatch.setenv("SOAPSTONE_DATA_DIR", str(served.data))
    return filled


def test_every_command_that_shows_records_is_looked_at() -> None:
    """A table, or lines of records, are for people: the same command has `--json`."""
    known = dict(commands())
    with_json = {words for words, command in known.items() if any("--json" in each.opts for each in command.params)}
    tables = {
        words
        for words, command in known.items()
        if re.search(r"(Table|print_rows)\(", inspect.getsource(command.callback))
    }
    assert len(tables) > 15
    assert tables <= with_json
    assert with_json == SHOWN.keys() | REPORTS
    reading = {words for words in known if words.split()[-1] in ("list", "show", "status", "check", "find", "audit")}
    assert reading <= with_json


@pytest.mark.parametrize("words", [words for words in SHOWN if words != "dkim"])
def test_json_is_what_the_rest_api_shows(words: str, records: httpx.Client) -> None:
    arguments, address = SHOWN[words]
    arguments = [NUMBERS.get(each, each) for each in arguments]
    for word, number in NUMBERS.items():
        address = address and address.replace(word, number)
    printed = json.loads(run(*words.split(), *arguments, "--json").stdout)
    assert printed
    if address is None:
        return
    answer = records.get(address).raise_for_status().json()
    shown = answer["items"] if isinstance(answer, dict) and "items" in answer else answer
    if words in ("jobs list", "send list"):
        # The newest ones come first.
        shown = shown[::-1]
    assert printed == shown


def test_numbers_are_numbers_and_times_have_their_zone(records: httpx.Client) -> None:
    (first, *_) = json.loads(run("list", "list", "--json").stdout)
    assert isinstance(first["members"], int)
    assert datetime.fromisoformat(first["created_at"]).tzinfo is not None
    settings = {each["name"]: each for each in json.loads(run("settings", "--json").stdout)}
    assert settings["SOAPSTONE_LOCK_MINUTES"]["value"] == 15
    assert settings["SOAPSTONE_TRUSTED_PROXIES"]["value"] == []
    assert settings["SOAPSTONE_DATA_DIR"]["source"] == "variable"
    assert json.loads(run("db", "check", "--json").stdout)["doubles"] == {}


def test_a_ledger_is_printed_whole(records: httpx.Client) -> None:
    printed = json.loads(run("send", "status", "2", "--recipients", "--limit", "1", "--json").stdout)
    assert printed == records.get("sends/2/recipients").json()["items"]
    assert len(printed) > 5


def test_nothing_is_an_empty_array(records: httpx.Client) -> None:
    assert json.loads(run("search", "find", "City=Nowhere", "--json").stdout) == []


def test_a_terminal_is_told_nothing(records: httpx.Client) -> None:
    output = run("token", "list", LOGIN, "--json").stdout
    assert "\x9b" not in output
    assert "a \x9b program" in [each["name"] for each in json.loads(output)]


def test_faults_are_lines_on_standard_error(records: httpx.Client) -> None:
    result = run("jobs", "show", "4711", "--json", code=1)
    assert (result.stdout, result.stderr) == ("", "There is no job 4711.\n")


def test_dkim_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    key = tmp_path / "dkim.pem"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key.write_bytes(generate_private_key(65537, 2048).private_bytes(*form))
    key.chmod(0o600)
    monkeypatch.setenv("SOAPSTONE_DKIM_KEYS", f"example.com:s1:{key}")
    (record,) = json.loads(run("dkim", "--json").stdout)
    assert record["name"] == "s1._domainkey.example.com"
    assert record["value"].startswith("v=DKIM1")
