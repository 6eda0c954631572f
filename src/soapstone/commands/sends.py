"""`soapstone send …`: send stored messages and follow the sends.

Commands that mail people are called `to-…`. Those that may mail many ask first.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from soapstone.accounts.account import Account
from soapstone.address_repair import repaired
from soapstone.clock import now
from soapstone.commands.common import list_of, on_account, on_records, printable, stop, write_bytes
from soapstone.commands.conditions import terms_of
from soapstone.commands.jobs import cancel_job
from soapstone.commands.messages import merge_values, message_of
from soapstone.commands.output import Json, console, print_all, print_json, print_rows
from soapstone.commands.progress import found
from soapstone.console.job_view import JobViews
from soapstone.imports.formulas import escaped
from soapstone.imports.layout import recognised
from soapstone.jobs.job import Job
from soapstone.lists.lists import ContactList
from soapstone.product import Product
from soapstone.sending.audience import count_members
from soapstone.sending.mail.mailbox import is_mailbox
from soapstone.sending.messages.message import Message
from soapstone.sending.messages.unsubscribe_link import Choice
from soapstone.sending.reports import DeliveryRecord, SendRecord
from soapstone.sending.send_records import SendTicket
from soapstone.sending.supplied_file import FileForm, SuppliedFile
from soapstone.vocabulary.deliveries import DeliveryState, Purpose, SkipReason
from soapstone.vocabulary.jobs import SENDS

app = typer.Typer(no_args_is_help=True, help="Send stored messages and follow their delivery.")

# Recipients that are read at once, and bytes of a file.
ROWS = 1000
BLOCK = 1 << 20

MessageNumber = Annotated[int, typer.Argument(metavar="MESSAGE", help="Number of a stored message.")]
At = Annotated[
    str, typer.Option(help="When, such as 2030-12-24T10:00; in the account's time zone unless it names another.")
]
ListId = Annotated[int | None, typer.Option("--list", help="The list; the message's own by default.")]
NoUnsubscribe = Annotated[bool, typer.Option("--no-unsubscribe", help="Allow mails without a link to unsubscribe.")]
Yes = Annotated[bool, typer.Option("--yes", help="Skip the confirmation, for scripts.")]


@on_account(app, "list")
def list_(
    product: Product,
    owner: Account,
    list_id: Annotated[int | None, typer.Option("--list", help="Only of this list.")] = None,
    tests: Annotated[
        bool, typer.Option("--tests", help="Include tests, reviews, and the server's own mails, such as confirmations.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List the newest sends with their progress."""
    views = JobViews(product)
    lists = None if list_id is None else [list_of(product, owner, list_id).id]
    records = product.reports.find(owner.id, list_ids=lists, tests=tests, newest=True, limit=limit)

    def cells(record: SendRecord) -> tuple[object, ...]:
        job, view = record.job, views.of(record.job)
        times = (f"{at:%Y-%m-%d %H:%M:%S}" for at in (job.submitted_at, job.due_at))
        message = record.source_id or record.message_id
        return job.id, record.purpose, message, record.list_id or "", view.state, view.counted, *times

    columns = ("Send", "Purpose", "Message", "List", "State", "Counted", "Submitted (UTC)", "Due (UTC)")
    print_rows(records, as_json, "sends:SendHead.of", columns, cells)


@on_account(app, "to-list")
def to_list(
    product: Product,
    owner: Account,
    message: MessageNumber,
    list_id: ListId = None,
    conditions: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            help="Only to members with this profile: ATTRIBUTE=VALUE, also !=, ~ (contains), >, >=, <, <=; "
            "repeatable, all must match.",
        ),
    ] = None,
    at: At = "",
    no_unsubscribe: NoUnsubscribe = False,
    yes: Yes = False,
) -> None:
    """Send a message to the subscribed members of a list."""
    stored = message_of(product, owner, message)
    contact_list, moment = _list(product, owner, stored, list_id), _moment(owner, at)
    terms = terms_of(product, contact_list, conditions or ())
    people = count_members(product.database, [contact_list.id], terms)
    recipients = f"{people:,} subscribed members of list {contact_list.id} ({contact_list.name})"
    _ask(yes, stored, f"{recipients} who meet the conditions" if terms else recipients, moment)
    ticket = product.sends.to_members(
        account=owner,
        login=None,
        contact_list=contact_list,
        message=stored,
        terms=terms,
        due_at=moment,
        unsubscribe=_choice(no_unsubscribe),
    )
    _tell(ticket)


@on_account(app, "to-groups")
def to_groups(
    product: Product,
    owner: Account,
    message: MessageNumber,
    groups: Annotated[list[int], typer.Argument(help="Numbers of the lists, in order.")],
    allow_repeat: Annotated[bool, typer.Option("--allow-repeat", help="Send again to earlier recipients.")] = False,
    at: At = "",
    no_unsubscribe: NoUnsubscribe = False,
    yes: Yes = False,
) -> None:
    """Send a message to several lists: one send for each list, one mail for each person."""
    stored = message_of(product, owner, message)
    lists = [list_of(product, owner, number) for number in dict.fromkeys(groups)]
    moment = _moment(owner, at)
    people = count_members(product.database, [each.id for each in lists])
    names = ", ".join(f"{each.id} ({each.name})" for each in lists)
    _ask(yes, stored, f"{people:,} subscribed members of lists {names}", moment)
    tickets = product.sends.to_groups(
        account=owner,
        login=None,
        groups=lists,
        message=stored,
        allow_repeat=allow_repeat,
        due_at=moment,
        unsubscribe=_choice(no_unsubscribe),
    )
    for ticket in tickets:
        _tell(ticket)


