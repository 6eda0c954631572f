"""Lines of the log: their form, what they tell of logons, calls and jobs, and that nobody else writes one."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import Served

from soapstone import log_context
from soapstone.listrak import operations as listrak_operations
from soapstone.logs import LineFormatter
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL

LISTRAK = listrak_operations.CONTRACT.path


def line(
    form: str, message: str, *values: object, logger: str = "room", error: Exception | None = None, **fields: object
) -> str:
    """A line as it is written."""
    given = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(f"soapstone.{logger}", logging.WARNING, "room.py", 1, message, values, given)
    record.__dict__.update(fields)
    return LineFormatter(form).format(record)


def text(message: str, *values: object, **fields: Any) -> str:
    """A line of text without its time."""
    return line("text", message, *values, **fields).partition(" ")[2]


def test_text_has_level_logger_event_and_fields() -> None:
    assert text("failed logon", address="2001:db8::9", login="ann") == (
        "[warning] soapstone.room: failed logon address=2001:db8::9 login=ann"
    )


def test_values_with_other_characters_are_quoted() -> None:
    assert text("it", a="two words", b='say "x=1"', c="", d="Zoë", e="a\\b", f=1.5) == (
        r'[warning] soapstone.room: it a="two words" b="say \"x=1\"" c="" d="Zoë" e="a\\b" f=1.5'
    )


FORGED = "x\n2026-01-01T00:00:00Z [warning] soapstone.accounts.logon: failed logon address=192.0.2.1 reason=password"
BREAKS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1b[2J", "\x85", "\u2028", "\u2029", "\u202e", "\x00", "\ud800"]


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("mark", BREAKS, ids=ascii)
def test_nothing_from_outside_forges_a_line(form: str, mark: str) -> None:
    forged = FORGED.replace("\n", mark)
    written = line(form, "%s failed", forged, error=None, login=forged)
    assert written.isprintable()
    assert len(written.splitlines()) == 1
    if form == "json":
        assert json.loads(written)["login"] == forged


@pytest.mark.parametrize("mark", BREAKS, ids=ascii)
def test_a_stack_trace_is_indented_whatever_the_error_says(mark: str) -> None:
    try:
        raise ValueError(FORGED.replace("\n", mark))
    except ValueError as error:
        first, *others = line("text", "it failed", error=error).split("\n")
        (alone,) = line("json", "it failed", error=error).split("\n")
    assert first.endswith("soapstone.room: it failed")
    assert others[0] == "    Traceback (most recent call last):"
    assert all(each.startswith("    ") and each.isprintable() for each in others)
    assert json.loads(alone)["exception"].startswith("Traceback (most recent call last):")


def test_json_has_the_same_members() -> None:
    told = json.loads(line("json", "failed %s", "logon", address="192.0.2.9", account=7))
    del told["time"]
    assert told == {
        "level": "warning",
        "logger": "soapstone.room",
        "event": "failed logon",
        "address": "192.0.2.9",
        "account": 7,
    }


def test_request_and_job_come_last() -> None:
    def told() -> str:
        log_context.bind(job=5, request_id="r1", interface="rest", other="x")
        return text("it", a="b")

    assert copy_context().run(told) == "[warning] soapstone.room: it a=b interface=rest request_id=r1 job=5"
    assert text("it", a="b") == "[warning] soapstone.room: it a=b"


def test_a_line_has_its_time_in_utc() -> None:
    assert re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \[", line("text", "it"))


def test_lines_of_libraries_have_the_same_form() -> None:
    """uvicorn adds a text with colours, and a line break at the end."""
    assert text("Exception in ASGI application\n", color_message="\x1b[1m") == (
        "[warning] soapstone.room: Exception in ASGI application"
    )


# --- a server ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(served_process: Served) -> Served:
    return served_process


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A demo server that writes JSON and believes this machine as a proxy."""
    running = Served(
        tmp_path_factory.mktemp("talking") / "data",
        log_format="json",
        trusted_proxies='["127.0.0.1"]',
    )
    try:
        yield running
    finally:
        running.stop()


def lines(running: Any, **wanted: object) -> list[dict[str, Any]]:
    """The lines with these members. Each line of the server and its worker is an object."""
    told = [json.loads(each) for each in running.log().splitlines()]
    return [each for each in told if wanted.items() <= each.items()]


