"""Bodies of any size in flat memory: what the web process holds, how fast it takes them, and how polls fare meanwhile.

    python bench/soak/sizes.py [--mib 1024] [--at-once 10]

Starts a server of its own, sends what no client holds in memory either, and ends with status 1 when a promise is
broken: below 150 MB in the web process, the documented answers, nothing left of what was refused or broken off, and
polls of other clients answered.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

MIB = 1 << 20
PEAK_LIMIT = 150 * 1000 * 1000
SLOWEST_POLL = 1.0
SOAP = {
    "1.1": ("http://schemas.xmlsoap.org/soap/envelope/", "text/xml; charset=utf-8"),
    "1.2": ("http://www.w3.org/2003/05/soap-envelope", "application/soap+xml; charset=utf-8"),
}
MM = ("/mmapi.asmx", "http://www.magnetmail.net/")
LK = ("/v31/IntegrationService.asmx", "http://webservices.listrak.com/v31/")
NO_GROUP = 987654


def rows_block() -> bytes:
    """1 MiB of sixteen long rows that compress about two times."""
    noise = os.urandom(MIB // 2).hex().encode()
    rows = []
    for number in range(16):
        start = b"reader%d@example.com," % number
        rows.append(start + noise[number * 65536 : number * 65536 + 65536 - len(start) - 1] + b"\n")
    return b"".join(rows)


ROWS = rows_block()
ENCODED = base64.b64encode(ROWS[: MIB // 3 * 3])


class Server:
    """A demo server in a folder of its own."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.data = folder / "data"
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "soapstone", "serve", "--demo", "--port", "0", "--data", str(self.data)],
                env={**os.environ, "SOAPSTONE_MAX_UPLOAD_BYTES": str(limit), "SOAPSTONE_DATABASE_URL": ""},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "serves on" in line:
                self.port = int(line.split()[-1].rpartition(":")[2])
                return
        raise SystemExit(f"the server did not start: {self.log.read_text()}")

    def memory(self) -> int:
        """Largest memory of the web process in bytes since `forget`, where the system tells; else that of now."""
        status = Path(f"/proc/{self.process.pid}/status")
        if status.exists():
            found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text())
            assert found
            return int(found[1]) * 1024
        listed = subprocess.run(["ps", "-o", "rss=", "-p", str(self.process.pid)], capture_output=True, check=True)
        return int(listed.stdout) * 1024

    def forget(self) -> None:
        """Begin to look for the largest memory anew."""
        forgetful = Path(f"/proc/{self.process.pid}/clear_refs")
        if forgetful.exists():
            forgetful.write_text("5")

    def files(self) -> list[Path]:
        return [path for path in (self.data / "blobs").iterdir() if path.is_file()]

    def cancel(self, job: str) -> None:
        """Spare the worker a job; a short one may be over already."""
        command = [sys.executable, "-m", "soapstone", "jobs", "cancel", job, "--data", str(self.data)]
        subprocess.run(command, check=False, capture_output=True)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()


def post(
    port: int,
    target: str,
    headers: Iterable[tuple[str, str]],
    pieces: Iterable[bytes],
    *,
    chunked: bool = False,
    during: Callable[[], None] = lambda: None,
) -> tuple[int, str]:
    """Send a body piece by piece; (status, answer). A server that answers early and closes is heard, too."""
    with socket.create_connection(("127.0.0.1", port), timeout=300) as connection:
        named = [("Host", f"127.0.0.1:{port}"), ("Connection", "close"), *headers]
        if chunked:
            named.append(("Transfer-Encoding", "chunked"))
        head = f"POST {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in named) + "\r\n"
        try:
            connection.sendall(head.encode())
            for piece in pieces:
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                during()
            if chunked:
                connection.sendall(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = b""
        while data := connection.recv(65536):
            answer += data
    head_part, _, body = answer.partition(b"\r\n\r\n")
    return int(head_part.split()[1]), body.decode()


def envelope(version: str, namespace: str, header: str, operation: str, before: str, after: str) -> tuple[bytes, bytes]:
    """What stands before and behind the content of a file."""
    start = (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP[version][0]}"><s:Header>{header}</s:Header>'
        f'<s:Body><{operation} xmlns="{namespace}">{before}'
    )
    return start.encode(), f"{after}</{operation}></s:Body></s:Envelope>".encode()


