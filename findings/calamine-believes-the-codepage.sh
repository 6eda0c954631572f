#!/bin/sh
# python-calamine 0.9.1 decodes the texts of a .xls of Excel 97 and newer (BIFF8) by its CODEPAGE record. Perl's
# Spreadsheet::WriteExcel 2.40 names 1252 there, and its texts are UTF-16, as in each BIFF8 file (MS-XLS 2.5.294): each
# letter comes with a NUL behind it, and one beyond Latin-1 as two others, "Ł" as "A" and U+0001. Excel and LibreOffice
# read the file rightly, so whoever made it does not know.
# Overwrite the value of the record by 1200 before calamine reads a BIFF8 file.
set -eu
version=2.40-4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "libspreadsheet-writeexcel-perl=$version" libole-storage-lite-perl=0.20-2 libparse-recdescent-perl=1.967015+dfsg-4
for package in ./*.deb; do dpkg -x "$package" .; done
perl -I usr/share/perl5 -e '
use utf8;
use Spreadsheet::WriteExcel;
my $book = Spreadsheet::WriteExcel->new("people.xls");
my $sheet = $book->add_worksheet("People");
$sheet->write_string(0, 0, "Zoë");
$sheet->write_string(0, 1, "Łódź");
$book->close;
print "Spreadsheet::WriteExcel $Spreadsheet::WriteExcel::VERSION\n";'
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check python-calamine==0.9.1
venv/bin/python - <<'PYTHON'
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

from python_calamine import CalamineWorkbook


def texts(content):
    (row,) = CalamineWorkbook.from_filelike(BytesIO(content)).get_sheet_by_index(0).to_python()
    return row


content = Path("people.xls").read_bytes()
print("python-calamine", version("python-calamine"), texts(content))
assert texts(content) == ["Z\0o\0ë\0", "A\x01ó\0d\0z\x01"]
record = b"\x42\x00\x02\x00"
assert content.count(record + b"\xe4\x04") == 1
content = content.replace(record + b"\xe4\x04", record + b"\xb0\x04")
print("with 1200:", texts(content))
assert texts(content) == ["Zoë", "Łódź"]
PYTHON
