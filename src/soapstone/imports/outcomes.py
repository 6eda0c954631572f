"""Figures of imports: sums over the outcomes of rows, as the contracts report them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from soapstone.vocabulary.rows import TAKEN, ImportOutcome

# Outcomes with a new contact; with an unsubscribed one, and an unconfirmed one, as the file says.
NEW = (ImportOutcome.ADDED, ImportOutcome.ADDED_UNSUBSCRIBED, ImportOutcome.ADDED_UNCONFIRMED)
UNSUBSCRIBED = (
    ImportOutcome.ADDED_UNSUBSCRIBED,
    ImportOutcome.IMPORTED_UNSUBSCRIBED,
    ImportOutcome.IMPORTED_UNSUBSCRIBED_UPDATED,
)
UNCONFIRMED = (
    ImportOutcome.ADDED_UNCONFIRMED,
    ImportOutcome.IMPORTED_UNCONFIRMED,
    ImportOutcome.IMPORTED_UNCONFIRMED_UPDATED,
)
# Stored names and codes of the outcomes. Every row needs a lookup: plain texts are faster keys.
CODES = {outcome.value: outcome.code for outcome in ImportOutcome}
NAMES = {code: name for name, code in CODES.items()}


# A counter beside the outcomes: rows accepted because their address was repaired.
REPAIRED = "repaired"


@dataclass(frozen=True, kw_only=True)
class ImportCounts:
    """The counts of an import as both contracts show them; `total` is the number of data rows counted so far.

    mm-48: `good` rows were accepted; of them `new_contacts` created a contact and `changed_contacts` changed one. Rows
    with unchanged contacts are good and neither. Rejected = `total` - `good`. `list_members` is the size of the list
    afterwards (of a dry run: as it would be), 0 without a list and before the end. `imported_unsubscribed` are the good
    rows that the file marks as opted out.

    lk-93: `processed` and below, which add up to it. Rows of subscribed members count as `already_subscribed` whether
    their data changed or not; a removal of a contact that is not on the list counts as `already_unsubscribed`. Rows of
    contacts imported as unsubscribed count as `unsubscribed`, of unconfirmed ones as `skipped`, of deleted ones as
    `suppressed`.
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
        """Compute the counts from the numbers of rows per outcome."""

        def rows(*outcomes: str) -> int:
            return sum([counters.get(outcome, 0) for outcome in outcomes])

        total = rows(*ImportOutcome)
        unsubscribed = rows(*UNSUBSCRIBED)
        return cls(
            total=total,
            good=rows(*TAKEN),
            new_contacts=rows(*NEW),
            changed_contacts=rows(
                ImportOutcome.JOINED_UPDATED,
                ImportOutcome.UPDATED,
                ImportOutcome.STILL_UNSUBSCRIBED_UPDATED,
                ImportOutcome.IMPORTED_UNSUBSCRIBED_UPDATED,
                ImportOutcome.IMPORTED_UNCONFIRMED_UPDATED,
            ),
            list_members=list_members,
            imported_unsubscribed=unsubscribed,
            processed=total,
            invalid=rows(
                ImportOutcome.INVALID_ADDRESS,
                ImportOutcome.MISSING_KEY,
                ImportOutcome.ROLE_ADDRESS,
                ImportOutcome.ENCODING,
                ImportOutcome.UNTERMINATED_QUOTE,
                ImportOutcome.TOO_LONG,
                ImportOutcome.UNCLEAR_OPT_OUT,
            ),
            subscribed=rows(ImportOutcome.ADDED, ImportOutcome.JOINED, ImportOutcome.JOINED_UPDATED),
            unsubscribed=rows(ImportOutcome.REMOVED) + unsubscribed,
            already_subscribed=rows(ImportOutcome.UPDATED, ImportOutcome.UNCHANGED),
            already_unsubscribed=rows(ImportOutcome.ALREADY_REMOVED, ImportOutcome.NOTHING_TO_REMOVE),
            previously_unsubscribed=rows(
                ImportOutcome.PREVIOUSLY_UNSUBSCRIBED,
                ImportOutcome.STILL_UNSUBSCRIBED,
                ImportOutcome.STILL_UNSUBSCRIBED_UPDATED,
            ),
            suppressed=rows(ImportOutcome.SUPPRESSED, ImportOutcome.DELETED),
            banned=rows(ImportOutcome.BANNED),
            skipped=rows(ImportOutcome.DUPLICATE, ImportOutcome.NOT_ON_LIST, *UNCONFIRMED),
        )


@dataclass(frozen=True, kw_only=True)
class RejectedRow:
    """A rejected row: its first physical line (from 1), the reason as code and in words, its fields."""

    line: int
    reason: str
    words: str
    fields: list[str]
