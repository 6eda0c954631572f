#!/bin/sh
# moto 5.2.5's SNS posts to an HTTP subscription at once: it sends no SubscriptionConfirmation before, leaves out the
# header x-amz-sns-message-type, ignores RawMessageDelivery, and names a certificate that does not exist, another one for
# each notification. A receiver that waits for the confirmation, tells the kind by the header, or verifies signatures
# cannot be tested with it: write such calls yourself, and tell the kind by the member Type of the body.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check "moto[server]==5.2.5"
"$work/venv/bin/python" - <<'PYTHON'
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version

os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
import boto3
from moto.server import ThreadedMotoServer

calls = []


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        calls.append((self.path, dict(self.headers), json.loads(body)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


receiver = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=receiver.serve_forever, daemon=True).start()
moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
moto.start()
host, port = moto.get_host_and_port()
sns = boto3.client("sns", endpoint_url=f"http://{host}:{port}")
topic = sns.create_topic(Name="bounces")["TopicArn"]
for path, attributes in (("plain", {}), ("raw", {"RawMessageDelivery": "true"})):
    url = f"http://127.0.0.1:{receiver.server_port}/{path}"
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url, Attributes=attributes)
assert calls == [], "a confirmation"
sns.publish(TopicArn=topic, Message='{"notificationType": "Bounce"}')
sns.publish(TopicArn=topic, Message='{"notificationType": "Complaint"}')
moto.stop()
print("moto", version("moto"))
for path, headers, body in calls:
    print(path, body["Type"], body["SigningCertURL"])
    assert not [name for name in headers if name.lower().startswith("x-amz")]
    assert body["Type"] == "Notification"
assert [path for path, *_ in calls] == ["/plain", "/raw", "/plain", "/raw"]
assert len({body["SigningCertURL"] for *_, body in calls}) > 1
PYTHON
