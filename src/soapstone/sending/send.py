"""Sends are submitted here: a message and a job, stored together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from soapstone.accounts.account import Account, Login
from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.lists.contact_list import ContactList
from soapstone.lists.profiles import Profiles
from soapstone.sending.content import CONTACT_KEYS, Content, ready_to_send
from soapstone.sending.message import Draft, Message
from soapstone.sending.messages import store
from soapstone.sending.supplied_file import FileForm
from soapstone.sending.template import merge_key
from soapstone.store.blobs import Blobs, Upload
from soapstone.store.database import Database

SEND_TO_LIST = "send_to_list"
SEND_TO_FILE = "send_to_file"

# Kind of job → its number of steps (lk-90).
KINDS = {SEND_TO_LIST: 3, SEND_TO_FILE: 4}


@dataclass(frozen=True)
class SendTicket:
    """A send that was accepted: its job, and the message that was made for it (its number is the MsgID, lk-88)."""

    job: Job
    message: Message


class Sends:
    """Accepts sends."""

    def __init__(self, database: Database, blobs: Blobs, jobs: Jobs) -> None:
        self._database = database
        self._blobs = blobs
        self._jobs = jobs
        self._profiles = Profiles(database)

    def to_list(
        self, *, account: Account, login: Login | None, contact_list: ContactList, message: Message | Draft
    ) -> SendTicket:
        """Send a message to the subscribed members of a list. A stored message is copied.

        On disk when this returns. Raises InvalidMessage.
        """
        draft = ready_to_send(Draft.of(message), contact_list)
        Content(draft).check_names(known_names(self._profiles, contact_list.id))
        return self._submit(SEND_TO_LIST, account, login, contact_list, draft)

    def to_file(
        self,
        *,
        account: Account,
        login: Login | None,
        contact_list: ContactList,
        message: Message | Draft,
        upload: Upload,
        file: FileForm,
    ) -> SendTicket:
        """Send a message to the people in a file, in the name of a list; it subscribes nobody (lk-91).

        The upload is kept when the send is accepted; otherwise it is the caller's to discard. Which merge fields there
        are shows when the job reads the file. On disk when this returns. Raises InvalidMessage.
        """
        draft = ready_to_send(Draft.of(message), contact_list)
        Content(draft)
        blob = upload.keep()
        try:
            return self._submit(
                SEND_TO_FILE,
                account,
                login,
                contact_list,
                draft,
                request={"file": file.document},
                blob=blob,
                blob_size=upload.size,
                label=file.name,
            )
        except BaseException:
            self._blobs.remove(blob)
            raise

    def _submit(
        self,
        kind: str,
        account: Account,
        login: Login | None,
        contact_list: ContactList,
        draft: Draft,
        *,
        request: Mapping[str, Any] | None = None,
        **file: Any,
    ) -> SendTicket:
        with self._database.write(durable=True) as connection:
            message = store(connection, account.id, contact_list.id, draft, saved=False)
            number = self._jobs.add(
                connection,
                account_id=account.id,
                login_id=login.id if login else None,
                kind=kind,
                list_id=contact_list.id,
                steps=KINDS[kind],
                request={"message_id": message.id, **(request or {})},
                **file,
            )
        job = self._jobs.get([account.id], number)
        assert job is not None  # noqa: S101 - it was just committed
        return SendTicket(job, message)


def known_names(profiles: Profiles, list_id: int) -> set[str]:
    """Merge keys that every recipient of a list has: fields of the contact, profile attributes of the list."""
    return {*CONTACT_KEYS, *(merge_key(attribute.name) for attribute in profiles.attributes(list_id))}
