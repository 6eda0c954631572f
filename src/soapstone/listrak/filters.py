"""Filters over profile values (lk-65)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from soapstone.listrak.call import Call, not_found
from soapstone.listrak.types import JoinTypes, ProfileFitlerCompareTypes, WSProfileFilter
from soapstone.lists.lists import ContactList
from soapstone.lists.profile_filter import Term

Kind = ProfileFitlerCompareTypes

# Comparison on the wire → how a term compares.
COMPARISONS: dict[Kind, dict[str, Any]] = {
    Kind.EQUALS: {"compare": "equals"},
    Kind.NOTEQUALS: {"compare": "equals", "negated": True},
    Kind.CONTAINS: {"compare": "contains"},
    Kind.NOTCONTAINS: {"compare": "contains", "negated": True},
    Kind.CHECKED: {"compare": "checked"},
    Kind.NOTCHECKED: {"compare": "checked", "negated": True},
    Kind.RADIOON: {"compare": "checked"},
    Kind.RADIOOFF: {"compare": "checked", "negated": True},
    Kind.ABOVE: {"compare": "above"},
    Kind.ABOVEOREQUAL: {"compare": "above", "inclusive": True},
    Kind.BELOW: {"compare": "below"},
    Kind.BELOWOREQUAL: {"compare": "below", "inclusive": True},
    Kind.INCOMMALIST: {"compare": "in"},
    Kind.NOTINCOMMALIST: {"compare": "in", "negated": True},
    Kind.ISEMPTY: {"compare": "empty"},
    Kind.ISNOTEMPTY: {"compare": "empty", "negated": True},
}
# How a term joins the next one → how that one goes with those before it, and whether it is turned round.
JOINS: dict[JoinTypes, tuple[str, bool]] = {
    JoinTypes.AND: ("and", False),
    JoinTypes.ANDNOT: ("and", True),
    JoinTypes.OR: ("or", False),
    JoinTypes.ORNOT: ("or", True),
}


def terms_of(call: Call, found: ContactList, given: Sequence[WSProfileFilter | None] | None) -> list[Term]:
    """Return the terms of a filter, up to the one that ends it. Raises NotFoundError for an attribute that the list
    does not have."""
    there = {attribute.id for attribute in call.product.profiles.attributes(found.id)}
    terms: list[Term] = []
    join, turned = "and", False
    for each in filter(None, given or ()):
        if each.AttributeID not in there:
            raise not_found("Attribute", each.AttributeID)
        how = dict(COMPARISONS[each.ProfileCompareType])
        how |= {"negated": how.get("negated", False) != turned, "join": join}
        terms.append(Term(attribute_id=each.AttributeID, value=each.Value or "", **how))
        if each.JoinType is JoinTypes.END:
            break
        join, turned = JOINS[each.JoinType]
    return terms
