"""A subscriber's new address keeps what the person wished at the old one (lk-61, mm-74, mm-120)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from soapstone.accounts.account import Account
from soapstone.contacts.changes import Changes
from soapstone.contacts.channels import Channels
from soapstone.contacts.subscriptions import SubscriptionOutcome, Subscriptions
from soapstone.lists.lists import Lists
from soapstone.sending.audience import Audience, Rules
from soapstone.sending.messages.message import Draft, Traits
from soapstone.sending.messages.messages import Messages
from soapstone.store.database import Database
from soapstone.store.tables import contacts
from soapstone.vocabulary.contacts import OptOutKind

NEW = "ann@new.example"


def reason(database: Database, account: Account, list_id: int, message_id: int) -> str:
    """Why a send to the list skips the new address; "" if it is mailed."""
    job: Any = SimpleNamespace(id=1, account_id=account.id, list_id=list_id)
    audience = Audience(database, job, message_id, Rules())
    candidates, _ = audience.members(0, 10)
    found = {row["email"]: row["reason"] for row in audience.judge(candidates)}
    return str(found[NEW])


def test_opt_outs_of_a_category_of_messages(database: Database, account: Account) -> None:
    here, mails = Lists(database).create(account.id, "Newsletter"), Messages(database)
    draft, offers = Draft(subject="News", plain="Hello"), Traits(category_id=7)
    numbers = [mails.save(account.id, here.id, draft, traits=traits).id for traits in (None, offers)]
    with Changes(database).begin(account) as change:
        ann = change.add(email="ann@example.com")
        change.join(here.id, ann)
        change.opt_out(ann, OptOutKind.MESSAGE_CATEGORY, 7)
    house: Any = SimpleNamespace()
    changed = Subscriptions(database, house).change_address(account, here, "ann@example.com", NEW)
    assert changed is SubscriptionOutcome.DONE
    assert [reason(database, account, here.id, each) for each in numbers] == ["", "unsubscribed"]


def test_a_shut_channel(database: Database, account: Account) -> None:
    here = Lists(database).create(account.id, "Newsletter")
    message = Messages(database).save(account.id, here.id, Draft(subject="News", plain="Hello"))
    with Changes(database).begin(account) as change:
        change.join(here.id, change.add(email="ann@example.com"))
    Channels(database).shut(account, [{"email": "ann@example.com"}], "email", ("email", "fax"))
    house: Any = SimpleNamespace()
    changed = Subscriptions(database, house).change_address(account, here, "ann@example.com", NEW)
    assert changed is SubscriptionOutcome.DONE
    with database.read() as connection:
        query = select(contacts.c.channels_shut).where(contacts.c.email_key == NEW)
        assert connection.execute(query).scalar_one() == "email fax"
    assert reason(database, account, here.id, message.id) == "suppressed"
