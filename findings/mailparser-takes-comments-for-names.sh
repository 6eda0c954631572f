#!/bin/sh
# mailparser 3.14.2 for Node.js, which test servers and webmails read mails with, reads List-Unsubscribe as if it were
# List-Id: of a link with a comment, which RFC 2369 2 allows, there is no `url`, the link is the `id` of a list. The same
# with parentheses within a link (RFC 3986 2.2): they are cut out, and the rest is the `id`. And of several links the last
# is the `url`, though the first one is preferred (RFC 2369 2). headers.get("list-unsubscribe") is undefined.
# A test of a newsletter takes the header from `headerLines`, or by another parser.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts mailparser@3.14.2 >/dev/null
node - <<'JS'
const assert = require("node:assert");
const {simpleParser} = require("mailparser");

async function read(value) {
    const mail = await simpleParser(`From: news@example.com\r\nList-Unsubscribe: ${value}\r\n\r\nNews\r\n`);
    const found = mail.headers.get("list").unsubscribe;
    console.log(value, "->", JSON.stringify(found));
    assert.equal(mail.headers.get("list-unsubscribe"), undefined);
    assert.equal(mail.headerLines.find((line) => line.key === "list-unsubscribe").line, `List-Unsubscribe: ${value}`);
    return found;
}
(async () => {
    console.log("mailparser", require("mailparser/package.json").version);
    assert.deepEqual(await read("<https://a.example/u>"), {url: "https://a.example/u"});
    assert.deepEqual(await read("<https://a.example/u> (Leave)"), {name: "Leave", id: "https://a.example/u"});
    assert.deepEqual(await read("<https://a.example/u?list=(7)>"), {name: "7", id: "https://a.example/u?list="});
    assert.deepEqual(await read("<https://a.example/u>, <https://b.example/u>"), {url: "https://b.example/u"});
})();
JS
