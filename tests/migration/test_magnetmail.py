"""Moving from a server with the MagnetMail contract, which is a second one of ours."""

from __future__ import annotations

import pytest
from tests.migration.comparing import Killed, differences, kill_at, members
from tests.migration.sites import Site, magnetmail_answers, move_magnetmail

from soapstone.contacts.changes import Cause, Changes
from soapstone.vocabulary.contacts import MembershipState


def test_all_that_the_contract_tells_is_the_same_here(magnetmail_there: Site, here: Site) -> None:
    move_magnetmail(magnetmail_there, here)
    there, answers = members(magnetmail_answers(magnetmail_there)), members(magnetmail_answers(here))
    assert differences(there, answers) == {}
    assert len(there) > 1500


def test_goes_on_where_it_was_killed(magnetmail_there: Site, here: Site) -> None:
    """What was stored and not yet noted as stored is stored once."""
    for moment in (6, 8, 9, 9, 10):
        with pytest.raises(Killed):
            move_magnetmail(magnetmail_there, here, at=kill_at(moment))
    move_magnetmail(magnetmail_there, here)
    assert differences(members(magnetmail_answers(magnetmail_there)), members(magnetmail_answers(here))) == {}


def test_a_second_run_brings_only_changes(magnetmail_there: Site, here: Site) -> None:
    move_magnetmail(magnetmail_there, here)
    product, account = magnetmail_there.product, magnetmail_there.account
    groups = product.lists.all(account.id)
    product.contacts.add(account, {"email": "late@mm.example", "custom1": "x"}, [groups[0].id])
    changed, left = (product.contacts.find(account, email=f"Member{number}@mm.example") for number in (8, 10))
    assert changed is not None
    assert left is not None
    product.contacts.change(account, changed, {"custom2": "changed"})
    product.unsubscribes.add(account, left, list_id=groups[0].id)
    journal = move_magnetmail(magnetmail_there, here)
    changes = {what: number for what, number in journal.counts.items() if number and not what.endswith("same")}
    assert changes == {"recipient: new": 1, "recipient: changed": 1, "membership: new": 1, "unsubscribe: new": 1}
    assert journal.remarks == []
    assert differences(members(magnetmail_answers(magnetmail_there)), members(magnetmail_answers(here))) == {}


def test_who_left_a_group_is_never_put_back(magnetmail_there: Site, here: Site) -> None:
    move_magnetmail(magnetmail_there, here)
    number = here.product.contacts.find(here.account, email="Member8@mm.example")
    assert number is not None
    groups = here.product.contacts.lists_of(here.account.id, number)
    here.product.contacts.change_groups(here.account, number, [], groups, cause=Cause())
    move_magnetmail(magnetmail_there, here)
    assert here.product.contacts.lists_of(here.account.id, number) == []


def test_who_has_not_confirmed_gets_no_mail_until_then(magnetmail_there: Site, here: Site) -> None:
    """The member waits here as over there (mm-76), on the group that it has not confirmed."""
    product, account = magnetmail_there.product, magnetmail_there.account
    group = product.lists.all(account.id)[0]
    with Changes(product.database).begin(account) as change:
        number = change.add(email="waits@mm.example")
        change.join(group.id, number, state=MembershipState.UNCONFIRMED)
    move_magnetmail(magnetmail_there, here)
    assert state(here, "waits@mm.example") == "waiting"
    with Changes(product.database).begin(account) as change:
        change.move(group.id, number, MembershipState.SUBSCRIBED)
    move_magnetmail(magnetmail_there, here)
    assert state(here, "waits@mm.example") == "subscribed"
    assert differences(members(magnetmail_answers(magnetmail_there)), members(magnetmail_answers(here))) == {}


def state(site: Site, email: str) -> str:
    """The state of a member of the site's first group."""
    group = site.product.lists.all(site.account.id)[0]
    return next(each.state for each in site.product.members.page(group.id) if each.email == email)
