"""What a send needs of the way that its mails go: by an SMTP server, or as files into a folder."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from soapstone.jobs.run import Run
from soapstone.sending.final_check import FinalCheck
from soapstone.sending.mail.builder import MailBuilder


class Transport(Protocol):
    """Delivers sends whose recipients are chosen."""

    @property
    def phase(self) -> str:
        """The first phase, in the checkpoint of a send whose recipients are chosen."""

    def opened(self, run: Run) -> AbstractContextManager[None]:
        """Return a block around one attempt at a send. Raises JobFailed where no mail could be delivered."""

    def adopt(self, run: Run) -> None:
        """Take over what an attempt before began, by this transport or another one."""

    def deliver(self, run: Run, builder: MailBuilder, final_check: FinalCheck) -> None:
        """Deliver the mails. Raises Snooze when the rest is due later."""
