"""Submission of sends: stores a message and a job together."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from soapstone.accounts.account import Account, Login
from soapstone.errors import InvalidError
from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.lists.lists import ContactList
from soapstone.lists.profile_filter import Term
from soapstone.lists.profiles import Profiles
from soapstone.sending.mail.builder import SEEN_LISTS
from soapstone.sending.messages.content import CONTACT_KEYS, LINK_KEYS, LINK_SETTINGS, Content, ready_to_send
from soapstone.sending.messages.known_fields import known_names
from soapstone.sending.messages.message import Draft, InvalidMessage, Message, Traits
from soapstone.sending.messages.messages import Messages, store
from soapstone.sending.messages.template import merge_key
from soapstone.sending.messages.unsubscribe_link import MISSING, REQUEST, Choice, NoUnsubscribeLinkError, check_link
from soapstone.sending.notices import NOTICE_KEYS, Notice
from soapstone.sending.reports import read_sends
from soapstone.sending.send_records import (
    STEPS,
    SendTicket,
    add_send,
    attempts,
    audit_send,
    is_for_members,
    seen_lists_of,
)
from soapstone.sending.supplied_file import FileForm
from soapstone.store.blobs import Blobs, Upload
from soapstone.store.database import Database
from soapstone.store.tables import sends
from soapstone.vocabulary.deliveries import Purpose
from soapstone.vocabulary.jobs import SENDS, JobKind
from soapstone.vocabulary.messages import MessageKind

log = logging.getLogger(__name__)


class Sends:
    """Accepts sends. Everything is on disk when a method returns; `due_at` in the past or None means at once.

    `has_links` says whether mails can link to this server. Sends to many recipients take the sender's choice about
    the unsubscribe link: with "link" they raise NoUnsubscribeLinkError for mails without one. Without a choice, for
    contracts that cannot ask, they are accepted; a missing link is noted in the log and in the job's request.
    """

    def __init__(self, database: Database, blobs: Blobs, jobs: Jobs, has_links: bool = False) -> None:
        self._has_links = has_links
        self._database = database
        self._blobs = blobs
        self._jobs = jobs
        self._profiles = Profiles(database)

    def to_list(
        self,
        *,
        account: Account,
        login: Login | None,
        contact_list: ContactList,
        message: Message | Draft,
    ) -> SendTicket:
        """Send to List (lk-85): a message to the subscribed members of a list. A stored message is copied.

        Raises InvalidMessage.
        """
        draft = self._ready(message, contact_list)
        request = self._unsubscribing(None, draft, contact_list)
        return self._copied(
            JobKind.SEND_TO_LIST, Purpose.LIST, account, login, contact_list, message, draft, request=request
        )

    def to_file(
        self,
        *,
        account: Account,
        login: Login | None,
        contact_list: ContactList,
        message: Message | Draft,
        upload: Upload,
        file: FileForm,
        due_at: datetime | None = None,
        unsubscribe: Choice | None = None,
    ) -> SendTicket:
        """Send a message to the recipients in a file, in the name of a list, without subscribing them (lk-91).

        The upload is kept if the send is accepted; otherwise the caller discards it. Merge fields are checked when the
        job reads the file. Raises InvalidMessage.
        """
        draft = ready_to_send(Draft.of(message), contact_list)
        Content(draft)
        request = {"file": file.document, **self._unsubscribing(unsubscribe, draft, contact_list)}
        with self._blobs.keeping(upload) as blob:
            return self._copied(
                JobKind.SEND_TO_FILE,
                Purpose.FILE,
                account,
                login,
                contact_list,
                message,
                draft,
                request=request,
                due_at=due_at,
                blob=blob,
                blob_size=upload.size,
                label=file.name,
            )

    def to_members(
        self,
        *,
        account: Account,
        login: Login | None,
        contact_list: ContactList,
        message: Message | Draft,
        terms: Sequence[Term] = (),
        due_at: datetime | None = None,
        traits: Traits | None = None,
        unsubscribe: Choice | None = None,
    ) -> SendTicket:
        """Send a message to the subscribed members of a list, or to those that match a filter (lk-96).

        A stored message is copied. Raises InvalidMessage, and InvalidError for attributes that the list does not have.
        """
        there = {attribute.id for attribute in self._profiles.attributes(contact_list.id)}
        if strange := [term.attribute_id for term in terms if term.attribute_id not in there]:
            raise InvalidError(f"The list has no profile attribute {strange[0]}.")
        draft = self._ready(message, contact_list)
        audience = {"kind": "members", "filter": [term.document for term in terms]}
        request = {"audience": audience, **self._unsubscribing(unsubscribe, draft, contact_list)}
        return self._copied(
            JobKind.SEND,
            Purpose.LIST,
            account,
            login,
            contact_list,
            message,
            draft,
            request=request,
            due_at=due_at,
            traits=traits,
        )

    def to_addresses(
        self,
        *,
        account: Account,
        login: Login | None,
        contact_list: ContactList,
        message: Message | Draft,
        emails: Sequence[str],
        purpose: Purpose = Purpose.TEST,
        fields: Mapping[str, str] | None = None,
        html_fields: Collection[str] = (),
        include_states: Collection[str] = (),
        due_at: datetime | None = None,
        traits: Traits | None = None,
    ) -> SendTicket:
        """Send a message to single addresses in the name of a list: as a test, for review, or transactional (lk-96).

        `fields` are additional merge values; those named in `html_fields` are HTML. Test and review copies count in
        no figures. Addresses need not be on the list; `include_states` names membership states to mail anyway
        (lk-100). A stored message is copied. Raises InvalidMessage.
        """
        given = {merge_key(name): value for name, value in (fields or {}).items()}
        draft = self._ready(message, contact_list, given.keys())
        audience = {"kind": "addresses", "emails": list(emails), "fields": given}
        audience["html_fields"] = [merge_key(name) for name in html_fields]
        return self._copied(
            JobKind.SEND,
            purpose,
            account,
            login,
            contact_list,
            message,
            draft,
            request={
                "audience": audience,
                "rules": {"reach": list(include_states)},
                "is_test": purpose in ("test", "review"),
            },
            due_at=due_at,
            traits=traits,
        )

    def to_subscriber(
        self,
        connection: Connection,
        *,
        account: Account,
        contact_list: ContactList,
        draft: Draft,
        email: str,
        fields: Mapping[str, str],
        reach: Collection[str] = (),
    ) -> int:
        """Queue a mail about a subscription to one contact in the caller's transaction; return the number of its job.

        It counts in no figures. `fields` are its merge values, `reach` is as in Rules. Raises InvalidMessage.
        """
        given = {merge_key(name): value for name, value in fields.items()}
        draft = ready_to_send(draft, contact_list)
        Content(draft).check_names(given.keys())
        request = {
            "audience": {"kind": "addresses", "emails": [email], "fields": given},
            "rules": {"reach": list(reach)},
            "is_test": True,
        }
        copy = store(connection, account.id, contact_list.id, draft, kind=MessageKind.SEND, traits=None)
        return self._add(connection, JobKind.SEND, Purpose.LETTER, account, None, contact_list.id, copy, request)

    def to_people(
        self,
        *,
        account: Account,
        login: Login | None,
        message: Message,
        contact_ids: Sequence[int],
        overrides: Mapping[str, str] | None = None,
        links: Mapping[str, Collection[str]] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> SendTicket:
        """Send a stored message, as it is, to single contacts of the account, unsubscribed ones too (mm-100).

        Non-empty `overrides` replace parts of the message: `subject`, `from_name`, `from_address`; a sender without a
        name replaces one with a name. `links` are added to the bodies (`with_links`); `settings` are kept with the job
        for the contract. Raises InvalidMessage.
        """
        given = self._overrides(message, overrides)
        audience = {"kind": "people", "contact_ids": list(contact_ids)}
        request: dict[str, Any] = {"audience": audience, "rules": {"reach": ["unsubscribed"]}, "instead": given}
        request |= {"is_test": False, "links": _lists(links), "settings": dict(settings or {})}
        with self._database.write(durable=True) as connection:
            job_id = self._add(connection, JobKind.SEND, Purpose.PEOPLE, account, login, None, message, request)
            return _ticket(connection, job_id, message)

    def to_groups(
        self,
        *,
        account: Account,
        login: Login | None,
        groups: Sequence[ContactList],
        message: Message,
        overrides: Mapping[str, str] | None = None,
        exclude: Sequence[ContactList] = (),
        allow_repeat: bool = False,
        due_at: datetime | None = None,
        links: Mapping[str, Collection[str]] | None = None,
        settings: Mapping[str, Any] | None = None,
        test_emails: Sequence[str] = (),
        notices: Sequence[Notice] = (),
        unsubscribe: Choice | None = None,
    ) -> list[SendTicket]:
        """Send a stored message, as it is, to groups: one job per group, in this order (mm-103).

        A member of several groups is mailed once. Contacts that already got the message (unless `allow_repeat`, mm-102)
        and subscribers of the groups in `exclude` are skipped. `links` and `settings` are as in `to_people`
        (mm-105). Each of `test_emails`, except unsubscribed or unconfirmed ones, gets a copy at once in the name of the
        first group (mm-108). `notices` report the start or the end (mm-106). Returns the tickets
        of the groups. Everything is stored together.

        Raises InvalidMessage.
        """
        given = self._overrides(message, overrides, groups)
        for notice in notices:
            Content(ready_to_send(notice.draft, None)).check_names(NOTICE_KEYS)
        shared: dict[str, Any] = {"instead": given, "links": _lists(links), "settings": dict(settings or {})}
        # Shared by all groups with the same links.
        by_links: dict[tuple[bool, ...], dict[str, str]] = {}
        choices: list[dict[str, str]] = []
        for group in groups:
            wanted = tuple(bool(group.settings.get(name)) for name in LINK_SETTINGS)
            if wanted not in by_links:
                by_links[wanted] = self._unsubscribing(unsubscribe, Draft.of(message), group, links)
            choices.append(by_links[wanted])
        numbers: list[int] = []
        with self._database.write(durable=True) as connection:
            for group, choice in zip(groups, choices, strict=True):
                rules = {"once": not allow_repeat, "after": list(numbers), "without": [each.id for each in exclude]}
                request = {"audience": {"kind": "members"}, "rules": rules, **shared, **choice}
                numbers.append(
                    self._add(
                        connection,
                        JobKind.SEND,
                        Purpose.GROUP,
                        account,
                        login,
                        group.id,
                        message,
                        request,
                        due_at=due_at,
                    )
                )
            if test_emails:
                audience = {"kind": "addresses", "emails": list(test_emails)}
                request = {"audience": audience, "is_test": True, **shared}
                first = groups[0].id if groups else None
                self._add(connection, JobKind.SEND, Purpose.TEST, account, login, first, message, request)
            for notice in notices:
                self._announce(connection, account, message, notice, numbers)
            return [_ticket(connection, number, message) for number in numbers]

    def to_failed(self, *, account: Account, login: Login | None, job: Job) -> SendTicket | None:
        """Retry a finished send for the recipients that it did not reach; None if it has not ended.

        Skips recipients that another retry has reached or is sending to.
        """
        if not job.over or job.kind not in SENDS:
            return None
        message_id: int = job.request["message_id"]
        message = Messages(self._database).get(account.id, message_id)
        assert message is not None  # noqa: S101 - messages of sends stay
        request: dict[str, Any] = {"audience": {"kind": "failures", "job_id": job.id}}
        for name in ("instead", "is_test", "links", REQUEST, SEEN_LISTS):
            if name in job.request:
                request[name] = job.request[name]
        with self._database.write(durable=True) as connection:
            rules = {"reach": job.request.get("rules", {}).get("reach", []), "members": is_for_members(job)}
            request["rules"] = rules | {"after": attempts(connection, job, message_id)}
            number = self._add(
                connection, JobKind.SEND, Purpose.FAILED, account, login, job.list_id, message, request, label=job.label
            )
            return _ticket(connection, number, message)

    def _ready(self, message: Message | Draft, contact_list: ContactList, further: Collection[str] = ()) -> Draft:
        draft = ready_to_send(Draft.of(message), contact_list)
        Content(draft).check_names({*known_names(self._profiles, contact_list.id), *further})
        return draft

    def _unsubscribing(
        self,
        choice: Choice | None,
        message: Draft,
        contact_list: ContactList,
        further: Mapping[str, Collection[str]] | None = None,
    ) -> dict[str, str]:
        """Return the request's note on the unsubscribe link. Raises NoUnsubscribeLinkError."""
        if choice == "none":
            return {REQUEST: choice}
        try:
            list_id = contact_list.id
            check_link(message, contact_list.settings, further, list_id=list_id, has_links=self._has_links)
        except NoUnsubscribeLinkError:
            if choice is not None:
                raise
            return {REQUEST: MISSING}
        return {REQUEST: choice} if choice else {}

    def _overrides(
        self, message: Message, overrides: Mapping[str, str] | None, groups: Sequence[ContactList] = ()
    ) -> dict[str, str]:
        """Return the parts that replace those of a stored message, checked together with the rest of it."""
        given = {name: value for name, value in (overrides or {}).items() if value.strip()}
        if "from_address" in given and overrides is not None:
            given["from_name"] = overrides.get("from_name", message.from_name)
        if unknown := given.keys() - {"subject", "from_name", "from_address", "reply_address"}:
            raise TypeError(f"a send cannot replace: {sorted(unknown)}")
        parts = {**{name: getattr(message, name) for name in Draft.__dataclass_fields__}, **given}
        content: Content | None = None
        for group in groups or (None,):
            draft = ready_to_send(Draft(**parts), group)
            # Bodies are slow to compile, and the same for all groups.
            content = content or Content(replace(draft, from_name=""))
            known = known_names(self._profiles, group.id) if group else {*CONTACT_KEYS, *LINK_KEYS}
            for each in (content, Content(Draft(subject="", from_name=draft.from_name))):
                each.check_names(known)
        if not parts["from_address"]:
            raise InvalidMessage("The message has no sender address.")
        return given

    def _announce(
        self, connection: Connection, account: Account, message: Message, notice: Notice, numbers: Sequence[int]
    ) -> None:
        """Queue a notice of the sends with these numbers."""
        copy = store(connection, account.id, None, ready_to_send(notice.draft, None), kind=MessageKind.SEND)
        fields = {"message": message.name or message.subject, "message_number": str(message.id)}
        audience: dict[str, Any] = {"kind": "addresses", "emails": list(notice.emails), "fields": fields}
        if notice.after is not None:
            audience |= {"kind": "notice", "of": list(numbers), "after": notice.after.total_seconds()}
        request = {"audience": audience, "rules": {"reach": ["unsubscribed", "waiting"]}, "is_test": True}
        self._add(connection, JobKind.SEND, Purpose.LETTER, account, None, None, copy, request, due_at=notice.due_at)

    def _copied(
        self,
        kind: str,
        purpose: Purpose,
        account: Account,
        login: Login | None,
        contact_list: ContactList,
        message: Message | Draft,
        draft: Draft,
        *,
        request: Mapping[str, Any] | None = None,
        due_at: datetime | None = None,
        traits: Traits | None = None,
        **file: Any,
    ) -> SendTicket:
        source = message if isinstance(message, Message) else None
        if traits is None and source is not None:
            traits = Traits(**{name: getattr(source, name) for name in Traits.__dataclass_fields__})
        with self._database.write(durable=True) as connection:
            copy = store(connection, account.id, contact_list.id, draft, kind=MessageKind.SEND, traits=traits)
            job_id = self._add(
                connection,
                kind,
                purpose,
                account,
                login,
                contact_list.id,
                copy,
                request or {},
                source_id=source.id if source else None,
                due_at=due_at,
                **file,
            )
            return _ticket(connection, job_id, copy)

    def _add(
        self,
        connection: Connection,
        kind: str,
        purpose: Purpose,
        account: Account,
        login: Login | None,
        list_id: int | None,
        message: Message,
        request: Mapping[str, Any],
        *,
        source_id: int | None = None,
        **job: Any,
    ) -> int:
        request = {**request, **seen_lists_of(connection, login)}
        number = self._jobs.add(
            connection,
            account_id=account.id,
            login_id=login.id if login else None,
            kind=kind,
            list_id=list_id,
            steps=STEPS[kind],
            request={"message_id": message.id, **request},
            **job,
        )
        is_test = bool(request.get("is_test", False))
        if purpose != "letter":
            audit_send(connection, account, login, number, message.id, list_id, purpose)
        add_send(connection, number, account.id, message.id, source_id, list_id, purpose, is_test)
        if request.get(REQUEST) == MISSING:
            log.warning("the mails of send %d to list %s have no link to unsubscribe", number, list_id)
        return number


def _ticket(connection: Connection, job_id: int, message: Message) -> SendTicket:
    """Return the ticket of a send that the transaction has added: see `Jobs.added`."""
    (record,) = read_sends(connection, sends.c.job_id == job_id)
    return SendTicket(record, message)


def _lists(links: Mapping[str, Collection[str]] | None) -> dict[str, list[str]]:
    return {body: list(names) for body, names in (links or {}).items()}
