#!/bin/sh
# mjml 5.4.1 for Node.js leaves out texts between its elements without an error: {% if City == "Rome" %}<mj-text>…</mj-text>
# {% endif %} becomes the text alone, for everyone, also with validationLevel "strict". mjml-python 1.4.2, which is mrml,
# keeps them. Within mj-text they stay in both. Put a condition between elements into <mj-raw>.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts mjml@5.4.1 >/dev/null
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check mjml-python==1.4.2
cat >mail.js <<'JS'
const assert = require("node:assert");
const mjml = require("mjml").default ?? require("mjml");

const begin = '{% if City == "Rome" %}';
const end = "{% endif %}";
const page = (content) => `<mjml><mj-body><mj-section><mj-column>${content}</mj-column></mj-section></mj-body></mjml>`;
const between = page(`${begin}<mj-text>Rome</mj-text>${end}<mj-text>All</mj-text>`);
const raw = page(`<mj-raw>${begin}</mj-raw><mj-text>Rome</mj-text><mj-raw>${end}</mj-raw>`);
require("node:fs").writeFileSync("between.mjml", between);
(async () => {
    for (const [name, source, kept] of [["between elements", between, 0], ["within mj-raw", raw, 2],
        ["within mj-text", page(`<mj-text>${begin}Rome${end}</mj-text>`), 2]]) {
        const {html, errors} = await mjml(source, {validationLevel: "strict"});
        const found = html.split("{%").length - 1;
        console.log(`mjml 5.4.1, ${name}: ${found} tags of 2, ${errors.length} errors`);
        assert.equal(found, kept);
        assert.deepEqual(errors, []);
        assert.ok(html.includes("Rome"));
    }
})();
JS
node mail.js
venv/bin/python - <<'PYTHON'
import mjml

found = mjml.mjml2html(open("between.mjml").read())
print("mjml-python 1.4.2, between elements:", found.count("{%"), "tags of 2")
assert found.count("{%") == 2
PYTHON
