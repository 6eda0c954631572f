"""Mails as objects of a bucket: built as drafts on the worker's host, sent by storing them in the bucket."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from soapstone.sending.folder.mail_store import BucketMailStore
from soapstone.sending.folder.outbox import Outbox, mail_name


class BucketOutbox(Outbox):
    """The mails of one attempt at a send.

    Drafts need not outlive this host: another worker that goes on with the send builds them again. They stay until the
    send ends, so that a mail can be stored again after a transaction that was not committed.
    """

    builds_again = True

    def __init__(self, mails: BucketMailStore, drafts: Path, job_id: int, attempt: int) -> None:
        super().__init__(mails.folder, drafts, job_id, attempt)
        self._mails = mails
        self._stored: list[Future[None]] = []

    def open(self) -> None:
        """Create the folder of drafts if missing."""
        self._open_drafts()

    def settle(self, delivery_ids: Sequence[int]) -> None:
        """Do nothing: the bucket keeps a mail before the ledger records it, and a lost draft is built again."""

    def send(self, delivery_id: int) -> bool:
        """Store a mail in the bucket by the time of `close`; False if it has no draft and is not there."""
        draft, name = self._draft(delivery_id), mail_name(self._job_id, delivery_id)
        if not draft.exists():
            return self._mails.exists(name)
        self._stored.append(self._mails.bucket.submit(lambda: self._mails.put(name, draft.read_bytes())))
        return True

    def has(self, delivery_id: int) -> bool:
        """Return whether a mail has a draft, or is in the bucket."""
        return self.has_draft(delivery_id) or self._mails.exists(mail_name(self._job_id, delivery_id))

    def take_back(self, delivery_id: int) -> None:
        """Remove a mail from the bucket, if it is there."""
        self._mails.remove(mail_name(self._job_id, delivery_id))

    def close(self) -> None:
        """Wait until the sent mails are in the bucket. Raises RecordsUnavailable if one of them is not."""
        stored, self._stored = self._stored, []
        for each in stored:
            each.exception()
        for each in stored:
            each.result()
