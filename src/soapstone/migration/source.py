"""The service that an account comes from: its operations are called by the contract's own declarations.

One connection, one call at a time, at most so many a second and only at the hours that are allowed. What fails for the
moment is tried again after growing pauses.
"""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from soapstone.backoff import backoff
from soapstone.clock import now
from soapstone.errors import InvalidError, SoapstoneError
from soapstone.loopback import is_loopback
from soapstone.wire.answers import AnswerError, AnswerFault, AnswerReader
from soapstone.wire.contract import Contract
from soapstone.wire.envelope import SOAP_11, XSD, XSI
from soapstone.wire.types import Struct
from soapstone.wire.writer import write_struct

log = logging.getLogger(__name__)

# Seconds that a service may take for its next bytes.
PATIENCE = 300.0
# Bytes of one answer.
LARGEST_ANSWER = 48 * 1024 * 1024
PIECE = 64 * 1024
# Seconds of the pauses after failures: the first one, and the longest.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
# Seconds between two looks at the clock while the hours do not allow calls.
HOURS_PACE = 30.0
AGAIN = frozenset({408, 425, 429, 502, 503, 504})


class SourceError(SoapstoneError):
    """The other service cannot be read; the message says why. The migration can go on later."""


class RefusedError(SourceError):
    """The other service refuses a call; `text` is what it says."""

    def __init__(self, operation: str, text: str) -> None:
        super().__init__(f"The other service refuses {operation}: {text}")
        self.text = text


class TooLargeError(SourceError):
    """An answer is larger than what is read at once."""


class _Passing(Exception):
    """A failure that may be over soon; `pause` is what the service asks for, in seconds."""

    def __init__(self, reason: str, pause: float = 0) -> None:
        super().__init__(reason)
        self.pause = pause


@dataclass(kw_only=True)
class Pace:
    """How politely a service is called.

    `rate` is the number of calls a second, 0 for no limit. `hours` are those of this machine's local time at which
    calls are allowed, from the first until before the second; None for all. `attempts` is how often a call is tried.
    """

    rate: float = 0
    hours: tuple[int, int] | None = None
    attempts: int = 8
    local_hour: Callable[[], int] = lambda: now().astimezone().hour
    stopped: threading.Event = field(default_factory=threading.Event)
    _next: float = field(default=0.0, init=False)

    def sleep(self, seconds: float) -> None:
        """Wait. Raises SourceError as soon as the migration is stopped."""
        if self.stopped.wait(seconds):
            raise SourceError("The migration was stopped. The same command goes on with it.")

    def wait(self) -> None:
        """Wait until the next call may be made."""
        while self.hours is not None and not self._allowed(self.local_hour()):
            self.sleep(HOURS_PACE)
        if not self.rate:
            return
        moment = time.monotonic()
        if self._next > moment:
            self.sleep(self._next - moment)
        self._next = max(self._next, moment) + 1 / self.rate

    def _allowed(self, hour: int) -> bool:
        assert self.hours is not None  # noqa: S101  asked for only then
        first, end = self.hours
        return first <= hour < end if first < end else hour >= first or hour < end