def listrak(name: str, password: str, operation: str = "GetContactListCollection") -> dict[str, Any]:
    """A call: what httpx needs to know."""
    namespace = listrak_operations.CONTRACT.namespace
    user = f"<UserName>{name}</UserName><Password>{password}</Password>"
    body = f"""<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header><WSUser xmlns="{namespace}">
        {user}</WSUser></e:Header><e:Body><{operation} xmlns="{namespace}"/></e:Body></e:Envelope>"""
    return {"content": body, "headers": {"Content-Type": "text/xml", "SOAPAction": f'"{namespace}{operation}"'}}


def magnetmail(name: str, password: str) -> dict[str, Any]:
    """An Authenticate: what httpx needs to know."""
    namespace = MAGNETMAIL.namespace
    inner = f"<username>{name}</username><password>{password}</password>"
    body = f"""<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>
        <Authenticate xmlns="{namespace}">{inner}</Authenticate></e:Body></e:Envelope>"""
    return {"content": body, "headers": {"Content-Type": "text/xml", "SOAPAction": f'"{namespace}Authenticate"'}}


def ask(running: Any, path: str, peer: str, request_id: str, **how: Any) -> httpx.Response:
    headers = {**how.pop("headers", {}), "X-Forwarded-For": peer, "X-Request-ID": request_id}
    return httpx.post(f"{running.base}{path}", headers=headers, timeout=30, **how)


XML = "<SendToList><UserName>{}</UserName><Password>{}</Password></SendToList>"
SECRET = "hidden-pass-phrase"


