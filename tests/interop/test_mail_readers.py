"""What a webmail in a browser, Thunderbird and Claws Mail do with a delivered mail is what the reports say.

Each is left after three seconds with one mail, and stays eight seconds with another, whose link it clicks at last.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from email import policy
from email.parser import BytesParser
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.conftest import LocalServed, locally_served

from soapstone.subscriber.tracking import READ_SECONDS
from soapstone.tracking.spool import SUFFIX, SpoolRecord, read_records
from soapstone.vocabulary.tracking import MailEventKind

if TYPE_CHECKING:
    from tests.interop.browser import Browser

pytestmark = pytest.mark.interop

# A headless one says so in its agent, and counts as a program.
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
LEFT, STAYED = 3.0, 8.0
SECONDS = 60
STEM = re.compile(r"/o/([a-z2-7]{32})")
TARGET = "/sale.html?a=1&b=2"
READERS = ("webmail", "thunderbird", "claws")
# An author's mail as they are: tables, styles, a link around a picture, Outlook's comments, quotes of all kinds.
HTML = """<!DOCTYPE html>
<html><head><title>Sale</title><style>
body {{ margin: 0; font-family: sans-serif }} td {{ padding: 4px }}
.big {{ display: block; height: 520px; font-size: 40px;
background: #cde }} a[href*="utm"] {{ color: red }}
</style></head>
<body bgcolor=white><!--[if mso]><table><tr><td width=600><a href='{shop}/outlook'>Outlook</a><![endif]-->
<table width="100%" cellpadding=0 cellspacing="0" role=presentation><tr><td colspan=2>
<a class="big" href="{shop}/sale.html?a=1&amp;b=2">The sale</a></td></tr>
<tr><td><A HREF='{shop}/one'><img alt="one" width=40 height=40 style="display:block"></A></td>
<td align=right><a href={shop}/two>Two</a><br><a href="mailto:x@shop.example">Write</a></td></tr></table>
<p>Bye.</p><!--[if mso]></td></tr></table><![endif]--></body></html>
"""


def module(name: str) -> ModuleType:
    """A module beside this one; tests are no package."""
    spec = importlib.util.spec_from_file_location(f"interop_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


readers = module("mail_readers")


class Site(ThreadingHTTPServer):
    """A web server on a folder: the shop and the webmail. `paths` are what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.paths = folder, list[str]()
        super().__init__(("127.0.0.1", 0), partial(_Page, directory=str(folder)))
        self.base = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Page(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Site)
        self.server.paths.append(self.path)
        super().do_GET()

    def end_headers(self) -> None:
        # Each visit shows in `paths`.
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Mailing:
    """A message to one address for each reader and each time; `mails` are the files by address."""

    def __init__(self, served: LocalServed, shop: str) -> None:
        self.api = httpx.Client(base_url=f"{served.base}/api/v1", auth=("demo", "demo"), timeout=60)
        self.html = HTML.format(shop=shop)
        self._stems, self._spool = served.product.stems, served.data / "spool"
        self._asked: set[SpoolRecord] = set()
        name = self.api.post("/lists", json={"name": "Readers"}).json()["id"]
        rows = "".join(f"{reader}-{how}@readers.example\n" for reader in READERS for how in ("left", "stayed"))
        self.api.post(f"/lists/{name}/imports", content="Email\n" + rows, headers={"Content-Type": "text/csv"})
        served.settle()
        message = {"list_id": name, "subject": "Sale", "html": self.html, "from_address": "a@readers.example"}
        made = self.api.post("/messages", json=message).json()["id"]
        to = {"kind": "list", "list_id": name}
        answer = self.api.post("/sends", json={"message_id": made, "to": to, "unsubscribe": "none"})
        assert answer.status_code == 202, answer.text
        served.settle()
        (sent,) = self.api.get(f"/sends?list_id={name}").json()["items"]
        self.message: int = sent["message_id"]
        self.mails: dict[str, Path] = {}
        for path in served.data.glob("mail/*.eml"):
            if int(path.name.partition("-")[0]) != sent["id"]:
                continue
            head = BytesParser(policy=policy.default).parsebytes(path.read_bytes(), headersonly=True)
            self.mails[head["To"].addresses[0].username] = path
        assert len(self.mails) == 2 * len(READERS)

    def asked_for(self, who: str) -> set[SpoolRecord]:
        """The requests of an address that came so far: opens, reads and clicks as they were answered."""
        stem = self._stems.read(STEM.findall(readers.html_of(self.mails[who]))[0])
        assert stem is not None
        # The recorder leaves the last seconds there.
        for path in self._spool.glob(f"*{SUFFIX}"):
            # It may clear a segment away just now, whose records were seen before.
            with contextlib.suppress(FileNotFoundError):
                self._asked |= {record for _, record in read_records(path.read_bytes())}
        return {record for record in self._asked if record.delivery_id == stem.delivery_id}

    def opened(self, who: str) -> float:
        """Wait until an address opens its mail; the time of that."""
        wait_until(lambda: bool(self.asked_for(who)))
        return min(record.at for record in self.asked_for(who)) / 1e6

    def did(self, who: str) -> list[str]:
        """What the events tell of an address."""
        found = []
        for kind in ("open", "read", "click", "machine_open", "machine_click", "bounce"):
            events = self.api.get(f"/messages/{self.message}/events", params={"kind": kind}).json()["items"]
            found += [kind for each in events if each["email"] == f"{who}@readers.example"]
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "sale.html").write_text("<!doctype html><title>Sale</title>")
    with Site(folder) as running:
        yield running
        running.shutdown()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, demo_records: Path) -> Iterator[LocalServed]:
    with locally_served(tmp_path_factory.mktemp("served") / "data", demo_records, machine_click_seconds=0.0) as running:
        yield running


