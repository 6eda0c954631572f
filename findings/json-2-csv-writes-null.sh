#!/bin/sh
# json-2-csv 5.6.0 and export-to-csv 1.5.0 for Node.js write a null of the data as the word null, json-2-csv a missing value
# as the word undefined, in a CSV file, where nothing tells it from a name: the mail begins with "Dear null".
# excel-builder-vanilla 5.2.5 does both in a workbook, and writes undefined for a Date without metadata. Other writers
# (papaparse 5.7.1, and csv-stringify, fast-csv and d3-dsv alike) leave the value empty.
# An importer cannot mend that, since Null is a last name. Give json-2-csv the option emptyFieldValue: "", and replace
# null before export-to-csv and excel-builder-vanilla.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts json-2-csv@5.6.0 export-to-csv@1.5.0 papaparse@5.7.1 excel-builder-vanilla@5.2.5 >/dev/null
node - <<'JS'
const assert = require("node:assert");
const {json2csv} = require("json-2-csv");
const {generateCsv, mkConfig} = require("export-to-csv");
const papaparse = require("papaparse");

const people = [
    {email: "ann@example.org", first: "Ann"}, {email: "bob@example.org", first: null}, {email: "cy@example.org", first: undefined}
];
const writers = {
    "json-2-csv": () => json2csv(people),
    "json-2-csv, emptyFieldValue": () => json2csv(people, {emptyFieldValue: ""}),
    "export-to-csv": () => generateCsv(mkConfig({useKeysAsHeaders: true, quoteStrings: false}))(people).trim(),
    papaparse: () => papaparse.unparse(people),
};
const names = {};
for (const [writer, write] of Object.entries(writers)) {
    names[writer] = write().split(/\r?\n/).slice(2).map((row) => row.split(",")[1]);
    console.log(writer, names[writer]);
}
for (const each of ["json-2-csv", "export-to-csv"])
    console.log(each, JSON.parse(require("fs").readFileSync(`node_modules/${each}/package.json`)).version);
assert.deepEqual(names, {
    "json-2-csv": ["null", "undefined"], "json-2-csv, emptyFieldValue": ["", ""],
    "export-to-csv": ["null", ""], papaparse: ["", ""],
});
JS
node - <<'JS'
const {createExcelFile, createWorkbook} = require("excel-builder-vanilla");
const book = createWorkbook();
const sheet = book.createWorksheet({name: "People"});
sheet.setData([["ann@example.org", null], ["bob@example.org", undefined], ["cy@example.org", new Date(0)]]);
book.addWorksheet(sheet);
createExcelFile(book, "Uint8Array").then((file) => require("fs").writeFileSync("people.xlsx", file));
JS
python3 - <<'PYTHON'
import re
import zipfile

with zipfile.ZipFile("people.xlsx") as book:
    texts = re.findall("<t>([^<]*)</t>", book.read("xl/sharedStrings.xml").decode())
    cells = re.findall('t="s" r="(B[0-9])"[^>]*><v>([0-9]+)', book.read("xl/worksheets/sheet1.xml").decode())
found = {cell: texts[int(number)] for cell, number in cells}
print("excel-builder-vanilla 5.2.5", found)
assert found == {"B1": "null", "B2": "undefined", "B3": "undefined"}
PYTHON
