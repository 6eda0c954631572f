"""The samples of two help pages, posted with curl: as they stand, and with real values filled in."""

from __future__ import annotations

import html
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from typing import Any

import pytest

pytestmark = pytest.mark.interop

UNKNOWN_SESSION = "[InvalidSession] The session is unknown or has expired. Call Authenticate again."
INVALID_LOGON = "[InvalidLogonAttempt] The user name or password is not valid."
ENVELOPES = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}


def curl(*arguments: str, body: str = "") -> str:
    command = ["curl", "--silent", "--show-error", "--max-time", "30", *arguments]
    done = subprocess.run(command, input=body, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def names(document: str) -> list[str]:
    """The local names of a document's elements, in order."""
    return [element.tag.rpartition("}")[2] for element in ElementTree.fromstring(document.encode()).iter()]


@dataclass
class Sample:
    """A request of a help page, and the answer shown with it."""

    address: str
    version: str
    headers: list[str]
    body: str
    answer: str

    @classmethod
    def read(cls, base: str, path: str, operation: str, version: str) -> Sample:
        """Take it from the served page. The pages show SOAP 1.1 first, each time the request before the answer."""
        page = curl(f"{base}{path}?op={operation}")
        blocks = [html.unescape(block) for block in re.findall("<pre>(.*?)</pre>", page, re.DOTALL)]
        assert len(blocks) == 4
        request, answer = blocks[:2] if version == "1.1" else blocks[2:]
        head, _, body = request.partition("\n\n")
        line, *headers = head.split("\n")
        assert line == f"POST {path} HTTP/1.1"
        # The page has a placeholder for the length; curl counts.
        headers.remove("Content-Length: length")
        return cls(base + path, version, headers, body, answer.partition("\n\n")[2])

    def post(self, **values: str) -> tuple[int, str]:
        """Post it, the content of some elements replaced, everywhere they stand: (HTTP status, answer)."""
        body = self.body
        for name, value in values.items():
            body = re.sub(f"(<{name}>)[^<]*", rf"\g<1>{value}", body)
        headers = [part for header in self.headers for part in ("--header", header)]
        output = curl("--data-binary", "@-", "--write-out", "\n%{http_code}", *headers, self.address, body=body)
        answer, _, status = output.rpartition("\n")
        return int(status), answer

    def fault(self, **values: str) -> tuple[str, str]:
        """Post it and expect a fault in the sample's SOAP version: (code, text)."""
        status, answer = self.post(**values)
        assert status == 500
        (fault,) = ElementTree.fromstring(answer.encode()).iter(f"{{{ENVELOPES[self.version]}}}Fault")
        code, text = ("faultcode", "faultstring")
        if self.version == "1.2":
            code, text = (".//{http://www.w3.org/2003/05/soap-envelope}" + name for name in ("Value", "Text"))
        return str(fault.findtext(code)), str(fault.findtext(text))

    def server_fault(self, sentence: str) -> tuple[str, str]:
        """An exception in a method, as asmx-19 and asmx-21 show it."""
        code = {"1.1": "soap:Server", "1.2": "soap:Receiver"}[self.version]
        return code, f"Server was unable to process request. ---> {sentence}"

    def format_fault(self, element: str) -> tuple[str, str]:
        """What asmx-21 and asmx-22 say of an int that is none, where the text of this element begins."""
        code = {"1.1": "soap:Client", "1.2": "soap:Sender"}[self.version]
        lines = self.body.split("\n")
        (line,) = (number for number, text in enumerate(lines, 1) if f"<{element}>int<" in text)
        column = lines[line - 1].index("int") + 1
        return code, (
            f"Server was unable to read request. ---> There is an error in XML document ({line}, {column}). ---> "
            "Input string was not in a correct format."
        )


@pytest.fixture(params=["1.1", "1.2"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_get_upload_job_status(server: Any, version: str) -> None:
    """asmx-21, asmx-29, mm-14, mm-15, mm-47 to mm-50: session before account, account before job."""
    sample = Sample.read(server.base, "/mmapi.asmx", "getUploadJobStatus", version)
    assert sample.fault() == sample.server_fault(UNKNOWN_SESSION)
    logon = Sample.read(server.base, "/mmapi.asmx", "Authenticate", version)
    status, answer = logon.post(username="demo", password="demo")
    assert status == 200
    session = re.sub(".*<sessionId>(.*)</sessionId>.*", r"\1", answer)
    refusal = "[AccessDenied] This session may not use account string."
    assert sample.fault(sessionId=session) == sample.server_fault(refusal)
    assert sample.fault(sessionId=session, user_id="DEMO") == sample.format_fault("jobid")

    status, answer = sample.post(sessionId=session, user_id="DEMO", jobid="1")
    assert status == 200
    assert names(answer) == names(sample.answer)
    for name, value in {"status": 2, "total_records": 12, "good_records": 10, "new_added": 10, "jobid": 1}.items():
        assert f"<{name}>{value}</{name}>" in answer


def test_get_legacy_process_status(server: Any, version: str) -> None:
    """asmx-21, asmx-29, lk-11, lk-12, lk-84: the logon comes before the list."""
    sample = Sample.read(server.base, "/v31/IntegrationService.asmx", "GetLegacyProcessStatus", version)
    assert sample.fault() == sample.server_fault(INVALID_LOGON)
    credentials = {"UserName": "demo", "Password": "demo"}
    assert sample.fault(**credentials) == sample.format_fault("ListID")

    status, answer = sample.post(**credentials, ListID="1")
    assert status == 200
    # The page shows two items of the array; here the last one is the demo account's oldest send.
    shown, count = names(sample.answer), answer.count("<WSLegacyProcessStatus>")
    assert names(answer) == shown[:4] + shown[4:12] * count
    assert re.search(
        "<StatusID>2</StatusID><ListID>1</ListID><ProcessType>Send to List</ProcessType>"
        r"<CurrentStep>3</CurrentStep><MaxStep>3</MaxStep><ProcessStartTime>[\dT:-]{19}</ProcessStartTime>"
        r"<ProcessCompleteTime>[\dT:-]{19}</ProcessCompleteTime></WSLegacyProcessStatus>"
        "</GetLegacyProcessStatusResult>",
        answer,
    )
