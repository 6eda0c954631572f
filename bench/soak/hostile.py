"""Hostile input to tracking at full size: changed stems, monstrous bounces, and images that wait.

    .venv/bin/python bench/soak/hostile.py [--stems N] [--held N]

- A million stems, each changed in one letter or more, give 404 or the empty picture, and nothing is recorded.
- A bounce of 10 MB that is nested a thousand deep, and a report about 10,000 recipients, are taken by a process of
  their own: seconds of CPU, memory, and what was made of them.
- 5,000 clients wait for the image of a read mail: memory of the web process, and the time of a redirect meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent))
import served
from tests.tracking.ledger import Sent, send
from tests.tracking.reports import block, report

from soapstone.accounts.account import Accounts
from soapstone.http.client_address import Origins
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store import schema
from soapstone.store.database import Database
from soapstone.subscriber.tracking import TrackingApp
from soapstone.tracking.spool import SUFFIX, Spool, read_records
from soapstone.vocabulary.tracking import MailEventKind

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
RECIPIENTS, DEPTH, SIZE = 10_000, 1_000, 10_000_000
# Bytes that the web process may grow by, and seconds of CPU for one mail.
MOST_HELD_BYTES, MOST_SECONDS, MOST_MAIL_BYTES = 80 << 20, 2.0, 100 << 20


def records(folder: Path) -> tuple[Product, Sent]:
    """A data folder with one send."""
    folder.mkdir(parents=True)
    database = Database(f"sqlite:///{folder / 'soapstone.sqlite'}")
    schema.upgrade(database)
    sent = send(database, Accounts(database).create("ACME", time_zone="UTC"), 100, links=20)
    return Product.open(Settings(data_dir=folder), database), sent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stems", type=int, default=1_000_000)
    parser.add_argument("--held", type=int, default=5_000)
    parser.add_argument("--mail", type=Path, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.mail:
        take(*arguments.mail)
        return
    with tempfile.TemporaryDirectory() as name:
        mails(Path(name))
        held(Path(name) / "held", arguments.held)
        asyncio.run(stems(Path(name) / "stems", arguments.stems))


async def stems(folder: Path, times: int) -> None:
    """Ask for changed stems."""
    product, sent = records(folder)
    spool = Spool(folder / "spool")
    app = TrackingApp(product.database, product.stems, spool, Origins([]))
    good = product.stems.make(sent.message_id, sent.mails[0])
    dice, found = random.Random(17), Counter[tuple[str, int, int]]()
    scope: dict[str, Any] = {"type": "http", "method": "GET", "headers": [], "client": ("192.0.2.1", 1)}

    async def ask(path: str) -> None:
        answer: list[Any] = []

        async def take(message: Any) -> None:
            answer.append(message)

        async def give() -> dict[str, Any]:
            return {"type": "http.request"}

        await app({**scope, "path": path}, give, take)
        body = b"".join(each.get("body", b"") for each in answer[1:])
        found[path[:3], answer[0]["status"], len(body)] += 1

    began = time.process_time()
    for number in range(times):
        letters = list(good)
        for _ in range(1 + number % 3):
            place = dice.randrange(len(good))
            letters[place] = dice.choice(LETTERS.replace(good[place], ""))
        changed = "".join(letters)
        await ask((f"/c/{changed}/1", f"/o/{changed}.gif", f"/r/{changed}.gif")[number % 3])
    spent = time.process_time() - began
    spool.close()
    product.database.close()
    assert not list((folder / "spool").glob("*")), "something was recorded"
    assert {(path, status) for path, status, _ in found} == {("/c/", 404), ("/o/", 200), ("/r/", 200)}, found
    assert len(found) == 3, found
    print(f"{times} changed stems: {dict(found)}, {1e6 * spent / times:.0f} us of CPU each")


def mails(folder: Path) -> None:
    """Take monstrous bounces, each in a process of its own."""
    parts = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(DEPTH))
    recipients = "\n".join(f"Final-Recipient: rfc822; a{n}@b.example\nAction: failed\n" for n in range(RECIPIENTS))
    monsters = {
        "small": report(block()),
        "nested": parts + report(block()) + b"x" * (SIZE - len(parts)),
        "attached": report(block()).replace(b"--cut--", b"--cut\n\n" + b"x" * SIZE + b"\n--cut--"),
        "recipients": report(recipients),
    }
    for name, raw in monsters.items():
        path = folder / f"{name}.eml"
        path.write_bytes(raw)
        command = [sys.executable, __file__, "--mail", str(path), str(folder / name)]
        subprocess.run(command, check=True, timeout=300)


def take(path: Path, folder: Path) -> None:
    """Take one mail, and print what it cost."""
    product, sent = records(folder)
    stem = product.stems.make(sent.message_id, sent.mails[0])
    raw = path.read_bytes()
    # The peak counts from here.
    Path("/proc/self/clear_refs").write_text("5")
    before, began = memory("self", "VmRSS"), time.process_time()
    taken = product.incoming_mails.take(raw, [f"b+{stem}@bounce.example.com"], source="lmtp")
    spent = time.process_time() - began
    grown = memory("self", "VmHWM") - before
    product.database.close()
    print(f"{path.stem}, {len(raw) / 1e6:.1f} MB: {spent:.2f} s of CPU, {grown / 1e6:.0f} MB more, {taken}")
    assert len(taken) == 1
    assert spent < MOST_SECONDS
    assert grown < MOST_MAIL_BYTES


def memory(process: int | str, what: str = "VmRSS") -> int:
    """Bytes of a process in memory, or at most so far."""
    (found,) = re.findall(rf"^{what}:\s+(\d+) kB$", Path(f"/proc/{process}/status").read_text(), re.M)
    return int(found) << 10


def held(folder: Path, clients: int) -> None:
    """Let clients wait for their images at the same time."""
    soft = 2 * clients + 1_000
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, max(soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    product, sent = records(folder)
    paths = [f"/r/{product.stems.make(sent.message_id, mail)}.gif" for mail in sent.mails]
    link = f"/c/{product.stems.make(sent.message_id, sent.mails[0])}/1"
    product.database.close()
    port = served.free_port()
    command = [sys.executable, "-m", "soapstone", "web", "--port", str(port), "--data", str(folder)]
    # Half of the connections may wait.
    limits = {"SOAPSTONE_MAX_CONNECTIONS": str(2 * clients)}
    with served.Server(command, port, folder.parent / "held.log", environment=limits) as server:
        process = server.process.pid
        asyncio.run(wait(port, paths[:1], link, 100))
        before = memory(process)
        peak, redirect, complete = asyncio.run(wait(port, paths, link, clients, process))
        reads = Counter[MailEventKind]()
        for path in (folder / "spool").glob(f"*{SUFFIX}"):
            reads += Counter(record.kind for _, record in read_records(path.read_bytes()))
    print(
        f"{clients} images that wait: {before / 1e6:.0f} MB before, {peak / 1e6:.0f} MB at most; {complete} complete, "
        f"{reads[MailEventKind.READ] - 100} reads; the slowest redirect meanwhile took {1e3 * redirect:.0f} ms"
    )
    assert complete == clients
    assert reads[MailEventKind.READ] - 100 == clients
    assert peak - before < MOST_HELD_BYTES


async def wait(port: int, paths: list[str], link: str, clients: int, process: int = 0) -> tuple[int, float, int]:
    """Let clients ask for an image each; the most memory, the slowest redirect, and the images that were complete."""
    complete, peak, slowest = 0, 0, 0.0
    opening = asyncio.Semaphore(200)
    head = f" HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {AGENT}\r\n"

    async def one(number: int) -> None:
        nonlocal complete
        async with opening:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {paths[number % len(paths)]}{head}\r\n".encode())
            begin = await reader.readuntil(b"\r\n\r\n")
        assert begin.startswith(b"HTTP/1.1 200"), begin
        assert await reader.readexactly(6) == b"GIF89a"
        complete += 1
        writer.close()

    waiting = [asyncio.create_task(one(number)) for number in range(clients)]
    while not all(each.done() for each in waiting):
        if process:
            peak = max(peak, memory(process))
            began = time.perf_counter()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {link}{head}Connection: close\r\n\r\n".encode())
            assert (await reader.read()).startswith(b"HTTP/1.1 302")
            writer.close()
            slowest = max(slowest, time.perf_counter() - began)
        await asyncio.sleep(0.05)
    await asyncio.gather(*waiting)
    return peak, slowest, complete


if __name__ == "__main__":
    main()