class Source:
    """Calls one contract at its URL. `header` gives the header of a call, or None."""

    def __init__(self, url: str, contract: Contract, header: Callable[[], Struct | None], pace: Pace) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise InvalidError(f"{url} is no URL of a service.")
        if parts.scheme == "http" and not is_loopback(parts.hostname.lower()):
            raise InvalidError("The URL must begin with https: the calls carry a password.")
        if parts.username or parts.password or parts.fragment:
            raise InvalidError("The URL must hold no password; give the login by its own options.")
        self._host, self._port, self._secure = parts.hostname, port, parts.scheme == "https"
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._contract = contract
        self._header = header
        self._pace = pace
        self._connection: http.client.HTTPConnection | None = None
        # A page may be read ahead while what belongs to another one is asked for.
        self._one = threading.Lock()
        self.calls = 0
        self.repeated = 0

    def call(self, request: Struct) -> Any:
        """Call the operation of the request class; return its bare result, or its answer if that has several members.

        Raises RefusedError for a fault, TooLargeError, and SourceError when all attempts have failed.
        """
        operation = self._contract.operations_by_name[type(request).__name__]
        failures = 0
        while True:
            self._pace.sleep(0)
            self._pace.wait()
            self.calls += 1
            try:
                with self._one:
                    answer = self._ask(request)
            except _Passing as reason:
                failures += 1
                if failures >= self._pace.attempts:
                    raise SourceError(
                        f"{operation.name} has failed {failures} times, the last time so: {reason}"
                    ) from None
                self.repeated += 1
                pause = max(reason.pause, backoff(failures, FIRST_PAUSE, LONGEST_PAUSE))
                log.warning("%s is called again in %.0f s: %s", operation.name, pause, reason)
                self._pace.sleep(pause)
            else:
                member = operation.result_member
                return getattr(answer, member.name) if member else answer

    def stop(self) -> None:
        """End a call that another thread makes, soon, by SourceError."""
        self._pace.stopped.set()
        self.close()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ask(self, request: Struct) -> Struct:
        """Send the request once and return the answer."""
        name = type(request).__name__
        operation = self._contract.operations_by_name[name]
        header = self._header() if operation.header else None
        head = f"<soap:Header>{write_struct(header, self._contract.namespace)}</soap:Header>" if header else ""
        payload = write_struct(request, self._contract.namespace)
        body = (
            f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{SOAP_11.namespace}" '
            f'xmlns:xsi="{XSI}" xmlns:xsd="{XSD}">{head}<soap:Body>{payload}</soap:Body></soap:Envelope>'
        ).encode()
        fields = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{self._contract.namespace}{name}"'}
        try:
            response = self._post(body, fields)
            status, reader = response.status, AnswerReader(self._contract, operation)
            if status not in (200, 500):
                response.read(PIECE)
                self.close()
                self._judge(name, response)
            size = 0
            while piece := response.read(PIECE):
                size += len(piece)
                if size > LARGEST_ANSWER:
                    self.close()
                    raise TooLargeError(f"The answer to {name} has more than {LARGEST_ANSWER >> 20} MiB.")
                reader.feed(piece)
            return reader.finish()
        except AnswerFault as fault:
            text = str(fault)
            if "[InternalError]" in text or "Timeout" in text or "deadlock" in text.lower():
                raise _Passing(text) from None
            raise RefusedError(name, text) from None
        except AnswerError as error:
            self.close()
            raise _Passing(str(error)) from None
        except ssl.SSLCertVerificationError as error:
            raise SourceError(f"The certificate of {self._host} is not trusted: {error.verify_message}") from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise _Passing(str(error) or type(error).__name__) from None

    def _post(self, body: bytes, fields: dict[str, str]) -> http.client.HTTPResponse:
        """Send the request, on a new connection if the service has closed the old one meanwhile."""
        if self._connection is not None:
            with suppress(OSError, http.client.HTTPException):
                self._connection.request("POST", self._path, body, fields)
                return self._connection.getresponse()
            self.close()
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        self._connection = connection = kind(self._host, self._port, timeout=PATIENCE)
        connection.connect()
        # It would open a closed connection again, also one that another thread has stopped.
        connection.auto_open = 0
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._pace.stopped.is_set():
            # Whoever stopped it did not see this connection.
            connection.close()
            self._pace.sleep(0)
        connection.request("POST", self._path, body, fields)
        return connection.getresponse()

    def _judge(self, name: str, response: http.client.HTTPResponse) -> None:
        """Raise for a status that comes with no answer."""
        reason = f"HTTP {response.status} {response.reason}"
        if response.status in AGAIN or response.status >= 505:
            told = response.getheader("Retry-After", "")
            raise _Passing(reason, min(float(told), 3600) if told.isascii() and told.isdigit() else 0)
        raise SourceError(f"The other service answers {name} by {reason}. Is the URL that of its .asmx page?")
