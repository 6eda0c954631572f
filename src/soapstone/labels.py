"""Texts about jobs on pages and in the terminal, beside the closed sets of soapstone.vocabulary."""

from __future__ import annotations

from collections.abc import Mapping

from soapstone.vocabulary.deliveries import DeliveryState
from soapstone.vocabulary.rows import ImportOutcome

# Counters of jobs and their labels behind a number, in the order of the pages.
COUNTERS: Mapping[str, str] = {
    "rows": "rows read",
    **{each: each.label for each in (*DeliveryState, *ImportOutcome)},
    "repaired": "with an address that was repaired",
}

# What a job that is under way is doing.
LOOKING = "scanning the file"
MERGING = "merging"
COMPARING = "comparing"
LEAVING = "removing members"
# The steps of a send, counted from its end: a Send to File has one more at its beginning.
SEND_STEPS = {4: "reading the file", 3: "choosing recipients", 2: "building mails", 1: "sending"}

# What a send keeps about the link to unsubscribe (`sending.unsubscribe_link`).
UNSUBSCRIBE = {
    "none": "The sender chose to send these mails without a link to unsubscribe.",
    "missing": "These mails have no link to unsubscribe.",
}

# The figures of an import as the contracts report them.
FIGURES = {
    "total": "Rows",
    "good": "Good rows",
    "new_contacts": "New contacts",
    "changed_contacts": "Changed contacts",
    "list_members": "Members afterwards",
    "imported_unsubscribed": "Imported as unsubscribed",
    "processed": "Processed",
    "invalid": "Invalid",
    "subscribed": "Subscribed",
    "unsubscribed": "Unsubscribed",
    "already_subscribed": "Subscribed before",
    "already_unsubscribed": "Unsubscribed before (removals)",
    "previously_unsubscribed": "Unsubscribed before, left so",
    "suppressed": "Suppressed",
    "banned": "Banned",
    "skipped": "Skipped",
}

# The figures of sent mails, behind a number, in the order of the pages.
MAIL_FIGURES = {
    "sent": "sent",
    "delivered": "delivered",
    "bounced": "came back",
    "openers": "mails opened",
    "readers": "mails read",
    "clickers": "mails clicked",
    "repeat_clickers": "mails clicked more than once",
    "opens": "opens",
    "clicks": "clicks",
    "departures": "people left because of it",
    "complaints": "complaints",
    "machine_opens": "opens by programs",
    "machine_clicks": "clicks by programs",
}


def counter(name: str) -> str:
    """Return a counter's label, which follows its number."""
    return COUNTERS.get(name, plain(name))


def plain(name: str) -> str:
    """Return an identifier with spaces for underscores."""
    return name.replace("_", " ")
