"""Conditions on profile attributes, as `--where` has them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from soapstone.commands.common import stop
from soapstone.lists.lists import ContactList
from soapstone.lists.profile_filter import Comparison, Term
from soapstone.product import Product

# A condition on a profile attribute: its name, an operator, a value.
_OPERATOR = re.compile("!=|>=|<=|[=~><]")
_COMPARISONS: dict[str, tuple[Comparison, bool, bool]] = {
    # Operator → comparison, whether it is turned round, whether the value itself counts.
    "=": ("equals", False, False),
    "!=": ("equals", True, False),
    "~": ("contains", False, False),
    ">": ("above", False, False),
    ">=": ("above", False, True),
    "<": ("below", False, False),
    "<=": ("below", False, True),
}


def terms_of(product: Product, contact_list: ContactList, conditions: Sequence[str]) -> list[Term]:
    """Return the conditions of a send to members of a list. End the command for one that cannot be read."""
    terms, numbers = [], {}
    if conditions:
        attributes = product.profiles.attributes(contact_list.id)
        numbers = {attribute.name.casefold(): attribute.id for attribute in attributes}
    for text in conditions:
        text = text.lstrip()
        # A name has at least one character, whichever it is.
        match = _OPERATOR.search(text, 1) or stop(f"{text} is not ATTRIBUTE=VALUE.")
        name, operator, value = text[: match.start()].rstrip(), match[0], text[match.end() :]
        if name.casefold() not in numbers:
            stop(f"The list has no profile attribute {name}.")
        compare, negated, inclusive = _COMPARISONS[operator]
        terms.append(
            Term(
                attribute_id=numbers[name.casefold()],
                compare=compare,
                value=value.strip(),
                negated=negated,
                inclusive=inclusive,
            )
        )
    return terms
