"""Imports that raise external events, through a stock client (lk-66, lk-69, lk-71, lk-81)."""

from __future__ import annotations

from typing import Any

import pytest
import zeep.exceptions
from sqlalchemy import select

from soapstone.accounts.account import Accounts
from soapstone.lists.external_events import ExternalEvents
from soapstone.store.database import Database
from soapstone.store.tables import contact_events

SERVED_ON = ("sqlite", "postgresql")


def column(place: int, *, email: bool = False, events: bool = False) -> dict[str, Any]:
    flags = {"IsEmailAddressColumn": email, "IsExternalEventColumn": events}
    return {"AttributeID": 0, "DefaultValue": "", "FileColumn": place, **flags}


@pytest.mark.parametrize("options", [False, True])
def test_bulk_load_and_trigger(listrak: Any, served: Any, options: bool) -> None:
    made = listrak.create()
    database = Database(served.product.settings.database)
    demo = Accounts(database).named("DEMO")
    assert demo is not None
    event = ExternalEvents(database).add(demo.id, made, "Bought")
    directives = {"ImportTypeEnum": "AddSubscribers", "ImportProfileTypeEnum": "NotDefined", "HasColumnNames": False}
    mappings = {"WSTriggerFileMappings": [column(0, email=True), column(1, events=True)]}
    name, more = "ConductorBulkLoadAndTriggerContacts", []
    if options:
        name, more = f"{name}WithOptions", [{"SuppressEmailNotifications": True}]
    data = f"ann@example.com,{event.id}\nbob@example.com,\n".encode()
    process = getattr(listrak, name)(made, directives, mappings, data, *more)
    status = listrak.wait(process)
    assert (status["Status"], status["ProcessName"]) == (
        "ProcessingCompleted",
        "ConductorBulkLoadAndTriggerContacts",
    )
    assert {each["EmailAddress"] for each in listrak.subscribed(made)} == {"ann@example.com", "bob@example.com"}
    assert listrak.history(made)[-1]["SubscribedCount"] == 2
    query = select(contact_events.c.external_event_id).where(contact_events.c.list_id == made)
    with database.read() as connection:
        assert list(connection.execute(query).scalars()) == [event.id]
    database.close()
    twice = {"WSTriggerFileMappings": [column(0, email=True), column(1, events=True), column(2, events=True)]}
    with pytest.raises(zeep.exceptions.Fault, match="InvalidArgument"):
        getattr(listrak, name)(made, directives, twice, data, *more)
    for place in (-1, 16_384):
        beyond = {"WSTriggerFileMappings": [column(0, email=True), column(place, events=True)]}
        with pytest.raises(zeep.exceptions.Fault, match="InvalidArgument"):
            getattr(listrak, name)(made, directives, beyond, data, *more)
