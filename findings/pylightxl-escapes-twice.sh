#!/bin/sh
# pylightxl 1.61 escapes the ampersand twice when it writes a workbook (.xlsx): the company "Lee & Co" is "Lee &amp; Co" for
# every reader (XML 1.0 2.4 has one level). A value that begins with "=" is a formula without a value, so it reads as
# empty. Replacing &amp; in an import would change values that mean it. Write such workbooks with another library.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pylightxl==1.61 openpyxl==3.1.5
venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import openpyxl
import pylightxl

book = pylightxl.Database()
book.add_ws("People")
values = ["Lee & Co", "a < b", "O'Neil \"Bob\"", "=1+1"]
for column, value in enumerate(values, 1):
    book.ws("People").update_index(1, column, value)
pylightxl.writexl(book, "people.xlsx")
(found,) = openpyxl.load_workbook("people.xlsx", data_only=True).active.iter_rows(values_only=True)
print("pylightxl", version("pylightxl"), found)
assert found == ("Lee &amp; Co", "a < b", "O'Neil \"Bob\"", None)
PYTHON
