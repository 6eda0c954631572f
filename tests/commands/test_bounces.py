"""`soapstone bounce`: mail servers pipe bounces into it. It ends with 0 or 75, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.sending.conftest import Office, office
from tests.tracking.reports import VERP, block, plain, report
from tests.tracking.test_incoming_mails import Post

from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import incoming_mails

__all__ = ["office"]


def piped(
    raw: bytes, folder: Path, url: str, *arguments: str, before: str = "", **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a mail server does; `before` is Python that runs first."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("RECIPIENT")}
    environment |= {"SOAPSTONE_DATABASE_URL": url, "SOAPSTONE_DATA_DIR": str(folder)} | variables
    call = ["-m", "soapstone"] if not before else ["-c", f"{before}\nfrom soapstone.__main__ import main\nmain()"]
    return subprocess.run(
        [sys.executable, *call, "bounce", *arguments], input=raw, env=environment, capture_output=True, timeout=60
    )


class Pipe:
    """An office, its database's URL, and the address of a sent mail."""

    def __init__(self, post: Post, folder: Path, url: str) -> None:
        self.post, self.folder, self.url = post, folder, url
        (self.row,) = post.send("ann@receiver.example")
        product = Product.open(Settings(data_dir=folder, database_url=url), post.office.database)
        stem = product.stems.make(self.row.message_id, self.row.id)
        self.address = f"b+{stem}@bounce.example.com"
        self.raw = report(block(self.row.email, status="5.1.1"), to="news@example.com")

    @property
    def state(self) -> str:
        return self.post.state(self.row)


@pytest.fixture
def pipe(office: Office, tmp_path: Path, database_url: str) -> Pipe:
    folder = tmp_path / "data"
    folder.mkdir(exist_ok=True)
    return Pipe(Post(office), folder, database_url)


@pytest.mark.parametrize(
    "way", ["--recipient", "ORIGINAL_RECIPIENT", "RECIPIENT", "Delivered-To", "exim, in lower case", "a From line"]
)
def test_the_recipient(pipe: Pipe, way: str) -> None:
    """R14: the option, then the environment, then the header; the environment of Exim has lower case."""
    raw, arguments, variables = pipe.raw, [], {}
    if way == "--recipient":
        arguments = ["--recipient", pipe.address]
    elif way == "exim, in lower case":
        variables = {"RECIPIENT": pipe.address.lower()}
    elif way in ("Delivered-To", "a From line"):
        raw = f"Delivered-To: {pipe.address}\n".encode() + raw
        raw = b"From MAILER-DAEMON Sun Nov  1 00:00:00 2026\n" + raw if way == "a From line" else raw
    else:
        variables = {way: pipe.address}
    ran = piped(raw, pipe.folder, pipe.url, *arguments, **variables)
    assert (ran.returncode, ran.stdout) == (0, b"")
    assert pipe.state == "bounced"


def test_a_mail_that_is_not_ours_is_dropped(pipe: Pipe) -> None:
    """R13: nobody could be told; the row is for the operator."""
    ran = piped(plain("Hello"), pipe.folder, pipe.url, "--recipient", VERP)
    assert ran.returncode == 0
    with pipe.post.office.database.read() as connection:
        assert connection.execute(select(incoming_mails.c.outcome)).scalars().all() == ["unsigned"]


FAULTS = {
    "wrong arguments": (["--nonsense"], "", {}),
    "a stray argument": (["nonsense"], "", {}),
    "no folder": (["--data", "/nowhere/at/all"], "", {}),
    "an unusable setting": ([], "", {"SOAPSTONE_SMTP_CONNECTIONS": "many"}),
    "no database": ([], "", {"SOAPSTONE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}),
    "a module that does not load": ([], "import sys; sys.modules['sqlalchemy'] = None", {}),
    "no memory": ([], "import soapstone.tracking.incoming_mails as m\ndef no(*_, **__): raise MemoryError\n"
                  "m.IncomingMails.take = no", {}),
    "an exit": ([], "import soapstone.tracking.incoming_mails as m\ndef no(*_, **__): raise SystemExit(1)\n"
                "m.IncomingMails.take = no", {}),
    "no standard output": ([], "import os; os.close(1); os.close(2)\nimport sys\nsys.modules['typer'] = None", {}),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_any_fault_is_tried_again(tmp_path: Path, fault: str, sqlite_template: Path) -> None:
    """R13"""
    arguments, before, variables = FAULTS[fault]
    (tmp_path / "soapstone.sqlite").write_bytes(sqlite_template.read_bytes())
    url = f"sqlite:///{tmp_path / 'soapstone.sqlite'}"
    ran = piped(report(block()), tmp_path, url, *arguments, before=before, **variables)
    assert ran.returncode == 75


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals(tmp_path: Path, number: signal.Signals) -> None:
    """R13: a mail server ends a program that takes too long."""
    process = subprocess.Popen([sys.executable, "-m", "soapstone", "bounce", "--data", str(tmp_path)],
                               stdin=subprocess.PIPE)  # fmt: skip
    end = time.monotonic() + 60
    status = Path(f"/proc/{process.pid}/status")
    while not _catches(status, number):
        assert time.monotonic() < end
        time.sleep(0.005)
    process.send_signal(number)
    assert process.wait(60) == 75
    assert process.stdin is not None
    process.stdin.close()


def _catches(status: Path, number: int) -> bool:
    """Whether the process has a handler of its own for the signal; Python itself has one for SIGINT."""
    caught = next(line for line in status.read_text().split("\n") if line.startswith("SigCgt"))
    wanted = (1 << (signal.SIGALRM - 1)) | (1 << (number - 1))
    return int(caught.split()[1], 16) & wanted == wanted


def test_help_and_large_mails(pipe: Pipe) -> None:
    ran = piped(b"", pipe.folder, pipe.url, "--help")
    assert ran.returncode == 0
    assert b"--recipient" in ran.stdout
    ran = piped(pipe.raw + b"x" * (20 << 20), pipe.folder, pipe.url, "--recipient", pipe.address)
    assert ran.returncode == 0
    assert pipe.state == "bounced"


def test_records_of_an_older_version(tmp_path: Path) -> None:
    """After an upgrade of the package, before that of the records: the mail server keeps the mails."""
    database = Database(f"sqlite:///{tmp_path / 'soapstone.sqlite'}")
    database.close()
    ran = piped(report(block()), tmp_path, f"sqlite:///{tmp_path / 'soapstone.sqlite'}")
    assert ran.returncode == 75