@pytest.fixture(scope="module")
def mailing(served: LocalServed, site: Site) -> Iterator[Mailing]:
    made = Mailing(served, site.base)
    yield made
    made.api.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    running: Browser = module("browser").Browser(tmp_path_factory.mktemp("browser"), f"--user-agent={AGENT}")
    yield running
    running.close()


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def leave(reader: Any, mailing: Mailing, who: str) -> None:
    """Open a mail, and go on to something else before it counts as read."""
    reader.open(mailing.mails[who])
    opened = mailing.opened(who)
    time.sleep(max(0, opened + LEFT - time.time()))
    reader.close()
    mailing.asked_for(who)
    assert time.time() < opened + READ_SECONDS, "the machine is too busy for this"


def stay(reader: Any, mailing: Mailing, who: str) -> str | None:
    """Open a mail, stay, and click its link; return the address for a browser, if the reader is none itself."""
    reader.open(mailing.mails[who])
    time.sleep(max(0, mailing.opened(who) + STAYED - time.time()))
    before = mailing.did(who)
    mailing.asked_for(who)
    found: str | None = reader.click()
    # The viewer without an agent waits for images whether anybody looks or not.
    assert before == (["open"] if "claws" in who else ["open", "read"])
    return found


def test_what_they_did_is_what_the_reports_say(
    served: LocalServed, mailing: Mailing, site: Site, browser: Browser, foreign_client: Any, tmp_path: Path
) -> None:
    """mm-109, lk-107"""
    webmail = readers.Webmail(browser, site.folder, site.base)
    leave(webmail, mailing, "webmail-left")
    stay(webmail, mailing, "webmail-stayed")
    wait_until(lambda: site.paths.count(TARGET) == 1)
    programs = {"thunderbird": readers.thunderbird, "claws": readers.claws_mail}
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(4))
        done = []
        for name, prepare in programs.items():
            for how in ("left", "stayed"):
                # Claws Mail takes the first 107 bytes of its socket's path: with a long one it does not start.
                folder = Path(
                    stack.enter_context(
                        TemporaryDirectory(prefix=f"{name[0]}{how[0]}-", dir="/tmp", ignore_cleanup_errors=True)
                    )
                )
                program = readers.Program(folder, stack.enter_context(readers.screen(folder)), prepare)
                stack.callback(program.close)
                done.append(pool.submit(leave if how == "left" else stay, program, mailing, f"{name}-{how}"))
        # The programs hand the link to a browser.
        for address in filter(None, [each.result(2 * SECONDS) for each in done]):
            assert "/c/" in address
            browser.open(address)
        assert site.paths.count(TARGET) == 3
    stayed, left = (sorted(f"{reader}-{how}" for reader in READERS) for how in ("stayed", "left"))
    # A click proves that the mail was read.
    wait_until(lambda: all(mailing.did(who) == ["open", "read", "click"] for who in stayed))
    for who in left:
        assert mailing.did(who) == ["open"]
    # Nobody asked for an image twice.
    for who in (*stayed, *left):
        assert Counter(record.kind for record in mailing.asked_for(who))[MailEventKind.OPEN] == 1
    client = foreign_client("zeep", "1.1", served.base, tmp_path / "zeep.log")
    try:
        compare(mailing, client, stayed, left)
    finally:
        client.stop()


