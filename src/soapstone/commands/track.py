"""`soapstone track …`: what became of sent mails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from soapstone.accounts.account import Account
from soapstone.commands.common import account_of, on_account, on_records, stop, write_bytes, write_file
from soapstone.commands.output import Json, console, print_json, print_rows
from soapstone.labels import MAIL_FIGURES
from soapstone.product import Product
from soapstone.sending.reports import SendRecord
from soapstone.tracking.event_feed import FeedEvent
from soapstone.tracking.incoming_records import IncomingRecord
from soapstone.tracking.message_figures import LinkRecord
from soapstone.vocabulary.tracking import IncomingKind, IncomingOutcome, MailEventKind

app = typer.Typer(no_args_is_help=True, help="Show the results of sent mails.")

# Rows that are read at once.
ROWS = 1000

Row = TypeVar("Row")

MessageNumber = Annotated[int, typer.Argument(metavar="MESSAGE", help="Number of a message, stored or sent.")]
MessageOption = Annotated[int | None, typer.Option("--message", help="A message, stored or sent.")]
SendOption = Annotated[int | None, typer.Option("--send", help="A send.")]
SendNumber = Annotated[int, typer.Argument(metavar="SEND", help="Number of a send.")]
Limit = Annotated[int, typer.Option(min=1, help="Maximum rows of the table.")]
All = Annotated[bool, typer.Option("--json", help="Print JSON for programs: all rows.")]


@on_account(app)
def figures(
    product: Product, owner: Account, message: MessageOption = None, send: SendOption = None, as_json: Json = False
) -> None:
    """Show the figures of a send, or of all sends of a message; test sends count in no message."""
    from soapstone.api.figures import FiguresOut, MessageFiguresOut, SendFiguresOut

    found: FiguresOut
    if send is not None:
        number = _send(product, owner, send, message).job.id
        found = SendFiguresOut.alone(product.message_figures, owner.id, number)
    elif message is not None:
        _check_message(product, owner, message)
        found = MessageFiguresOut.whole(product.message_figures, owner.id, message)
    else:
        stop("Name a message with --message, or a send with --send.")
    if as_json:
        print_json(found)
        return
    for name, label in MAIL_FIGURES.items():
        console.print(f"{getattr(found, name):,} {label}")


@on_account(app)
def links(product: Product, owner: Account, message: MessageNumber, as_json: Json = False) -> None:
    """List the tracked links of all sends of a message, with their clicks."""
    _check_message(product, owner, message)

    def read(after: int) -> list[LinkRecord]:
        return product.message_figures.links(owner.id, message, after=after, limit=ROWS)

    def cells(link: LinkRecord) -> tuple[object, ...]:
        counted = (link.figures.clicks, link.figures.clickers, link.figures.machine_clicks)
        return link.id, link.message_id, link.position, link.body, link.url, *(f"{amount:,}" for amount in counted)

    columns = ("Link", "Message", "Position", "Body", "URL", "Clicks", "Clickers", "By programs")
    print_rows(_all(read, lambda link: link.id), as_json, "figures:LinkOut.of", columns, cells)


@on_account(app)
def events(
    product: Product,
    owner: Account,
    kind: Annotated[MailEventKind, typer.Argument(help="The kind of events.")],
    message: MessageOption = None,
    send: SendOption = None,
    limit: Limit = 100,
    as_json: All = False,
) -> None:
    """List events in the order in which they were recorded: of a send, a message, or all contacts of the account."""

    def cells(event: FeedEvent) -> tuple[object, ...]:
        at, first = f"{event.at:%Y-%m-%d %H:%M:%S}", "yes" if event.is_first else ""
        return at, event.job_id, event.message_id, event.email, first, event.url or ""

    found = _all(_feed(product, owner, kind, message, send), lambda event: event.number)
    columns = ("Time (UTC)", "Send", "Message", "Address", "First", "Link")
    print_rows(found, as_json, "events:MailEventOut.of", columns, cells, given=(kind,), limit=limit)


@on_account(app)
def bounces(product: Product, owner: Account, send: SendNumber, limit: Limit = 100, as_json: All = False) -> None:
    """List the mails of a send that did not arrive, with what the servers said."""

    def cells(event: FeedEvent) -> tuple[object, ...]:
        if (told := event.bounce) is None:
            return ()
        at = f"{told.at:%Y-%m-%d %H:%M:%S}"
        return at, event.email, told.bounce_class.label, told.reason, told.code, told.detail

    found = _all(_feed(product, owner, MailEventKind.BOUNCE, None, send), lambda event: event.number)
    columns = ("Time (UTC)", "Address", "Class", "Reason", "Code", "Server's words")
    print_rows(found, as_json, "events:BouncedOut.of", columns, cells, limit=limit)


@on_records(app)
def incoming(
    product: Product,
    outcome: Annotated[IncomingOutcome | None, typer.Option(help="Only those with this outcome.")] = None,
    limit: Limit = 100,
    as_json: All = False,
    account: Annotated[
        str | None, typer.Option(help="Only mails about this account; without it those about none, too.")
    ] = None,
) -> None:
    """List mails that came in about sent mails, such as bounces, and what was made of each."""

    def cells(each: IncomingRecord) -> tuple[object, ...]:
        words = (IncomingKind(each.kind).label, IncomingOutcome(each.outcome).label)
        at = f"{each.received_at:%Y-%m-%d %H:%M:%S}"
        return each.id, at, each.source, *words, each.address, each.code, each.detail

    number = account_of(product, account).id if account else None
    records = product.incoming_records
    found = _all(lambda after: records.after(number, after, ROWS, outcome=outcome), lambda each: each.id)
    columns = ("Number", "Time (UTC)", "Way", "Mail", "Outcome", "Address", "Code", "Words")
    print_rows(found, as_json, "incoming:IncomingMailOut.of", columns, cells, limit=limit)


@on_records(app)
def content(
    product: Product,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Number of a mail that came in.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; by default standard output.")
    ] = None,
) -> None:
    """Write the beginning of a mail that came in and was not recorded; it is kept for 30 days."""
    found = product.incoming_records.content(None, number)
    if found is None:
        stop(f"Nothing is kept of a mail {number}.")
    if output is None:
        write_bytes([found])
    else:
        write_file(output, found)


def _feed(
    product: Product, owner: Account, kind: MailEventKind, message: int | None, send: int | None
) -> Callable[[int], list[FeedEvent]]:
    """Return what reads events behind a number: of a send, of a message, or of the account."""
    feed = product.event_feed
    if send is not None:
        record = _send(product, owner, send, message)
        return lambda after: feed.of_message(
            owner.id, record.message_id, kind, is_test=record.is_test, job_id=send, after=after, limit=ROWS
        )
    if message is None:
        return lambda after: feed.of_account(owner.id, kind, after=after, limit=ROWS)
    _check_message(product, owner, message)
    if product.reports.has_copies(owner.id, message):
        stop(f"Sends made copies of message {message}. Ask for the events of each send with --send.")
    return lambda after: feed.of_message(owner.id, message, kind, after=after, limit=ROWS)


def _all(read: Callable[[int], list[Row]], number: Callable[[Row], int]) -> Iterator[Row]:
    after = 0
    while rows := read(after):
        yield from rows
        after = number(rows[-1])


def _check_message(product: Product, owner: Account, message: int) -> None:
    if product.messages.get(owner.id, message) is None:
        stop(f"There is no message {message} in account {owner.name}.")


def _send(product: Product, owner: Account, number: int, message: int | None = None) -> SendRecord:
    found = product.reports.of_job(owner.id, number)
    if found is None:
        stop(f"There is no send {number} in account {owner.name}.")
    if message not in (None, found.message_id, found.source_id):
        stop(f"Send {number} did not send message {message}.")
    return found
