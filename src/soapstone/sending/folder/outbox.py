"""Mails as files: built in the drafts folder, sent by one rename into the mail folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from soapstone.jobs.run import JobFailed
from soapstone.store import private

SYNC_THREADS = 16


class Outbox:
    """The files of one attempt at a send. Folder errors raise JobFailed.

    Both folders are on one file system, so a mail is always whole, and in one of them.
    """

    # Whether mails without a draft are built again.
    builds_again = False

    def __init__(self, mail: Path, drafts: Path, job_id: int, attempt: int) -> None:
        self._mail = mail
        self._drafts = drafts / f"{job_id:08d}"
        self._job_id = job_id
        self._attempt = attempt

    def open(self) -> None:
        """Create both folders if missing."""
        with _told("The mail folder is not a folder that can be written to"):
            private.make_folder(self._mail)
        self._open_drafts()

    def _open_drafts(self) -> None:
        with _told("The drafts folder is not a folder that can be written to"):
            private.make_folder(self._drafts.parent)
            private.make_folder(self._drafts)

    def build(self, delivery_id: int, content: bytes) -> None:
        """Write a mail into the drafts; an existing one is replaced."""
        draft = self._draft(delivery_id)
        # An abandoned attempt may still be writing: each has names of its own, and a rename is atomic.
        partial = draft.with_suffix(f".{self._attempt}.partial")
        with _told("A mail could not be written"):
            with private.create(partial) as file:
                file.write(content)
            partial.replace(draft)

    def settle(self, delivery_ids: Sequence[int]) -> None:
        """Sync drafts to disk: the ledger must not record a mail that a power loss can destroy.

        In parallel, since file systems batch them: measured 60 µs each instead of 210.
        """
        # A mail sent before is no longer a draft, and is synced.
        with _told("A mail could not be written"), ThreadPoolExecutor(SYNC_THREADS) as threads:
            for _ in threads.map(private.sync, map(self._draft, delivery_ids)):
                pass

    def send(self, delivery_id: int) -> bool:
        """Move a mail from the drafts into the mail folder; False if it is in neither.

        A mail already in the mail folder was sent before.
        """
        draft, mail = self._draft(delivery_id), self._mail_file(delivery_id)
        with _told("A mail could not be put into the mail folder"):
            try:
                os.replace(draft, mail)  # noqa: PTH105 - the one call that all depends on
            except FileNotFoundError:
                if draft.exists():
                    raise
                return mail.exists()
        return True

    def has_draft(self, delivery_id: int) -> bool:
        """Return whether a mail has a draft."""
        return self._draft(delivery_id).exists()

    def has(self, delivery_id: int) -> bool:
        """Return whether a mail is in the drafts or in the mail folder."""
        return self._draft(delivery_id).exists() or self._mail_file(delivery_id).exists()

    def take_back(self, delivery_id: int) -> None:
        """Move a mail from the mail folder back into the drafts, if it is there."""
        with _told("A mail could not be taken out of the mail folder"), suppress(FileNotFoundError):
            self._mail_file(delivery_id).replace(self._draft(delivery_id))

    def close(self) -> None:
        """Sync the names of the sent mails to disk."""
        with _told("A mail could not be put into the mail folder"):
            private.sync(self._mail)

    def clear(self) -> None:
        """Remove the remaining drafts."""
        shutil.rmtree(self._drafts, ignore_errors=True)

    def _draft(self, delivery_id: int) -> Path:
        return self._drafts / _draft_name(delivery_id)

    def _mail_file(self, delivery_id: int) -> Path:
        return self._mail / mail_name(self._job_id, delivery_id)


def draft_file(drafts: Path, job_id: int, delivery_id: int) -> Path:
    """Return the possible file of a ledger row's mail as a draft."""
    return drafts / f"{job_id:08d}" / _draft_name(delivery_id)


def job_of_mail(name: str) -> int | None:
    """Return the number of the send that a file in the mail folder belongs to; None for other files."""
    job_id, hyphen, rest = name.removesuffix(".eml").partition("-")
    is_mail = name.endswith(".eml") and hyphen and job_id.isdecimal() and rest.isdecimal() and name.isascii()
    return int(job_id) if is_mail else None


def mail_name(job_id: int, delivery_id: int) -> str:
    """Return the name of a ledger row's mail."""
    return f"{job_id:08d}-{delivery_id:010d}.eml"


def _draft_name(delivery_id: int) -> str:
    return f"{delivery_id:010d}.eml"


def jobs_with_drafts(drafts: Path) -> list[int]:
    """Return the numbers of jobs with drafts on disk."""
    return [int(path.name) for path in drafts.iterdir() if path.name.isdigit()] if drafts.is_dir() else []


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JobFailed(f"{what}: {error.strerror or 'unknown reason'}.") from error
