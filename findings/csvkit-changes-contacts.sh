#!/bin/sh
# csvkit 2.2.0 changes the values of contacts: csvsort, in2csv, csvjoin and others guess a type for each column.
# The last names Na, None and Null become empty, since they count as missing values; first names that are all months,
# such as April, May and June, become dates of the year 1; post codes lose their leading zeros; a column of 0 and 1
# becomes True and False. csvcut, csvgrep and csvformat change nothing.
# -I (--no-inference) keeps all but the names; those need --blanks as well.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check csvkit==2.2.0
venv/bin/csvsort --version
cat >people.csv <<'CSV'
Email,First_Name,Last_Name,Zip,unsubscribed
ann@example.org,April,Na,01234,1
bob@example.org,May,None,00501,0
cy@example.org,June,Null,99999,1
CSV
cat >changed.csv <<'CSV'
Email,First_Name,Last_Name,Zip,unsubscribed
ann@example.org,0001-04-01,,1234,True
bob@example.org,0001-05-01,,501,False
cy@example.org,0001-06-01,,99999,True
CSV
venv/bin/csvsort -c Email people.csv | tee sorted.csv
cmp sorted.csv changed.csv
venv/bin/in2csv people.csv | cmp - changed.csv
venv/bin/csvsort -I -c Email people.csv | grep '^ann@example.org,April,,01234,1$'
venv/bin/csvsort -I --blanks -c Email people.csv | cmp - people.csv
venv/bin/csvcut -c 1-5 people.csv | cmp - people.csv
