"""A thousand resets of one test server, with calls, a seed and a running job between them: nothing may be left behind.

    .venv/bin/python bench/soak/resets.py [--times N]

Threads, open files and files on the disk must not grow at all after the first resets, memory by 16 MiB at most.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

WARM = 100
MOST_GROWTH = 16 << 20
MM = "http://www.magnetmail.net/"
ROWS = "Email,First_Name\n" + "".join(f"p{number}@example.org,P\n" for number in range(2000))
SEED = {
    "accounts": [
        {"name": "S", "logins": [{"name": "s", "password": "s"}], "lists": [{"contacts": [{"email": "a@example.org"}]}]}
    ]
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1000)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "soapstone", "serve", "--test", "--port", "0"]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "TMPDIR": folder, "SOAPSTONE_MAX_CONNECTIONS_PER_ADDRESS": "100"},
        ) as process:
            assert process.stdout is not None
            base = next(found[1] for line in process.stdout if (found := re.search(r"serves on (\S+)", line)))
            spent: list[float] = []
            begun: tuple[int, int, int, int] | None = None
            with httpx.Client(base_url=base, timeout=60) as client:
                for turn in range(times):
                    use(client, turn)
                    before = time.perf_counter()
                    client.post("/_test/reset").raise_for_status()
                    spent.append(time.perf_counter() - before)
                    if turn == min(WARM, times // 2):
                        begun = held(process.pid, folder)
                ended = held(process.pid, folder)
            process.send_signal(signal.SIGTERM)
            code = process.wait(30)
        left = sorted(path.name for path in Path(folder).rglob("*"))
    assert begun is not None
    print(f"{times} resets, median {1000 * statistics.median(spent):.0f} ms, longest {1000 * max(spent):.0f} ms")
    for name, first, last in zip(("threads", "open files", "files", "memory"), begun, ended, strict=True):
        print(f"{name}: {first} -> {last}")
    grown = any(last > first for first, last in zip(begun[:3], ended[:3], strict=True))
    if grown or ended[3] - begun[3] > MOST_GROWTH or left or code:
        sys.exit(f"something is left behind: {left}, exit code {code}")


def use(client: httpx.Client, turn: int) -> None:
    """Leave something that a reset has to take away."""
    answer = call(client, "Authenticate", "<username>demo</username><password>demo</password>")
    session = re.search("<sessionId>(.*?)</sessionId>", answer)
    assert session is not None, answer
    header = f'<mmAuthHeader xmlns="{MM}"><sessionId>{session[1]}</sessionId></mmAuthHeader>'
    assert "<status>2</status>" in call(client, "getUploadJobStatus", "<jobid>1</jobid>", header)
    members = (
        f"<groupid>1</groupid><csvData>{ROWS}</csvData><replace_group>false</replace_group><update_dups>true</update_dups>"
        "<header_line>true</header_line><mapping_name>m</mapping_name><MM_1>Email</MM_1><MM_2>First_Name</MM_2>"
    )
    # Job 2 is the next one after each reset.
    assert "<jobid>2</jobid>" in call(client, "uploadListQueue", members, header)
    if turn % 10 == 0:
        client.post("/_test/seed", json=SEED).raise_for_status()
        client.post("/_test/clock", json={"advance": 3600}).raise_for_status()


def call(client: httpx.Client, operation: str, members: str, header: str = "") -> str:
    """Call an operation of MagnetMail; return the answer."""
    body = (
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
        f'<soap:Header>{header}</soap:Header><soap:Body><{operation} xmlns="{MM}">{members}</{operation}></soap:Body>'
        "</soap:Envelope>"
    )
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{MM}{operation}"'}
    return client.post("/mmapi.asmx", content=body, headers=headers).text


def held(process: int, folder: str) -> tuple[int, int, int, int]:
    """Return threads, open files, files in the folder and bytes of memory of a process (Linux)."""
    time.sleep(0.2)
    status = Path(f"/proc/{process}/status").read_text()
    found = {name: int(re.search(rf"{name}:\s+(\d+)", status)[1]) for name in ("Threads", "VmRSS")}  # type: ignore[index]
    files = sum(path.is_file() for path in Path(folder).rglob("*") if not path.name.endswith(("-wal", "-shm")))
    return found["Threads"], len(list(Path(f"/proc/{process}/fd").iterdir())), files, 1024 * found["VmRSS"]


if __name__ == "__main__":
    main()
