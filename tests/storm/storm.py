"""A storm: many clients subscribe, change and unsubscribe the same few addresses at once, through both contracts.

What it leaves is compared with a replay of the contacts' events, one after another in the order of their numbers.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import select

from soapstone.product import Product
from soapstone.store.tables import contact_events, contacts, lists, memberships

LK = "http://webservices.listrak.com/v31/"
USER = f'<WSUser xmlns="{LK}"><UserName>demo</UserName><Password>demo</Password></WSUser>'
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


@dataclass
class Storm:
    """What clients saw: answers by outcome, and everything that was no answer."""

    outcomes: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)


def blow(base: str, list_id: int, attribute: int, *, clients: int, addresses: int, seconds: float, seed: int) -> Storm:
    """Let the clients loose for so many seconds."""
    storm, end, lock = Storm(), time.monotonic() + seconds, threading.Lock()

    def client(number: int) -> None:
        dice = random.Random(seed * 1000 + number)
        with httpx.Client(timeout=60) as http:
            while time.monotonic() < end:
                body = _call(dice, f"storm{dice.randrange(addresses)}@example.com", list_id, attribute)
                envelope = (
                    f'<s:Envelope xmlns:s="{SOAP}"><s:Header>{USER}</s:Header><s:Body>{body}</s:Body></s:Envelope>'
                )
                headers = {"Content-Type": "text/xml"}
                try:
                    answer = http.post(f"{base}/v31/IntegrationService.asmx", content=envelope, headers=headers)
                except httpx.HTTPError as trouble:
                    with lock:
                        storm.troubles.append(repr(trouble))
                    continue
                found = re.search(r"<(\w+)Result>(\w+)</", answer.text)
                with lock:
                    if answer.status_code == 200 and found:
                        storm.outcomes[found[2]] += 1
                    else:
                        storm.troubles.append(answer.text[:500])

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return storm


def _call(dice: random.Random, email: str, list_id: int, attribute: int) -> str:
    if dice.random() < 0.3:
        address = f"<ListID>{list_id}</ListID><ContactEmailAddress>{email}</ContactEmailAddress>"
        return f'<UnsubscribeContact xmlns="{LK}">{address}</UnsubscribeContact>'
    kind = dice.choice(("Update", "Append", "Overwrite"))
    value = f"<AttributeID>{attribute}</AttributeID><Value>{dice.randrange(1000)}</Value>"
    contact = (
        f"<WSContact><EmailAddress>{email}</EmailAddress><ListID>{list_id}</ListID>"
        f"<ContactProfileAttribute>{value}</ContactProfileAttribute></WSContact>"
        f"<ProfileUpdateType>{kind}</ProfileUpdateType>"
    )
    if dice.random() < 0.4:
        return f'<UpdateContact xmlns="{LK}">{contact}</UpdateContact>'
    override = f"<OverrideUnsubscribe>{dice.choice(('true', 'false'))}</OverrideUnsubscribe>"
    return f'<SetContact xmlns="{LK}">{contact}{override}</SetContact>'


def wrong(product: Product, list_id: int) -> list[str]:
    """What the records say differently from a replay of the events, and what they must not say at all."""
    member, event = memberships.c, contact_events.c
    with product.database.read() as connection:
        rows = connection.execute(select(memberships).where(member.list_id == list_id)).mappings().all()
        query = select(contact_events).where(event.list_id == list_id).order_by(event.id)
        told = connection.execute(query).mappings().all()
        emails = list(connection.execute(select(contacts.c.account_id, contacts.c.email_key)).all())
        kept = connection.execute(select(lists.c.members, lists.c.subscribed).where(lists.c.id == list_id)).one()
    found = [f"{email} is there twice" for email, times in Counter(emails).items() if times > 1]
    replayed: dict[int, dict[str, Any]] = {}
    for row in told:
        state = replayed.setdefault(row["contact_id"], {"state": None, "profile": {}})
        if row["kind"] == "joined":
            state.update(row["detail"])
        elif row["kind"] == "profile":
            state["profile"] = row["detail"]["profile"]
        elif row["kind"] in ("subscribed", "unsubscribed", "waiting"):
            state["state"] = row["kind"]
    actual = {row["contact_id"]: {"state": row["state"], "profile": row["profile"]} for row in rows}
    found += [
        f"contact {number}: {actual.get(number)} is there, {replayed.get(number)} was told"
        for number in sorted(actual.keys() | replayed.keys())
        if actual.get(number) != replayed.get(number)
    ]
    counted = (len(rows), sum(row["state"] == "subscribed" for row in rows))
    if tuple(kept) != counted:
        found.append(f"kept {tuple(kept)}, counted {counted}")
    if len({row["number"] for row in rows}) != len(rows):
        found.append("a number was given twice")
    return found
