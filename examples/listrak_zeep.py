"""Listrak with zeep: lists, an import, and its process. Usage: listrak_zeep.py [BASE_URL]"""

import sys
import time

import zeep

base = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
lk = zeep.Client(f"{base}/v31/IntegrationService.asmx?WSDL").service
header = {"WSUser": {"UserName": "demo", "Password": "demo"}}
directives = {"ImportTypeEnum": "AddSubscribers", "ImportProfileTypeEnum": "NotDefined", "HasColumnNames": False}
column = {"AttributeID": 0, "FileColumn": 0, "IsEmailAddressColumn": True}
for each in lk.GetContactListCollection(_soapheaders=header):
    print(each.ListID, each.ListName)
process = lk.BulkLoadContacts(1, directives, {"WSFileMappings": [column]}, b"xena@example.org\n", _soapheaders=header)
over = ("ProcessingCompleted", "ProcessingFailed")
while (status := lk.GetProcessStatus(process, _soapheaders=header)).Status not in over:
    time.sleep(0.2)
print(status, lk.GetLegacyProcessStatus(1, _soapheaders=header))
