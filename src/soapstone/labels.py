"""Names of kinds, counters, states and fields, as people say them."""

from __future__ import annotations

from soapstone.sending.audience import SKIP_REASONS

KINDS = {
    "import": "Import",
    "trial_import": "Import",
    "attribute_update": "Attribute update",
    "upload_entry": "Entry of the upload queue",
    "send_to_list": "Send to list",
    "send_to_file": "Send to file",
}

# What became of rows (imports) and recipients (sends), in the order in which pages show them.
COUNTERS = {
    "rows": "rows read",
    "chosen": "recipients chosen",
    "skipped": "left out",
    "built": "mails built",
    "handed": "mails handed over",
    "added": "added as new contacts",
    "joined": "put on the list, record as it was",
    "joined_updated": "put on the list, record changed",
    "updated": "changed",
    "unchanged": "unchanged",
    "added_unsubscribed": "new, imported as unsubscribed",
    "imported_unsubscribed": "known, imported as unsubscribed",
    "imported_unsubscribed_updated": "known, imported as unsubscribed, record changed",
    "added_unconfirmed": "new, imported as unconfirmed",
    "imported_unconfirmed": "known, imported as unconfirmed",
    "imported_unconfirmed_updated": "known, imported as unconfirmed, record changed",
    "still_unsubscribed": "left unsubscribed",
    "still_unsubscribed_updated": "left unsubscribed, record changed",
    "removed": "unsubscribed",
    "already_removed": "unsubscribed before already",
    "duplicate": "repeated in the file",
    "invalid_address": "with a malformed address",
    "missing_key": "without address or custom id",
    "role_address": "with the address of a role",
    "encoding": "with unreadable bytes",
    "unterminated_quote": "with a quote that does not end",
    "too_long": "too long",
    "banned": "banned",
    "suppressed": "suppressed",
    "previously_unsubscribed": "unsubscribed before, left so",
    "not_on_list": "not on the list",
    "nothing_to_remove": "not there to be removed",
    "unclear_opt_out": "unclear whether they get mail",
    "deleted": "deleted here before",
    "repaired": "with an address that was repaired",
}

# What a job that is under way is doing.
LOOKING = "looking through the file"
MERGING = "merging"
COMPARING = "comparing"
LEAVING = "members leaving"
# The steps of a send, counted from its end: a Send to File has one more at its beginning.
SEND_STEPS = {4: "reading the file", 3: "choosing recipients", 2: "building mails", 1: "handing over"}

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

# States of the rows in a send's ledger (`store.tables.DELIVERY_STATES`; a test compares).
DELIVERIES = {
    "chosen": "chosen",
    "skipped": "left out",
    "built": "mail built",
    "handing": "on its way",
    "handed": "handed over",
    "deferred": "put off",
    "uncertain": "uncertain",
    "failed": "refused",
    "bounced": "came back",
}


def kind(name: str) -> str:
    """A kind of job."""
    return KINDS.get(name, plain(name).capitalize())


def counter(name: str) -> str:
    """A counter, to be read after its number."""
    return COUNTERS.get(name, plain(name))


def skipped(reason: str) -> str:
    """Why somebody gets no mail, as a sentence."""
    return next((words.sentence for name, words in SKIP_REASONS.items() if name == reason), plain(reason).capitalize())


def plain(name: str) -> str:
    """A name of a program without its joints."""
    return name.replace("_", " ")
