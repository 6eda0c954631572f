"""Figures of messages and sends as people ask for them: with departures, and with the links that were clicked.

A stored message may be sent by copies, one for each send. The figures of a message are those of all its sends, test
sends left out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, literal, select, union

from soapstone.accounts.account import Login
from soapstone.accounts.visibility import of_granted_list
from soapstone.store.repository import Repository
from soapstone.store.tables import LINK_FIGURES, SEND_FIGURES, link_figures, send_figures, sends, tracked_links
from soapstone.tracking import departures, figures
from soapstone.tracking.figures import LinkFigures, SendFigures
from soapstone.tracking.reports import TrackedLink


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Figures, and the number of people who left because of the mails, erased ones included."""

    counted: SendFigures
    departures: int


@dataclass(frozen=True, kw_only=True)
class LinkRecord(TrackedLink):
    """A tracked link with its figures. `message_id` is the message that was sent: a copy has links of its own."""

    figures: LinkFigures


class MessageFigures(Repository):
    """Reads figures, always within the given account. A login gets those of sends to lists that it sees."""

    def total(self, account_id: int, message_id: int, *, login: Login | None = None) -> Figures:
        """Return the sums over all sends of a message."""
        mine = _sends_of(account_id, message_id, login)
        sums = [func.coalesce(func.sum(send_figures.c[name]), 0).label(name) for name in SEND_FIGURES]
        query = select(*sums).join(sends, sends.c.job_id == send_figures.c.job_id).where(*mine)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().one()
        counted = SendFigures(**{name: int(row[name]) for name in SEND_FIGURES})
        left = departures.of_messages(self._database, account_id, select(sends.c.message_id).where(*mine), login=login)
        return Figures(counted=counted, departures=left + counted.erased_departures)

    def of_sends(self, account_id: int, job_ids: Collection[int]) -> dict[int, Figures]:
        """Return the figures of each of these sends."""
        counted = figures.of_sends(self._database, job_ids)
        left = departures.of_sends(self._database, account_id, job_ids)
        return {
            job_id: Figures(counted=counted[job_id], departures=left[job_id] + counted[job_id].erased_departures)
            for job_id in job_ids
        }

    def sends(self, account_id: int, message_id: int, *, login: Login | None = None, limit: int = 100) -> list[int]:
        """Return the numbers of the newest sends of a message, ascending."""
        query = select(sends.c.job_id).where(*_sends_of(account_id, message_id, login))
        with self._database.read() as connection:
            found = connection.execute(query.order_by(sends.c.job_id.desc()).limit(limit)).scalars()
            return sorted(found)

    def links(
        self,
        account_id: int,
        message_id: int,
        *,
        job_id: int | None = None,
        login: Login | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[LinkRecord]:
        """Return the links of all sends of a message by number, after `after`, with figures summed over the sends.

        With `job_id` they are those of one send, which may be a test.
        """
        mine = _sends_of(account_id, message_id, login)
        if job_id is not None:
            mine = [sends.c.account_id == account_id, sends.c.job_id == job_id]
        link, counted = tracked_links.c, link_figures.c
        names = TrackedLink.__dataclass_fields__
        found = (
            select(*(link[name] for name in names))
            .where(link.account_id == account_id, link.message_id.in_(select(sends.c.message_id).where(*mine)))
            .where(link.id > after)
            .order_by(link.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            rows = connection.execute(found).mappings().all()
            clicked = (
                select(counted.link_id, *(func.sum(counted[name]).label(name) for name in LINK_FIGURES))
                .join(sends, sends.c.job_id == counted.job_id)
                .where(counted.link_id.in_([row["id"] for row in rows]), *mine)
                .group_by(counted.link_id)
            )
            amounts = {
                row["link_id"]: LinkFigures(**{name: int(row[name]) for name in LINK_FIGURES})
                for row in connection.execute(clicked).mappings()
            }
        return [LinkRecord(**row, figures=amounts.get(row["id"], LinkFigures())) for row in rows]


def _sends_of(account_id: int, message_id: int, login: Login | None) -> list[ColumnElement[bool]]:
    """Return conditions for the real sends of a message and of its copies, also those that retry failed recipients."""
    copy = sends.alias().c
    copies = select(copy.message_id).where(copy.source_id == message_id, copy.account_id == account_id)
    these = union(select(literal(message_id)), copies)
    return [
        sends.c.account_id == account_id,
        sends.c.message_id.in_(these),
        ~sends.c.is_test,
        *of_granted_list(login, sends.c.list_id),
    ]
