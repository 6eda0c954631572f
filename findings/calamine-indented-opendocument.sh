#!/bin/sh
# python-calamine 0.9.1 cannot open an OpenDocument workbook (.ods) whose XML is indented, as SheetJS 0.18.5 writes it in
# browsers, and Gnumeric: white space between table elements means nothing (ODF 1.2 part 1, 1.6), but calamine takes it
# for a broken cell. Without it, calamine leaves out <text:tab/> and <text:line-break/>, so "High St 1" and "York" on two
# lines become "High St 1York", and gives a date with the zone that SheetJS writes as text. It has no sheet for a table
# without a name, as odswriter 0.5.0 writes the first one; the schema of ODF 1.2 does not require the name.
# Remove the white space, replace the two elements and the zone, and add a name, before calamine reads a file.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts xlsx@0.18.5 >/dev/null
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check python-calamine==0.9.1 odswriter==0.5.0
node -e '
const XLSX = require("xlsx");
const sheet = XLSX.utils.aoa_to_sheet([["ann@example.org", "a\tb", new Date(Date.UTC(2024, 1, 29, 13, 5, 7))]], {cellDates: true});
const book = XLSX.utils.book_new();
XLSX.utils.book_append_sheet(book, sheet, "People");
XLSX.writeFile(book, "people.ods", {bookType: "ods"});
console.log("SheetJS", XLSX.version);'
venv/bin/python - <<'PYTHON'
import io
import re
import zipfile
from importlib.metadata import version

import odswriter
from python_calamine import CalamineError, CalamineWorkbook

print("python-calamine", version("python-calamine"))
try:
    CalamineWorkbook.from_path("people.ods")
except CalamineError as error:
    print("as SheetJS writes it:", str(error)[:60])
    assert "Expecting 'table-cell'" in str(error)
else:
    raise SystemExit("calamine reads indented XML")
plain = io.BytesIO()
with zipfile.ZipFile("people.ods") as archive, zipfile.ZipFile(plain, "w") as copy:
    for name in archive.namelist():
        content = archive.read(name)
        copy.writestr(name, re.sub(rb">\s+<", b"><", content) if name == "content.xml" else content)
plain.seek(0)
(row,) = CalamineWorkbook.from_filelike(plain).get_sheet_by_index(0).to_python()
print("without the white space:", row)
assert row == ["ann@example.org", "ab", "2024-02-29T13:05:07.000Z"]
with odswriter.writer(open("nameless.ods", "wb")) as sheet:
    sheet.writerow(["ann@example.org"])
book = CalamineWorkbook.from_path("nameless.ods")
print("odswriter", version("odswriter"), book.sheet_names)
assert book.sheet_names == []
PYTHON
