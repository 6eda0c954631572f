"""zeep's AsyncClient: zeep_async.py BASE magnetmail|listrak 1.1|1.2"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import zeep

BASE, CONTRACT, VERSION = sys.argv[1:]
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


def client(path: str) -> tuple[Any, Any]:
    """A client of that contract, and its operations at the port of the asked SOAP version."""
    made = zeep.AsyncClient(f"{BASE}{path}?WSDL")
    (service,) = made.wsdl.services.values()
    port = next(name for name in service.ports if name.endswith("Soap12") == (VERSION == "1.2"))
    return made, made.bind(service.name, port)


async def magnetmail() -> None:
    made, mm = client("/mmapi.asmx")
    header = made.get_element("{http://www.magnetmail.net/}mmAuthHeader")
    session = await mm.Authenticate(username="demo", password="demo")
    print("logon", str(session.authenticated).lower(), session.user_id)
    heads = [header(sessionId=session.sessionId, user_id=session.user_id)]
    group = await mm.addGroup(user_id="DEMO", group_name="Grüße", categoryId=0, _soapheaders=heads)
    print("group", int(group.error), group.msg)
    flags = {"replace_group": False, "update_dups": True, "header_line": True}
    columns = {"MM_1": "Custom_Member_Id", "MM_2": "Email"}
    queued = await mm.uploadListQueue(groupid=int(group.id), csvData=CSV, **flags, **columns, _soapheaders=heads)
    while (status := await mm.getUploadJobStatus("DEMO", int(queued.jobid), _soapheaders=heads)).status < 2:
        await asyncio.sleep(0.05)
    figures = (status.status, status.total_records, status.good_records, status.new_added)
    print("upload", *(int(each) for each in figures))
    found = await mm.getGroupRecipients(int(group.id), 1, 10, _soapheaders=heads)
    print("members", *sorted(f"{each.EmailId}={each.CustomMemberId}" for each in found.GroupRecipient))
    unknown = await mm.getUploadJobStatus("DEMO", 987654, _soapheaders=heads)
    print("unknown", int(unknown.error))
    wrong = await mm.Authenticate(username="demo", password="wrong")
    print("wrong", str(wrong.authenticated).lower())
    try:
        await mm.getUploadJobStatus("DEMO", 1, _soapheaders=[header(sessionId="none", user_id="DEMO")])
    except zeep.exceptions.Fault as fault:
        print("refused", fault.message)


async def listrak() -> None:
    made, lk = client("/v31/IntegrationService.asmx")
    header = made.get_element("{http://webservices.listrak.com/v31/}WSUser")
    heads = [header(UserName="demo", Password="demo")]
    numbers = {"BounceHandling": 1, "VmtaID": 0, "BounceUnsubscribeCount": 3}
    switches = dict.fromkeys(SWITCHES, False)
    answer = await lk.CreateContactList(ListName="Küche", **numbers, **switches, _soapheaders=heads)
    number = answer.ListID
    print("list", answer.ListName)
    directives = {
        "ImportTypeEnum": "AddSubscribers",
        "ImportProfileTypeEnum": "Update",
        "FileName": "walk.csv",
        "HasColumnNames": True,
        "FileDelimiter": ",",
        "TextQualifier": '"',
    }
    mapping = {"AttributeID": 0, "FileColumn": 1, "IsEmailAddressColumn": True}
    process = await lk.BulkLoadContacts(
        number, directives, {"WSFileMappings": [mapping]}, CSV.encode(), _soapheaders=heads
    )
    while (status := await lk.GetProcessStatus(process, _soapheaders=heads)).Status != "ProcessingCompleted":
        await asyncio.sleep(0.05)
    print("process", status.ProcessName, status.Status)
    found = await lk.ReportSubscribedContacts(number, 1, None, _soapheaders=heads)
    people = found.ReportSubscribedContactsResult.WSContactSubscriptionInfo
    print("members", *sorted(each.EmailAddress for each in people))
    rows = await lk.GetLegacyProcessStatus(1, _soapheaders=heads)
    print("legacy", *(f"{row.ProcessType}:{row.CurrentStep}/{row.MaxStep}" for row in rows))
    # zeep makes an object without values of what is nil.
    print("unknown", (await lk.GetProcessStatus(987654, _soapheaders=heads)).ProcessID)
    try:
        await lk.GetProcessStatus(1, _soapheaders=[header(UserName="demo", Password="wrong")])
    except zeep.exceptions.Fault as fault:
        print("refused", fault.message)


asyncio.run({"magnetmail": magnetmail, "listrak": listrak}[CONTRACT]())
