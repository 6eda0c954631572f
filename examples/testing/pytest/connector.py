"""A small connector: uploads a file to a MagnetMail group and waits until it is imported."""

import time
from collections.abc import Callable
from typing import Any

import requests
import zeep

COMPLETED = 2
# How often a poll is tried before the connector gives up.
ATTEMPTS = 3


class UploadFailed(Exception):
    """The service could not import the file."""


class Connector:
    """Log on with `username` and `password` to the service that the WSDL at `wsdl` describes."""

    def __init__(self, wsdl: str, username: str, password: str, *, pause: float = 5.0) -> None:
        self._service = zeep.Client(wsdl).service
        self._username, self._password, self._pause = username, password, pause
        self._header: dict[str, Any] = {}

    def upload(self, group: int, csv: str, progress: Callable[[int], object] = lambda status: None) -> Any:
        """Return the counters of the finished import; `progress` is told each status that a poll brings."""
        self._log_on()
        job = self._service.uploadListQueue(
            groupid=group,
            csvData=csv,
            replace_group=False,
            update_dups=True,
            header_line=True,
            _soapheaders=self._header,
        )
        while (result := self._poll(int(job.jobid))).status < COMPLETED:
            progress(int(result.status))
            time.sleep(self._pause)
        progress(int(result.status))
        if result.status != COMPLETED:
            raise UploadFailed(f"job {int(job.jobid)} ended with status {int(result.status)}")
        return result

    def _log_on(self) -> None:
        session = self._service.Authenticate(username=self._username, password=self._password)
        if not session.authenticated:
            raise UploadFailed("the logon was refused")
        self._header = {"mmAuthHeader": {"sessionId": session.sessionId, "user_id": session.user_id}}

    def _poll(self, job: int) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._service.getUploadJobStatus(jobid=job, _soapheaders=self._header)
            except zeep.exceptions.Fault as fault:
                if attempt == ATTEMPTS:
                    raise
                if "InvalidSession" in fault.message:
                    self._log_on()
                elif fault.code is None:
                    # The page of a proxy: zeep makes a fault of everything that is XML.
                    time.sleep(self._pause)
                else:
                    raise
            except (zeep.exceptions.TransportError, requests.RequestException):
                if attempt == ATTEMPTS:
                    raise
                time.sleep(self._pause)
        raise AssertionError("unreachable")