@on_account(app, "to-addresses")
def to_addresses(
    product: Product,
    owner: Account,
    message: MessageNumber,
    emails: Annotated[list[str], typer.Argument(metavar="ADDRESSES...", help="The recipients.")],
    list_id: ListId = None,
    fields: Annotated[
        list[str] | None, typer.Option("--field", help="NAME=VALUE, an extra merge value; repeatable.")
    ] = None,
    test: Annotated[bool, typer.Option("--test", help="Send as a test: the mails count in no figure.")] = False,
    at: At = "",
) -> None:
    """Send a message to single addresses for a list; they need not be members."""
    stored = message_of(product, owner, message)
    ticket = product.sends.to_addresses(
        account=owner,
        login=None,
        contact_list=_list(product, owner, stored, list_id),
        message=stored,
        emails=list(map(repaired, emails)),
        purpose=Purpose.TEST if test else Purpose.TRANSACTIONAL,
        fields=merge_values(fields or ()),
        due_at=_moment(owner, at),
    )
    _tell(ticket)


@on_account(app, "to-file")
def to_file(
    product: Product,
    owner: Account,
    message: MessageNumber,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="Recipients with their merge values.", exists=True, dir_okay=False, readable=True
        ),
    ],
    list_id: ListId = None,
    header: Annotated[bool, typer.Option(help="Whether the first line names the columns.")] = True,
    delimiter: Annotated[
        str, typer.Option(help=r"Field delimiter; \t for a tab. By default detected: comma, semicolon, tab or bar.")
    ] = "",
    qualifier: Annotated[str, typer.Option(help="Quote around a field; empty for none.")] = '"',
    at: At = "",
    no_unsubscribe: NoUnsubscribe = False,
    yes: Yes = False,
) -> None:
    """Send a message to the people in a file for a list, without subscribing them."""
    stored = message_of(product, owner, message)
    contact_list, moment = _list(product, owner, stored, list_id), _moment(owner, at)
    upload = product.blobs.new()
    try:
        # Refuses a wrong delimiter or qualifier before the file is read with them.
        form = FileForm(name=path.name, delimiter=delimiter, qualifier=qualifier, header=header, repair=True)
        layout = recognised(
            path, delimiter=form.delimiter if delimiter else "", qualifier=qualifier, encoding="", skip=0, header=header
        )
        form = replace(form, **layout._asdict())
        people = sum(is_mailbox(row.address) and not row.flawed for row in SuppliedFile(path, form).rows())
        _ask(yes, stored, f"{people:,} rows with an address in {path.name}", moment)
        with path.open("rb") as source:
            while block := source.read(BLOCK):
                upload.write(block)
        upload.close()
        ticket = product.sends.to_file(
            account=owner,
            login=None,
            contact_list=contact_list,
            message=stored,
            upload=upload,
            file=form,
            due_at=moment,
            unsubscribe=_choice(no_unsubscribe),
        )
    except OSError as trouble:
        stop(f"Cannot read {path}: {trouble.strerror}.")
    finally:
        upload.discard()
    _tell(ticket)


@on_records(app)
def status(
    product: Product,
    number: int,
    recipients: Annotated[bool, typer.Option("--recipients", help="Show each recipient.")] = False,
    states: Annotated[
        list[DeliveryState] | None, typer.Option("--state", help="Only rows in this state; repeatable.")
    ] = None,
    reasons: Annotated[
        list[SkipReason] | None, typer.Option("--reason", help="Only rows skipped for this reason; repeatable.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print only the rows, all of them, as CSV in UTF-8.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Maximum rows of the table.")] = 100,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON for programs; with --recipients only the rows, all of them.")
    ] = False,
) -> None:
    """Show a send: its state, its counts, and each recipient's state and reason."""
    job = _send(product, number)
    if as_csv:
        _write_csv(_recipients(product, job, states or (), reasons or ()))
        return
    if as_json:
        from soapstone.api.sends import RecipientOut, SendOut

        if recipients:
            rows = _recipients(product, job, states or (), reasons or ())
            batches = iter(lambda: list(islice(rows, ROWS)), [])
            shown = (each for batch in batches for each in RecipientOut.all(product.event_reports, batch))
            print_all(shown, lambda recipient: recipient)
            return
        record = product.reports.of_job(job.account_id, number)
        print_json(SendOut.whole(product.reports, record) if record else None)
        return
    view = JobViews(product).of(job)
    counts = product.reports.counts(number)
    skipped = product.reports.reasons(number)
    console.print(f"Send {number} {', '.join(filter(None, (view.state, *view.facts)))}", soft_wrap=True)
    if not job.over and not job.is_due(now()):
        console.print(f"It is due at {job.due_at:%Y-%m-%d %H:%M:%S} UTC.")
    if job.error:
        console.print(job.error, soft_wrap=True)
    if view.warning:
        console.print(view.warning, soft_wrap=True)
    for state in DeliveryState:
        if state in counts:
            console.print(f"{counts[state]:,} {state}: {state.label}")
    for reason in sorted(skipped):
        console.print(f"  {skipped[reason]:,} {reason}: {SkipReason(reason).meaning}", soft_wrap=True)
    if recipients:
        table = Table("Address", "State", "Why", "Server's reply", "Attempts", "Sent (UTC)", "Next try (UTC)")
        some = _recipients(product, job, states or (), reasons or (), limit + 1)
        for row, _ in zip(some, range(limit), strict=False):
            table.add_row(*_cells(row))
        console.print(table)
        if next(some, None) is not None:
            console.print(f"These are {limit:,}: show more with --limit, or all with --csv.")


