"""The job runner of sends: chooses recipients and delivers their mails over a transport (lk-90).

The job's checkpoint holds a `phase` (read, choose, then build and hand for a folder, mail for a
server) and its progress, stored together with the results of each chunk.
"""

from __future__ import annotations

from pathlib import Path

from soapstone.jobs.run import Run, Runner
from soapstone.sending.audience import Rules
from soapstone.sending.final_check import FinalCheck
from soapstone.sending.folder.delivery import FolderTransport
from soapstone.sending.folder.mail_store import MailStore
from soapstone.sending.mail.builder import MailBuilder, MailOptions
from soapstone.sending.selection import Selection
from soapstone.sending.send_records import is_by_address, is_for_members
from soapstone.sending.simulator import Simulator
from soapstone.sending.smtp import journal
from soapstone.sending.smtp.delivery import SmtpTransport
from soapstone.sending.smtp.server import SmtpServer
from soapstone.sending.supplied_file import FileForm
from soapstone.sending.transport import Transport
from soapstone.store.database import Database
from soapstone.vocabulary.jobs import JobKind


class SendRunner:
    """Runs sends: over the SMTP server, or without one as files into `mail`, through `drafts`.

    The `simulator` decides the outcome of mails to its domain that go into the folder.
    """

    def __init__(
        self,
        database: Database,
        mail: Path | MailStore,
        drafts: Path,
        *,
        server: SmtpServer | None = None,
        options: MailOptions | None = None,
        simulator: Simulator | None = None,
    ) -> None:
        self._database = database
        self._options = options
        self._folder = FolderTransport(mail, drafts, simulator)
        self._transport: Transport = self._folder if server is None else SmtpTransport(server, self._folder)

    @property
    def runners(self) -> dict[str, Runner]:
        """Kind of job → its runner."""
        return {JobKind.SEND_TO_LIST: self.run_list, JobKind.SEND_TO_FILE: self.run_file, JobKind.SEND: self.run_list}

    def run_list(self, run: Run) -> None:
        """Run a send to a list, or to the recipients named in its request."""
        self._run(run, None)

    def run_file(self, run: Run) -> None:
        self._run(run, FileForm(**run.job.request["file"]))

    def sweep(self) -> None:
        """Remove drafts and journals of jobs that were ended while not running."""
        self._folder.sweep(self._database)
        journal.sweep(self._database)

    def _run(self, run: Run, form: FileForm | None) -> None:
        self.sweep()
        request, transport = run.job.request, self._transport
        with transport.opened(run):
            if "last" in run.job.checkpoint:
                # Recipients are chosen. Before anything that may end the send: a journal does not outlive it.
                transport.adopt(run)
            builder = MailBuilder(run.database, run.job, request["message_id"], self._options)
            builder.check_unsubscribe_link()
            Selection(run, builder, form, then=transport.phase).run()
            final_check = FinalCheck(
                run.database,
                run.job,
                request["message_id"],
                Rules(**request.get("rules", {})),
                is_for_members=is_for_members(run.job),
                is_by_address=is_by_address(run.job),
            )
            transport.deliver(run, builder, final_check)
