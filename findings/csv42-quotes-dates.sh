#!/bin/sh
# csv42 5.0.3 for Node.js writes a Date into CSV as JSON, with the double quotes of JSON as part of the value: a reader gets
# "2024-02-29T13:05:07.000Z" in quotes, which is no date, and so does csv42's own csv2json. papaparse 5.7.1 writes the same
# Date without them. An importer reports such a value as one that does not fit.
# Give json2csv texts: date.toISOString().
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts csv42@5.0.3 papaparse@5.7.1 >/dev/null
node - <<'JS'
const assert = require("node:assert");
const {json2csv, csv2json} = require("csv42");
const papaparse = require("papaparse");

const time = "2024-02-29T13:05:07.000Z";
const people = [{email: "ann@example.org", born: new Date(time)}];
const row = json2csv(people).split("\r\n")[1];
console.log("csv42", JSON.parse(require("fs").readFileSync("node_modules/csv42/package.json")).version, row);
assert.equal(row, `ann@example.org,"""${time}"""`);
const read = {csv42: csv2json(json2csv(people))[0].born, papaparse: papaparse.parse(row).data[0][1]};
console.log(read);
assert.deepEqual(read, {csv42: `"${time}"`, papaparse: `"${time}"`});
assert.equal(papaparse.unparse(people).split("\r\n")[1], `ann@example.org,${time}`);
assert.equal(json2csv([{email: "ann@example.org", born: time}]).split("\r\n")[1], `ann@example.org,${time}`);
JS