@on_records(app, "retry-failed")
def retry_failed(product: Product, number: int) -> None:
    """Retry the failed recipients of a finished send in a new send."""
    job = _send(product, number)
    if not job.over:
        stop(f"Send {number} is not over.")
    if not product.reports.counts(number).get("failed"):
        stop(f"Send {number} has no failed recipients.")
    owner = product.accounts.get(job.account_id)
    ticket = product.sends.to_failed(account=owner, login=None, job=job) if owner is not None else None
    if ticket is None:
        stop(f"Send {number} cannot be tried again.")
    _tell(ticket)


@on_records(app)
def pause(product: Product, number: int) -> None:
    """Pause a send, after the mails under way, until it is resumed."""
    job = _send(product, number)
    if not product.jobs.pause(None, number):
        stop(f"Send {number} is over." if job.over else f"Send {number} is already paused.")
    console.print(f"Send {number} pauses after the work under way. To go on: soapstone send resume {number}")


@on_records(app)
def resume(product: Product, number: int) -> None:
    """Resume a paused send."""
    _send(product, number)
    if not product.jobs.pause(None, number, paused=False):
        stop(f"Send {number} is not paused.")
    console.print(f"Send {number} is resumed.")


@on_records(app)
def cancel(product: Product, number: int) -> None:
    """Cancel a send; mails already sent stay sent."""
    _send(product, number)
    cancel_job(product, number)


def _ask(yes: bool, message: Message, recipients: str, moment: datetime | None) -> None:
    """Ask whether a message is to go to so many people; end the command unless the answer is yes."""
    if yes:
        return
    when = f" at {moment:%Y-%m-%d %H:%M:%S} UTC" if moment and moment > now() else ""
    what = f'message {message.id}, "{message.subject}", to {recipients}{when}'
    if not sys.stdin.isatty():
        stop(f"This would send {what}. Without a terminal, add --yes to send it.")
    typer.confirm(printable(f"Send {what}?"), abort=True)


def _choice(no_unsubscribe: bool) -> Choice:
    return "none" if no_unsubscribe else "link"


def _tell(ticket: SendTicket) -> None:
    job = ticket.job
    when = f" for {job.due_at:%Y-%m-%d %H:%M:%S} UTC" if not job.is_due(now()) else ""
    console.print(
        f"Send {job.id} is queued{when}. Progress: soapstone send status {job.id}", soft_wrap=True, highlight=False
    )


def _send(product: Product, number: int) -> Job:
    job = found(product, number)
    return job if job.kind in SENDS else stop(f"Job {number} is not a send.")


def _list(product: Product, owner: Account, message: Message, number: int | None) -> ContactList:
    number = number if number is not None else message.list_id
    return stop("Say which list with --list.") if number is None else list_of(product, owner, number)


def _moment(owner: Account, text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=owner.zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        stop(f"{text} is not a time such as 2030-12-24T10:00.")


def _recipients(
    product: Product, job: Job, states: Sequence[str], reasons: Sequence[str], most: int | None = None
) -> Iterator[DeliveryRecord]:
    after = 0
    size = min(ROWS, most or ROWS)
    while rows := product.reports.recipients(
        job.account_id, job_id=job.id, states=states, reasons=reasons, after=after, limit=size
    ):
        after = rows[-1].id
        yield from rows


def _cells(row: DeliveryRecord) -> tuple[str, ...]:
    times = (f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "" for moment in (row.handed_at, row.next_try_at))
    return (row.email, row.state, row.reason, row.reply, str(row.attempts), *times)


def _write_csv(rows: Iterator[DeliveryRecord]) -> None:
    def pieces() -> Iterator[bytes]:
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(("address", "state", "why", "reply", "attempts", "handed_over_utc", "next_try_utc"))
        while text.tell():
            yield text.getvalue().encode()
            text.seek(text.truncate(0))
            writer.writerows(escaped(_cells(row)) for row in islice(rows, ROWS))

    write_bytes(pieces())
