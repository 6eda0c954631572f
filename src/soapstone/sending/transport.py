"""The interface of transports, which deliver the mails of a send: over SMTP, or as files into a folder."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from soapstone.jobs.run import Run
from soapstone.sending.final_check import FinalCheck
from soapstone.sending.mail.builder import MailBuilder


class Transport(Protocol):
    """Delivers a send once its recipients are chosen."""

    @property
    def phase(self) -> str:
        """The checkpoint phase in which delivery begins."""

    def opened(self, run: Run) -> AbstractContextManager[None]:
        """Return a context manager for one attempt at a send. Raises JobFailed if no mail could be delivered."""

    def adopt(self, run: Run) -> None:
        """Take over an earlier attempt, by this transport or another one."""

    def deliver(self, run: Run, builder: MailBuilder, final_check: FinalCheck) -> None:
        """Deliver the mails. Raises Snooze if the rest is due later."""
