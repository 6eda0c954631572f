#!/bin/sh
# letterparser 0.1.8 for Node.js, which reads mails in Cloudflare's workers, puts the text of a mail that a report returns
# (message/rfc822, RFC 3462) behind the text of the report, and leaves out the part message/delivery-status: `text` of a
# bounce ends with the newsletter, and `attachments` is empty. So words such as "unsubscribe" are there in each bounce, and
# the code is nowhere. postal-mime 4.0.0 gives both parts as attachments.
# Read the raw mail for Status, and cut the text at the part's end.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts letterparser@0.1.8 postal-mime@4.0.0 >/dev/null
cat >read.js <<'JS'
const assert = require("node:assert");
const {extract} = require("letterparser");
const postal = require("postal-mime");

const mail = `From: MAILER-DAEMON@mx.example.org
To: news@example.com
Subject: Undelivered
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

Nobody has this address.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; ann@example.org
Action: failed
Status: 5.1.1

--b
Content-Type: message/rfc822

From: news@example.com
Subject: News

Write to us to unsubscribe.
--b--
`.replaceAll("\n", "\r\n");
(async () => {
    const found = extract(mail);
    console.log("letterparser 0.1.8", JSON.stringify([found.text, found.attachments]));
    assert.match(found.text, /^Nobody has this address\.\s+Write to us to unsubscribe\.$/);
    assert.deepEqual(found.attachments, []);
    assert.ok(!JSON.stringify(found).includes("5.1.1"));
    const other = await (postal.default ?? postal).parse(mail);
    console.log("postal-mime 4.0.0", JSON.stringify(other.text), other.attachments.map((part) => part.mimeType).join(", "));
    assert.equal(other.text.trim(), "Nobody has this address.");
    assert.deepEqual(other.attachments.map((part) => part.mimeType), ["message/delivery-status", "message/rfc822"]);
})();
JS
node read.js
