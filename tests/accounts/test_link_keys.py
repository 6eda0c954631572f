"""Each key signs for its own numbers; links of mails from before there were several keys stay good."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import make_url

from soapstone.accounts.link_keys import LinkKey, LinkKeys, begin_key
from soapstone.accounts.secrets import Secrets
from soapstone.contacts.contact_tokens import ContactTokens
from soapstone.sending.confirmations import Invitation, Invitations
from soapstone.sending.signed_links import Links
from soapstone.store import schema
from soapstone.store.database import Database

KEYS = LinkKeys(
    [LinkKey("new", range(1000, 1 << 63), range(2000, 1 << 63)), LinkKey("old", range(0, 11), range(0, 21))]
)
BASE = "https://lists.example"


@pytest.mark.parametrize(("number", "known"), [(1, True), (10, True), (11, False), (999, False), (1000, False)])
def test_links_of_the_old_key_are_good_for_its_numbers_alone(number: int, known: bool) -> None:
    token = Links(BASE, LinkKeys.single("old")).make("unsubscribe", number).rpartition("/")[2]
    assert Links(BASE, KEYS).read("unsubscribe", token) == (number if known else None)
    assert Links(BASE, KEYS).held_by(f"See {BASE}/u/{token}") is known


@pytest.mark.parametrize("number", [1, 10, 1000, 1 << 40])
def test_links_are_signed_with_the_key_of_their_number(number: int) -> None:
    links = Links(BASE, KEYS)
    token = links.make("browser", number).rpartition("/")[2]
    assert links.read("browser", token) == number
    wrong = "new" if number < 1000 else "old"
    assert Links(BASE, LinkKeys.single(wrong)).read("browser", token) is None


@pytest.mark.parametrize(("contact", "known"), [(20, True), (21, False), (2000, False)])
def test_email_keys_and_confirmations_follow_the_contact(contact: int, known: bool) -> None:
    """lk-53, lk-63."""
    old = LinkKeys.single("old")
    assert ContactTokens(KEYS).read(ContactTokens(old).make(contact)) == (contact if known else None)
    token = Invitations(old).make(Invitation(1, contact))
    assert (Invitations(KEYS).read(token) is not None) is known
    new = LinkKeys.single("new")
    assert (ContactTokens(KEYS).read(ContactTokens(new).make(contact)) is not None) is (contact >= 2000)
    assert (Invitations(KEYS).read(Invitations(new).make(Invitation(1, contact))) is not None) is (contact >= 2000)


def test_a_number_that_no_key_covers_is_not_signed() -> None:
    with pytest.raises(LookupError):
        ContactTokens(KEYS).make(21)


@pytest.mark.parametrize("secret", ["", "the operator's"])
def test_keys_follow_one_another(database: Database, secret: str) -> None:
    (first,) = LinkKeys.of(database, secret).all
    with database.write() as connection:
        assert begin_key(connection, delivery=5, contact=7, next_delivery=100, next_contact=200) == 2
    new, old = LinkKeys.of(database, secret).all
    assert (old.value, old.deliveries, old.contacts) == (first.value, range(0, 6), range(0, 8))
    assert new.value != old.value
    assert (new.deliveries.start, new.contacts.start) == (100, 200)
    assert 1 << 62 in new.deliveries


def test_two_installations_with_one_secret_have_their_own_keys(database: Database, tmp_path: Path) -> None:
    other = Database(f"sqlite:///{tmp_path}/other.sqlite")
    schema.upgrade(other)
    assert LinkKeys.of(database, "one").all[0].value != LinkKeys.of(other, "one").all[0].value
    other.close()


@pytest.mark.parametrize("used", [True, False])
def test_links_of_a_version_with_one_key_stay_good(database_url: str, used: bool) -> None:
    database = Database(database_url)
    if database.kind == "sqlite":
        Path(str(make_url(database_url).database)).unlink()
    config = schema.migrations()
    with database.write() as connection:
        if database.kind == "postgresql":
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
        config.attributes |= {"connection": connection, "database": database}
        command.upgrade(config, "0009")
        if used:
            connection.exec_driver_sql("INSERT INTO account (name, time_zone, created_at) VALUES ('ACME', 'UTC', 0)")
    kept = Secrets(database).get("links")
    schema.upgrade(database)
    assert (LinkKeys.of(database, "").all[0].value == kept) is used
    assert (LinkKeys.of(database, "the operator's").all[0].value == "the operator's") is used
    database.close()
