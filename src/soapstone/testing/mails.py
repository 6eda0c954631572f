"""The mails that a test server wrote to its mail folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import getaddresses
from itertools import islice
from pathlib import Path

from sqlalchemy import select

from soapstone.console.mail_folder import Letter, MailFolder, OpenLetter
from soapstone.product import Product
from soapstone.sending.hyperlinks import links_of
from soapstone.store.tables import deliveries

MOST_SEARCHED = 10_000
"""Mails that a search looks at, the newest ones."""
_BATCH = 500


@dataclass(frozen=True, kw_only=True)
class WrittenMail:
    """One mail. `number` is that of its recipient in the ledger, `recipient` the address of the envelope.

    `links` are addresses and the texts that are shown for them.
    """

    number: int
    at: datetime
    account: str
    recipient: str
    opened: OpenLetter
    links: list[tuple[str, str]]


@dataclass(frozen=True)
class _Entry:
    """A file of the folder. It gets its place there, and `written`, when its mail is handed over."""

    written: int
    number: int
    job_id: int
    path: Path


class WrittenMails:
    """Reads the mail folder of the records that `product` gives, as it is now."""

    def __init__(self, product: Callable[[], Product]) -> None:
        self._product = product

    def find(self, to: str = "", subject: str = "", limit: int = 100) -> list[WrittenMail]:
        """Return the newest mails in the order of writing: to this address, with this text in the subject, if given."""
        newest = sorted(self._entries(), key=lambda entry: (entry.written, entry.number), reverse=True)
        found = list(islice(self._search(newest[:MOST_SEARCHED], to.casefold(), subject.casefold()), limit))
        return found[::-1]

    def get(self, number: int) -> WrittenMail | None:
        """Return one mail."""
        return next(self._search([entry for entry in self._entries() if entry.number == number], "", ""), None)

    def source(self, number: int) -> Path | None:
        """Return where a mail lies."""
        return next((entry.path for entry in self._entries() if entry.number == number), None)

    def _entries(self) -> Iterator[_Entry]:
        folder = self._product().settings.mail
        for job_id, names in MailFolder(folder).read().items():
            for number, name in names:
                with suppress(FileNotFoundError):
                    yield _Entry((folder / name).stat().st_ctime_ns, number, job_id, folder / name)

    def _search(self, entries: Sequence[_Entry], to: str, subject: str) -> Iterator[WrittenMail]:
        product = self._product()
        folder = MailFolder(product.settings.mail)
        for at in range(0, len(entries), _BATCH):
            batch = entries[at : at + _BATCH]
            these = deliveries.c.id.in_([entry.number for entry in batch])
            query = select(deliveries.c.id, deliveries.c.email).where(these)
            with product.database.read() as connection:
                recipients = {row.id: row.email for row in connection.execute(query)}
            for entry in batch:
                recipient = recipients.get(entry.number, "")
                with suppress(FileNotFoundError):
                    letter = folder.letter(entry.path)
                    if subject in letter.subject.casefold() and (not to or to in _addresses(letter, recipient)):
                        yield self._written(product, entry, recipient, folder.open(entry.path))

    def _written(self, product: Product, entry: _Entry, recipient: str, opened: OpenLetter) -> WrittenMail:
        job = product.jobs.get(None, entry.job_id)
        account = None if job is None else product.accounts.get(job.account_id)
        return WrittenMail(
            number=entry.number,
            at=opened.letter.date or datetime.fromtimestamp(entry.written / 1e9, UTC),
            account=account.name if account else "",
            recipient=recipient,
            opened=opened,
            links=links_of(opened.html or "", opened.plain or ""),
        )


def _addresses(letter: Letter, recipient: str) -> set[str]:
    return {recipient.casefold(), *(address.casefold() for _, address in getaddresses([letter.to]))}
