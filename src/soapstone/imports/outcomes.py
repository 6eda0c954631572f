"""Outcomes: what became of a row. Every data row has exactly one, and the counters of contracts are sums over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Rows that were taken.
ADDED = "added"  # a new contact, put on the list
JOINED = "joined"  # a known contact, its record as it was, newly on the list
JOINED_UPDATED = "joined_updated"  # the same, its record changed
UPDATED = "updated"  # was on the list (or known, without a list); record or profile changed
UNCHANGED = "unchanged"  # was on the list (or known, without a list); nothing to change
STILL_UNSUBSCRIBED = "still_unsubscribed"  # on the list but unsubscribed, and left so (mm-59)
STILL_UNSUBSCRIBED_UPDATED = "still_unsubscribed_updated"  # the same, record or profile changed
# The file says that they get no mail (imports.opt_outs): they are on the list, and unsubscribed.
ADDED_UNSUBSCRIBED = "added_unsubscribed"  # a new contact
IMPORTED_UNSUBSCRIBED = "imported_unsubscribed"  # a known contact, its record as it was
IMPORTED_UNSUBSCRIBED_UPDATED = "imported_unsubscribed_updated"  # the same, record or profile changed
# The file says that they have not confirmed: they are on the list, and wait.
ADDED_UNCONFIRMED = "added_unconfirmed"  # a new contact
IMPORTED_UNCONFIRMED = "imported_unconfirmed"  # a known contact, its record as it was
IMPORTED_UNCONFIRMED_UPDATED = "imported_unconfirmed_updated"  # the same, record or profile changed
REMOVED = "removed"  # unsubscribed by this import
ALREADY_REMOVED = "already_removed"  # to be unsubscribed, and was so already

# Rows that were not taken, with the reason in words.
DUPLICATE = "duplicate"
INVALID_ADDRESS = "invalid_address"
MISSING_KEY = "missing_key"
ROLE_ADDRESS = "role_address"
ENCODING = "encoding"
UNTERMINATED_QUOTE = "unterminated_quote"
TOO_LONG = "too_long"
BANNED = "banned"
SUPPRESSED = "suppressed"
PREVIOUSLY_UNSUBSCRIBED = "previously_unsubscribed"
NOT_ON_LIST = "not_on_list"
NOTHING_TO_REMOVE = "nothing_to_remove"
UNCLEAR_OPT_OUT = "unclear_opt_out"
DELETED = "deleted"

REASONS: dict[str, str] = {
    DUPLICATE: "Another row about the same contact counts.",
    INVALID_ADDRESS: "The e-mail address is malformed.",
    MISSING_KEY: "The row does not say whom it is about.",
    ROLE_ADDRESS: "The e-mail address belongs to a role, not to a person.",
    ENCODING: "The row holds bytes that are no text in the file's encoding.",
    UNTERMINATED_QUOTE: "A quoted value has no end.",
    TOO_LONG: "The line or one of its values is too long.",
    BANNED: "The e-mail address is banned.",
    SUPPRESSED: "The e-mail address is suppressed.",
    PREVIOUSLY_UNSUBSCRIBED: "The contact has unsubscribed from the list.",
    NOT_ON_LIST: "The contact is not on the list.",
    NOTHING_TO_REMOVE: "The contact to be removed is not on the list.",
    UNCLEAR_OPT_OUT: "The row does not say clearly whether the contact gets mail.",
    DELETED: "The person was deleted here, and is to stay away.",
}

TAKEN = frozenset(
    {
        ADDED,
        JOINED,
        JOINED_UPDATED,
        UPDATED,
        UNCHANGED,
        STILL_UNSUBSCRIBED,
        STILL_UNSUBSCRIBED_UPDATED,
        REMOVED,
        ALREADY_REMOVED,
        ADDED_UNSUBSCRIBED,
        IMPORTED_UNSUBSCRIBED,
        IMPORTED_UNSUBSCRIBED_UPDATED,
        ADDED_UNCONFIRMED,
        IMPORTED_UNCONFIRMED,
        IMPORTED_UNCONFIRMED_UPDATED,
    }
)
OUTCOMES = TAKEN | REASONS.keys()
# Rows that make a contact; those whose contacts get no mail, and wait for a confirmation, as the file says.
NEW = (ADDED, ADDED_UNSUBSCRIBED, ADDED_UNCONFIRMED)
UNSUBSCRIBED = (ADDED_UNSUBSCRIBED, IMPORTED_UNSUBSCRIBED, IMPORTED_UNSUBSCRIBED_UPDATED)
UNCONFIRMED = (ADDED_UNCONFIRMED, IMPORTED_UNCONFIRMED, IMPORTED_UNCONFIRMED_UPDATED)

# The outcomes as they are stored for each row. A number that was given once stays; new outcomes take new ones.
CODES: dict[str, int] = {
    ADDED: 1,
    JOINED: 2,
    JOINED_UPDATED: 3,
    UPDATED: 4,
    UNCHANGED: 5,
    STILL_UNSUBSCRIBED: 6,
    STILL_UNSUBSCRIBED_UPDATED: 7,
    REMOVED: 8,
    ALREADY_REMOVED: 9,
    DUPLICATE: 10,
    INVALID_ADDRESS: 11,
    MISSING_KEY: 12,
    ROLE_ADDRESS: 13,
    ENCODING: 14,
    UNTERMINATED_QUOTE: 15,
    TOO_LONG: 16,
    BANNED: 17,
    SUPPRESSED: 18,
    PREVIOUSLY_UNSUBSCRIBED: 19,
    NOT_ON_LIST: 20,
    NOTHING_TO_REMOVE: 21,
    ADDED_UNSUBSCRIBED: 22,
    IMPORTED_UNSUBSCRIBED: 23,
    IMPORTED_UNSUBSCRIBED_UPDATED: 24,
    ADDED_UNCONFIRMED: 25,
    IMPORTED_UNCONFIRMED: 26,
    IMPORTED_UNCONFIRMED_UPDATED: 27,
    UNCLEAR_OPT_OUT: 28,
    DELETED: 29,
}
NAMES = {code: name for name, code in CODES.items()}


# A counter beside the outcomes: rows that could be read because their address was repaired.
REPAIRED = "repaired"


@dataclass(frozen=True, kw_only=True)
class ImportCounts:
    """The figures of an import as both contracts show them; `total` is the number of data rows counted so far.

    mm-48: `good` rows were accepted; of them `new_contacts` made a contact and `changed_contacts` changed one. A known
    contact whose values did not differ is good and neither. Rejected = `total` - `good`. `list_members` is the size of
    the list afterwards (of a dry run: as it would be), 0 without a list and before the end. `imported_unsubscribed` are
    the good rows whose contacts get no mail, as the file says.

    lk-93: `processed` and below, which add up to it. Rows of somebody already subscribed count as
    `already_subscribed` whether their data changed or not; a removal of somebody who is not on the list counts as
    `already_unsubscribed`. Rows of people who come as unsubscribed count as `unsubscribed`, of people who wait as
    `skipped`, of people who were deleted as `suppressed`.
    """

    total: int
    good: int
    new_contacts: int
    changed_contacts: int
    list_members: int
    imported_unsubscribed: int
    processed: int
    invalid: int
    subscribed: int
    unsubscribed: int
    already_subscribed: int
    already_unsubscribed: int
    previously_unsubscribed: int
    suppressed: int
    banned: int
    skipped: int

    @classmethod
    def of(cls, counters: Mapping[str, int], list_members: int = 0) -> ImportCounts:
        """The figures from the numbers of rows per outcome."""

        def rows(*outcomes: str) -> int:
            return sum([counters.get(outcome, 0) for outcome in outcomes])

        total = rows(*OUTCOMES)
        unsubscribed = rows(*UNSUBSCRIBED)
        return cls(
            total=total,
            good=rows(*TAKEN),
            new_contacts=rows(*NEW),
            changed_contacts=rows(
                JOINED_UPDATED,
                UPDATED,
                STILL_UNSUBSCRIBED_UPDATED,
                IMPORTED_UNSUBSCRIBED_UPDATED,
                IMPORTED_UNCONFIRMED_UPDATED,
            ),
            list_members=list_members,
            imported_unsubscribed=unsubscribed,
            processed=total,
            invalid=rows(
                INVALID_ADDRESS, MISSING_KEY, ROLE_ADDRESS, ENCODING, UNTERMINATED_QUOTE, TOO_LONG, UNCLEAR_OPT_OUT
            ),
            subscribed=rows(ADDED, JOINED, JOINED_UPDATED),
            unsubscribed=rows(REMOVED) + unsubscribed,
            already_subscribed=rows(UPDATED, UNCHANGED),
            already_unsubscribed=rows(ALREADY_REMOVED, NOTHING_TO_REMOVE),
            previously_unsubscribed=rows(PREVIOUSLY_UNSUBSCRIBED, STILL_UNSUBSCRIBED, STILL_UNSUBSCRIBED_UPDATED),
            suppressed=rows(SUPPRESSED, DELETED),
            banned=rows(BANNED),
            skipped=rows(DUPLICATE, NOT_ON_LIST, *UNCONFIRMED),
        )


@dataclass(frozen=True, kw_only=True)
class RejectedRow:
    """A row that was not taken: its first physical line (from 1), the reason as code and in words, its fields."""

    line: int
    reason: str
    words: str
    fields: list[str]
