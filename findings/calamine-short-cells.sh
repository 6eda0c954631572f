#!/bin/sh
# python-calamine 0.9.1 reads only the first column of a binary workbook (.xlsb) that SheetJS 0.18.5 writes, and pyxlsb
# 1.0.10 reads no value at all. Neither reports anything. The other cells are in the short records (BrtShortSt and
# others, MS-XLSB 2.4), which leave out the column when a cell follows another one.
# Refuse .xlsb, or compare the width of the sheet's dimension record with that of its rows.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts xlsx@0.18.5 >/dev/null
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check python-calamine==0.9.1 pyxlsb==1.0.10
node -e '
const XLSX = require("xlsx");
const book = XLSX.utils.book_new();
XLSX.utils.book_append_sheet(book, XLSX.utils.aoa_to_sheet([["Email", "Name", "Shoe"], ["ann@example.org", "Ann", 38]]), "People");
XLSX.writeFile(book, "people.xlsb", {bookType: "xlsb"});
console.log("SheetJS", XLSX.version, JSON.stringify(XLSX.utils.sheet_to_json(XLSX.readFile("people.xlsb").Sheets.People)));'
venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import pyxlsb
from python_calamine import CalamineWorkbook

rows = CalamineWorkbook.from_path("people.xlsb").get_sheet_by_index(0).to_python()
print("python-calamine", version("python-calamine"), rows)
assert rows == [["Email"], ["ann@example.org"]]
with pyxlsb.open_workbook("people.xlsb") as book, book.get_sheet(1) as sheet:
    rows = [[cell.v for cell in row] for row in sheet.rows()]
print("pyxlsb", version("pyxlsb"), rows)
assert rows == [[None] * 3] * 2
PYTHON