def logons(name: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """A logon with a wrong password by each interface: path, and what httpx needs to know."""
    return {
        "listrak": (LISTRAK, listrak(name, SECRET)),
        "magnetmail": (MAGNETMAIL.path, magnetmail(name, SECRET)),
        "xml": ("/xml/SendToList", {"content": XML.format(name, SECRET)}),
        "rest": ("/api/v1/lists", {"auth": (name, SECRET)}),
        "console": ("/login", {"data": {"name": name, "password": SECRET}}),
    }


@pytest.mark.parametrize("interface", sorted(logons("")))
def test_a_failed_logon_is_a_line_with_the_address_of_the_caller(talking: Any, interface: str) -> None:
    peer = f"203.0.113.{10 + sorted(logons('')).index(interface)}"
    path, how = logons("demo")[interface]
    ask(talking, path, peer, f"known-{interface}", **how)
    (told,) = lines(talking, event="failed logon", request_id=f"known-{interface}")
    assert list(told)[:6] == ["time", "level", "logger", "event", "address", "reason"]
    assert (told["level"], told["logger"]) == ("warning", "soapstone.accounts.logon")
    assert (told["address"], told["reason"], told["interface"]) == (peer, "password", interface)
    assert (told["login"], told["account"]) == ("demo", 1)


@pytest.mark.parametrize("interface", sorted(logons("")))
def test_an_unknown_name_and_passwords_are_in_no_line(talking: Any, interface: str) -> None:
    """People type their password into the field of the name."""
    path, how = logons(f"{SECRET}-as-name")[interface]
    ask(talking, path, "203.0.113.50", f"unknown-{interface}", **how)
    (told,) = lines(talking, event="failed logon", request_id=f"unknown-{interface}")
    assert (told["address"], told["reason"]) == ("203.0.113.50", "password")
    assert "login" not in told
    assert SECRET not in talking.log()


def test_a_wrong_token_is_a_failed_logon(talking: Any) -> None:
    for path in ("/api/v1/lists", "/metrics"):
        ask(talking, path, "203.0.113.60", "token", headers={"Authorization": f"Bearer {SECRET}"})
    (told,) = lines(talking, event="failed logon", request_id="token")
    assert (told["address"], told["reason"], told["interface"]) == ("203.0.113.60", "token", "rest")
    assert SECRET not in talking.log()


def test_locks_are_lines(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"log_format": "json", "trusted_proxies": '["127.0.0.1"]', "lock_failures": "1"}
    strict = Served(tmp_path / "data", **settings)
    try:
        for n in range(2):
            ask(strict, LISTRAK, "203.0.113.70", f"lock-{n}", **listrak("nobody", SECRET))
        reasons = [each["reason"] for each in lines(strict, event="failed logon", address="203.0.113.70")]
        assert reasons == ["password", "locked"]
        (told,) = lines(strict, event="locked login", address="203.0.113.70")
        assert (told["request_id"], told["level"]) == ("lock-0", "warning")
        for n in range(11):
            ask(strict, LISTRAK, "203.0.113.71", f"{n}", **listrak(f"guess{n}", SECRET))
        (told,) = lines(strict, event="locked address")
        assert (told["address"], told["request_id"]) == ("203.0.113.71", "9")
        (told,) = lines(strict, reason="locked", address="203.0.113.71")
        assert told["request_id"] == "10"
    finally:
        strict.stop()


def test_the_end_of_a_job_is_a_line_and_each_line_of_it_has_its_number(talking: Any) -> None:
    answer = httpx.post(
        f"{talking.base}/api/v1/lists/1/imports",
        content="Email\nann@example.com\n",
        headers={"Content-Type": "text/csv"},
        auth=("demo", "demo"),
    )
    number = answer.json()["id"]
    talking.settle()
    told = lines(talking, job=number)
    assert [each["event"] for each in told] == ["job begins", "job ended"]
    assert {name: told[1][name] for name in ("kind", "state", "account", "level")} == {
        "kind": "import",
        "state": "completed",
        "account": 1,
        "level": "info",
    }
    assert "ann@example.com" not in talking.log()


def test_the_filter_of_the_manual_finds_failed_logons() -> None:
    """As far as Python's own patterns show; tests/interop/test_fail2ban.py runs fail2ban."""
    page = Path(__file__).parent.parent / "docs" / "monitoring.md"
    pattern = re.search("failregex = (.*)\n", page.read_text(encoding="utf-8"))
    assert pattern is not None
    found = re.compile(pattern[1].replace("<ADDR>", r"(\S+)"))

    def told(event: str, *, logger: str = "room", **fields: str) -> str:
        log_context.bind(interface="rest")
        return " " + text(event, logger=logger, **fields)

    for address in ("192.0.2.1", "2001:db8::1"):
        refused = copy_context().run(told, "failed logon", logger="accounts.logon", address=address, reason="token")
        match = found.search(refused)
        assert match is not None
        assert match[1] == address
    other = copy_context().run(told, "failed logon", logger="accounts.logon", address="-", reason="address")
    assert not found.search(other)
    assert not found.search(copy_context().run(told, FORGED, address="192.0.2.1", reason="token"))


# --- request ids -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/healthz", "/", "/mmapi.asmx?wsdl", "/xml/nothing", "/api/v1/lists", "/u/x"])
def test_every_answer_has_the_id_of_its_request(talking: Any, path: str) -> None:
    given = httpx.get(f"{talking.base}{path}", headers={"X-Request-ID": "proxy-1.a_B"})
    assert given.headers.get_list("x-request-id") == ["proxy-1.a_B"]
    made = [httpx.get(f"{talking.base}{path}").headers["x-request-id"] for _ in range(2)]
    assert made[0] != made[1]
    assert all(len(each) == 16 and each.isalnum() for each in made)


@pytest.mark.parametrize("given", ["", "a b", "a\tb", "x" * 65, "é", "a,b;c", "<a>"])
def test_an_id_that_is_not_well_formed_is_made_anew(talking: Any, given: str) -> None:
    answer = httpx.get(f"{talking.base}/healthz", headers=[(b"X-Request-ID", given.encode())])
    assert len(answer.headers["x-request-id"]) == 16


def test_only_a_trusted_proxy_gives_an_id(served: Any) -> None:
    answer = httpx.get(f"{served.base}/healthz", headers={"X-Request-ID": "mine"})
    assert answer.headers["x-request-id"] != "mine"


# --- text, as by default -----------------------------------------------------------------------------------------


def test_text_is_the_default(served: Any) -> None:
    httpx.post(f"{served.base}{LISTRAK}", **listrak("demo", SECRET))
    told = [each for each in served.log().splitlines() if "failed logon" in each]
    assert len(told) == 1
    head = " [warning] soapstone.accounts.logon: failed logon address=127.0.0.1 reason=password login=demo account=1 "
    assert head + "interface=listrak request_id=" in told[0]


def test_the_level_is_that_of_the_settings(tmp_path: Path) -> None:
    quiet = Served(tmp_path / "data", log_level="error")
    try:
        httpx.post(f"{quiet.base}{LISTRAK}", **listrak("demo", SECRET))
        assert quiet.log() == ""
    finally:
        quiet.stop()


def test_an_error_that_ends_the_process_is_a_line() -> None:
    code = "from soapstone.logs import configure_logs; configure_logs('json'); import warnings; warnings.warn('old')\n"
    code += "import threading; one = threading.Thread(target=lambda: 1 / 0); one.start(); one.join(); [][1]"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    told = [json.loads(each) for each in ended.stderr.splitlines()]
    assert [each["exception"].splitlines()[-1] for each in told[1:]] == [
        "ZeroDivisionError: division by zero",
        "IndexError: list index out of range",
    ]
    assert (told[0]["logger"], ended.returncode) == ("py.warnings", 1)
