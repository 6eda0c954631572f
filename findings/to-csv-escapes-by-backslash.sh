#!/bin/sh
# to-csv 0.1.1 for Node.js writes a double quote within a value as \", where RFC 4180 2.7 doubles it: readers make other
# texts of it, and where a comma follows, other columns. It also writes its quotes into the caller's own objects, so a
# second export of the same objects has them as part of the names.
# A reader cannot tell: a value may end in a backslash, as C:\ does. Write such files with another library, or give to-csv
# copies of objects without double quotes.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts to-csv@0.1.1 papaparse@5.7.1 >/dev/null
node - <<'JS'
const assert = require("node:assert");
const papaparse = require("papaparse");
const toCsv = require("to-csv");

const people = [{email: "bob@example.org", first: 'Bob "B", Ray', last: "Lee, Jr"}];
console.log("to-csv", require("to-csv/package.json").version);
const [heading, row] = toCsv(people).trim().split("\n");
console.log(row);
assert.equal(heading, "email,first,last");
assert.equal(row, String.raw`bob@example.org,"Bob \"B\", Ray","Lee, Jr"`);
const [values] = papaparse.parse(row).data;
console.log("papaparse reads", values);
assert.notDeepEqual(values, ["bob@example.org", 'Bob "B", Ray', "Lee, Jr"]);
console.log("afterwards", people);
assert.equal(people[0].last, '"Lee, Jr"');
JS
