#!/bin/sh
# html-to-text 10.0.1 for Node.js, which makes the text body of mails in nodemailer-html-to-text and others, writes headings
# and the heads of tables in capitals, merge tags too: <h1>Dear {{ First_Name | default("reader") }}</h1> becomes
# DEAR {{ FIRST_NAME | DEFAULT("READER") }}, and {% if City == "Rome" %} becomes {% IF CITY == "ROME" %}: languages whose
# words have a letter case refuse that, others compare with the wrong city. It also breaks lines within tags, at 80
# characters. html2text 2025.4.15 for Python keeps the letters. Set uppercase: false for h1 to h6, or leave out
# the text body where the server makes one.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts html-to-text@10.0.1 >/dev/null
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check html2text==2025.4.15
cat >page.html <<'HTML'
<h1>Dear {{ First_Name | default("reader") }}</h1><h2>{% if City == "Rome" %}Ciao{% endif %}</h2>
<p>What you should know about {{ Company }} in these weeks of spring, and of {{ custom1 }}</p>
HTML
cat >text.js <<'JS'
const assert = require("node:assert");
const {convert} = require("html-to-text");
const page = require("node:fs").readFileSync("page.html", "utf8");
const text = convert(page);
console.log(`html-to-text 10.0.1\n${text}`);
assert.ok(text.includes('DEAR {{ FIRST_NAME | DEFAULT("READER") }}'));
assert.ok(text.includes('{% IF CITY == "ROME" %}CIAO{% ENDIF %}'));
assert.match(text, /\{\{\s*custom1\s*\}\}/);
const selectors = ["h1", "h2"].map((selector) => ({selector, options: {uppercase: false}}));
assert.ok(convert(page, {selectors}).includes('{% if City == "Rome" %}Ciao{% endif %}'));
assert.ok(convert("<p>" + "word ".repeat(14) + "{{ First_Name }}</p>").includes("{{\n") ||
    convert("<p>" + "word ".repeat(14) + "{{ First_Name }}</p>").includes("\n}}"));
JS
node text.js
venv/bin/python -c 'import html2text; print(html2text.html2text(open("page.html").read()))' >other
grep -q '^# Dear {{ First_Name | default("reader") }}$' other
