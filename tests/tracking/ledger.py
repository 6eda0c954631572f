"""Sends as the ledger holds them, without sending: messages, their links, and mails that were handed over."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import insert

from soapstone.accounts.account import Account
from soapstone.clock import now
from soapstone.store.database import Database
from soapstone.store.tables import deliveries, jobs, messages, sends, tracked_links


@dataclass(frozen=True)
class Sent:
    """A send: numbers of its message and job, its mails, and its links by their place."""

    account_id: int
    message_id: int
    job_id: int
    is_test: bool
    mails: list[int]
    links: dict[int, int] = field(default_factory=dict)


def send(
    database: Database,
    account: Account,
    mails: int,
    *,
    links: int = 0,
    again: Sent | None = None,
    is_test: bool = False,
    strangers: int = 0,
    handed_at: datetime | None = None,
) -> Sent:
    """Store a send of some mails; the last `strangers` go to addresses that are no contacts.

    `again` is an earlier send of the same message.
    """
    handed_at = handed_at or now() - timedelta(days=1)
    of = {"account_id": account.id}
    moment = now()
    with database.write() as connection:
        job = {
            "kind": "send_to_list",
            "submitted_at": moment,
            "due_at": moment,
            "state": "completed",
            "finished_at": moment,
        }
        job_id = connection.execute(insert(jobs).values(**of, **job).returning(jobs.c.id)).scalar_one()
        if again is None:
            message = {"kind": "send", "public_id": f"m{job_id}", "created_at": moment, "updated_at": moment}
            message_id = connection.execute(
                insert(messages).values(**of, **message).returning(messages.c.id)
            ).scalar_one()
        else:
            message_id = again.message_id
        of |= {"message_id": message_id}
        purpose = "test" if is_test else "list"
        connection.execute(insert(sends).values(**of, job_id=job_id, purpose=purpose, is_test=is_test))
        rows = [
            {
                **of,
                "job_id": job_id,
                "contact_id": number + 1 if number < mails - strangers else None,
                "email": f"p{number}@example.com",
                "email_key": f"p{number}@example.com",
                "fields": {},
                "state": "handed",
                "handed_at": handed_at,
                "is_test": is_test,
            }
            for number in range(mails)
        ]
        numbers = [
            connection.execute(insert(deliveries).values(**row).returning(deliveries.c.id)).scalar_one() for row in rows
        ]
        found = dict(again.links) if again else {}
        for position in range(len(found) + 1, links + 1):
            url = f"https://shop.example/{position}"
            link = {"position": position, "body": "html", "url": url, "target": f"{url}?utm_source=soapstone"}
            found[position] = connection.execute(
                insert(tracked_links).values(**of, **link).returning(tracked_links.c.id)
            ).scalar_one()
    return Sent(account.id, message_id, job_id, is_test, numbers, found)
