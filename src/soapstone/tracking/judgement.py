"""The judgement of opens, reads and clicks: which of them are a program's, and which repeat one that counted.

It remembers the last seconds alone, in hashed form where it is about addresses and agents.
"""

from __future__ import annotations

from functools import lru_cache

from soapstone.tracking.machines import is_machine_address, is_machine_agent, network_of
from soapstone.tracking.spool import SpoolRecord
from soapstone.vocabulary.tracking import MailEventKind

SECOND = 1_000_000
# All times are in microseconds. Images that one client loads again within this time were one look at the mail.
REPEAT = 10 * SECOND
# So many links of one mail that one network follows within this time are followed by a program.
MANY_LINKS = 3
HASTE = 3 * SECOND
# More clicks within twice that time are a program's, whatever their links.
MOST_CLICKS = 60
# What is too old is forgotten when there is twice as much as after the last time and this much more; or after a time.
ROOM = 10_000
FORGET = 60 * SECOND
# A click on a mail that was handed over this short time before waits until its neighbours are known.
FRESH = 600 * SECOND
WAIT = 10 * SECOND

_MACHINE = {
    MailEventKind.OPEN: MailEventKind.MACHINE_OPEN,
    MailEventKind.CLICK: MailEventKind.MACHINE_CLICK,
}
# Python 3.11 looks up a member of an enumeration by several calls.
_CLICK = MailEventKind.CLICK
_Key = tuple[int, int, str]


class Judgement:
    """Judges the records of all spools, in about the order of their time.

    A click within `machine_seconds` after its mail was handed over is a program's. 0 turns off all rules about time,
    for tests that click at once.
    """

    def __init__(self, machine_seconds: float) -> None:
        self._soon = int(machine_seconds * SECOND)
        # When the last image counted, by message, delivery, kind and client.
        self._images: dict[tuple[int, int, str, int], int] = {}
        # Times and links of clicks, by message, delivery and network.
        self._clicks: dict[_Key, list[tuple[int, int]]] = {}
        self._forgot, self._room = 0, ROOM

    def see(self, record: SpoolRecord) -> None:
        """Take note of a record before it is judged: its neighbours are judged by it."""
        if record.kind is _CLICK and self._soon and record.delivery_id:
            clicks = self._clicks.setdefault(_key(record), [])
            clicks.append((record.at, record.position))
            if len(clicks) > MOST_CLICKS + 1:
                del clicks[0]

    def must_wait(self, record: SpoolRecord, handed_at: int | None, now: int) -> bool:
        """Return whether a click cannot be judged yet. `handed_at` is None while the mail is being sent."""
        if record.kind is not _CLICK or not self._soon or not record.delivery_id:
            return False
        fresh = handed_at is None or record.at - handed_at < FRESH
        # A clock that was set back must not keep it waiting.
        return fresh and 0 <= now - record.at < WAIT

    def judge(self, record: SpoolRecord, handed_at: int | None) -> MailEventKind | None:
        """Return the kind of event that a record becomes; None if it repeats another one or tells nothing."""
        at, kind, message_id, delivery_id, _, address, agent = record
        known = _is_machine_agent(agent) or is_machine_address(address.decode("latin-1"))
        if kind is _CLICK:
            # Browsers open links, and they have an agent. An image may come from a mail program without one.
            machine = known or not agent or self._is_hasty(record, handed_at)
            return _MACHINE[kind] if machine else kind
        key = (message_id, delivery_id, kind, hash((address, agent)))
        before = self._images.get(key)
        if before is not None and abs(at - before) < REPEAT:
            return None
        self._images[key] = at
        return _MACHINE.get(kind) if known else kind

    def forget(self, before: int) -> None:
        """Forget what is too old to matter for records from this time on, once there is enough of it."""
        if len(self._images) + len(self._clicks) < self._room and 0 <= before - self._forgot < FORGET:
            return
        self._images = {key: at for key, at in self._images.items() if at > before - REPEAT}
        self._clicks = {key: found for key, found in self._clicks.items() if found[-1][0] >= before - HASTE}
        self._forgot, self._room = before, 2 * (len(self._images) + len(self._clicks)) + ROOM

    def _is_hasty(self, record: SpoolRecord, handed_at: int | None) -> bool:
        if not self._soon or not record.delivery_id:
            # Without a delivery many people may share a network.
            return False
        if handed_at is not None and record.at - handed_at < self._soon:
            return True
        clicks = self._clicks.get(_key(record), [])
        if len(clicks) < MANY_LINKS:
            return False
        is_flood = len(clicks) > MOST_CLICKS and clicks[-1][0] - clicks[0][0] <= 2 * HASTE
        # The latest clicks of a flood are known, of which this may be one of the first.
        if is_flood and record.at >= clicks[0][0] - WAIT:
            return True
        near = sorted(each for each in clicks if abs(each[0] - record.at) <= HASTE)
        for first, _ in near:
            links = {position for at, position in near if first <= at <= first + HASTE}
            if first <= record.at <= first + HASTE and len(links) >= MANY_LINKS:
                return True
        return False


@lru_cache(maxsize=4096)
def _is_machine_agent(agent: bytes) -> bool:
    return is_machine_agent(agent.decode("latin-1"))


def _key(record: SpoolRecord) -> _Key:
    return record.message_id, record.delivery_id, network_of(record.address.decode("latin-1"))
