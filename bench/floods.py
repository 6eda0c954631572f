"""Floods by callers without a login, or with one: what the web process holds, and how a client of a login fares.

    python bench/floods.py [--seconds 10] [FLOOD ...]

Starts a demo server of its own for each flood, sends it from 127.0.0.1, and ends with status 1 when a promise is
broken: below 200 MB in the web process while the flood lasts, and calls of a client that is logged in take less than
three times as long as before it, in the median. Floods of work that is not refused are bound in memory only.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MB = 1_000_000
MOST = 200 * MB
SLOWER = 3.0
CONNECTIONS = 24
MEMBER = b"x" * (15 << 20)
NAMESPACE = "http://www.magnetmail.net/"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


class Server:
    """A demo server in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "soapstone", "serve", "--demo", "--port", "0", "--data", str(folder / "data")],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "serves on" in line:
                self.port = int(line.split()[-1].rpartition(":")[2])
            if "Ctrl-C" in line:
                return
        raise SystemExit(f"the server did not start: {self.log.read_text()}")

    def memory(self, field: str = "VmRSS") -> int:
        """Bytes that the web process holds; its peak with `VmHWM`."""
        found = re.search(rf"{field}:\s*(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found is not None
        return int(found[1]) * 1024

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def ask(self, request: bytes) -> bytes:
        """One request on a connection of its own; the whole answer."""
        with self.connect() as connection:
            connection.sendall(request)
            answer = b""
            while more := connection.recv(65536):
                answer += more
            return answer


def post(path: str, body: bytes, **headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def soap(operation: str, inner: bytes, header: bytes = b"") -> bytes:
    name = operation.encode()
    body = b"<s:Envelope xmlns:s='%b'><s:Header>%b</s:Header><s:Body><%b xmlns='%b'>%b</%b></s:Body></s:Envelope>" % (
        SOAP.encode(),
        header,
        name,
        NAMESPACE.encode(),
        inner,
        name,
    )
    return post("/mmapi.asmx", body, Content_Type="text/xml")


def log_in(server: Server) -> bytes:
    """The header of a session."""
    answer = server.ask(soap("Authenticate", b"<username>demo</username><password>demo</password>"))
    found = re.search(rb"<sessionId>(.*?)</sessionId>", answer)
    assert found is not None, answer
    return b"<mmAuthHeader xmlns='%b'><sessionId>%b</sessionId></mmAuthHeader>" % (NAMESPACE.encode(), found[1])


def send(server: Server, data: bytes, *, cut: bool = False) -> None:
    """Send, and read the answer unless the connection is to be cut off before."""
    with suppress(OSError), server.connect() as connection:
        connection.sendall(data)
        while not cut and connection.recv(65536):
            pass


def unknown_member(server: Server, _: bytes) -> None:
    send(server, soap("addGroup", b"<group_name>" + MEMBER + b"</group_name>"))


def unknown_body(server: Server, _: bytes) -> None:
    send(server, soap("Authenticate", b"<username>" + MEMBER + b"</username>"))


def known_member(server: Server, session: bytes) -> None:
    send(server, soap("addGroup", b"<group_name>" + MEMBER + b"</group_name>", session))


def aborted(server: Server, _: bytes) -> None:
    start = b"<SendToList><Message><HTMLBody>" + MEMBER
    send(server, post("/xml/SendToList", start + b" " * 100, Content_Type="text/xml")[:-100], cut=True)


def known_aborted(server: Server, _: bytes) -> None:
    start = b"<SendToList><UserName>demo</UserName><Password>demo</Password><Message><HTMLBody>" + MEMBER
    send(server, post("/xml/SendToList", start + b" " * 100, Content_Type="text/xml")[:-100], cut=True)


def wrong_passwords(server: Server, _: bytes) -> None:
    name = b"n%d" % time.perf_counter_ns()
    send(server, soap("Authenticate", b"<username>" + name + b"</username><password>wrong</password>"))


def large_names(server: Server, _: bytes) -> None:
    name = b"n" * 60_000
    send(server, soap("Authenticate", b"<username>" + name + b"</username><password>wrong</password>"))


def slow(server: Server, _: bytes) -> None:
    with suppress(OSError), server.connect() as connection:
        for _ in range(1000):
            connection.sendall(b"GET / HTTP/1.1\r\nX: " if _ == 0 else b"x")
            time.sleep(0.5)


# Name → (how it is sent, connections at once).
FLOODS: dict[str, tuple[Callable[[Server, bytes], None], int]] = {
    "15 MiB in a member, unknown caller": (unknown_member, CONNECTIONS),
    "15 MiB in the name of a login": (unknown_body, CONNECTIONS),
    "15 MiB in a member, known caller": (known_member, CONNECTIONS),
    "aborted SendToList, unknown caller": (aborted, CONNECTIONS),
    "aborted SendToList, known caller": (known_aborted, CONNECTIONS),
    "wrong passwords": (wrong_passwords, 100),
    "large names": (large_names, CONNECTIONS),
    "slow clients": (slow, 400),
}


# What the server works through as fast as it can shares the processor with all other calls: only memory is bound.
WHOLE_WORK = {"15 MiB in a member, known caller", "aborted SendToList, known caller", "large names"}


@contextmanager
def flooding(server: Server, session: bytes, name: str) -> Iterator[None]:
    """Keep the flood up, from a process of its own: its work is not to slow the client down that is measured."""
    process = multiprocessing.get_context("fork").Process(target=flood, args=(server, session, name), daemon=True)
    process.start()
    # The first connections are on their way.
    time.sleep(0.5)
    try:
        yield
    finally:
        process.kill()
        process.join()


def flood(server: Server, session: bytes, name: str) -> None:
    """Send until the process is ended."""
    send_one, connections = FLOODS[name]

    def loop() -> None:
        while True:
            send_one(server, session)

    threads = [threading.Thread(target=loop) for _ in range(connections)]
    for thread in threads:
        thread.start()


def calls(server: Server, session: bytes, seconds: float) -> list[float]:
    """Seconds of each call of a client that is logged in."""
    taken, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        answer = server.ask(soap("getGroups", b"<display_status>0</display_status>", session))
        taken.append(time.perf_counter() - began)
        assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]
        time.sleep(0.05)
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("floods", nargs="*", metavar="FLOOD", help="a part of a flood's name; none: all of them")
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    broken = False
    print(f"{'flood':38} {'start':>7} {'peak':>7} {'after':>7} {'quiet':>8} {'flooded':>8} {'slowest':>8}")
    for name in FLOODS:
        if given.floods and not any(part in name for part in given.floods):
            continue
        with tempfile.TemporaryDirectory() as folder:
            server = Server(Path(folder))
            try:
                session = log_in(server)
                quiet = statistics.median(calls(server, session, 2.0))
                start = server.memory()
                with flooding(server, session, name):
                    taken = calls(server, session, given.seconds)
                peak = server.memory("VmHWM")
                time.sleep(1)
                after = server.memory()
            finally:
                server.stop()
        median = statistics.median(taken)
        too_much = peak > MOST or (median > SLOWER * quiet and name not in WHOLE_WORK)
        broken |= too_much
        print(
            f"{name:38} {start / MB:5.0f}MB {peak / MB:5.0f}MB {after / MB:5.0f}MB {quiet * 1000:6.1f}ms "
            f"{median * 1000:6.1f}ms {max(taken) * 1000:6.0f}ms{'  BROKEN' if too_much else ''}",
            flush=True,
        )
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
