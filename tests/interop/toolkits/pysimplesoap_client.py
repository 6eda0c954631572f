"""PySimpleSOAP: pysimplesoap_client.py BASE magnetmail|listrak 1.1"""

from __future__ import annotations

import base64
import sys
import time
from typing import Any

from pysimplesoap.client import SimpleXMLElement, SoapClient, SoapFault

BASE, CONTRACT, _ = sys.argv[1:]
CSV = "Id,Mail\nZoë,zoe@walk.example\nAnn,ann@walk.example\nBob,bob@walk.example\nNobody,nobody\n"
SWITCHES = [
    "EnableRemovalLink",
    "EnableBrowserLink",
    "EnableDoubleOptin",
    "EnableListHygiene",
    "ShowEmailList",
    "ShowAdvancedPersonalization",
    "EnableRSS",
    "EnableGoogleAnalytics",
    "EnableInternationalization",
    "EnableDynamicContent",
    "EnableListRemoveHeader",
]


def client(path: str, name: str, namespace: str, **members: str) -> Any:
    """A client of that contract, with these members in its header."""
    made = SoapClient(wsdl=f"{BASE}{path}?WSDL", cache=None)
    # A header given as a dictionary goes out without its namespace.
    inside = "".join(f"<{member}>{value}</{member}>" for member, value in members.items())
    made[name] = SimpleXMLElement(f'<{name} xmlns="{namespace}">{inside}</{name}>')
    return made


def magnetmail() -> None:
    def at(**members: str) -> Any:
        return client("/mmapi.asmx", "mmAuthHeader", "http://www.magnetmail.net/", **members)

    mm = at(sessionId="", user_id="")
    session = mm.Authenticate(username="demo", password="demo")["AuthenticateResult"]
    print("logon", str(session["authenticated"]).lower(), session["user_id"])
    mm = at(sessionId=session["sessionId"], user_id="DEMO")
    group = mm.addGroup(user_id="DEMO", group_name="Grüße", categoryId=0)["addGroupResult"]
    print("group", int(group["error"]), group["msg"])
    number = int(group["id"])
    flags = {"replace_group": False, "update_dups": True, "header_line": True}
    columns = {"MM_1": "Custom_Member_Id", "MM_2": "Email"}
    answer = mm.uploadListQueue(user_id="DEMO", groupid=number, csvData=CSV, **flags, **columns)
    job = int(answer["uploadListQueueResult"]["jobid"])
    status: dict[str, Any] = {"status": 0}
    while status["status"] < 2:
        time.sleep(0.05)
        status = mm.getUploadJobStatus(user_id="DEMO", jobid=job)["getUploadJobStatusResult"]
    print("upload", *(int(status[name]) for name in ("status", "total_records", "good_records", "new_added")))
    found = mm.getGroupRecipients(groupId=number, pageNumber=1, pageCount=10)["getGroupRecipientsResult"]
    people = found["recipients"]["GroupRecipient"]
    print("members", *sorted(f"{each['EmailId']}={each['CustomMemberId']}" for each in people))
    unknown = mm.getUploadJobStatus(user_id="DEMO", jobid=987654)["getUploadJobStatusResult"]
    print("unknown", int(unknown["error"]))
    wrong = mm.Authenticate(username="demo", password="wrong")["AuthenticateResult"]
    print("wrong", str(wrong["authenticated"]).lower())
    try:
        at(sessionId="none", user_id="DEMO").getUploadJobStatus(user_id="DEMO", jobid=1)
    except SoapFault as fault:
        print("refused", fault.faultstring)


def listrak() -> None:
    def at(password: str) -> Any:
        namespace = "http://webservices.listrak.com/v31/"
        return client("/v31/IntegrationService.asmx", "WSUser", namespace, UserName="demo", Password=password)

    lk = at("demo")
    numbers = {"BounceHandling": 1, "VmtaID": 0, "BounceUnsubscribeCount": 3}
    made = lk.CreateContactList(ListName="Küche", **numbers, **dict.fromkeys(SWITCHES, False))["WSContactList"]
    print("list", made["ListName"])
    directives = {
        "ImportTypeEnum": "AddSubscribers",
        "ImportProfileTypeEnum": "Update",
        "FileName": "walk.csv",
        "HasColumnNames": True,
        "FileDelimiter": ",",
        "TextQualifier": '"',
    }
    mapping = {"WSFileMappings": {"AttributeID": 0, "FileColumn": 1, "IsEmailAddressColumn": True}}
    process = lk.BulkLoadContacts(
        ListID=made["ListID"],
        WSImportDirectives=directives,
        fileMappings=mapping,
        ImportFileStream=base64.b64encode(CSV.encode()).decode(),
    )["BulkLoadContactsResult"]
    status: dict[str, Any] = {"Status": ""}
    while status["Status"] != "ProcessingCompleted":
        time.sleep(0.05)
        status = lk.GetProcessStatus(ProcessID=process)["WSProcessStatus"]
    print("process", status["ProcessName"], status["Status"])
    found = lk.ReportSubscribedContacts(ListID=made["ListID"], Page=1, WSException=None)
    people = found["ReportSubscribedContactsResult"]["WSContactSubscriptionInfo"]
    print("members", *sorted(each["EmailAddress"] for each in people))
    rows = lk.GetLegacyProcessStatus(ListID=1)["GetLegacyProcessStatusResult"]["WSLegacyProcessStatus"]
    print("legacy", *(f"{row['ProcessType']}:{row['CurrentStep']}/{row['MaxStep']}" for row in rows))
    print("unknown", lk.GetProcessStatus(ProcessID=987654).get("WSProcessStatus"))
    try:
        at("wrong").GetProcessStatus(ProcessID=1)
    except SoapFault as fault:
        print("refused", fault.faultstring)


{"magnetmail": magnetmail, "listrak": listrak}[CONTRACT]()
