"""`soapstone message …`: stored messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import unescape
from typing import Annotated, Any
from urllib.parse import unquote

import typer
from rich.table import Table

from soapstone.accounts.account import Account
from soapstone.address_repair import repaired
from soapstone.commands.common import ChosenNumber, list_of, on_account, printable, stop, text_of
from soapstone.commands.output import Json, console, print_json, print_rows
from soapstone.product import Product
from soapstone.sending.messages.message import Draft, Message, Traits
from soapstone.vocabulary.messages import MessageKind

app = typer.Typer(no_args_is_help=True, help="Stored messages.")

# Option → what it says. Left out, an option changes nothing.
Subject = Annotated[str | None, typer.Option(help="Subject; may hold merge fields.")]
Html = Annotated[str | None, typer.Option(help="File with the HTML body; - for standard input, empty for none.")]
PlainText = Annotated[
    str | None, typer.Option("--text", help="File with the text body; - for standard input, empty for one of the HTML.")
]
FromName = Annotated[str | None, typer.Option(help="Sender's name; the list's by default. May hold merge fields.")]
FromAddress = Annotated[str | None, typer.Option(help="Sender's address; the list's by default.")]
ReplyAddress = Annotated[str | None, typer.Option(help="Address for replies.")]
ToName = Annotated[str | None, typer.Option(help="Recipient's name; may hold merge fields.")]
Charset = Annotated[str | None, typer.Option(help="Character set of the mails: utf-8 or iso-8859-1.")]
Name = Annotated[str | None, typer.Option(help="The message's internal name.")]
Campaign = Annotated[int | None, typer.Option(help="Its campaign; 0 for none.")]
Category = Annotated[int | None, typer.Option(help="Its message category; 0 for none.")]


@on_account(app)
def add(
    product: Product,
    owner: Account,
    subject: Annotated[str, typer.Option(help="Subject; may hold merge fields.")],
    list_id: Annotated[int | None, typer.Option("--list", help="The message's list.")] = None,
    magnetmail: Annotated[
        bool, typer.Option("--magnetmail", help="A message for MagnetMail's calls, with a name and no list.")
    ] = False,
    html: Html = None,
    text: PlainText = None,
    name: Name = None,
    transactional: Annotated[
        bool, typer.Option("--transactional", help="A message to one person, such as a receipt.")
    ] = False,
    from_name: FromName = None,
    from_address: FromAddress = None,
    reply_address: ReplyAddress = None,
    to_name: ToName = None,
    charset: Charset = None,
    campaign: Campaign = None,
    category: Category = None,
    number: ChosenNumber = None,
) -> None:
    """Save a message for a list, or for MagnetMail's calls, and print its number."""
    if magnetmail == (list_id is not None):
        stop("Say which list with --list, or --magnetmail.")
    if magnetmail and (transactional or not (name or "").strip()):
        stop("--magnetmail needs a --name, and excludes --transactional.")
    kind = MessageKind.MAGNETMAIL if magnetmail else MessageKind.SAVED
    if transactional and not magnetmail:
        kind = MessageKind.TRANSACTIONAL
    given = _given(subject, html, text, from_name, from_address, reply_address, to_name, charset)
    found = None if list_id is None else list_of(product, owner, list_id).id
    traits = _traits(product, owner, found, name, campaign, category)
    saved = product.messages.save(owner.id, found, Draft(**given), kind=kind, traits=Traits(**traits), number=number)
    console.print(f"Message {saved.id} is saved.")
    warn_about(product, saved)


@on_account(app, "list")
def list_(
    product: Product,
    owner: Account,
    list_id: Annotated[int | None, typer.Option("--list", help="Only of this list.")] = None,
    transactional: Annotated[
        bool | None, typer.Option("--transactional/--saved", help="Only of this kind; all by default.")
    ] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Show the archived ones instead.")] = False,
    as_json: Json = False,
) -> None:
    """List the stored messages."""

    def cells(each: Message) -> tuple[object, ...]:
        return each.id, each.kind, each.list_id or "", each.name, each.subject, f"{each.updated_at:%Y-%m-%d %H:%M:%S}"

    stored = product.messages.find(
        owner.id,
        kind=None if transactional is None else MessageKind.TRANSACTIONAL if transactional else MessageKind.SAVED,
        list_ids=None if list_id is None else [list_id],
        archived=archived,
        sent=False,
    )
    columns = ("Message", "Kind", "List", "Name", "Subject", "Changed (UTC)")
    print_rows(stored, as_json, "messages:MessageHead.of", columns, cells)


@on_account(app)
def show(product: Product, owner: Account, message: int, as_json: Json = False) -> None:
    """Show a message as it is stored, with its merge fields."""
    found = message_of(product, owner, message)
    if as_json:
        from soapstone.api.messages import MessageOut

        print_json(MessageOut.shown(product, found))
        return
    table = Table(show_header=False)
    for title, value in (
        ("Kind", f"{found.kind}, archived" if found.archived else found.kind),
        ("Name", found.name),
        ("List", str(found.list_id or "")),
        ("Campaign", str(found.campaign_id or "")),
        ("Category", str(found.category_id or "")),
        ("Subject", found.subject),
        ("From", f"{found.from_name} <{found.from_address}>" if found.from_address else found.from_name),
        ("Replies to", found.reply_address),
        ("To", found.to_name),
        ("Character set", found.charset),
        ("Changed (UTC)", f"{found.updated_at:%Y-%m-%d %H:%M:%S}"),
    ):
        if value:
            table.add_row(title, value)
    console.print(table)
    for title, body in (("HTML", found.html), ("Text", found.plain)):
        if body.strip():
            typer.echo(printable(f"\n{title}:\n{body}"))
    warn_about(product, found)


