"""A place to send from: a list with a default sender, folders, and a worker."""

from __future__ import annotations

from collections import Counter
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from soapstone.accounts.account import Account
from soapstone.addresses import address_key
from soapstone.clock import now
from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.jobs.worker import Worker
from soapstone.lists.lists import ContactList, Lists
from soapstone.sending.messages.message import Draft
from soapstone.sending.messages.messages import Messages
from soapstone.sending.runner import SendRunner
from soapstone.sending.send_records import SendTicket
from soapstone.sending.sends import Sends
from soapstone.sending.supplied_file import FileForm
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.tables import contacts, deliveries, memberships


class Office:
    """Everything that a send needs."""

    def __init__(self, database: Database, blobs: Blobs, account: Account, folder: Path) -> None:
        self.database = database
        self.blobs = blobs
        self.account = account
        self.mail = folder / "mail"
        self.drafts = folder / "drafts"
        self.jobs = Jobs(database)
        self.sends = Sends(database, blobs, self.jobs)
        self.messages = Messages(database)
        self.sender = SendRunner(database, self.mail, self.drafts)
        settings = {"from_name": "Ann", "from_address": "ann@example.com"}
        self.list: ContactList = Lists(database).create(account.id, "Newsletter", settings=settings)
        self._number = 0

    def contact(
        self, email: str, state: str = "subscribed", profile: dict[str, str] | None = None, **fields: Any
    ) -> int:
        """Add a contact, on the list unless `state` is empty."""
        self._number += 1
        key = address_key(email)
        unique = key if self.account.identifier == "email" and "double_of" not in fields else None
        values = {"account_id": self.account.id, "email": email, "email_key": key, "unique_email": unique}
        times = {"created_at": now(), "updated_at": now()}
        with self.database.write() as connection:
            contact_id = connection.execute(
                insert(contacts).values(**values, **times, **fields).returning(contacts.c.id)
            ).scalar_one()
            if state:
                member = {"list_id": self.list.id, "contact_id": contact_id, "account_id": self.account.id}
                member |= {"number": self._number, "state": state, "added_at": now(), "profile": profile or {}}
                connection.execute(insert(memberships).values(**member))
        return int(contact_id)

    def to_list(self, **parts: str) -> SendTicket:
        """Submit a Send to List."""
        draft = Draft(**{"subject": "News", "plain": "Hello", **parts})
        return self.sends.to_list(account=self.account, login=None, contact_list=self.list, message=draft)

    def to_file(self, content: str | bytes, form: FileForm | None = None, **parts: str) -> SendTicket:
        """Submit a Send to File."""
        upload = self.blobs.new()
        upload.write(content.encode() if isinstance(content, str) else content)
        upload.close()
        return self.sends.to_file(
            account=self.account,
            login=None,
            contact_list=self.list,
            message=Draft(**{"subject": "News", "plain": "Hello", **parts}),
            upload=upload,
            file=form or FileForm(name="people.csv"),
        )

    def work(self) -> None:
        """Run all jobs to their end."""
        worker = Worker(self.database, self.blobs, self.sender.runners, idle=0.05)
        worker.run(until=lambda: all(job.over for job in self.jobs.find()))

    def job(self, ticket: SendTicket) -> Job:
        """The job of a send as it is now."""
        job = self.jobs.get(None, ticket.job.id)
        assert job is not None
        return job

    def ledger(self, ticket: SendTicket) -> list[tuple[str, str, str]]:
        """Address, state and reason of each row, in order."""
        query = select(deliveries.c.email, deliveries.c.state, deliveries.c.reason)
        query = query.where(deliveries.c.job_id == ticket.job.id).order_by(deliveries.c.id)
        with self.database.read() as connection:
            return [(row.email, row.state, row.reason) for row in connection.execute(query)]

    def rows(self, ticket: SendTicket) -> list[Any]:
        """All columns of a send's ledger."""
        query = select(deliveries).where(deliveries.c.job_id == ticket.job.id).order_by(deliveries.c.id)
        with self.database.read() as connection:
            return list(connection.execute(query))

    def mails(self) -> dict[str, EmailMessage]:
        """Recipient → mail in the mail folder; fails when one has two."""
        mails = [parse(path.read_bytes()) for path in sorted(self.mail.glob("*.eml"))]
        assert [address for address, count in Counter(str(mail["To"]) for mail in mails).items() if count > 1] == []
        return {mail["To"].addresses[0].addr_spec: mail for mail in mails}

    def left_over(self) -> list[Path]:
        """Drafts, and files in the mail folder that are no mails."""
        return [*self.drafts.rglob("*"), *(path for path in self.mail.iterdir() if path.suffix != ".eml")]


def parse(content: bytes) -> EmailMessage:
    """A mail as others read it."""
    return BytesParser(EmailMessage, policy=policy.SMTP).parsebytes(content)


@pytest.fixture
def office(database: Database, blobs: Blobs, account: Account, tmp_path: Path) -> Office:
    """An office on either database."""
    return Office(database, blobs, account, tmp_path)
