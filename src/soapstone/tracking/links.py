"""The tracked links of messages: each has a position in its message, which mails name, for good."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from soapstone.store.database import Database
from soapstone.store.tables import messages, tracked_links

# Most links of a mail that are tracked; later ones stay as they are.
MOST_LINKS = 2_000
# Most characters of what is kept about a link's text (lk-111).
LONGEST_TEXT = 255


class TrackedLink(NamedTuple):
    """A link: "html" or "plain", the author's address, where it leads, and its words (lk-111).

    `target` has the parameters of web analytics. A dynamic link has merge fields in its address; its target is signed
    into each mail.
    """

    body: str
    url: str
    target: str
    label: str
    description: str
    is_dynamic: bool


def positions(database: Database, account_id: int, message_id: int, links: Sequence[TrackedLink]) -> list[int]:
    """Return the position of each link of a message, and record those that it did not have.

    The first send gives them from 1, in their order. A later send of a message that was changed meanwhile keeps the
    positions of links that are the same, and gives new ones to others: mails that are out name the old ones.
    """
    found = known_positions(database, account_id, message_id, links)
    known = [position for position in found if position is not None]
    if len(known) == len(links):
        return known
    with database.write(durable=True) as connection:
        # Another send of this message may begin at the same time.
        connection.execute(select(messages.c.id).where(messages.c.id == message_id).with_for_update())
        found, last = _known(connection, account_id, message_id, links)
        complete: list[int] = []
        rows = []
        for link, position in zip(links, found, strict=True):
            if position is None:
                position = last = last + 1
                place = {"account_id": account_id, "message_id": message_id, "position": position}
                rows.append(place | link._asdict())
            complete.append(position)
        if rows:
            connection.execute(insert(tracked_links), rows)
    return complete


def target_of(database: Database, message_id: int, position: int) -> str | None:
    """Return where a link of a message leads; None if there is none, or if each mail has a target of its own."""
    link = tracked_links.c
    query = select(link.target).where(
        link.message_id == message_id, link.position == position, link.is_dynamic.is_(False)
    )
    with database.read() as connection:
        target: str | None = connection.execute(query).scalar()
    return target


def known_positions(
    database: Database, account_id: int, message_id: int, links: Sequence[TrackedLink]
) -> list[int | None]:
    """Return the position of each link of a message; None for one that no send had."""
    with database.read() as connection:
        return _known(connection, account_id, message_id, links)[0]


def _known(
    connection: Connection, account_id: int, message_id: int, links: Sequence[TrackedLink]
) -> tuple[list[int | None], int]:
    table = tracked_links.c
    query = (
        select(table.position, *(table[name] for name in TrackedLink._fields))
        .where(table.account_id == account_id, table.message_id == message_id)
        .order_by(table.position.desc())
    )
    there: defaultdict[TrackedLink, list[int]] = defaultdict(list)
    last = 0
    for row in connection.execute(query):
        last = max(last, row.position)
        there[TrackedLink(*row[1:])].append(row.position)
    # A link that is there twice has two positions, the lower one first.
    return [there[link].pop() if there[link] else None for link in links], last
