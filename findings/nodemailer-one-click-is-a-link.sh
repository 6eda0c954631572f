#!/bin/sh
# nodemailer 10.6.1 has an option `list` for the headers of lists. It takes whatever is given for an address: the value of
# List-Unsubscribe-Post becomes <http://List-Unsubscribe=One-Click>, which no mailbox provider takes for One-Click (RFC
# 8058 3.1 has the value alone), and List-Post: NO of a list that takes no mails (RFC 2369 3.4) becomes <http://NO>.
# List-Unsubscribe beside it is right, so the mail looks complete. Write such headers by the option `headers`.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts nodemailer@10.6.1 >/dev/null
node - <<'JS'
const assert = require("node:assert");
const nodemailer = require("nodemailer");

const transport = nodemailer.createTransport({streamTransport: true, buffer: true, newline: "unix"});
async function lists(options) {
    const mail = {from: "news@example.com", to: "ann@example.org", subject: "News", text: "News", ...options};
    const lines = String((await transport.sendMail(mail)).message).split("\n").filter((line) => line.startsWith("List-"));
    console.log(lines.join("\n"));
    return lines;
}
(async () => {
    console.log("nodemailer", require("nodemailer/package.json").version);
    const link = "https://lists.example.com/u/1", post = "List-Unsubscribe=One-Click";
    assert.deepEqual(await lists({list: {unsubscribe: link, "unsubscribe-post": post, post: "NO"}}), [
        `List-Unsubscribe: <${link}>`, `List-Unsubscribe-Post: <http://${post}>`, "List-Post: <http://NO>"
    ]);
    const headers = {"List-Unsubscribe-Post": post, "List-Post": "NO"};
    assert.deepEqual(await lists({list: {unsubscribe: link}, headers}), [
        `List-Unsubscribe-Post: ${post}`, "List-Post: NO", `List-Unsubscribe: <${link}>`
    ]);
})();
JS
