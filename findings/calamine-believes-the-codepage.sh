#!/bin/sh
# python-calamine 0.9.1 decodes the texts of a .xls of Excel 97 and newer (BIFF8) by its CODEPAGE record. Perl's
# Spreadsheet::WriteExcel 2.40 and Java's JExcelApi 2.6.12 name 1252 there, and their texts are UTF-16, as in each BIFF8
# file (MS-XLS 2.5.294): each letter comes with a NUL behind it, and one beyond Latin-1 as two others, "Ł" as "A" and
# U+0001. Excel and LibreOffice read the file rightly, so whoever made it does not know.
# Overwrite the value of the record by 1200 before calamine reads a BIFF8 file. Needs a JDK.
set -eu
version=2.40-4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "libspreadsheet-writeexcel-perl=$version" libole-storage-lite-perl=0.20-2 libparse-recdescent-perl=1.967015+dfsg-4 libjexcelapi-java=2.6.12-3
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
cat >Write.java <<'JAVA'
import java.io.File;
import jxl.Workbook;
import jxl.write.Label;
import jxl.write.WritableSheet;
import jxl.write.WritableWorkbook;

public class Write {
    public static void main(String[] arguments) throws Exception {
        WritableWorkbook book = Workbook.createWorkbook(new File("java.xls"));
        WritableSheet sheet = book.createSheet("People", 0);
        sheet.addCell(new Label(0, 0, "Zo\u00eb"));
        sheet.addCell(new Label(1, 0, "\u0141\u00f3d\u017a"));
        book.write();
        book.close();
        System.out.println("JExcelApi " + Workbook.getVersion());
    }
}
JAVA
javac -cp usr/share/java/jxl.jar Write.java
java -cp usr/share/java/jxl.jar:. Write
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


print("python-calamine", version("python-calamine"))
for name in ("people.xls", "java.xls"):
    content = Path(name).read_bytes()
    print(name, texts(content))
    assert texts(content) == ["Z\0o\0ë\0", "A\x01ó\0d\0z\x01"]
    record = b"\x42\x00\x02\x00"
    assert content.count(record + b"\xe4\x04") == 1
    content = content.replace(record + b"\xe4\x04", record + b"\xb0\x04")
    print("with 1200:", texts(content))
    assert texts(content) == ["Zoë", "Łódź"]
PYTHON
