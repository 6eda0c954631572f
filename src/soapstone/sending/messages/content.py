"""The content of a message, ready to be merged: all parts compiled once, rendered for each recipient."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from markupsafe import Markup

from soapstone.contacts.fields import FIELDS
from soapstone.lists.lists import ContactList
from soapstone.lists.profiles import ProfileAttribute
from soapstone.sending.mail.mailbox import is_mailbox
from soapstone.sending.messages.body import Body
from soapstone.sending.messages.body_links import end_of_body, links_in_html, links_in_text
from soapstone.sending.messages.html_reader import ROOM_MARKUP, check_markup
from soapstone.sending.messages.message import (
    CHARSETS,
    LONGEST_BODY,
    LONGEST_LINE,
    MOST_MARKUP,
    MOST_MERGED,
    Draft,
    InvalidMessage,
    MergedTooLarge,
    Message,
    Parts,
)
from soapstone.sending.messages.plain_text import plain_template, text_and_markup
from soapstone.sending.messages.template import AddressOf, Allowance, TagCount, Template, merge_key
from soapstone.vocabulary.attributes import AttributeKind

Written = TypeVar("Written", Message, Draft)

_SURROGATE = re.compile("[\ud800-\udfff]")

# Merge keys of every contact → column of the contact.
CONTACT_KEYS = {merge_key(name): column for name, column in FIELDS.items()}


def profile_value(attribute: ProfileAttribute, profile: Mapping[str, str], form_values: Mapping[str, str]) -> str:
    """Return the value of an attribute in a profile as a merge value: HTML for a content block, else text.

    A content block that the person may have written is text, too (lk-45).
    """
    number = str(attribute.id)
    value = str(profile.get(number) or "")
    if attribute.kind == AttributeKind.CONTENT_BLOCK and value and form_values.get(number) != value:
        return Markup(value)  # noqa: S704 - its author may write messages, too
    return value


# Merge keys of the links that every mail can have → what the link is for.
LINK_KEYS = {"unsubscribe_link": "unsubscribe", "browser_link": "browser"}

# What is added to a message whose list asks for it, if its author has not put the link in: setting of the list → merge
# field, text before the link in the text body, text of the link in the HTML body.
_ADDED = {
    "browser_link": ("Browser_Link", "Read this message in a browser:", "Read this message in a browser"),
    "removal_link": ("Unsubscribe_Link", "To unsubscribe:", "Unsubscribe"),
}


LINK_SETTINGS = tuple(_ADDED)
# Most characters that these take, in both bodies.
ROOM_CHARACTERS = 1_000
ROOM_TAGS = 2 * len(_ADDED)


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """The message for one recipient. `html` is None for a message without an HTML body."""

    subject: str
    from_name: str
    to_name: str
    html: str | None
    plain: str


class Merged(NamedTuple):
    """The same with the bodies in the pieces that their templates give.

    One is made for each mail, in half the time of a frozen dataclass.
    """

    subject: str
    from_name: str
    to_name: str
    html: Sequence[str] | None
    plain: Sequence[str]


class Content:
    """The compiled parts of a message; `names` holds all merge keys that they use, with the name as written.

    `has_links` says that `with_links` made it, whose links may exceed the size limits; `tracked` that it was checked
    before its links were rewritten. Raises InvalidMessage for an invalid template, one with forbidden expressions, and
    a message that is too large.
    """

    def __init__(self, message: Parts, *, has_links: bool = False, tracked: bool = False) -> None:
        if not tracked:
            check_size(message, room=has_links)
        self._subject = Template(message.subject, "subject")
        self._from_name = Template(message.from_name, "sender name")
        self._to_name = Template(message.to_name, "recipient name")
        self._html = None
        if message.html.strip():
            self._html = Template(message.html, "HTML body", markup=True, tracked=tracked)
        # Text made from the HTML body adds no names.
        plain, most = message.plain, MOST_MARKUP + has_links * ROOM_MARKUP
        if self._html and plain.strip():
            if not tracked:
                check_markup(message.html, most)
        elif self._html:
            plain = plain_template(message.html, most)
        self._plain = Template(plain, "text body", tracked=tracked)
        parts = (self._subject, self._from_name, self._to_name, self._html, self._plain)
        self.names: dict[str, str] = {}
        for part in parts:
            self.names |= {key: name for key, name in (part.names if part else {}).items() if key not in self.names}
        texts = (self._subject, self._from_name, self._to_name, self._plain)
        self._text_names = {key for part in texts for key in part.names}

    def unknown(self, known: Collection[str]) -> list[str]:
        """Return the merge fields, as written, whose keys are not known."""
        return [name for key, name in self.names.items() if key not in known]

    def check_names(self, known: Collection[str]) -> None:
        """Raise InvalidMessage if the message uses a merge field whose key is not known."""
        if unknown := self.unknown(known):
            fields = "merge fields" if len(unknown) > 1 else "merge field"
            raise InvalidMessage(f"The message uses unknown {fields}: {', '.join(unknown)}.")

    def bodies(self, charset: str, stem: str = "") -> tuple[Body, Body | None]:
        """Return the writers of text and HTML bodies (None without any) from merged pieces; `stem` as for `Body`."""
        html = Body("html", charset, self._html.fixed, stem, self._html.texts) if self._html else None
        return Body("plain", charset, self._plain.fixed, stem, self._plain.texts), html

    def merge(self, values: Mapping[str, str], address_of: AddressOf | None = None) -> Merged:
        """Return the parts for one recipient; a key without a value stands for empty text.

        `address_of` makes the addresses of tracked links that have merge fields. A value that is Markup is HTML in the
        HTML body, and the text of that HTML in all other parts. Raises MergedTooLarge.
        """
        complete = {key: values.get(key, "") for key in self.names}
        if sum(map(len, complete.values())) > MOST_MERGED:
            raise MergedTooLarge(f"The values of the mail's merge fields have more than {MOST_MERGED:,} characters.")
        texts: Mapping[str, str] = complete
        if Markup in map(type, complete.values()):
            texts = _texts_of({key: complete[key] for key in self._text_names})
        allowance = Allowance()
        merged = Merged(
            subject=self._subject.render(texts, allowance),
            from_name=self._from_name.render(texts, allowance),
            to_name=self._to_name.render(texts, allowance),
            html=self._html.pieces(complete, allowance, address_of) if self._html else None,
            plain=self._plain.pieces(texts, allowance, address_of),
        )
        allowance.check()
        if (
            len(merged.subject) > LONGEST_LINE
            or len(merged.from_name) > LONGEST_LINE
            or len(merged.to_name) > LONGEST_LINE
        ):
            raise MergedTooLarge(f"The subject or a name of the mail has more than {LONGEST_LINE:,} characters.")
        return merged

    def render(self, values: Mapping[str, str], address_of: AddressOf | None = None) -> Rendered:
        """Return the same with the bodies as whole texts."""
        merged = self.merge(values, address_of)
        html = None if merged.html is None else "".join(merged.html)
        return Rendered(
            subject=merged.subject,
            from_name=merged.from_name,
            to_name=merged.to_name,
            html=html,
            plain="".join(merged.plain),
        )


def _texts_of(values: dict[str, str]) -> Mapping[str, str]:
    """Return the values with the text of those that are HTML. Raises MergedTooLarge."""
    left = MOST_MARKUP
    for key, value in values.items():
        if isinstance(value, Markup):
            try:
                text, pieces = text_and_markup(value, left)
            except InvalidMessage as error:
                raise MergedTooLarge(str(error)) from None
            left -= pieces
            values[key] = text.strip("\n")
    return values


def visible_links(message: Parts) -> frozenset[str]:
    """Return the keys of links that every reader sees in at least one body. Raises InvalidMessage."""
    check_size(message, room=True)
    keys = frozenset(LINK_KEYS)
    return links_in_text(message.plain, keys) | links_in_html(message.html, keys)


def with_links(
    message: Written, settings: Mapping[str, Any], further: Mapping[str, Collection[str]] | None = None
) -> Written:
    """Return the message or draft with its list's links in every body (lk-38), appended where missing.

    A link counts if readers of that body see it (`body_links`). A text body made from the HTML body has its
    links. `further` holds names of more such settings for one body: "html" or "plain" → names. Raises
    InvalidMessage for invalid templates.
    """
    check_size(message, room=True)
    plain, html = message.plain, message.html

    def missing(body: str, seen: Collection[str]) -> list[tuple[str, str, str]]:
        beside = (further or {}).get(body, ())
        asked = [words for name, words in _ADDED.items() if settings.get(name) or name in beside]
        return [words for words in asked if merge_key(words[0]) not in seen]

    keys = frozenset(LINK_KEYS)
    if (plain.strip() or not html.strip()) and (added := missing("plain", links_in_text(plain, keys))):
        lines = "\n".join(f"{text} {{{{ {name} }}}}" for name, text, _ in added)
        plain = plain.rstrip("\n") + "\n\n-- \n" + lines
    if html.strip() and (added := missing("html", links_in_html(html, keys))):
        anchors = " · ".join(f'<a href="{{{{ {name} }}}}">{text}</a>' for name, _, text in added)
        end = end_of_body(html)
        html = f"{html[:end]}<hr><p>{anchors}</p>{html[end:]}"
    return replace(message, plain=plain, html=html)


def check_storable(message: Parts, name: str = "") -> None:
    """Raise InvalidMessage for text, including the message's name, that a database or mail cannot hold."""
    if message.charset not in CHARSETS:
        raise InvalidMessage(f"Messages are not written in the character set {message.charset!r}.")
    check_size(message)
    for text in (name, *(str(getattr(message, part)) for part in Draft.__dataclass_fields__)):
        if "\0" in text or _SURROGATE.search(text):
            raise InvalidMessage("The message holds a character that cannot be stored.")