def compare(mailing: Mailing, client: Any, stayed: list[str], left: list[str]) -> None:
    """REST and both contracts say the same."""
    figures = mailing.api.get(f"/messages/{mailing.message}/figures").json()
    del figures["sends"]
    whole = {"sent": 6, "delivered": 6, "opens": 6, "openers": 6, "readers": 3, "clicks": 3, "clickers": 3}
    assert {name: value for name, value in figures.items() if value} == whole
    everyone = sorted(stayed + left)

    def people(report: str) -> list[str]:
        answer = client.listrak(f"ReportMessageContact{report}", MsgID=mailing.message, Page=1, WSException=None)
        rows = answer[f"ReportMessageContact{report}Result"][f"WSContact{report}"]
        return sorted(row["EmailAddress"].partition("@")[0] for row in rows)

    assert (people("Open"), people("Read"), people("Click")) == (everyone, stayed, stayed)
    session = client.magnetmail("Authenticate", username="demo", password="demo")
    header = {"sessionId": session["sessionId"], "user_id": session["user_id"]}
    told = client.magnetmail("getOverallTracking", header, message_id=mailing.message, group_id=0)
    names = ("EmailSent", "EmailDelivered", "EmailOpened", "EmailLinksClicked", "EmailBounced")
    assert [told[name] for name in names] == [6, 6, 6, 3, 0]


GEOMETRY = """
(async ([text]) => {
  const frame = document.createElement("iframe");
  frame.width = 900;
  frame.height = 700;
  frame.srcdoc = text;
  const loaded = new Promise((done) => { frame.onload = done; });
  document.body.append(frame);
  await loaded;
  const inside = frame.contentDocument;
  const boxes = [...inside.querySelectorAll("body *")].map((each) => {
    const { x, y, width, height } = each.getBoundingClientRect();
    return [each.localName, x, y, width, height, getComputedStyle(each).color, each.textContent];
  });
  const images = [...inside.images].map((each) => each.getAttribute("src"));
  return [boxes, images, inside.body.getBoundingClientRect().height];
})
"""


def test_tracking_leaves_the_layout(mailing: Mailing, site: Site, browser: Browser) -> None:
    """The author's elements stand where they stood; one pixel and one read image come at the end."""
    (site.folder / "empty.html").write_text("<!doctype html><title>Empty</title>")
    browser.open(f"{site.base}/empty.html")
    tracked = re.sub(r"http://[^/]+/[or]/", "/", readers.html_of(mailing.mails["webmail-left"]))
    plain = re.sub(r'<img src="/[a-z2-7]{32}\.gif"[^>]*>', "", tracked)
    shown = [browser.run(f"{GEOMETRY}({json.dumps([text])})") for text in (mailing.html, plain, tracked)]
    (boxes, images, _), (plain_boxes, _, height), (tracked_boxes, tracked_images, tracked_height) = shown
    assert len(boxes) > 10
    # A line to unsubscribe follows, as the send asks for one.
    assert plain_boxes[: len(boxes)] == boxes
    assert tracked_boxes[:-2] == plain_boxes
    assert [each[0] for each in tracked_boxes[-2:]] == ["img", "img"]
    assert len(tracked_images) == len(images) + 2
    # They add no line, only the margin that stood at the end of the body.
    assert tracked_height - height < 20
