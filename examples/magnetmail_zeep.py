"""MagnetMail with zeep: log on, upload, poll. Usage: magnetmail_zeep.py [BASE_URL]"""

import sys
import time

import zeep

base = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
mm = zeep.Client(f"{base}/mmapi.asmx?WSDL").service
session = mm.Authenticate(username="demo", password="demo")
header = {"mmAuthHeader": {"sessionId": session.sessionId, "user_id": session.user_id}}
flags = {"replace_group": False, "update_dups": True, "header_line": False}
data = "zoe@example.org,Zoe\nyan@example.org,Yan\n"
job = mm.uploadListQueue(groupid=1, csvData=data, MM_1="Email", MM_2="First_Name", **flags, _soapheaders=header)
while (status := mm.getUploadJobStatus(jobid=int(job.jobid), _soapheaders=header)).status < 2:
    time.sleep(0.2)
print(status)
