#!/bin/sh
# axios-har-tracker 0.8.0 records the calls of axios as a HAR file, with the method as axios keeps it, "post", where a HAR
# file has what went out, POST: methods are case-sensitive (RFC 9110 9.1), and a reader that looks for POST skips all
# calls. Read the method of a HAR file in any letter case.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts axios@1.13.2 axios-har-tracker@0.8.0 >/dev/null
node - <<'JS'
const assert = require("node:assert");
const http = require("node:http");
const axios = require("axios");
const { AxiosHarTracker } = require("axios-har-tracker");

const seen = [];
const server = http.createServer((request, response) => {
    seen.push(request.method);
    response.setHeader("Content-Type", "text/xml; charset=utf-8");
    response.end("<b/>");
});
server.listen(0, "127.0.0.1", async () => {
    const client = axios.create({ proxy: false });
    const tracker = new AxiosHarTracker(client);
    await client.post(`http://127.0.0.1:${server.address().port}/x`, "<a/>", { headers: { "Content-Type": "text/xml" } });
    server.close();
    const [entry] = tracker.getGeneratedHar().log.entries;
    console.log("axios-har-tracker", require("axios-har-tracker/package.json").version, "axios", axios.VERSION);
    console.log("sent:", seen, "recorded:", entry.request.method, entry.request.postData.text);
    assert.deepEqual(seen, ["POST"]);
    assert.equal(entry.request.method, "post");
});
JS
