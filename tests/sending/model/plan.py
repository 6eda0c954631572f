"""What a seed means: the people, the server's manners, and what disturbs the send."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from tests.sending.model.server import PERMANENT, TEMPORARY, Manners, Trouble

from soapstone.sending.smtp.retries import Retries
from soapstone.vocabulary.contacts import UnsubscribeType

# What people do, the more often the more often it is named.
WAYS = (
    "link",
    "link",
    "unsubscribe",
    "unsubscribe",
    "suppressed",
    "banned",
    "banned on the list",
    "channel",
    "list category",
    "removed",
    "moved",
    "moved",
    "suppressed for a while",
    "back",
)
# What a server says to everybody for a while, at which stage: it passes.
COMPLAINTS: tuple[tuple[str, int, str], ...] = (
    ("greeting", 421, "4.3.2 not available"),
    ("greeting", 450, "4.3.2 come later"),
    ("greeting", 554, "5.3.2 no service"),
    ("ehlo", 421, "4.3.2 not available"),
    ("ehlo", 451, "4.3.0 local error"),
    ("mail", 421, "4.7.0 slow down"),
    ("mail", 450, "4.7.1 too many mails"),
    ("mail", 451, "4.7.0 try again later"),
    ("mail", 452, "4.3.1 disk full"),
)
# What ends when a person repairs it.
REFUSALS: tuple[tuple[str, int, str], ...] = (
    ("auth", 535, "5.7.8 wrong password"),
    ("auth", 534, "5.7.9 mechanism too weak"),
    ("auth", 538, "5.7.11 encryption needed"),
    ("mail", 530, "5.7.0 authentication is needed"),
    ("mail", 535, "5.7.8 not with this login"),
    ("mail", 550, "5.7.1 sender is refused"),
    ("mail", 553, "5.7.1 sender is not yours"),
    ("mail", 554, "5.7.1 account is locked"),
)
STAGES = ("rcpt", "rcpt", "data", "content", "content")
LONG = 1e9


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When something happens: at a point of the send, or so many seconds after its beginning."""

    point: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """What happens from outside. `what` is done by the trial, with the number of a person and a duration in seconds."""

    moment: Moment
    what: str
    person: int = 0
    seconds: float = 0.0
    complaint: tuple[str, int, str] = ("", 0, "")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that is decided before a send begins."""

    people: int
    kind: str
    unsubscribe_type: str
    connections: int
    timeout: float
    rates: tuple[float, float]
    retries: Retries
    manners: Manners
    disturbances: tuple[Disturbance, ...]

    @property
    def calm(self) -> bool:
        """Whether nobody ends the send, and no server makes it wait longer than its limit."""
        return not any(each.what == "cancel" for each in self.disturbances)


def plan(seed: int) -> Plan:
    """Draw the plan of a seed. A seed takes some of the possible troubles, seldom all at once."""
    chance = Random(f"plan {seed}")
    people = chance.randint(1, 6)
    manners = _manners(chance, people)
    retries = Retries(
        first=timedelta(seconds=chance.choice((5, 30, 60))),
        longest=timedelta(seconds=chance.choice((60, 300, 3600))),
        limit=timedelta(seconds=chance.choice((900, 3600, 86_400))) if not manners.stubborn else timedelta(seconds=600),
    )
    return Plan(
        people=people,
        kind=chance.choice(("list", "members")),
        unsubscribe_type=chance.choice(tuple(UnsubscribeType)),
        connections=chance.choice((1, 2, 2, 3, 4)),
        timeout=chance.choice((2.0, 2.0, 2.0, 9.0)),
        rates=chance.choice(((0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (20.0, 0.0), (0.0, 2.0))),
        retries=retries,
        manners=manners,
        disturbances=tuple(_disturbances(chance, people, manners)),
    )


def _manners(chance: Random, people: int) -> Manners:
    troubles: dict[int, tuple[Trouble, ...]] = {}
    stubborn: set[int] = set()
    if _sometimes(chance, 0.7):
        share = chance.choice((0.15, 0.4, 0.8))
        for number in range(1, people + 1):
            if _sometimes(chance, share):
                troubles[number] = tuple(_trouble(chance) for _ in range(chance.choice((1, 1, 1, 2, 3))))
        if _sometimes(chance, 0.15):
            stubborn.update(number for number in troubles if _sometimes(chance, 0.5))
    crowded = _sometimes(chance, 0.3)
    return Manners(
        pipelining=_sometimes(chance, 0.6),
        login=_sometimes(chance, 0.3),
        forgiving=_sometimes(chance, 0.3),
        think=chance.choice((0.0, 0.01, 0.05, 0.3)),
        slow=chance.choice((0.0, 0.0, 0.0, 0.05)),
        mails=chance.randint(1, 4) if crowded else 0,
        full=chance.choice(("452", "452", "421", "hangup")),
        most_connections=1 if _sometimes(chance, 0.1) else 100,
        noise=0.02 if _sometimes(chance, 0.25) else 0.0,
        troubles=troubles,
        stubborn=frozenset(stubborn),
        sizes=frozenset({chance.randint(1, people)} if _sometimes(chance, 0.1) else ()),
        oddities=frozenset({chance.randint(1, people)} if _sometimes(chance, 0.1) else ()),
    )


def _trouble(chance: Random) -> Trouble:
    stage = chance.choice(STAGES)
    kinds: list[int | str] = [chance.choice(TEMPORARY), chance.choice(TEMPORARY), chance.choice(PERMANENT), 421]
    kinds += ["drop", "reset", "silence", "garbage"]
    if stage in ("rcpt", "content"):
        kinds.append("odd")
    if stage == "content":
        kinds += ["kept_drop", "kept_silence"]
    return stage, chance.choice(kinds)


def _disturbances(chance: Random, people: int, manners: Manners) -> list[Disturbance]:
    found: list[Disturbance] = []

    def moment() -> Moment:
        if _sometimes(chance, 0.7):
            return Moment(point=chance.randint(1, 15 + 6 * people))
        return Moment(seconds=math.pow(10.0, chance.uniform(-2.0, 2.5)))

    def happens(share: float, most: int, make: Callable[[], Disturbance]) -> None:
        if _sometimes(chance, share):
            found.extend(make() for _ in range(chance.randint(1, most)))

    def duration() -> float:
        return math.pow(10.0, chance.uniform(-0.5, 2.7))

    happens(
        0.75,
        6,
        lambda: Disturbance(moment=moment(), what=f"person {chance.choice(WAYS)}", person=chance.randint(1, people)),
    )
    happens(0.3, 3, lambda: Disturbance(moment=moment(), what="kill"))
    happens(0.1, 2, lambda: Disturbance(moment=moment(), what="stop"))
    happens(0.06, 1, lambda: Disturbance(moment=moment(), what="take over"))
    happens(0.15, 2, lambda: Disturbance(moment=moment(), what="pause", seconds=duration()))
    happens(0.05, 1, lambda: Disturbance(moment=moment(), what="cancel"))
    happens(0.12, 2, lambda: Disturbance(moment=moment(), what="restart", seconds=duration()))
    happens(0.08, 1, lambda: Disturbance(moment=moment(), what="deaf", seconds=duration()))
    happens(0.1, 3, lambda: Disturbance(moment=moment(), what="hang up"))
    happens(
        0.25,
        2,
        lambda: Disturbance(moment=moment(), what="complain", seconds=duration(), complaint=chance.choice(COMPLAINTS)),
    )
    # A login is refused only where there is one.
    refusals = [each for each in REFUSALS if manners.login or each[0] != "auth"]
    happens(
        0.1,
        1,
        lambda: Disturbance(
            moment=chance.choice((Moment(), moment())), what="complain", seconds=LONG, complaint=chance.choice(refusals)
        ),
    )
    return found


def _sometimes(chance: Random, share: float) -> bool:
    return chance.random() < share
