"""A stock client (zeep) of the MagnetMail contract, in both SOAP versions."""

from __future__ import annotations

import time
from typing import Any

import pytest
import zeep
from zeep.helpers import serialize_object


class MagnetMail:
    """zeep on a served contract, logged on."""

    def __init__(self, base: str, version: str, login: str = "demo", password: str = "demo") -> None:
        client = zeep.Client(f"{base}/mmapi.asmx?WSDL")
        service = "MagnetMail_x0020_Web_x0020_Service"
        self.service = client.bind(service, f"{service}Soap12" if version == "1.2" else f"{service}Soap")
        self.session = self.service.Authenticate(username=login, password=password)
        self.header = {"sessionId": self.session.sessionId, "user_id": self.session.user_id}

    def __getattr__(self, operation: str) -> Any:
        def call(header: dict[str, Any] | None = None, **members: Any) -> Any:
            given = self.header if header is None else header
            answer = getattr(self.service, operation)(**members, _soapheaders={"mmAuthHeader": given})
            return serialize_object(answer, dict)

        return call

    def upload(self, data: str, *, groupid: int = 0, operation: str = "uploadListQueue", **members: Any) -> Any:
        """Queue an upload and poll it to the end."""
        flags = {"replace_group": False, "update_dups": True, "header_line": False, "mapping_name": "test"}
        job = getattr(self, operation)(groupid=groupid, csvData=data, **{**flags, **members})
        assert job["error"] == 0, job
        return self.wait(int(job["jobid"]))

    def page(self, groupid: int, number: int = 1, size: int = 100) -> list[Any]:
        """One page of a group's members; zeep gives the one array of the answer without the object around it."""
        page = self.getGroupRecipients(groupId=groupid, pageNumber=number, pageCount=size)
        return list(page["GroupRecipient"]) if page else []

    def wait(self, jobid: int) -> Any:
        """Poll a job until it is final (mm-47)."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            status = self.getUploadJobStatus(jobid=jobid)
            if status["status"] >= 2:
                return status
            time.sleep(0.02)
        raise AssertionError(f"job {jobid} does not end")


@pytest.fixture(scope="module", params=["1.1", "1.2"])
def magnetmail(request: pytest.FixtureRequest, served: Any) -> MagnetMail:
    """A client in one of the SOAP versions."""
    return MagnetMail(served.base, request.param)


@pytest.fixture(scope="module")
def client_class() -> type[MagnetMail]:
    """The client, for other logins."""
    return MagnetMail
