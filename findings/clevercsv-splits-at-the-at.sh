#!/bin/sh
# clevercsv 0.8.5 takes the @ for the delimiter of a file that has one column, of e-mail addresses. A file of addresses
# needs a rule of its own: a delimiter is none of the characters that each address has.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check clevercsv==0.8.5
"$work/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import clevercsv

print("clevercsv", version("clevercsv"))
for text in ("Email\nann@example.org\nbob@example.org\n", "ann@example.org\nbob@example.net\n"):
    found = clevercsv.Sniffer().sniff(text)
    print(repr(text), "->", repr(found.delimiter))
    assert found.delimiter == "@"
assert clevercsv.Sniffer().sniff("ann@example.org,Ann\nbob@example.net,Bob\n").delimiter == ","
PYTHON
