"""Filters on profile values, which select the members that a send goes to (lk-65)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import select

from soapstone.lists.profile_values import stored
from soapstone.store.database import Database
from soapstone.store.tables import memberships

# Members of one transaction.
COUNT_ROWS = 5_000

Comparison = Literal["equals", "contains", "checked", "above", "below", "in", "empty"]
Join = Literal["and", "or"]


@dataclass(frozen=True, kw_only=True)
class Term:
    """One comparison of a profile attribute; `negated` inverts it. `join` combines it with the terms before it.

    `above` and `below` exclude the value itself unless `inclusive`; numbers compare as numbers, other values as text.
    `in` searches a comma-separated list for the value.
    """

    attribute_id: int
    compare: Comparison
    value: str = ""
    negated: bool = False
    inclusive: bool = False
    join: Join = "and"

    @property
    def document(self) -> dict[str, Any]:
        """Return the term as a document for a job's request."""
        return asdict(self)

    def holds(self, profile: Mapping[str, Any]) -> bool:
        """Return whether a member's profile meets the term."""
        return self._compared(str(profile.get(str(self.attribute_id)) or "").strip()) != self.negated

    def _compared(self, found: str) -> bool:
        mine, theirs = found.casefold(), self.value.strip().casefold()
        match self.compare:
            case "equals":
                return mine == theirs
            case "contains":
                return theirs in mine
            case "checked":
                return mine == "on"
            case "empty":
                return not mine
            case "in":
                return mine in {part.strip() for part in theirs.split(",")}
        # A missing value is neither above nor below any value.
        if not mine:
            return False
        low, high = _comparable(mine, theirs)
        return (low > high if self.compare == "above" else low < high) or (self.inclusive and low == high)


def matches(terms: Sequence[Term], profile: Mapping[str, Any]) -> bool:
    """Return whether the profile meets the terms, evaluated from left to right; True without terms."""
    result = True
    for number, term in enumerate(terms):
        held = term.holds(profile)
        # The first term has no term before it.
        narrows = number == 0 or term.join == "and"
        result = (result and held) if narrows else (result or held)
    return result


def _comparable(mine: str, theirs: str) -> tuple[Any, Any]:
    try:
        return float(mine), float(theirs)
    except ValueError:
        pass
    # Dates are stored as MM/DD/YYYY (lk-47).
    one, other = stored("date", mine), stored("date", theirs)
    return (_by_year(one), _by_year(other)) if one and other else (mine, theirs)


def _by_year(date: str) -> str:
    return date[6:] + date[:5]


def count(database: Database, list_id: int, terms: Sequence[Term]) -> int:
    """Return the number of subscribed members of a list that meet the terms. Reads all of them, in batches."""
    member, after, found = memberships.c, 0, 0
    while True:
        query = (
            select(member.contact_id, member.profile)
            .where(member.list_id == list_id, member.contact_id > after, member.state == "subscribed")
            .order_by(member.contact_id)
            .limit(COUNT_ROWS)
        )
        with database.read() as connection:
            rows = connection.execute(query).all()
        found += sum(matches(terms, row.profile) for row in rows)
        if len(rows) < COUNT_ROWS:
            return found
        after = rows[-1].contact_id
