#!/bin/sh
# PyExcelerate 0.13.0 writes a datetime without the format of a date when the rows are given to new_sheet(data=...), the
# quick way of its manual: a spreadsheet shows 45351.5, and so does every reader, since only the format tells a date from a
# number in a workbook (ECMA-376 part 1, 18.8.30). set_cell_value gives the same value a format. By both ways a float
# that is no number (nan) becomes the error #NUM!.
# An importer cannot tell: 45351.5 may be a number. Give the column a style, or write dates as text.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check PyExcelerate==0.13.0 python-calamine==0.9.1 openpyxl==3.1.5
venv/bin/python -W ignore - <<'PYTHON'
from datetime import datetime
from importlib.metadata import version

import openpyxl
from pyexcelerate import Workbook
from python_calamine import CalamineWorkbook

print("PyExcelerate", version("PyExcelerate"))
noon = datetime(2024, 2, 29, 12)


def cells(fill):
    book = Workbook()
    fill(book)
    book.save("people.xlsx")
    ((when, score),) = openpyxl.load_workbook("people.xlsx").active.iter_rows()
    ((calamine, _),) = CalamineWorkbook.from_path("people.xlsx").get_sheet_by_index(0).to_python()
    print(when.value, when.number_format, calamine, score.value)
    return when.value, when.number_format, calamine, score.value


def one_by_one(book):
    sheet = book.new_sheet("People")
    sheet.set_cell_value(1, 1, noon)
    sheet.set_cell_value(1, 2, float("nan"))


assert cells(lambda book: book.new_sheet("People", data=[[noon, float("nan")]])) == (45351.5, "General", 45351.5, "#NUM!")
assert cells(one_by_one) == (noon, "yyyy-mm-dd", noon, "#NUM!")
PYTHON
