"""Sends by SMTP against a bare SMTP client, and the memory of a worker that sends.

    python bench/sending.py                          all parts
    python bench/sending.py rate --mails 20000 --rounds 3 --connections 8
    python bench/sending.py dkim --mails 8000 --mails-before 1000 --rounds 3
    python bench/sending.py against --commit 66c8e88 --mails 10000 --rounds 3
    python bench/sending.py memory --small 10000 --large 1000000

A send here is a complete one: `soapstone worker` runs as a process of its own and sends to a list whose people were
imported before. The message has an HTML body, from which the text body is made, with ten merge fields and two links
that are signed for each recipient; List-Unsubscribe goes along, so nothing is the same in two mails. The database is
SQLite; the sends keep their journals, and write their ledger in bulk.

rate    Mails a second, as the sink (bench/peers/smtp_sink.py) counts them from the first to the last, in interleaved
        rounds: ours, unsigned and signed with an RSA key of 2,048 bits or with ed25519; aiosmtplib, which sends one
        finished message over the same number of connections (bench/peers/aiosmtplib_constant.py), under uvloop and
        under the loop of the standard library; and postfix's `smtp-source`, a client in C that does the same, when it
        is installed. Whoever sends has one core for itself, sink and bench have another one. The demands are for the
        ratios to aiosmtplib, of the faster of its loops.
dkim    The same sends, signed with an RSA key of 2,048 bits, of this build and of one before, in interleaved rounds.
        The build before is checked out from the repository's history and runs in this environment. It signed in Python
        and sends to fewer people, so that both take about as long. The last mail of each send is verified.
against The same without signatures and for as many mails of both: whether sends have become slower since. The build
        before is the last one that tracked no mails, unless another one is named.
memory  The most that a worker holds while it sends to few people and to many: the same, give or take a tenth. Without
        further words "many" are 200,000, since a million takes its time; `--large 1000000` is the whole demand.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from email import message_from_string
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import crowd
import dkim
from installation import Done, Installation

from soapstone.sending.mail.dkim import DkimKey
from soapstone.sending.messages.message import Draft

HERE = Path(__file__).parent
ROOT = HERE.parent
DEMANDED = {"ours": 1.0, "ours, RSA-2048": 0.4, "ours, ed25519": 0.8}
# Signed, and unsigned sends of the build before.
DEMANDED_SIGNED, DEMANDED_AGAINST = 8.0, 0.97
MOST_GROWTH = 1.10
# Postfix keeps its test programs where only the administrator looks.
SMTP_SOURCE = shutil.which("smtp-source", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/postfix/sbin")

FIELDS = ("First_Name", "Last_Name", "Company", "Address", "Address2", "Zip", "City", "State", "Phone", "Custom1")
_NEWS = """
<h2>The {n}. thing that is new</h2>
<p style="margin: 0 0 1em; color: #333333">Of all the things that are new this one is the {n}., and a few words are said
about it here, as in any newsletter: what it is, whom it is for, when it comes, and where one reads more of it.</p>
"""
MESSAGE = Draft(
    subject="{{ First_Name }}, news for {{ Company }}",
    from_name="Ann of the Newsletter",
    from_address="ann@example.com",
    to_name="{{ First_Name }} {{ Last_Name }}",
    html="""<html><body style="font-family: sans-serif">
<p><a href="{{ Browser_Link }}">Read this message in a browser</a></p>
<h1>Dear {{ First_Name }} {{ Last_Name }},</h1>
<p>{{ Company }}, {{ Address }}, {{ Address2 }}, {{ Zip }} {{ City }}, {{ State }}: is that still right? And the number
{{ Phone }}, too? Your reference is {{ Custom1 }}.</p>
"""
    + "".join(_NEWS.format(n=n) for n in range(1, 9))
    + """<p><a href="{{ Unsubscribe_Link }}">Unsubscribe</a></p>
