#!/bin/sh
# pyexcel-ods 0.6.0 writes a datetime into an OpenDocument workbook as a value of the type "datetime". OpenDocument has no
# such type (ODF 1.2 part 1, office:value-type): a date with a time is a "date", and its value stands in office:date-value.
# For one such cell python-calamine 0.9.1 and pandas 2.3.3 refuse the whole file; pyexcel-ods itself reads a text. A date
# without a time is right, and both are with pyexcel-ods3 0.6.1.
# Write with pyexcel-ods3. A reader takes such a cell for the text that it shows.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pyexcel==0.7.6 pyexcel-ods==0.6.0 pyexcel-ods3==0.6.1 \
    python-calamine==0.9.1 pandas==2.3.3 odfpy==1.4.1
venv/bin/python - <<'PYTHON'
import re
import zipfile
from datetime import date, datetime
from importlib.metadata import version

import pandas
import pyexcel
from python_calamine import CalamineError, CalamineWorkbook

noon, day = datetime(2024, 2, 29, 12), date(2024, 2, 29)
readers = {
    "pandas": lambda file: pandas.read_excel(file, engine="odf", header=None).values.tolist(),
    "python-calamine": lambda file: CalamineWorkbook.from_path(file).get_sheet_by_index(0).to_python(),
}


def read(writer, rows):
    pyexcel.save_as(array=rows, dest_file_name="people.ods", dest_library=writer)
    content = zipfile.ZipFile("people.ods").read("content.xml").decode()
    print(writer, version(writer), re.findall(r'office:value-type="([^"]*)"', content))
    refusals = []
    for name, reader in readers.items():
        try:
            print(name, version(name), reader("people.ods"))
        except (CalamineError, ValueError) as error:
            print(name, version(name), "refuses it:", error)
            refusals.append(name)
    return refusals


assert read("pyexcel-ods", [["ann@example.org", noon]]) == list(readers)
assert pyexcel.get_array(file_name="people.ods", library="pyexcel-ods") == [["ann@example.org", "2024-02-29 12:00:00"]]
assert read("pyexcel-ods", [["ann@example.org", day]]) == []
assert read("pyexcel-ods3", [["ann@example.org", noon]]) == []
PYTHON
