"""Clients that poll and click while hosts die, and what they must not see."""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import httpx
from sqlalchemy import select
from tests.hosts.cluster import PASSWORD, USER, Cluster, Running
from tests.tracking.kill_trial import BROWSER

from soapstone.store.tables import mail_events

NAMESPACE = "http://www.magnetmail.net/"
TIMEOUT = 30.0
# The states of a job that do not change any more, in REST and in getUploadJobStatus.
_OVER = {"completed", "2"}


class Clients:
    """Threads that poll all imports by both interfaces, and click each mail once.

    `dying` is a web that is killed now, `dead` are those that nobody calls any more.
    """

    def __init__(self, cluster: Cluster, links: Sequence[tuple[int, str]], *, pollers: int = 4, seed: int = 1) -> None:
        self._cluster = cluster
        self._webs = list(cluster.webs)
        self.dying: Running | None = None
        self.dead: list[Running] = []
        self.polls = 0
        self.refused = 0
        self.errors: list[str] = []
        self.answered: list[int] = []
        self._links = list(links)
        self._over: set[tuple[str, int]] = set()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        session = self._log_on()
        self._threads = [
            threading.Thread(target=self._poll, args=(session, random.Random(seed + number)))
            for number in range(pollers)
        ]
        self._threads.append(threading.Thread(target=self._click, args=(random.Random(seed),)))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End all clients."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def recorded(self) -> Counter[int]:
        """Recorded clicks by mail."""
        query = select(mail_events.c.delivery_id).where(mail_events.c.kind == "click")
        with self._cluster.database.read() as connection:
            return Counter(connection.execute(query).scalars())

    def _log_on(self) -> str:
        members = f"<username>{USER}</username><password>{PASSWORD}</password>"
        body = f'<Authenticate xmlns="{NAMESPACE}">{members}</Authenticate>'
        content, headers = _call("Authenticate", body)
        answer = httpx.post(f"{self._webs[0].base}/mmapi.asmx", content=content, headers=headers, timeout=TIMEOUT)
        found = re.search(r"<sessionId>([0-9a-f-]+)</sessionId>", answer.text)
        assert found is not None, answer.text
        return found[1]

    def _poll(self, session: str, chance: random.Random) -> None:
        with httpx.Client(timeout=TIMEOUT) as client:
            while not self._stop.wait(0.02):
                web = chance.choice([each for each in self._webs if each not in self.dead])
                job_id = chance.choice(self._cluster.imports[:5])
                try:
                    name, status, text, state = _ask(client, web, job_id, session, by_rest=chance.random() < 0.5)
                except httpx.TransportError as error:
                    self._note_refused(web, error)
                    continue
                with self._lock:
                    self.polls += 1
                    if status != 200 or state is None:
                        self.errors.append(f"{name} on {web.host.name}: {status} {text[:300]}")
                    elif state in _OVER:
                        self._over.add((name, job_id))
                    elif (name, job_id) in self._over:
                        self.errors.append(f"{name}: job {job_id} was over before, and now it is {state}")

    def _click(self, chance: random.Random) -> None:
        with httpx.Client(timeout=TIMEOUT, headers=BROWSER) as client:
            while self._links and not self._stop.wait(0.01):
                web = chance.choice([each for each in self._webs if each not in self.dead])
                mail, path = self._links.pop()
                with suppress(httpx.TransportError):
                    answer = client.get(f"{web.base}{path}")
                    if answer.status_code == 302:
                        self.answered.append(mail)
                    else:
                        self.errors.append(f"a click on {web.host.name}: {answer.status_code}")

    def _note_refused(self, web: Running, error: Exception) -> None:
        with self._lock:
            # A request under way is broken off.
            if web is self.dying:
                self.refused += 1
            else:
                self.errors.append(f"{web.host.name}: {error!r}")


def _ask(
    client: httpx.Client, web: Running, job_id: int, session: str, *, by_rest: bool
) -> tuple[str, int, str, str | None]:
    """Poll a job: name of the interface, status, text and the job's state, None if the answer has none."""
    if by_rest:
        answer = client.get(f"{web.base}/api/v1/jobs/{job_id}", auth=(USER, PASSWORD))
        state = answer.json().get("state") if answer.status_code == 200 else None
        return "REST", answer.status_code, answer.text, state
    body = (
        f'<getUploadJobStatus xmlns="{NAMESPACE}"><user_id>MAIL</user_id><jobid>{job_id}</jobid></getUploadJobStatus>'
    )
    content, headers = _call("getUploadJobStatus", body, session)
    answer = client.post(f"{web.base}/mmapi.asmx", content=content, headers=headers)
    found = re.search(r"<jobStatus>(\d)</jobStatus>|<status>(\d)</status>", answer.text)
    return "SOAP", answer.status_code, answer.text, (found[1] or found[2]) if found else None


def _call(operation: str, body: str, session: str = "") -> tuple[bytes, dict[str, str]]:
    """Body and headers of a SOAP 1.1 request."""
    header = f"<sessionId>{session}</sessionId><user_id>MAIL</user_id>"
    head = f'<soap:Header><mmAuthHeader xmlns="{NAMESPACE}">{header}</mmAuthHeader></soap:Header>' if session else ""
    text = (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
        f"{head}<soap:Body>{body}</soap:Body></soap:Envelope>"
    )
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{NAMESPACE}{operation}"'}
    return text.encode(), headers