def headers_of(version: str, namespace: str, operation: str) -> list[tuple[str, str]]:
    media = SOAP[version][1]
    if version == "1.1":
        return [("Content-Type", media), ("SOAPAction", f'"{namespace}{operation}"')]
    return [("Content-Type", f'{media}; action="{namespace}{operation}"')]


def log_on(port: int) -> str:
    """A MagnetMail session."""
    start, end = envelope("1.1", MM[1], "", "Authenticate", "<username>demo</username><password>demo</password>", "")
    status, text = post(port, MM[0], [*headers_of("1.1", MM[1], "Authenticate"), length(start, end)], [start, end])
    found = re.search("<sessionId>(.*?)</sessionId>", text)
    assert status == 200, text
    assert found, text
    return found[1]


def length(*parts: bytes, content: int = 0) -> tuple[str, str]:
    return "Content-Length", str(sum(map(len, parts)) + content)


class Sizes:
    """The scenarios. Each prints a line; `failures` collects what broke a promise."""

    def __init__(self, server: Server, mib: int, at_once: int) -> None:
        self.server = server
        self.mib = mib
        self.at_once = at_once
        self.session = log_on(server.port)
        self.failures: list[str] = []
        self.name = ""

    def expect(self, truth: bool, words: str) -> None:
        if not truth:
            self.failures.append(f"{self.name}: {words}")

    def measured(self, name: str, work: Callable[[], int]) -> None:
        """Run a scenario that returns the bytes it sent, with another client polling."""
        self.name = name
        self.server.forget()
        poller = subprocess.Popen(
            [sys.executable, __file__, "--poll", str(self.server.port), self.session],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert poller.stdout is not None
        poller.stdout.readline()
        began = time.perf_counter()
        try:
            sent = work()
        finally:
            seconds = time.perf_counter() - began
            polls: dict[str, Any] = json.loads(poller.communicate("\n")[0])
        peak = self.server.memory()
        print(
            f"{name:34} {sent / MIB:7.0f} MiB {seconds:7.1f} s {sent / MIB / seconds:6.0f} MiB/s   "
            f"web process {peak / 1e6:6.1f} MB   {polls['count']:5} polls, ms: median {polls['median'] * 1e3:6.1f}, "
            f"99th {polls['p99'] * 1e3:6.1f}, worst {polls['worst'] * 1e3:6.1f}",
            flush=True,
        )
        self.expect(peak < PEAK_LIMIT, f"the web process held {peak / 1e6:.1f} MB")
        self.expect(polls["wrong"] == 0, f"{polls['wrong']} polls were not answered rightly")
        self.expect(polls["worst"] < SLOWEST_POLL, f"a poll took {polls['worst']:.1f} s")

    # --- requests ------------------------------------------------------------------------------------------------

    def upload(self, version: str, group: int, session: str = "") -> tuple[list[tuple[str, str]], bytes, bytes]:
        header = f'<mmAuthHeader xmlns="{MM[1]}"><sessionId>{session or self.session}</sessionId></mmAuthHeader>'
        before = f"<groupid>{group}</groupid><csvData>"
        start, end = envelope(version, MM[1], header, "uploadListQueue", before, "</csvData><MM_1>email</MM_1>")
        return headers_of(version, MM[1], "uploadListQueue"), start, end

    def rows(self) -> Iterator[bytes]:
        return (ROWS for _ in range(self.mib))

    def announced(self, version: str) -> int:
        headers, start, end = self.upload(version, NO_GROUP)
        size = length(start, end, content=self.mib * MIB)
        status, text = post(self.server.port, MM[0], [*headers, size], chain([start], self.rows(), [end]))
        self.expect(status == 200 and "<errorNumber>9002</errorNumber>" in text, f"answered {status} {text[:300]}")
        return self.mib * MIB

    def encoded(self, version: str) -> int:
        header = f'<WSUser xmlns="{LK[1]}"><UserName>demo</UserName><Password>demo</Password></WSUser>'
        start, end = envelope(
            version,
            LK[1],
            header,
            "BulkLoadContacts",
            f"<ListID>{NO_GROUP}</ListID><ImportFileStream>",
            "</ImportFileStream>",
        )
        count = self.mib * MIB // len(ENCODED) + 1
        headers = [*headers_of(version, LK[1], "BulkLoadContacts"), length(start, end, content=count * len(ENCODED))]
        pieces = chain([start], (ENCODED for _ in range(count)), [end])
        status, text = post(self.server.port, LK[0], headers, pieces)
        self.expect(status == 500 and "[NotFound]" in text, f"answered {status} {text[:300]}")
        return count * len(ENCODED)

    def accepted(self) -> int:
        """A chunked body for a list that is there; the job is cancelled, the file has the right size."""
        headers, start, end = self.upload("1.1", 1)
        pieces = chain([start], self.rows(), [end])
        status, text = post(self.server.port, MM[0], headers, pieces, chunked=True)
        found = re.search("<jobid>([0-9]+)</jobid>", text)
        self.expect(status == 200 and bool(found), f"answered {status} {text[:300]}")
        if found:
            self.server.cancel(found[1])
        sizes = [path.stat().st_size for path in self.server.files()]
        self.expect(self.mib * MIB in sizes, f"the files have {sizes} bytes")
        return self.mib * MIB

    def compressed(self) -> int:
        headers, start, end = self.upload("1.1", NO_GROUP)
        gzip = zlib.compressobj(1, wbits=31)
        pieces = (
            piece
            for data in chain([start], self.rows(), [end], [b""])
            if (piece := gzip.compress(data) if data else gzip.flush())
        )
        encoded = [*headers, ("Content-Encoding", "gzip")]
        status, text = post(self.server.port, MM[0], encoded, pieces, chunked=True)
        self.expect(status == 200 and "<errorNumber>9002</errorNumber>" in text, f"answered {status} {text[:300]}")
        return self.mib * MIB

    def refused(self) -> int:
        headers, start, end = self.upload("1.1", 1, session="wrong")
        before, kept = set(self.server.files()), set()

        def look() -> None:
            kept.update(set(self.server.files()) - before)

        pieces = chain([start], self.rows(), [end])
        status, text = post(self.server.port, MM[0], headers, pieces, chunked=True, during=look)
        self.expect(status == 500 and "faultstring" in text, f"answered {status} {text[:300]}")
        self.expect(not kept, f"files were made: {kept}")
        return self.mib * MIB

    def broken_off(self) -> int:
        headers, start, end = self.upload("1.1", 1)
        before = set(self.server.files())
        with socket.create_connection(("127.0.0.1", self.server.port)) as connection:
            named = [*headers, ("Host", "x"), length(start, end, content=self.mib * MIB)]
            head = f"POST {MM[0]} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in named) + "\r\n"
            connection.sendall(head.encode() + start)
            for _ in range(self.mib // 2):
                connection.sendall(ROWS)
            self.expect(len(set(self.server.files()) - before) == 1, "the file was not written while it came in")
        end_of_patience = time.monotonic() + 10
        while set(self.server.files()) != before and time.monotonic() < end_of_patience:
            time.sleep(0.05)
        self.expect(set(self.server.files()) == before, "the file stays")
        return self.mib // 2 * MIB

    def too_long(self, *, announced: bool) -> int:
        headers, start, end = self.upload("1.1", 1)
        count = self.mib * 3 // 2 + 1
        taken = 0

        def counted() -> Iterator[bytes]:
            nonlocal taken
            for _ in range(count):
                taken += MIB
                yield ROWS

        if announced:
            headers = [*headers, length(start, end, content=count * MIB)]
        before = set(self.server.files())
        pieces = chain([start], counted(), [end])
        status, text = post(self.server.port, MM[0], headers, pieces, chunked=not announced)
        self.expect(status == 500 and "Maximum request length exceeded." in text, f"answered {status} {text[:300]}")
        self.expect(set(self.server.files()) == before, "files stay")
        return taken

    def together(self) -> int:
        kinds: list[Callable[[], int]] = [
            lambda: self.announced("1.1"),
            lambda: self.announced("1.2"),
            lambda: self.encoded("1.1"),
            lambda: self.encoded("1.2"),
        ]
        sent: list[int] = []
        threads = [
            threading.Thread(target=lambda kind: sent.append(kind()), args=(kinds[number % len(kinds)],))
            for number in range(self.at_once)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.expect(len(sent) == self.at_once, f"only {len(sent)} of {self.at_once} came to an answer")
        return sum(sent)

    def run(self) -> None:
        jobs = self.newest_job()
        self.measured("csvData, 1.1", lambda: self.announced("1.1"))
        self.measured("csvData, 1.2", lambda: self.announced("1.2"))
        self.measured("ImportFileStream, 1.1", lambda: self.encoded("1.1"))
        self.measured("ImportFileStream, 1.2", lambda: self.encoded("1.2"))
        self.measured("csvData in gzip", self.compressed)
        self.measured("wrong credentials, chunked", self.refused)
        self.measured("broken off midway", self.broken_off)
        self.measured("over the limit, announced", lambda: self.too_long(announced=True))
        self.measured("over the limit, chunked", lambda: self.too_long(announced=False))
        self.measured(f"{self.at_once} at once", self.together)
        self.expect(self.newest_job() == jobs, "a refused request left a job")
        self.measured("csvData, chunked, accepted", self.accepted)
        self.name = "all"
        partial = [path.name for path in self.server.files() if path.suffix == ".partial"]
        self.expect(not partial, f"files stay: {partial}")
        self.expect("Traceback" not in self.server.log.read_text(), "the log holds a stack trace")

    def newest_job(self) -> int:
        """The number of the last job, told by asking for higher ones."""
        number = 1
        while "<error>0</error>" in poll(self.server.port, self.session, number + 1) or number < 2:
            number += 1
        return number


def poll(port: int, session: str, job: int) -> str:
    header = f'<mmAuthHeader xmlns="{MM[1]}"><sessionId>{session}</sessionId></mmAuthHeader>'
    start, end = envelope("1.1", MM[1], header, "getUploadJobStatus", f"<jobid>{job}</jobid>", "")
    headers = [*headers_of("1.1", MM[1], "getUploadJobStatus"), length(start, end)]
    return post(port, MM[0], headers, [start, end])[1]


def poll_until_told(port: int, session: str) -> None:
    """Poll a finished job twenty times a second until a line comes in; print what was measured."""
    over = threading.Event()

    def listen() -> None:
        sys.stdin.readline()
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    poll(port, session, 1)
    print("ready", flush=True)
    times, wrong = [], 0
    while True:
        began = time.perf_counter()
        wrong += "<status>2</status>" not in poll(port, session, 1)
        times.append(time.perf_counter() - began)
        if over.wait(0.05):
            break
    times.sort()
    figures = {"median": times[len(times) // 2], "p99": times[int(len(times) * 0.99)], "worst": times[-1]}
    print(json.dumps({"count": len(times), "wrong": wrong, **figures}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--mib", type=int, default=1024, help="size of each file")
    parser.add_argument("--at-once", type=int, default=10, help="how many are sent at the same time")
    parser.add_argument("--poll", nargs=2, metavar=("PORT", "SESSION"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.poll:
        poll_until_told(int(given.poll[0]), given.poll[1])
        return 0
    with tempfile.TemporaryDirectory(prefix="soapstone-sizes-") as folder:
        server = Server(Path(folder), limit=given.mib * MIB * 3 // 2)
        try:
            # The demo account's own jobs first.
            end = time.monotonic() + 60
            session = log_on(server.port)
            while "<status>2</status>" not in poll(server.port, session, 1) and time.monotonic() < end:
                time.sleep(0.1)
            sizes = Sizes(server, given.mib, given.at_once)
            print(f"web process at rest: {server.memory() / 1e6:.1f} MB")
            sizes.run()
        finally:
            server.stop()
    for failure in sizes.failures:
        print(f"BROKEN {failure}")
    return 1 if sizes.failures else 0


if __name__ == "__main__":
    sys.exit(main())