def check_size(message: Parts, *, room: bool = False) -> None:
    """Raise InvalidMessage for a message that is too long, or has too many merge tags, before it costs anything.

    Its markup is counted where it is read. `room` leaves some for the links that a list adds.
    """
    parts = {
        "subject": message.subject,
        "sender name": message.from_name,
        "recipient name": message.to_name,
        "HTML body": message.html,
        "text body": message.plain,
    }
    for part, text in parts.items():
        longest = LONGEST_BODY if part in ("HTML body", "text body") else LONGEST_LINE
        if len(text) > longest + room * ROOM_CHARACTERS:
            raise InvalidMessage(f"The {part} has more than {longest:,} characters.")
    count = TagCount(room * ROOM_TAGS)
    for part, text in parts.items():
        count.add(text, part)


def check_addresses(message: Parts) -> None:
    """Raise InvalidMessage for a sender or reply address, if there is one, that is no address."""
    for which, address in (("sender", message.from_address), ("reply", message.reply_address)):
        if address and not is_mailbox(address):
            raise InvalidMessage(f"The {which} address is not a valid e-mail address: {address}")


def ready_to_send(draft: Draft, contact_list: ContactList | None) -> Draft:
    """Return the draft with the list's defaults, if there is a list, in place of empty sender fields (lk-98).

    Raises InvalidMessage when subject, bodies or sender are missing or cannot be used.
    """
    draft = replace(
        draft,
        from_name=draft.from_name.strip() or (contact_list.from_name if contact_list else ""),
        from_address=draft.from_address.strip() or (contact_list.from_address if contact_list else ""),
        reply_address=draft.reply_address.strip(),
    )
    check_storable(draft)
    if not draft.subject.strip():
        raise InvalidMessage("The message has no subject.")
    if not draft.html.strip() and not draft.plain.strip():
        raise InvalidMessage("The message has no body.")
    if not draft.from_address:
        raise InvalidMessage("The message has no sender address, and the list has none for its messages.")
    check_addresses(draft)
    return draft
