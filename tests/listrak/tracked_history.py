"""Histories of messages in the records: sends, and random acts of their recipients; the acts as they were recorded."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.listrak.mailings import LONG_AGO, Mailings
from tests.listrak.reports_oracle import REPLIES, Done, History, Mail, Recipient, Send

from soapstone.clock import clock
from soapstone.contacts.changes import Cause, Changes
from soapstone.tracking.bounce_classes import of_reply
from soapstone.tracking.recording import Act, FinalResult, record_acts, record_bounces, record_results
from soapstone.vocabulary.contacts import MembershipState
from soapstone.vocabulary.tracking import MailEventKind


class Maker:
    """Makes a history of at least `acts` acts: two lists, five messages, of which one goes to both lists and one is a
    test. Lists and batches grow with the number of acts. With `repeats` a list gets one of them twice, and another one
    was a test before."""

    def __init__(self, mailings: Mailings, seed: int, acts: int, *, repeats: bool = True) -> None:
        self._mailings, self._random, self._acts = mailings, random.Random(seed), acts
        self._now = datetime(2026, 3, 7, 12, tzinfo=UTC)
        one, two = mailings.new_list(), mailings.new_list()
        size = max(40, acts // 75)
        people = {each: mailings.people(each, size) for each in (one, two)}
        self._contacts = {each.number: each.contact_id for members in people.values() for each in members}
        told = {each: [Recipient(one.number, one.email) for one in members] for each, members in people.items()}
        shared = mailings.message(None)
        tested = mailings.message(None)
        plan = [(one, None, False), (two, None, False), (one, shared, False), (two, shared, False), (one, None, True)]
        plan += [(two, shared, False), (one, tested, True)] if repeats else []
        plan += [(one, tested, False)]
        names = {each: mailings.product.lists.get(mailings.account.id, each) for each in (one, two)}
        lists = {each: found.name for each, found in names.items() if found is not None}
        self._history = History(LONG_AGO, lists=lists, people=told)
        self._waiting: list[Mail] = []
        for place, (list_id, message, is_test) in enumerate(plan):
            at = self._now + timedelta(minutes=place, microseconds=place)
            some = self._random.sample(people[list_id], 5 if is_test else size * 7 // 8)
            mailing = mailings.send(list_id, some, at=at, message=message, is_test=is_test, recorded=False)
            self._history.sends.append(Send(mailing.message, list_id, at, is_test))
            self._history.subjects[mailing.message] = mailing.subject
            self._waiting += [
                Mail(delivery, mailing.message, list_id, Recipient(person.number, person.email), is_test)
                for person, delivery in zip(mailing.people, mailing.deliveries, strict=True)
            ]
        self._links: dict[int, list[int]] = defaultdict(list)
        for message in self._history.subjects:
            for position, (body, kind) in enumerate((("html", "HTML"), ("html", "HTML"), ("plain", "Text")), 1):
                description = "" if position == 2 else f"link {position}"
                number, url = mailings.link(message, position, body, description)
                self._history.links[number] = (message, url, kind, description)
                self._links[message].append(number)
        self._out: list[Mail] = []
        self._bounced: set[int] = set()
        self._left: set[tuple[int, Recipient]] = set()

    def make(self) -> History:
        """Let the acts happen, some of them at the same time."""
        self._send(len(self._waiting) // 2)
        while len(self._history.done) < self._acts:
            self._pass()
            with clock(lambda: self._now):
                turn = self._random.random()
                if turn < 0.08:
                    self._send(self._random.randint(1, max(20, self._acts // 300)))
                elif turn < 0.16:
                    self._bounce()
                elif turn < 0.24:
                    self._leave()
                else:
                    self._act()
        return self._history

    def _pass(self) -> None:
        """Move on by seconds or by days: the clock changes on 8 March and on 1 November 2026."""
        step = self._random.choice([0.2, 1.0, 3.5, 600.0, 86_400.0, 400_000.0])
        self._now += timedelta(seconds=step, microseconds=self._random.randrange(1_000_000))

    def _send(self, number: int) -> None:
        self._random.shuffle(self._waiting)
        mails, self._waiting = self._waiting[:number], self._waiting[number:]
        refused = {each.delivery: self._reply() for each in mails if self._random.random() < 0.1}
        results = [
            FinalResult(
                delivery_id=each.delivery,
                refusal=of_reply(refused[each.delivery]) if each.delivery in refused else None,
            )
            for each in mails
        ]
        if not mails:
            return
        with clock(lambda: self._now), self._mailings.database.write() as connection:
            record_results(connection, results)
        for each in mails:
            self._note("sent", each)
        for each in mails:
            if each.delivery in refused:
                self._note("bounce", each, refused[each.delivery])
                self._bounced.add(each.delivery)
        self._out += mails

    def _bounce(self) -> None:
        """Half of the bounces come twice, which counts once."""
        mail, reply = self._random.choice(self._out), self._reply()
        with self._mailings.database.write() as connection:
            record_bounces(connection, {mail.delivery: of_reply(reply)})
        if mail.delivery not in self._bounced:
            self._note("bounce", mail, reply)
            self._bounced.add(mail.delivery)

    def _leave(self) -> None:
        mail = self._random.choice(self._out)
        contact_id = self._contacts[mail.person.number]
        assert contact_id is not None
        if (mail.list, mail.person) in self._left:
            return
        self._left.add((mail.list, mail.person))
        with Changes(self._mailings.database).begin(self._mailings.account, by="Unsubscribe Link") as change:
            cause = Cause(message_id=mail.message)
            change.move(mail.list, contact_id, MembershipState.UNSUBSCRIBED, cause=cause)
        self._history.done.append(Done(self._now, "left", mail))

    def _act(self) -> None:
        """Up to forty acts or more at one time, some of machines, which count nowhere."""
        acts, notes = [], []
        for _ in range(self._random.choice([1, 2, max(40, self._acts // 250)])):
            mail = self._random.choice(self._out[: self._random.randint(1, len(self._out))])
            kinds = ["open", "open", "open", "read", "click", "click", "machine_open", "machine_click"]
            kind = self._random.choice(kinds)
            link = self._random.choice(self._links[mail.message]) if "click" in kind else None
            acts.append(Act(kind=MailEventKind(kind), delivery_id=mail.delivery, link_id=link))
            if not kind.startswith("machine"):
                notes.append((kind, mail, link))
        with self._mailings.database.write() as connection:
            record_acts(connection, acts)
        for kind, mail, link in notes:
            self._note(kind, mail, link)

    def _note(self, kind: str, mail: Mail, what: Any = None) -> None:
        # Dates lie half a second ahead, and never before those of earlier events.
        at = self._now + timedelta(milliseconds=500)
        self._history.done.append(Done(at, kind, mail, what))

    def _reply(self) -> str:
        return self._random.choice(list(REPLIES))
