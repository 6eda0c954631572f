"""What a shadow costs a client: the time of a call through it beside that of the live service alone, in one run.

A stub of a live service answers a call after 20 or 50 ms, as a service in the same country does, or at once, with the
answer that a real server gave to the same call. Calls come at 50 a second, on connections that are kept, in rounds: to
the stub alone, then through `soapstone serve --shadow`, whose half plays and compares all of them at the same time.
Times count from the moment at which a call was due.

Arguments: rounds (5) and seconds of each measurement (10). Exit code 1 when a call fails, when the median of the calls
through the shadow to a stub that takes its time is more than 5 % above that of the stub alone, or when the shadow
compared none.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

RATE = 50
# Seconds that the stub takes; a service that answers at once shows the shadow's own time.
DELAYS = (0.0, 0.02, 0.05)
MOST = 1.05
PATH = "/v31/IntegrationService.asmx"
NAMESPACE = "http://webservices.listrak.com/v31/"
OPERATION = "GetContactListCollection"
BODY = (
    '<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
    f'<soap:Header><WSUser xmlns="{NAMESPACE}"><UserName>demo</UserName><Password>demo</Password></WSUser>'
    "</soap:Header>"
    f'<soap:Body><{OPERATION} xmlns="{NAMESPACE}" /></soap:Body></soap:Envelope>'
).encode()
HEADERS = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{NAMESPACE}{OPERATION}"'}


async def stub(answer: bytes) -> None:
    """Serve the answer to whoever asks, after the seconds in the last part of its path, until this process ends."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/xml; charset=utf-8\r\ncontent-length: %d\r\n\r\n" % len(answer)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (request := await _read(reader)) is not None:
            await asyncio.sleep(float(request[0].split(b"wait=")[1].split()[0]))
            writer.write(head + answer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(f"serves on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, bytes] | None:
    """One message with a length: its head and body; None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *([0-9]+)", head)
        return head, await reader.readexactly(int(length[1]) if length else 0)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def measure(base: str, delay: float, seconds: float) -> list[float]:
    """Seconds of each call at the rate; an exception for a call that fails."""
    parts = urlsplit(base)
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    fields = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    head = f"POST {PATH}?wait={delay} HTTP/1.1\r\nHost: {parts.netloc}\r\n{fields}Content-Length: {len(BODY)}\r\n\r\n"
    request = head.encode() + BODY

    async def call(due: float) -> float:
        reader, writer = idle.pop() if idle else await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(request)
        answer = await _read(reader)
        if answer is None or OPERATION.encode() not in answer[1]:
            raise RuntimeError("a call failed")
        idle.append((reader, writer))
        return time.perf_counter() - due

    calls, began = [], time.perf_counter()
    for number in range(int(seconds * RATE)):
        due = began + number / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        calls.append(asyncio.ensure_future(call(due)))
    times = list(await asyncio.gather(*calls))
    for _, writer in idle:
        writer.close()
    return times


@contextmanager
def started(*arguments: str) -> Iterator[tuple[str, int]]:
    """A program that prints its URL behind `serves on`: the URL and the number of its process."""
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        yield next(line.split()[-1] for line in process.stdout if "serves on" in line), process.pid
    finally:
        process.terminate()
        process.wait(60)


def work(process: int) -> float:
    """Seconds of CPU that a process took so far; 0 where the system does not tell."""
    told = Path(f"/proc/{process}/stat")
    fields = told.read_text().rpartition(")")[2].split() if told.exists() else ["0"] * 13
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure, print, and judge."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    with TemporaryDirectory() as name:
        folder = Path(name)
        demo = ["-m", "soapstone", "serve", "--demo", "--port", "0", "--data", str(folder / "demo")]
        with started(*demo) as (base, _), urlopen(Request(base + PATH, BODY, HEADERS)) as response:
            (folder / "answer").write_bytes(response.read())
        shadow = ["-m", "soapstone", "serve", "--port", "0", "--data", str(folder / "data"), "--shadow"]
        with started(__file__, "--stub", str(folder / "answer")) as (live, _), started(*shadow, live) as (base, proxy):
            asyncio.run(measure(base, 0, 1))
            # Its half sets its records up.
            time.sleep(10)
            alone: dict[float, list[float]] = {delay: [] for delay in DELAYS}
            through: dict[float, list[float]] = {delay: [] for delay in DELAYS}
            before = work(proxy)
            for _ in range(rounds):
                for delay in DELAYS:
                    alone[delay] += asyncio.run(measure(live, delay, seconds))
                    through[delay] += asyncio.run(measure(base, delay, seconds))
            took = work(proxy) - before
            time.sleep(2)
            with urlopen(f"{base}/_shadow.json") as response:
                report = json.load(response)
    right = True
    for delay in DELAYS:
        for title, times in (("the live service alone", alone[delay]), ("through the shadow", through[delay])):
            late = sorted(times)[int(len(times) * 0.95)]
            print(f"{title:24}{len(times):6} calls   median {median(times) * 1e3:7.2f} ms   95th {late * 1e3:7.2f} ms")
        ratio = median(through[delay]) / median(alone[delay])
        print(f"{(ratio - 1) * 100:.1f} % more" if delay else "the service answered at once")
        right &= not delay or ratio <= MOST
    compared = sum(entry["compared"] for entry in report["operations"].values())
    print(f"the proxy took {took / sum(map(len, through.values())) * 1e3:.2f} ms of CPU for a call")
    print(f"{compared} calls were compared, {report['proxy'].get('dropped', 0)} dropped")
    sys.exit(not (right and compared))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stub"]:
        asyncio.run(stub(Path(sys.argv[2]).read_bytes()))
    else:
        main()
