"""The mails that a test server wrote to its mail folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import getaddresses
from itertools import islice
from pathlib import Path

from sqlalchemy import select

from soapstone.console.mail_folder import HEADER_BYTES, MailFolder, OpenedMail, StoredMail
from soapstone.product import Product
from soapstone.sending.messages.hyperlinks import links_of
from soapstone.store.tables import deliveries
from soapstone.tracking.links import target_of
from soapstone.tracking.stems import LENGTH

MOST_SEARCHED = 10_000
"""Number of mails that a search covers, the newest ones."""
_BATCH = 500
_TRACKED = re.compile(rf"/c/([a-z2-7]{{{LENGTH}}})/([0-9]{{1,6}})(?:/(.+))?$", re.S)
_FOLD = re.compile("\n(?=[ \t])")


@dataclass(frozen=True, kw_only=True)
class WrittenMail:
    """One mail. `number` is its row in the ledger, `recipient` the address of the envelope.

    `links` are addresses, the texts that are shown for them, and where they lead: for a tracked link to the author's
    address, for others to their own.
    """

    number: int
    at: datetime
    account: str
    recipient: str
    opened: OpenedMail
    links: list[tuple[str, str, str]]


@dataclass(frozen=True)
class _Entry:
    """A file of the folder. `written` is the time at which its mail was sent."""

    written: int
    number: int
    job_id: int
    path: Path


class WrittenMails:
    """Reads the mail folder of the current `product`."""

    def __init__(self, product: Callable[[], Product]) -> None:
        self._product = product

    def find(self, to: str = "", subject: str = "", limit: int = 100) -> list[WrittenMail]:
        """Return the newest mails in the order of writing, filtered by address and part of the subject."""
        newest = sorted(self._entries(), key=lambda entry: (entry.written, entry.number), reverse=True)
        found = list(islice(self._search(newest[:MOST_SEARCHED], to.casefold(), subject.casefold()), limit))
        return found[::-1]

    def get(self, number: int) -> WrittenMail | None:
        return next(self._search(list(self._entries(number)), "", ""), None)

    def source(self, number: int) -> Path | None:
        """Return the file of a mail; None if unknown."""
        return next((entry.path for entry in self._entries(number)), None)

    def _entries(self, only: int | None = None) -> Iterator[_Entry]:
        folder = self._product().settings.mail
        for job_id, names in MailFolder(self._product().mails).read().items():
            for number, name in names:
                with suppress(FileNotFoundError):
                    if only in (None, number):
                        yield _Entry((folder / name).stat().st_ctime_ns, number, job_id, folder / name)

    def _search(self, entries: Sequence[_Entry], to: str, subject: str) -> Iterator[WrittenMail]:
        product = self._product()
        folder = MailFolder(product.mails)
        accounts: dict[int, str] = {}
        for at in range(0, len(entries), _BATCH):
            batch = entries[at : at + _BATCH]
            these = deliveries.c.id.in_([entry.number for entry in batch])
            query = select(deliveries.c.id, deliveries.c.email).where(these)
            with product.database.read() as connection:
                recipients = {row.id: row.email for row in connection.execute(query)}
            for entry in batch:
                recipient = recipients.get(entry.number, "")
                with suppress(FileNotFoundError):
                    if not _may_fit(entry.path, to, subject, recipient):
                        continue
                    summary = folder.summary(entry.path.name)
                    if subject in summary.subject.casefold() and (not to or to in _addresses(summary, recipient)):
                        if entry.job_id not in accounts:
                            accounts[entry.job_id] = _account(product, entry.job_id)
                        yield _written(product, entry, accounts[entry.job_id], recipient, folder.open(entry.path.name))


def _written(product: Product, entry: _Entry, account: str, recipient: str, opened: OpenedMail) -> WrittenMail:
    return WrittenMail(
        number=entry.number,
        at=opened.summary.date or datetime.fromtimestamp(entry.written / 1e9, UTC),
        account=account,
        recipient=recipient,
        opened=opened,
        links=[(url, text, _target(product, url)) for url, text in links_of(opened.html or "", opened.plain or "")],
    )


def _target(product: Product, url: str) -> str:
    """Return where a link of a mail leads."""
    match = _TRACKED.search(url)
    stem = product.stems.read(match[1]) if match else None
    if match is None or stem is None:
        return url
    position = int(match[2])
    if match[3]:
        return product.stems.read_target(match[1], position, match[3]) or url
    return target_of(product.database, stem.message_id, position) or url


def _account(product: Product, job_id: int) -> str:
    job = product.jobs.get(None, job_id)
    account = None if job is None else product.accounts.get(job.account_id)
    return account.name if account else ""


def _may_fit(path: Path, to: str, subject: str, recipient: str) -> bool:
    """Return whether a mail may match, without parsing its header, which takes milliseconds."""
    if not to and not subject:
        return True
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES).replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    text = _FOLD.sub("", head.decode("utf-8", "replace")).casefold()
    written = next((line for line in text.split("\n") if line.startswith("subject:")), "")
    return (to in text or to == recipient.casefold()) and (subject in written or "=?" in written)


def _addresses(summary: StoredMail, recipient: str) -> set[str]:
    return {recipient.casefold(), *(address.casefold() for _, address in getaddresses([summary.to]))}
