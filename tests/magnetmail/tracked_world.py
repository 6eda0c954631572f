"""Messages that were sent to groups, and random acts of their recipients; the acts as they were recorded."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select
from tests.magnetmail.tracking_oracle import Act, Mail, Oracle

from soapstone.contacts import changes
from soapstone.jobs.worker import Worker
from soapstone.magnetmail import types
from soapstone.runners import runners
from soapstone.store.tables import bounces, deliveries, jobs, sends, tracked_links
from soapstone.tracking import event_log
from soapstone.tracking import recording as record
from soapstone.tracking.bounce_classes import Bounce
from soapstone.vocabulary.tracking import BounceClass, MailEventKind

make: Any = types
URLS = ("https://example.com/a", "https://example.com/b?x=1&y={{ City }}", "https://example.com/A")
# The evening before the clocks of New York go back.
BEGIN = datetime(2026, 10, 31, 22, tzinfo=UTC)


class TrackedWorld:
    """Three groups, two messages, and what becomes of their mails, at moments of our choice."""

    def __init__(self, desk: Any, patch: pytest.MonkeyPatch, seed: int = 1) -> None:
        self.desk, self.product, self.random = desk, desk.product, random.Random(seed)
        self.database = self.product.database
        self.oracle = Oracle()
        self.moment = BEGIN
        self.mails: list[Mail] = []
        self.bounced: set[int] = set()
        patch.setattr(event_log, "now", lambda: self.moment - event_log.AHEAD)
        patch.setattr(changes, "now", lambda: self.moment)
        self.groups = [desk.group(name).id for name in ("One", "Two", "Three")]
        self.people = [self.person(f"person{number:02}@example.com") for number in range(24)]
        self.people += [self.person(f"refused+{number}@simulator.example") for number in range(4)]
        html = "".join(f'<a href="{url}">{url[-1]}</a>'.replace("&", "&amp;") for url in URLS[:2])
        self.messages = [self.message(name, html) for name in ("May", "June")]
        self.links: dict[tuple[int, str], list[int]] = {}
        self.places: dict[int, int] = {}
        # Most acts of one moment.
        self.batch = 40

    def person(self, email: str) -> int:
        groups = self.random.sample(self.groups, self.random.randint(1, 3))
        number = int(self.desk.addRecipient(email=email, first_name=email[:8], Groups=groups).id)
        self.oracle.people[number] = (email, email[:8])
        return number

    def message(self, name: str, html: str) -> int:
        details = make.MessageDetails(
            message_name=name,
            SubjectLine=name,
            FromAddress="ann@example.com",
            text_version=f"Hello {URLS[2]} {URLS[0]}",
            html_version_block1=html,
        )
        return int(self.desk.createMagnetMailMessage(message=details).message_id)

    def pass_time(self, most: timedelta = timedelta(minutes=10)) -> None:
        self.moment += timedelta(microseconds=self.random.randint(0, int(most.total_seconds()) * 1_000_000))

    def send(self, message: int, *groups: int, ignore_dedupe: bool = False, tests: tuple[str, ...] = ()) -> None:
        answer = self.desk.sendMessageToGroup(
            message_id=message, group_ids=list(groups), ignore_dedupe=ignore_dedupe, test_emails=list(tests)
        )
        assert answer.error == 0, answer.msg
        self.work()

    def send_to(self, message: int, *people: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("soapstone.magnetmail.sends.PATIENCE_SECONDS", 0.0)
            answer = self.desk.sendEmailToIndividual(
                message_id=message,
                recipients=[str(each) for each in people],
                recp_type=types.recipient_type.recipient_id,
            )
        assert answer.error == 0, answer.msg
        self.work()

    def work(self) -> None:
        """Send what is queued, and note who was sent what: this is the list of acts of a send."""
        known = {mail.number for mail in self.mails}
        product = self.product
        worker = Worker(product.database, product.blobs, runners(product, simulates=True), slots=1, idle=0.005)
        worker.run(until=lambda: all(job.over for job in product.jobs.find(limit=10_000)))
        query = (
            select(deliveries, sends.c.list_id, jobs.c.started_at)
            .join(sends, sends.c.job_id == deliveries.c.job_id)
            .join(jobs, jobs.c.id == deliveries.c.job_id)
            .where(deliveries.c.state.in_(("handed", "failed")))
            .order_by(deliveries.c.id)
        )
        begins: dict[int, tuple[int, int, datetime]] = {}
        # A refusal is told before the mails that arrive: the numbers of a send's refused mails come first.
        with self.database.read() as connection:
            rows = [row for row in connection.execute(query).all() if row.id not in known]
            words = {row.delivery_id: row.detail for row in connection.execute(select(bounces))}
        for row in sorted(rows, key=lambda row: (row.job_id, row.state != "failed", row.id)):
            mail = Mail(row.id, row.message_id, row.list_id or 0, row.contact_id or 0, row.is_test)
            self.mails.append(mail)
            self.oracle.acts.append(Act("sent", self.moment, mail))
            if row.state == "failed":
                self.oracle.acts.append(Act("bounce", self.moment, mail, "user", words[row.id]))
                self.bounced.add(row.id)
            elif not row.is_test and row.list_id:
                begins.setdefault(row.job_id, (row.message_id, row.list_id, row.started_at))
        self.oracle.begins += [begins[number] for number in sorted(begins)]
        self._add_links()

    def _add_links(self) -> None:
        """The links of the messages: two in the HTML, and two in the text, one of them the first one again."""
        for message in {mail.message for mail in self.mails} - {number for number, _ in self.links}:
            with self.database.write() as connection:
                for position, url in enumerate((URLS[0], URLS[1], URLS[2], URLS[0]), 1):
                    values = {"account_id": self.desk.account.id, "message_id": message, "position": position}
                    values |= {"body": "html" if position < 3 else "plain", "url": url, "target": url}
                    values |= {"label": f"label {position}", "description": f"text {position}"}
                    added = insert(tracked_links).values(**values).returning(tracked_links.c.id)
                    number = connection.execute(added).scalar_one()
                    self.links.setdefault((message, url), []).append(number)
                    self.places[number] = position

    def act_until(self, acts: int) -> None:
        """Batches of random acts, until so many are known."""
        while len(self.oracle.acts) < acts:
            self.act()

    def act(self) -> None:
        """One batch of random acts at one moment."""
        self.pass_time()
        chosen = self.random.random()
        if chosen < 0.06:
            self.bounce()
        elif chosen < 0.12:
            self.leave()
        else:
            self.look()

    def look(self) -> None:
        """Opens and clicks, of which a few mails have most; machines and reads count nowhere."""
        acts: list[record.Act] = []
        for _ in range(self.random.randint(1, self.batch)):
            mail = self.mails[int(len(self.mails) * self.random.random() ** 2)]
            url = self.random.choice(URLS)
            link = self.random.choice(self.links[mail.message, url])
            kind = self.random.choice([*["open"] * 3, *["click"] * 2, "machine_open", "machine_click"])
            with_link = {"link_id": link} if kind.endswith("click") else {}
            acts.append(record.Act(kind=MailEventKind(kind), delivery_id=mail.number, **with_link))
            if kind in ("open", "click"):
                what, place = (url, self.places[link]) if kind == "click" else ("", 0)
                self.oracle.acts.append(Act(kind, self.moment, mail, what, place=place))
        with self.database.write() as connection:
            assert record.record_acts(connection, acts) == self.moment

    def bounce(self) -> None:
        """A mail comes back, perhaps once more."""
        mail, words = self.random.choice(self.mails), f"550 never mind {self.random.random()}"
        name = self.random.choice([each.value for each in BounceClass])
        bounce = Bounce(bounce_class=BounceClass(name), reason="General Bounce", code="550", detail=words)
        with self.database.write() as connection:
            new = record.record_bounces(connection, {mail.number: bounce})
        known = mail.number in self.bounced
        assert new == ([] if known else [mail.number])
        if not known:
            self.bounced.add(mail.number)
            self.oracle.acts.append(Act("bounce", self.moment, mail, name, words))

    def leave(self) -> None:
        """Somebody unsubscribes from everything or leaves a group, because of a message, mailed or not."""
        person, message = self.random.choice(self.people), self.random.choice(self.messages)
        mine = [each.Id for each in self.desk.getRecipientGroups(recipient=make.Recipient(id=str(person)))]
        group = self.random.choice(mine) if mine and self.random.random() < 0.5 else 0
        if group:
            assert self.desk.editRecipientGroups(
                recipient_id=person, new_groups=[], unsubscribed_groups=[group], message_id=message
            )
        else:
            row = make.Unsubscribe(RecipientId=person, MessageId=message, Id=0, GroupId=0)
            assert self.desk.unsubscribeRecipients(unsubscribes=[row])[0].Id
        self.oracle.acts.append(Act("left", self.moment, person=person, message=message, group=group))

    def fill(self, acts: int = 2_000) -> None:
        """Several sends, and acts across a change of clocks, until `acts` are known; batches grow with the number."""
        one, two, three = self.groups
        may, june = self.messages
        self.batch = max(40, acts // 200)
        self.send(may, one, two, tests=("tess@example.com", "tim@example.com"))
        self.act_until(acts // 8)
        self.send(june, two, tests=("tess@example.com",))
        self.send_to(may, *self.people[:3])
        self.act_until(acts // 2)
        self.send(may, three, ignore_dedupe=True)
        self.act_until(acts)
        assert self.moment > datetime(2026, 11, 1, 8, tzinfo=UTC)
