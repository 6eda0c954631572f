"""A user's program on the generated client: import a file, wait for it, send to the list, export it.

Called with the server's address and with the client on the path; prints what it saw as one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from io import BytesIO
from typing import Any

from soapstone_client import AuthenticatedClient, Client
from soapstone_client.api.account import create_token, get_account
from soapstone_client.api.contacts import create_contact, get_contact, list_contacts
from soapstone_client.api.exports import export_list
from soapstone_client.api.imports import create_list_import, get_import_rejects, list_import_outcomes
from soapstone_client.api.jobs import get_job, list_jobs
from soapstone_client.api.lists import create_list
from soapstone_client.api.messages import create_message
from soapstone_client.api.sends import create_send, get_send, list_send_recipients
from soapstone_client.models import (
    ContactIn,
    DeliveryState,
    ImportForm,
    ImportMode,
    ImportOutcome,
    JobOut,
    JobState,
    ListIn,
    MessageIn,
    Problem,
    SendIn,
    TokenIn,
    ToList,
    UnsubscribeLink,
)
from soapstone_client.types import File

(BASE,) = sys.argv[1:]
SECONDS = 60
ROWS = b"Email,First Name\r\npat@openapi.test,Pat\r\nsam@openapi.test,Sam\r\nnobody,Nobody\r\n"


def wait(read: Any, **which: int) -> Any:
    """Poll until it is over."""
    end = time.monotonic() + SECONDS
    while (found := read(client=client, **which)).finished_at is None:
        assert time.monotonic() < end, found
        time.sleep(0.1)
    return found


basic = Client(base_url=BASE).with_headers({"Authorization": "Basic ZGVtbzpkZW1v"})
token = create_token.sync(client=basic, body=TokenIn(name="generated client"))
client = AuthenticatedClient(base_url=BASE, token=token.token)
account = get_account.sync(client=client)

made = create_list.sync(client=client, body=ListIn(name="Of a generated client", from_address="news@example.com"))
form = ImportForm(file=File(payload=BytesIO(ROWS), file_name="people.csv", mime_type="text/csv"))
trial = create_list_import.sync(list_id=made.id, client=client, body=form, mode=ImportMode.DRY_RUN)
assert isinstance(trial, JobOut), trial
trial = wait(get_job.sync, job_id=trial.id)
job = create_list_import.sync(
    list_id=made.id, client=client, body=File(payload=BytesIO(ROWS)), label="people", idempotency_key="one"
)
job = wait(get_job.sync, job_id=job.id)
outcomes = list_import_outcomes.sync(job_id=job.id, client=client, outcome=[ImportOutcome.ADDED])
rejects = get_import_rejects.sync(job_id=job.id, client=client)
completed = list_jobs.sync(client=client, list_id=made.id, state=JobState.COMPLETED)

message = create_message.sync(
    client=client,
    body=MessageIn(list_id=made.id, name="May", subject="News of May", html="<p>Hello {{ first_name }}</p>"),
)
sends = create_send.sync(
    client=client,
    body=SendIn(message_id=message.id, to=ToList(kind="list", list_id=made.id), unsubscribe=UnsubscribeLink.NONE),
)
send = wait(get_send.sync, send_id=sends.sends[0].id)
handed = list_send_recipients.sync(send_id=send.id, client=client, state=[DeliveryState.HANDED])

eve = create_contact.sync(client=client, body=ContactIn(email="eve@openapi.test", lists=[made.id]))
again = create_contact.sync(client=client, body=ContactIn(email="eve@openapi.test"))
found = list_contacts.sync(client=client, email="eve@openapi*")
missing = get_contact.sync(contact_id=1 << 40, client=client)
assert isinstance(again, Problem), again

print(
    json.dumps(
        {
            "account": account.name,
            "trial": trial.counters.additional_properties,
            "import": job.counters.additional_properties,
            "added": [row.email for row in outcomes.items],
            "rejects": rejects,
            "completed": [each.id for each in completed.items] == [trial.id, job.id],
            "send": send.recipients.additional_properties,
            "handed": [recipient.email for recipient in handed.items],
            "found": [person.id for person in found.items] == [eve.id],
            "refused": [again.status, missing.status],
            "export": export_list.sync(list_id=made.id, client=client),
        }
    )
)
