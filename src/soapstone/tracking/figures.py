"""Figures of sends and of links, kept with every event, so that no report counts events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, Connection, func, select

from soapstone.accounts.account import Login
from soapstone.accounts.visibility import of_no_hidden_list
from soapstone.store.bulk import add_rows
from soapstone.store.database import Database
from soapstone.store.tables import LINK_FIGURES, SEND_FIGURES, link_figures, send_figures, sends, tracked_links


@dataclass(frozen=True, kw_only=True)
class SendFigures:
    """Figures of a send, or the sums of several sends.

    `opens` and `clicks` count events; `openers`, `readers` and `clickers` count mails, `repeat_clickers` those that
    were clicked at least twice. `sent` includes mails that the server refused for good, and so does `bounced`.
    `erased_departures` are people who left because of the message and were erased since.
    """

    sent: int = 0
    bounced: int = 0
    opens: int = 0
    openers: int = 0
    readers: int = 0
    clicks: int = 0
    clickers: int = 0
    repeat_clickers: int = 0
    complaints: int = 0
    machine_opens: int = 0
    machine_clicks: int = 0
    erased_departures: int = 0

    @property
    def delivered(self) -> int:
        """Mails that were sent and have not come back (lk-108)."""
        return self.sent - self.bounced

    def __add__(self, other: SendFigures) -> SendFigures:
        return SendFigures(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)})


@dataclass(frozen=True, kw_only=True)
class LinkFigures:
    """Clicks on a link, and mails in which it was clicked at least once."""

    clicks: int = 0
    clickers: int = 0
    machine_clicks: int = 0


class FigureChanges:
    """Additions to figures, collected during a transaction and stored at its end."""

    def __init__(self) -> None:
        self._sends: dict[tuple[int, int], dict[str, int]] = defaultdict(lambda: dict.fromkeys(SEND_FIGURES, 0))
        self._links: dict[tuple[int, int, int], dict[str, int]] = defaultdict(lambda: dict.fromkeys(LINK_FIGURES, 0))

    def of_send(self, account_id: int, job_id: int, **amounts: int) -> None:
        """Add to figures of a send."""
        _add(self._sends[account_id, job_id], amounts)

    def of_link(self, account_id: int, job_id: int, link_id: int, **amounts: int) -> None:
        """Add to figures of a link in a send."""
        _add(self._links[account_id, job_id, link_id], amounts)

    def store(self, connection: Connection) -> None:
        of_sends = [(*key, *each.values()) for key, each in sorted(self._sends.items()) if any(each.values())]
        of_links = [(*key, *each.values()) for key, each in sorted(self._links.items()) if any(each.values())]
        add_rows(connection, send_figures, ("account_id", "job_id", *SEND_FIGURES), of_sends)
        add_rows(connection, link_figures, ("account_id", "job_id", "link_id", *LINK_FIGURES), of_links)


def of_sends(database: Database, job_ids: Collection[int]) -> dict[int, SendFigures]:
    """Return the figures of each of these sends; a send without any event has zeros."""
    found = {job_id: SendFigures() for job_id in job_ids}
    query = select(send_figures).where(send_figures.c.job_id.in_(job_ids))
    with database.read() as connection:
        for row in connection.execute(query).mappings():
            found[row["job_id"]] = SendFigures(**{name: row[name] for name in SEND_FIGURES})
    return found


def total(figures: Collection[SendFigures]) -> SendFigures:
    """Return the sum of figures."""
    return sum(figures, SendFigures())


def of_message(
    database: Database, account_id: int, message_id: int, *, list_id: int | None = None, login: Login | None = None
) -> SendFigures:
    """Return the sums over the sends of a message, or over those to a list; test sends are left out.

    A login gets those of sends to lists that it sees, and of sends without a list.
    """
    sums = [func.coalesce(func.sum(send_figures.c[name]), 0).label(name) for name in SEND_FIGURES]
    query = select(*sums).join(sends, sends.c.job_id == send_figures.c.job_id)
    with database.read() as connection:
        row = connection.execute(query.where(*_sends_of(account_id, message_id, list_id, login))).mappings().one()
        return SendFigures(**{name: int(row[name]) for name in SEND_FIGURES})


def clicks_of_message(
    database: Database, account_id: int, message_id: int, *, list_id: int | None = None, login: Login | None = None
) -> dict[str, int]:
    """Return the clicks on each URL of a message, summed over the same sends; URLs without clicks are left out."""
    query = (
        select(tracked_links.c.url, func.sum(link_figures.c.clicks))
        .join(link_figures, link_figures.c.link_id == tracked_links.c.id)
        .join(sends, sends.c.job_id == link_figures.c.job_id)
        .where(tracked_links.c.message_id == message_id, *_sends_of(account_id, message_id, list_id, login))
        .group_by(tracked_links.c.url)
    )
    with database.read() as connection:
        return {url: int(clicks) for url, clicks in connection.execute(query) if clicks}


def of_links(database: Database, link_ids: Collection[int], job_ids: Collection[int]) -> dict[int, LinkFigures]:
    """Return the figures of each link, summed over these sends."""
    found = {link_id: LinkFigures() for link_id in link_ids}
    table = link_figures.c
    sums = [func.sum(table[name]).label(name) for name in LINK_FIGURES]
    query = select(table.link_id, *sums).where(table.link_id.in_(link_ids), table.job_id.in_(job_ids))
    with database.read() as connection:
        for row in connection.execute(query.group_by(table.link_id)).mappings():
            found[row["link_id"]] = LinkFigures(**{name: int(row[name]) for name in LINK_FIGURES})
    return found


def _sends_of(account_id: int, message_id: int, list_id: int | None, login: Login | None) -> list[ColumnElement[bool]]:
    of_list = [] if list_id is None else [sends.c.list_id == list_id]
    mine = [sends.c.account_id == account_id, sends.c.message_id == message_id, ~sends.c.is_test]
    return [*mine, *of_list, *of_no_hidden_list(login, sends.c.list_id)]


def _add(figures: dict[str, int], amounts: Mapping[str, int]) -> None:
    for name, amount in amounts.items():
        figures[name] += amount
