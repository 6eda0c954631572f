"""Moving from a server with the Listrak contract, which is a second one of ours."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.migration.comparing import Killed, differences, kill_at, kill_at_step, members
from tests.migration.sites import LEAVERS, LISTS, SUBSCRIBERS, Site, listrak_answers, move_listrak

from soapstone.clock import clock, now
from soapstone.contacts.changes import Cause


def test_all_that_the_contract_tells_is_the_same_here(listrak_there: Site, here: Site) -> None:
    journal = move_listrak(listrak_there, here)
    there, answers = members(listrak_answers(listrak_there)), members(listrak_answers(here))
    assert differences(there, answers) == {}
    assert len(there) > 300
    assert journal.counts["subscriber: new"] == len(LISTS) * (SUBSCRIBERS)
    assert journal.counts["removal: new"] == len(LISTS) * (LEAVERS + 1)


def test_goes_on_where_it_was_killed(listrak_there: Site, here: Site) -> None:
    """What was stored and not yet noted as stored is stored once."""
    for moment in (3, 9, 10, 12, 20):
        with pytest.raises(Killed):
            move_listrak(listrak_there, here, at=kill_at(moment))
    move_listrak(listrak_there, here)
    assert differences(members(listrak_answers(listrak_there)), members(listrak_answers(here))) == {}


def test_a_second_run_brings_only_changes(listrak_there: Site, here: Site) -> None:
    move_listrak(listrak_there, here)
    lists = listrak_there.product.lists.all(listrak_there.account.id)
    subscriptions = listrak_there.product.subscriptions()
    address = "Person4@list{}.example".format
    subscriptions.set(listrak_there.account, lists[0], "late@list.example", {})
    subscriptions.unsubscribe(listrak_there.account, lists[0], address(lists[0].id))
    size = listrak_there.product.profiles.attributes(lists[1].id)[0].id
    subscriptions.set(listrak_there.account, lists[1], address(lists[1].id), {size: "77"}, update="update")
    journal = move_listrak(listrak_there, here)
    changes = {what: number for what, number in journal.counts.items() if number and not what.endswith("same")}
    assert changes == {"subscriber: new": 1, "removal: changed": 1, "profile: changed": 1}
    assert differences(members(listrak_answers(listrak_there)), members(listrak_answers(here))) == {}


def test_who_unsubscribed_here_stays_unsubscribed(listrak_there: Site, here: Site) -> None:
    """Unless the person subscribes over there after that."""
    move_listrak(listrak_there, here)
    mine = here.product.lists.all(here.account.id)[0]
    theirs = listrak_there.product.lists.all(listrak_there.account.id)[0]
    stays, returns = f"Person5@list{theirs.id}.example", f"Person2@list{theirs.id}.example"
    for email in (stays, returns):
        here.product.subscriptions().unsubscribe(here.account, mine, email)
    subscriptions = listrak_there.product.subscriptions()
    later = now() + timedelta(minutes=1)
    with clock(lambda: later):
        subscriptions.unsubscribe(listrak_there.account, theirs, returns)
        subscriptions.set(listrak_there.account, theirs, returns, {}, override=True)
    journal = move_listrak(listrak_there, here)
    assert journal.counts["subscriber: refused"] == 1
    states = {each.email: each.state for each in here.product.members.page(mine.id)}
    assert (states[stays], states[returns]) == ("unsubscribed", "subscribed")
    assert here.product.lists.all(here.account.id)[0].subscribed == theirs.subscribed - 1


def test_opt_outs_come_before_all_other_people(listrak_there: Site, here: Site) -> None:
    with pytest.raises(Killed):
        move_listrak(listrak_there, here, at=kill_at_step("contacts"))
    lists = here.product.lists.all(here.account.id)
    states = [each.state for found in lists for each in here.product.members.page(found.id)]
    assert states == ["unsubscribed"] * len(LISTS) * (LEAVERS + 1)
    assert here.product.suppressions.blocked(here.account.id, 0, "banned4711@list.example")


def test_a_number_that_is_taken_becomes_another(listrak_there: Site, here: Site) -> None:
    here.product.lists.create(here.account.id, "Mine", number=4711)
    journal = move_listrak(listrak_there, here)
    names = {each.id: each.name for each in here.product.lists.all(here.account.id)}
    assert names.pop(4711) == "Mine"
    assert sorted(names.values()) == ["List 0", "List 1"]
    assert any("4711 was taken" in sentence for sentence in journal.remarks)
    moved = next(number for number, name in names.items() if name == "List 0")
    assert len(here.product.members.page(moved)) == SUBSCRIBERS + LEAVERS + 1


def test_who_was_taken_off_a_list_there_has_left_it_here(listrak_there: Site, here: Site) -> None:
    """lk-112: without a number on the list."""
    theirs = listrak_there.product.lists.all(listrak_there.account.id)[0]
    gone = [f"Person{number}@list{theirs.id}.example" for number in (4, 5)]
    for email in gone:
        number = listrak_there.product.contacts.find(listrak_there.account, email=email)
        assert number is not None
        listrak_there.product.contacts.change_groups(listrak_there.account, number, [], [theirs.id], cause=Cause())
    move_listrak(listrak_there, here)
    mine = here.product.lists.all(here.account.id)[0]
    left = {row.email: row for row in here.product.members.removed(mine.id)}
    for row in listrak_there.product.members.removed(theirs.id)[-2:]:
        assert row.email in gone
        assert left[row.email].removed_at.replace(microsecond=0) == row.removed_at.replace(microsecond=0)
        assert left[row.email].number > 0
