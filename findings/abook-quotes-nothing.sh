#!/bin/sh
# abook 0.6.1, an address book for mutt, puts values in double quotes when it writes CSV, and does not double those within
# them (RFC 4180 2.7): from the name in `Bob "B" Ray, Jr` on, the columns are others. It writes several addresses of one
# person into one value, with commas, and no headings. --outformat palmcsv is alike.
# A reader counts on it that a column of addresses may hold something else, and rejects the row rather than repair it.
set -eu
version=0.6.1-2+b1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "abook=$version"
dpkg -x abook_*.deb .
cat >book <<'BOOK'
[format]
program=abook
version=0.6.1

[0]
name=Ann Lee
email=ann@example.org,ann@example.net

[1]
name=Bob "B" Ray, Jr
email=bob@example.org
BOOK
HOME=$work usr/bin/abook --convert --infile book --outformat csv --outfile book.csv
echo "abook $version"
cat book.csv
python3 - <<'PYTHON'
import csv

ann, bob = [row for row in csv.reader(open("book.csv")) if row]
print(ann, bob, sep="\n")
assert ann[1] == "ann@example.org,ann@example.net"
assert bob[1].strip() != "bob@example.org"
PYTHON
