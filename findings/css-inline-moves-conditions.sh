#!/bin/sh
# css-inline 0.24.0 for Python and inline-css 4.0.3 for Node.js read a page as browsers do (HTML 13.2.6.1, foster parenting)
# before they write its styles into its elements: a text between the rows of a table goes in front of the table. So of
# <table>{% if City == "Rome" %}<tr>…</tr>{% endif %}</table> comes {% if City == "Rome" %}{% endif %}<table><tr>…: the
# template is valid, and everyone gets the row that was for Rome. juice 11.1.1 and premailer 3.10.0 leave the tags where
# they are. Put a condition around a whole table, or within a cell, or inline first.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check css-inline==0.24.0 premailer==3.10.0
npm install --silent --no-audit --no-fund --ignore-scripts inline-css@4.0.3 juice@11.1.1 >/dev/null
cat >page.html <<'HTML'
<html><head><style>td { color: red }</style></head><body><table>{% if City == "Rome" %}<tr><td>Rome</td></tr>{% endif %}
<tr><td>{% if City == "Bari" %}Bari{% endif %}</td></tr></table></body></html>
HTML
venv/bin/python -c 'import css_inline; print(css_inline.inline(open("page.html").read()))' >css-inline
venv/bin/python -c 'import premailer; print(premailer.transform(open("page.html").read()))' >premailer
node -e 'const fs = require("fs");
const page = fs.readFileSync("page.html", "utf8");
fs.writeFileSync("juice", require("juice")(page));
require("inline-css")(page, {url: " "}).then((made) => fs.writeFileSync("inline-css", made));'
for program in css-inline inline-css premailer juice; do
    echo "$program: $(tr -d '\n' <$program | grep -o '<body>.*Bari<\?')"
    grep -q 'style="color: \?red;\?">{% if City == "Bari" %}Bari{% endif %}</td>' $program
done
for program in css-inline inline-css; do grep -q '{% if City == "Rome" %}{% endif %} *$\|{% if City == "Rome" %}{% endif %}\s*<table>' $program; done
for program in premailer juice; do tr -d '\n' <$program | grep -q '<table>.*{% if City == "Rome" %}.*Rome</td></tr>{% endif %}'; done
