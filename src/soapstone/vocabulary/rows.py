"""Outcomes of the rows of imports."""

from __future__ import annotations

from typing import Self

from soapstone.vocabulary.labelled import Labelled


class ImportOutcome(Labelled):
    """The outcome of a row of an import. Every data row has exactly one, and all counters are sums over them.

    `code` is the number that is stored for a row. A code that was given once stays; new outcomes take new ones. The
    label is read after a number of rows.
    """

    code: int

    def __new__(cls, value: str, code: int = 0, label: str = "", meaning: str = "") -> Self:
        # Enumerations hide the base's `__new__`.
        member = str.__new__(cls, value)
        member._value_ = value
        member.code, member.label, member.meaning = code, label, meaning
        return member

    # Rows that were taken.
    ADDED = "added", 1, "added as new contacts", "A new contact, put on the list."
    JOINED = "joined", 2, "put on the list, record as it was", "A known contact, newly on the list."
    JOINED_UPDATED = (
        "joined_updated",
        3,
        "put on the list, record changed",
        "A known contact, newly on the list, with changed fields.",
    )
    UPDATED = "updated", 4, "changed", "On the list, or known without a list; fields or profile changed."
    UNCHANGED = "unchanged", 5, "unchanged", "On the list, or known without a list; nothing to change."
    # The file says that they get no mail (imports.opt_outs).
    ADDED_UNSUBSCRIBED = (
        "added_unsubscribed",
        22,
        "new, imported as unsubscribed",
        "A new contact, unsubscribed as the file says.",
    )
    IMPORTED_UNSUBSCRIBED = (
        "imported_unsubscribed",
        23,
        "known, imported as unsubscribed",
        "A known contact, unsubscribed as the file says.",
    )
    IMPORTED_UNSUBSCRIBED_UPDATED = (
        "imported_unsubscribed_updated",
        24,
        "known, imported as unsubscribed, record changed",
        "A known contact, unsubscribed as the file says, with changed fields or profile.",
    )
    # The file says that they have not confirmed.
    ADDED_UNCONFIRMED = (
        "added_unconfirmed",
        25,
        "new, imported as unconfirmed",
        "A new contact, unconfirmed as the file says.",
    )
    IMPORTED_UNCONFIRMED = (
        "imported_unconfirmed",
        26,
        "known, imported as unconfirmed",
        "A known contact, unconfirmed as the file says.",
    )
    IMPORTED_UNCONFIRMED_UPDATED = (
        "imported_unconfirmed_updated",
        27,
        "known, imported as unconfirmed, record changed",
        "A known contact, unconfirmed as the file says, with changed fields or profile.",
    )
    STILL_UNSUBSCRIBED = (
        "still_unsubscribed",
        6,
        "left unsubscribed",
        "On the list, unsubscribed before, and left so (mm-59).",
    )
    STILL_UNSUBSCRIBED_UPDATED = (
        "still_unsubscribed_updated",
        7,
        "left unsubscribed, record changed",
        "On the list, unsubscribed before, and left so, with changed fields or profile.",
    )
    REMOVED = "removed", 8, "unsubscribed", "Unsubscribed by this import."
    ALREADY_REMOVED = "already_removed", 9, "unsubscribed before already", "To be unsubscribed, and was so before."

    # Rows that were not taken: the meaning is the reason that people read.
    DUPLICATE = "duplicate", 10, "duplicate in the file", "Another row about the same contact counts."
    INVALID_ADDRESS = "invalid_address", 11, "with an invalid address", "The e-mail address is malformed."
    MISSING_KEY = "missing_key", 12, "without address or custom id", "The row has no identifier."
    ROLE_ADDRESS = (
        "role_address",
        13,
        "with the address of a role",
        "The e-mail address belongs to a role, not to a person.",
    )
    ENCODING = (
        "encoding",
        14,
        "with unreadable bytes",
        "The row holds bytes that are no text in the file's encoding.",
    )
    UNTERMINATED_QUOTE = "unterminated_quote", 15, "with a quote that does not end", "A quoted value has no end."
    TOO_LONG = "too_long", 16, "too long", "The line or one of its values is too long."
    BANNED = "banned", 17, "banned", "The e-mail address is banned."
    SUPPRESSED = "suppressed", 18, "suppressed", "The e-mail address is suppressed."
    PREVIOUSLY_UNSUBSCRIBED = (
        "previously_unsubscribed",
        19,
        "unsubscribed before, left so",
        "The contact has unsubscribed from the list.",
    )
    NOT_ON_LIST = "not_on_list", 20, "not on the list", "The contact is not on the list."
    NOTHING_TO_REMOVE = (
        "nothing_to_remove",
        21,
        "not there to be removed",
        "The contact to be removed is not on the list.",
    )
    UNCLEAR_OPT_OUT = (
        "unclear_opt_out",
        28,
        "unclear whether they get mail",
        "The row does not say clearly whether the contact gets mail.",
    )
    DELETED = "deleted", 29, "deleted here before", "The person was deleted here, and is to stay away."


_ALL = tuple(ImportOutcome)
TAKEN = frozenset(_ALL[: _ALL.index(ImportOutcome.DUPLICATE)])
REJECTED = frozenset(_ALL) - TAKEN
