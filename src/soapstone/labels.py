"""Labels of jobs in the console and terminal; those of closed sets are in soapstone.vocabulary."""

from __future__ import annotations

from collections.abc import Mapping

from soapstone.vocabulary.deliveries import DeliveryState
from soapstone.vocabulary.rows import ImportOutcome

# Counters of jobs → text after the number, in the order of pages.
COUNTERS: Mapping[str, str] = {
    "rows": "rows read",
    **{each: each.label for each in (*DeliveryState, *ImportOutcome)},
    "repaired": "with an address that was repaired",
}

# Activities of running jobs.
LOOKING = "looking through the file"
MERGING = "merging"
COMPARING = "comparing"
LEAVING = "members leaving"
# The steps of a send, counted from its end: a Send to File has one more at its beginning.
SEND_STEPS = {4: "reading the file", 3: "choosing recipients", 2: "building mails", 1: "handing over"}

# A send's note on the unsubscribe link (`sending.unsubscribe_link`).
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


def counter(name: str) -> str:
    """Return the label of a counter, to be read after its number."""
    return COUNTERS.get(name, plain(name))


def plain(name: str) -> str:
    """Return an identifier with spaces for underscores."""
    return name.replace("_", " ")
