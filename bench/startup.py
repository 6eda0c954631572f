"""How long a test server and a demo server take to their first answered poll, beside an older commit's demo server.

And a reset of the test server, and the processor time of `soapstone --help` beside that of the older commit.

    .venv/bin/python bench/startup.py [--base COMMIT] [--rounds N]

The rounds take turns. Each starts a server in a new process and asks until an answer comes: MagnetMail's Authenticate,
then getUploadJobStatus of the demo's upload until it says completed. The time is from the start of the process to that
answer. The older program runs with the packages of this environment, from a copy that `git archive` makes.

Fails when the test server takes more than 0.35 of the older one's time, our demo server more than 0.6 of it, the help
more than 0.3 of its processor time, or a reset more than 50 ms (medians).
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import os
import re
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
BASE = "5960098"
MOST_TEST, MOST_DEMO, MOST_HELP = 0.35, 0.6, 0.3
MOST_RESET = 0.05
PATIENCE = 60.0
MM = "http://www.magnetmail.net/"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default=BASE, help="the commit whose demo server is the measure")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--resets", type=int, default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = checkout(given.base, Path(folder) / "base")
        before, demos, tests = [], [], []
        resets: list[float] = []
        helps_before, helps = [], []
        for turn in range(given.rounds):
            before.append(first_poll(base, ["--demo", "--data", f"{folder}/before{turn}"]))
            demos.append(first_poll(ROOT, ["--demo", "--data", f"{folder}/data{turn}"]))
            tests.append(first_poll(ROOT, ["--test"]))
            helps_before.append(help_cpu(base))
            helps.append(help_cpu(ROOT))
        first_poll(ROOT, ["--test"], then=lambda port: resets.extend(timed_resets(port, given.resets)))
    print(f"serve --demo at {given.base}: {spread(before)}")
    print(f"a reset: {spread(resets)} (median at most {1000 * MOST_RESET:.0f} ms)")
    missed = statistics.median(resets) > MOST_RESET
    for name, ours, theirs, most in (
        ("serve --test", tests, before, MOST_TEST),
        ("serve --demo", demos, before, MOST_DEMO),
        ("CPU of --help", helps, helps_before, MOST_HELP),
    ):
        ratio = statistics.median(ours) / statistics.median(theirs)
        print(f"{name}: {spread(ours)}, ratio {ratio:.3f} (at most {most})")
        missed = missed or ratio > most
    if missed:
        sys.exit("too slow")


def checkout(commit: str, folder: Path) -> Path:
    """Write the source of a commit to the folder."""
    packed = subprocess.run(["git", "-C", str(ROOT), "archive", commit, "src"], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    # Both have compiled modules, as after an installation.
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(folder)], check=True)
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(ROOT / "src")], check=True)
    return folder


def environment_of(source: Path) -> dict[str, str]:
    """Return the environment of a program of that source."""
    kept = {
        name: value
        for name, value in os.environ.items()
        # A program without compiled modules compiles the source at each start, which no installed one does.
        if not name.startswith("SOAPSTONE_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    return {**kept, "PYTHONPATH": str(source / "src")}


def help_cpu(source: Path) -> float:
    """Return the processor time of `soapstone --help`, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "soapstone", "--help"]
    subprocess.run(command, env=environment_of(source), stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def first_poll(source: Path, options: list[str], then: Callable[[int], None] = lambda port: None) -> float:
    """Start a server; return the seconds until it answers that the demo's upload is completed."""
    environment = environment_of(source)
    command = [sys.executable, "-m", "soapstone", "serve", "--port", "0", *options]
    began = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            port = next(int(found[1]) for line in process.stdout if (found := re.search(r"serves on .*:(\d+)", line)))
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as client:
                logon = call(client, "Authenticate", "<username>demo</username><password>demo</password>")
                session = re.search("<sessionId>(.*?)</sessionId>", logon)
                assert session is not None, logon
                header = f'<mmAuthHeader xmlns="{MM}"><sessionId>{session[1]}</sessionId></mmAuthHeader>'
                while "<status>2</status>" not in call(client, "getUploadJobStatus", "<jobid>1</jobid>", header):
                    assert time.perf_counter() < began + PATIENCE
                    time.sleep(0.005)
            seconds = time.perf_counter() - began
            then(port)
        finally:
            process.terminate()
    return seconds


def call(client: http.client.HTTPConnection, operation: str, members: str, header: str = "") -> str:
    """Call an operation of MagnetMail; return the answer."""
    body = (
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
        f'<soap:Header>{header}</soap:Header><soap:Body><{operation} xmlns="{MM}">{members}</{operation}></soap:Body>'
        "</soap:Envelope>"
    )
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{MM}{operation}"'}
    client.request("POST", "/mmapi.asmx", body, headers)
    return client.getresponse().read().decode()


def timed_resets(port: int, times: int) -> Iterator[float]:
    """Reset so often, with a logon between two resets; the seconds of each."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as client:
        for turn in range(times + 1):
            call(client, "Authenticate", "<username>demo</username><password>demo</password>")
            began = time.perf_counter()
            client.request("POST", "/_test/reset")
            answer = client.getresponse()
            answer.read()
            assert answer.status == 204, answer.status
            # The first one loads the control API.
            if turn:
                yield time.perf_counter() - began


def spread(seconds: list[float]) -> str:
    """Return median and range in milliseconds."""
    shown = statistics.median(seconds), min(seconds), max(seconds)
    return "{:.0f} ms ({:.0f} to {:.0f})".format(*(1000 * each for each in shown))


if __name__ == "__main__":
    main()
