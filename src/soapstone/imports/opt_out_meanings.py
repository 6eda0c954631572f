"""What a value in a column of opt-outs means for its contact."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

# A row's statement about its contact. "waiting": has not confirmed the subscription. "left": gets no mail of the list.
# "suppressed": the address must get nothing at all. "unclear": the value is unknown. The later of two counts.
Meaning = Literal["", "waiting", "unclear", "left", "suppressed"]

STRENGTH: Mapping[Meaning, int] = {meaning: strength for strength, meaning in enumerate(get_args(Meaning))}

# The meanings that end a subscription, with their rank among the rows of one contact.
OUT: Mapping[Meaning, int] = {"left": 1, "suppressed": 2}

# Values of a column that are remembered with their meaning: most columns have few.
KNOWN_VALUES = 10_000

# The values of a column: words; yes for an opt-out; no for an opt-out; the time of an opt-out.
Form = Literal["words", "flag", "consent", "time"]


@dataclass(frozen=True, kw_only=True)
class OptOutColumn:
    """One column of one product.

    `yes` is the meaning of a set flag, a time, or a denied consent. `words` are the values of a column of words.
    `ambiguous`: the heading also means other things. `letters`: it means those beside a column that means e-mail.
    """

    product: str
    headings: tuple[str, ...]
    source: str
    form: Form = "words"
    yes: Meaning = "left"
    words: Mapping[str, Meaning] = field(default_factory=dict)
    ambiguous: bool = False
    letters: bool = False


def words(
    *, subscribed: Iterable[str] = (), waiting: Iterable[str] = (), left: Iterable[str], suppressed: Iterable[str] = ()
) -> dict[str, Meaning]:
    meanings: list[tuple[Iterable[str], Meaning]] = [
        (subscribed, ""),
        (waiting, "waiting"),
        (left, "left"),
        (suppressed, "suppressed"),
    ]
    return {plain(word): meaning for words, meaning in meanings for word in words}


def plain(text: str) -> str:
    """Return the comparable form of a heading or a value."""
    return _JOINTS.sub("", text).lower()


_JOINTS = re.compile(r"[\s_.\-\ufeff\u00a0]+")


# Values that can mean nothing else, whatever the column. "subscribed" and the like prove nothing.
TELLING: Mapping[str, Meaning] = words(
    waiting=["unconfirmed"],
    left=["unsubscribed", "opted out"],
    suppressed=["blocklisted", "blacklisted", "bounced", "hard bounced", "cleaned", "complained", "spam complaint"],
)