@on_account(app)
def edit(
    product: Product,
    owner: Account,
    message: int,
    subject: Subject = None,
    html: Html = None,
    text: PlainText = None,
    name: Name = None,
    from_name: FromName = None,
    from_address: FromAddress = None,
    reply_address: ReplyAddress = None,
    to_name: ToName = None,
    charset: Charset = None,
    campaign: Campaign = None,
    category: Category = None,
) -> None:
    """Change the given parts of a message, unless it is queued or being sent."""
    given = _given(subject, html, text, from_name, from_address, reply_address, to_name, charset)
    found = message_of(product, owner, message)
    traits = _traits(product, owner, found.list_id, name, campaign, category)
    if not given and not traits:
        stop("Nothing to change: give an option.")
    changed = product.messages.edit(owner.id, message, replace(Draft.of(found), **given), traits=traits)
    if changed is None:
        stop(f"There is no message {message} in account {owner.name}.")
    console.print(f"Message {message} is changed.")
    warn_about(product, changed)


@on_account(app)
def preview(
    product: Product,
    owner: Account,
    message: int,
    to: Annotated[str, typer.Option(help="Address of the recipient; none by default.")] = "",
    list_id: Annotated[
        int | None, typer.Option("--list", help="Preview for this list; by default the message's own.")
    ] = None,
    fields: Annotated[
        list[str] | None, typer.Option("--field", help="NAME=VALUE, an extra merge value; repeatable.")
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="Show the HTML body, not the text.")] = False,
    as_json: Json = False,
) -> None:
    """Show a message as a recipient gets it; nothing is sent."""
    to = repaired(to)
    found = message_of(product, owner, message)
    number = list_id if list_id is not None else found.list_id
    contact_list = None if number is None else list_of(product, owner, number)
    seen = product.previews.of(
        found,
        contact_list,
        email=to,
        contact_id=product.contacts.find(owner, email=to) if to else None,
        fields=merge_values(fields or ()),
    )
    if as_json:
        from soapstone.api.messages import PreviewOut

        print_json(PreviewOut.of(seen))
        return
    if html and seen.rendered.html is None:
        stop(f"Message {message} has no HTML body.")
    sender = f"{seen.from_name} <{seen.from_address}>" if seen.from_address else f"{seen.from_name} (no address)"
    recipient = f"{seen.rendered.to_name} <{to}>" if seen.rendered.to_name.strip() else to
    body = seen.rendered.html if html else seen.rendered.plain
    told = f"From: {sender.strip()}\nTo: {recipient}\nSubject: {seen.rendered.subject}\n\n{body}"
    typer.echo(printable(told), nl=False)


@on_account(app)
def archive(
    product: Product,
    owner: Account,
    message: int,
    undo: Annotated[bool, typer.Option("--undo", help="Restore it from the archive.")] = False,
) -> None:
    """Archive a message; it can still be sent."""
    product.messages.mark(owner.id, message_of(product, owner, message).id, archived=not undo)
    console.print(f"Message {message} is {'out of' if undo else 'in'} the archive.")


def message_of(product: Product, owner: Account, number: int) -> Message:
    """Return the account's stored message of that number; copies made for sends are ignored."""
    found = product.messages.get(owner.id, number)
    if found is None or found.kind == "send":
        stop(f"There is no message {number} in account {owner.name}.")
    return found


def warn_about(product: Product, message: Message) -> None:
    """Warn on standard error of unknown merge fields, and of addresses with encoded ones or with two meanings."""
    if unknown := product.messages.unknown_fields(message.account_id, message):
        told = f"Warning: the account has no contact field, link or profile attribute for {', '.join(unknown)}. "
        typer.echo(printable(f"{told}Only a send's file or --field can supply a value."), err=True)
    for text in product.messages.undelimited_references(message):
        told = f"Warning: browsers read {text} in an address as {unescape(text)}; write &amp;{text[1:]}."
        typer.echo(printable(told), err=True)
    for text in product.messages.encoded_fields(message):
        told = f"Warning: no value replaces {text} in an address; write {unquote(text)}."
        typer.echo(printable(told), err=True)


def merge_values(given: Sequence[str]) -> dict[str, str]:
    """Return what is given as NAME=VALUE, by name."""
    values = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            stop(f"{text} is not NAME=VALUE.")
        values[name] = value
    return values


def _given(
    subject: str | None,
    html: str | None,
    text: str | None,
    from_name: str | None,
    from_address: str | None,
    reply_address: str | None,
    to_name: str | None,
    charset: str | None,
) -> dict[str, str]:
    """Return those parts of a message that were given, bodies read."""
    if html == text == "-":
        stop("Only one body can come from standard input.")
    parts = {
        "subject": subject,
        "html": _body(html),
        "plain": _body(text),
        "from_name": from_name,
        "from_address": from_address,
        "reply_address": reply_address,
        "to_name": to_name,
        "charset": charset,
    }
    return {name: value for name, value in parts.items() if value is not None}


def _body(file: str | None) -> str | None:
    return text_of(file) if file else file


def _traits(
    product: Product, owner: Account, list_id: int | None, name: str | None, campaign: int | None, category: int | None
) -> Mapping[str, Any]:
    """Return the given options of a message besides its text; their numbers exist."""
    traits: dict[str, Any] = {}
    if name is not None:
        traits["name"] = name
    if campaign is not None:
        if campaign and campaign not in {each.id for each in product.campaigns.all(list_id or 0)}:
            stop(f"List {list_id or 'none'} has no campaign {campaign}.")
        traits["campaign_id"] = campaign or None
    if category is not None:
        if category and category not in {each.id for each in product.message_categories.all(owner.id)}:
            stop(f"There is no category of messages {category} in account {owner.name}.")
        traits["category_id"] = category or None
    return traits