</body></html>
""",
)


class Sink:
    """The server that takes all mail, on a core."""

    def __init__(self, core: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, HERE / "peers" / "smtp_sink.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        os.sched_setaffinity(self._process.pid, {core})
        assert self._process.stdin
        assert self._process.stdout
        self._ask, self._answers = self._process.stdin, self._process.stdout
        self.port = int(self._answers.readline())

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, *_: object) -> None:
        self._ask.close()
        self._process.wait()
        self._answers.close()

    def count(self) -> dict[str, Any]:
        """What came since the last time: see there."""
        self._ask.write("\n")
        self._ask.flush()
        counted: dict[str, Any] = json.loads(self._answers.readline())
        return counted

    def rate(self, mails: int) -> float:
        """Mails a second of all that came; there must be so many."""
        counted = self.count()
        if counted["mails"] != mails:
            raise SystemExit(f"{counted['mails']} mails came, not {mails}")
        return float((mails - 1) / counted["seconds"])


class Newsletter:
    """A list of people in a folder of its own, to which the message is sent as often as one likes."""

    def __init__(
        self, folder: Path, people: int, sink: Sink, connections: int, core: int, more: Mapping[str, str]
    ) -> None:
        file = folder / "people.csv"
        folder.mkdir()
        crowd.make(file, crowd.clean(people))
        settings = {
            "SOAPSTONE_PUBLIC_URL": "https://lists.example.com",
            "SOAPSTONE_SMTP_URL": f"smtp://127.0.0.1:{sink.port}",
            "SOAPSTONE_SMTP_CONNECTIONS": str(connections),
            "SOAPSTONE_SMTP_HOSTNAME": "client.example",
            **more,
        }
        with Installation(folder / "data") as installation:
            installation.run(file)
            for blob in installation.product.blobs.folder.iterdir():
                blob.unlink()
        file.unlink()
        self.people = people
        self._sink = sink
        self.installation = Installation(folder / "data", settings=settings, core=core)

    def send(self, *, measure_memory: bool = False) -> tuple[Done, dict[str, Any]]:
        """Send to everybody; the job, and what the sink counted."""
        here = self.installation
        ticket = here.product.sends.to_list(account=here.account, login=None, contact_list=here.list, message=MESSAGE)
        done = here.finish(ticket.job.id, measure_memory=measure_memory)
        counted = self._sink.count()
        expected = {"chosen": self.people, "handed": self.people}
        found = {name: number for name, number in done.job.counters.items() if number}
        if found != expected or (counted["mails"], counted["recipients"]) != (self.people, self.people):
            raise SystemExit(f"{found} is in the ledger and {counted} came, not {expected}")
        return done, counted


@contextmanager
def newsletter(
    folder: Path, people: int, sink: Sink, connections: int, more: Mapping[str, str] | None = None
) -> Iterator[Newsletter]:
    """One that is gone after the block; `more` are settings of its worker."""
    made = Newsletter(folder, people, sink, connections, worker_core(), more or {})
    try:
        yield made
    finally:
        made.installation.database.close()
        shutil.rmtree(folder)


def worker_core() -> int:
    return min(CORES)


def other_core() -> int:
    return max(CORES)


CORES = os.sched_getaffinity(0)


def check(mail: str) -> None:
    """Whether a mail is what was to be sent: everything merged, both links in both bodies, and the header."""
    read = message_from_string(mail)
    bodies = [part.get_payload(decode=True).decode() for part in read.walk() if not part.is_multipart()]
    for body in bodies:
        links = [body.count(f"https://lists.example.com/{kind}/") for kind in "um"]
        if "{{" in body or links != [1, 1] or "Main Street" not in body or "The 8. thing" not in body:
            raise SystemExit(f"this is not the mail that was to be sent:\n{mail}")
    if len(bodies) != 2 or "https://lists.example.com/u/" not in read["List-Unsubscribe"]:
        raise SystemExit(f"this is not the mail that was to be sent:\n{mail}")


def run(command: list[Any]) -> None:
    """A client on the core that the worker has in its turn."""
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    os.sched_setaffinity(process.pid, {worker_core()})
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"{command}: {errors.decode()}")


def rate(folder: Path, given: argparse.Namespace) -> None:
    mails, connections = given.mails, given.connections
    rates: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        rates.setdefault(name, []).append(value)
        print(f"    {name}: {value:,.0f} mails/s", flush=True)

    keys = {
        "ours": {},
        "ours, RSA-2048": signing(folder / "rsa.pem", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
        "ours, ed25519": signing(folder / "ed25519.pem", "ED25519"),
    }
    with ExitStack() as stack:
        sink = stack.enter_context(Sink(other_core()))
        ours = {
            name: stack.enter_context(newsletter(folder / f"rate-{place}", mails, sink, connections, more))
            for place, (name, more) in enumerate(keys.items())
        }
        print(f"  worker and clients on core {worker_core()}, sink and bench on core {other_core()}")
        message = folder / "message.eml"
        for number in range(given.rounds):
            print(f"  round {number + 1}")
            for name, each in ours.items():
                done, counted = each.send()
                check(counted["last"])
                if not message.exists():
                    message.write_text(counted["last"], newline="")
                    size = counted["octets"] // mails
                    print(f"    a mail has {size:,} octets")
                note(name, (mails - 1) / counted["seconds"])
                if name == "ours":
                    note("ours, with choosing its recipients", mails / done.seconds)
            peer = [sys.executable, HERE / "peers" / "aiosmtplib_constant.py", sink.port, connections, mails, message]
            run(peer)
            note("aiosmtplib", sink.rate(mails))
            run([*peer, "plain"])
            note("aiosmtplib, standard loop", sink.rate(mails))
            if SMTP_SOURCE:
                options = ["-s", connections, "-m", mails, "-d", "-l", size, "-f", "ann@example.com"]
                run([SMTP_SOURCE, *options, "-t", "bob@example.org", f"inet:127.0.0.1:{sink.port}"])
                note("smtp-source", sink.rate(mails))
    print(f"{mails:,} mails over {connections} connections, median of {given.rounds} rounds")
    for name, values in rates.items():
        ratio = median(one / other for one, other in zip(rates["ours"], values, strict=True))
        print(f"{name}: {median(values):,.0f} mails/s; ours are {ratio:.2f} times as many")
    if not SMTP_SOURCE:
        print("smtp-source is missing: postfix is not installed")
    best = [max(pair) for pair in zip(rates["aiosmtplib"], rates["aiosmtplib, standard loop"], strict=True)]
    for name, demanded in DEMANDED.items():
        ratio = median(one / other for one, other in zip(rates[name], best, strict=True))
        print(f"{name} to aiosmtplib: {ratio:.2f}, at least {demanded:g} demanded: {said(ratio >= demanded)}")


def signing(file: Path, *algorithm: str) -> dict[str, str]:
    """Make a key in this file; the settings with which a worker signs by it."""
    command = ["openssl", "genpkey", "-algorithm", *algorithm, "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    return {"SOAPSTONE_DKIM_KEYS": f"example.com:june:{file}"}


class Build:
    """The product as it is in a folder, which sends the message whenever it is asked (bench/peers/sends_of_build.py).

    `settings` are environment variables of its workers.
    """

    def __init__(self, tree: Path, folder: Path, mails: int, connections: int, settings: Mapping[str, str]) -> None:
        self.mails = mails
        cores = [worker_core(), *sorted(CORES - {worker_core()})]
        command = [sys.executable, HERE / "peers" / "sends_of_build.py", folder, mails, connections, *cores]
        path = os.pathsep.join([str(tree / "src"), str(tree / "bench")])
        self._process = subprocess.Popen(
            list(map(str, command)),
            env={**os.environ, "PYTHONPATH": path, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._ask, self._answers = self._process.stdin, self._process.stdout

    def __enter__(self) -> Build:
        self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        self._ask.close()
        self._process.wait()
        self._answers.close()

    def send(self) -> tuple[float, str]:
        """Send to everybody: mails a second, and the last mail."""
        self._ask.write("\n")
        self._ask.flush()
        counted = json.loads(self._answer())
        return (self.mails - 1) / counted["seconds"], counted["last"]

    def _answer(self) -> str:
        line = self._answers.readline()
        if not line:
            raise SystemExit("a build ended before its sends did")
        return line


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """A folder with the sources of a commit, which is gone after the block."""
    git = ["git", "-C", str(ROOT), "worktree"]
    added = subprocess.run([*git, "add", "--detach", str(folder), commit], capture_output=True, text=True)
    if added.returncode:
        raise SystemExit(f"{commit} cannot be checked out: {added.stderr}")
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def compare(
    folder: Path,
    given: argparse.Namespace,
    mails_before: int,
    settings: Mapping[str, str],
    settings_before: Mapping[str, str],
    accept: Callable[[str], None],
) -> float:
    """Let this build and the one of the commit send in turn; how many times as fast this one is, by the median."""
    ratios: list[float] = []
    with (
        checked_out(given.commit, folder / "before") as before,
        Build(before, folder / "data-before", mails_before, given.connections, settings_before) as other,
        Build(ROOT, folder / "data", given.mails, given.connections, settings) as ours,
    ):
        for number in range(given.rounds):
            rates = {}
            # Whoever comes second finds the machine as the first one left it.
            for build in (other, ours) if number % 2 == 0 else (ours, other):
                rates[build], last = build.send()
                check(last)
                accept(last)
            ratios.append(rates[ours] / rates[other])
            print(f"  round {number + 1}: {rates[ours]:,.0f} mails/s, {rates[other]:,.0f} of {given.commit}", end="")
            print(f": {ratios[-1]:.2f}", flush=True)
    return median(ratios)


def signed(folder: Path, given: argparse.Namespace) -> None:
    """Signed sends of this build and of the one before."""
    file = folder / "key.pem"
    settings = signing(file, "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    record = DkimKey.of("june", str(file)).record.encode()
    names = {"KEY": str(file), "DOMAIN": "example.com", "SELECTOR": "june"}
    before = {f"SOAPSTONE_DKIM_{name}": value for name, value in names.items()}

    def accept(mail: str) -> None:
        # The sink keeps mails as they came: points at the beginning of a line are doubled (RFC 5321 4.5.2).
        content = mail.replace("\r\n..", "\r\n.").encode()
        if not dkim.verify(content, dnsfunc=lambda *_, **__: record):
            raise SystemExit(f"this mail has no valid signature:\n{mail}")

    ratio = compare(folder, given, given.mails_before, settings, before, accept)
    print(f"signed, to {given.commit}: {ratio:.2f}", end="")
    print(f", at least {DEMANDED_SIGNED:g} demanded: {said(ratio >= DEMANDED_SIGNED)}")


def against(folder: Path, given: argparse.Namespace) -> None:
    """Unsigned sends of this build and of the one before."""

    def accept(mail: str) -> None:
        if "DKIM-Signature:" in mail:
            raise SystemExit(f"this mail is signed:\n{mail}")

    ratio = compare(folder, given, given.mails, {}, {}, accept)
    print(f"unsigned, to {given.commit}: {ratio:.2f}", end="")
    print(f", at least {DEMANDED_AGAINST:g} demanded: {said(ratio >= DEMANDED_AGAINST)}")


def memory(folder: Path, given: argparse.Namespace) -> None:
    most: dict[int, int] = {}
    for people in (given.small, given.large):
        with Sink(other_core()) as sink, newsletter(folder / "memory", people, sink, given.connections) as ours:
            began = time.perf_counter()
            done, _ = ours.send(measure_memory=True)
            most[people] = done.memory
            print(f"  {people:,} people: the worker held {done.memory / 1e6:.1f} MB at most", end="")
            print(f" ({time.perf_counter() - began:.0f} s, {people / done.seconds:,.0f} mails/s)", flush=True)
    ratio = most[given.large] / most[given.small]
    print(f"{ratio:.2f} times as much, at most {MOST_GROWTH:g} demanded: {said(ratio <= MOST_GROWTH)}")


def said(met: bool) -> str:
    return "met" if met else "MISSED"


# The builds that sends are compared with: the last one that signed in Python, and the last one without tracking.
SIGNED_IN_PYTHON, UNTRACKED = "5960098", "66c8e88"
PARTS: Mapping[str, tuple[Callable[[Path, argparse.Namespace], None], Mapping[str, int | str]]] = {
    "rate": (rate, {"mails": 20_000, "rounds": 3, "connections": 8}),
    "dkim": (
        signed,
        {"commit": SIGNED_IN_PYTHON, "mails": 8_000, "mails-before": 1_000, "rounds": 3, "connections": 8},
    ),
    "against": (against, {"commit": UNTRACKED, "mails": 10_000, "rounds": 3, "connections": 8}),
    "memory": (memory, {"small": 10_000, "large": 200_000, "connections": 8}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures sends by SMTP.")
    parts = parser.add_subparsers(dest="part")
    for name, (_, options) in PARTS.items():
        part = parts.add_parser(name, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        for option, value in options.items():
            part.add_argument(f"--{option}", type=type(value), default=value)
    given: Any = parser.parse_args()
    os.sched_setaffinity(0, {other_core()})
    print(f"load average at the start: {os.getloadavg()[0]:.2f}")
    for name in [given.part] if given.part else PARTS:
        print(f"-- {name}", flush=True)
        began = time.perf_counter()
        with TemporaryDirectory(prefix="soapstone-bench-") as folder:
            PARTS[name][0](Path(folder), given if given.part else parser.parse_args([name]))
        print(f"({time.perf_counter() - began:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
