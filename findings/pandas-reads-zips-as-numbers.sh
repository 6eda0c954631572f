#!/bin/sh
# pandas 3.1.1 reads texts of JSON as numbers: read_json(lines=True), the usual way to read NDJSON, makes 123 of the postal
# code "00123", 4930123456 of the telephone number "+4930123456" and 1200000.0 of the code "12E5", if all values of the
# column look like numbers. So what is right in the file of one country is wrong in that of another. "0x1F" stays. JSON
# has types for that (RFC 8259 3); polars 2.1.0 keeps the texts.
# Give read_json dtype=False, which leaves numbers of the file numbers.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pandas==3.1.1 polars==2.1.0
cat >people.ndjson <<'JSON'
{"zip": "00123", "phone": "+4930123456", "code": "12E5", "size": 38}
{"zip": "01234", "phone": "004930654321", "code": "1.10", "size": 40}
JSON
venv/bin/python - <<'PYTHON'
import pandas
import polars

read = pandas.read_json("people.ndjson", lines=True).to_dict("records")
print("pandas", pandas.__version__, read[0])
assert read[0] == {"zip": 123, "phone": 4930123456, "code": 1200000.0, "size": 38}
assert read[1] == {"zip": 1234, "phone": 4930654321, "code": 1.1, "size": 40}
right = {"zip": "00123", "phone": "+4930123456", "code": "12E5", "size": 38}
assert pandas.read_json("people.ndjson", lines=True, dtype=False).to_dict("records")[0] == right
assert polars.read_ndjson("people.ndjson").to_dicts()[0] == right
# One value that is no number, and the whole column stays text.
with open("people.ndjson", "a") as file:
    file.write('{"zip": "SW1A 1AA", "phone": "", "code": "0x1F", "size": 41}\n')
read = pandas.read_json("people.ndjson", lines=True).to_dict("records")
print("with a British postal code", read[0])
assert read[0]["zip"] == "00123"
PYTHON
