#!/bin/sh
# Miller 6.6.0 of Debian 12 (mlr) guesses numbers when it turns CSV into JSON, and prints them as they stand in the CSV: the
# customer code 0x1F, and .5, 5. and 0b11 go out without quotes. JSON has no such numbers (RFC 8259 6), so parsers refuse
# the whole file, and mlr itself cannot read it. 12E5 is a number, 1200000 for most parsers; 007 and +4930123 stay texts.
# With -S, or --infer-none, all values are texts. It writes tabs and line breaks into TSV as \t and \n, two characters, which
# a reader of CSV with tabs takes as they are.
# Needs Debian 12.
set -eu
version=6.6.0-2+b3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "miller=$version"
dpkg -x miller_*.deb .
mlr() { usr/bin/mlr "$@"; }
mlr --version
is_json() { python3 -m json.tool "$1" >/dev/null 2>&1; }
for value in 0x1F .5 5. 0b11 12E5 007 +4930123; do
    printf 'Email,Code\nann@example.org,%s\n' "$value" >people.csv
    mlr --icsv --ojson cat people.csv >guessed.json
    mlr -S --icsv --ojson cat people.csv >texts.json
    is_json texts.json
    mlr --ijson --ocsv cat texts.json | diff people.csv -
    state=$(is_json guessed.json && echo JSON || echo "no JSON")
    echo "$(grep Code guessed.json): $state"
    case $value in
    12E5 | 007 | +4930123) [ "$state" = JSON ] ;;
    *) [ "$state" = "no JSON" ] && ! mlr --ijson --ocsv cat guessed.json >/dev/null 2>&1 || exit 1 ;;
    esac
done
printf 'Email,Notes\nann@example.org,"a\tb\nc"\n' >people.csv
mlr --icsv --otsv cat people.csv | tee people.tsv
[ "$(tail -n 1 people.tsv)" = "$(printf 'ann@example.org\ta\\tb\\nc')" ]
