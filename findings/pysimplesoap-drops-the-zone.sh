#!/bin/sh
# PySimpleSOAP 1.16.2 drops the zone of each dateTime that it reads, with no more than a RuntimeWarning, unless iso8601,
# isodate or python-dateutil is installed, of which its package requires none: 13:05:07Z and 13:05:07-05:00 are both
# 13:05:07. It writes a float with ten digits behind the point, so 1e-11 goes out as 0. Install python-dateutil with it.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check pysimplesoap==1.16.2
read_times() {
    "$work/venv/bin/python" -W ignore - <<'PYTHON'
import datetime
from importlib.metadata import version

from pysimplesoap.simplexml import SimpleXMLElement

for text in ("2024-02-29T13:05:07Z", "2024-02-29T13:05:07-05:00", "2024-02-29T13:05:07.25"):
    found = SimpleXMLElement(f"<When>{text}</When>").unmarshall({"When": datetime.datetime})
    print("PySimpleSOAP", version("pysimplesoap"), text, "->", found["When"].isoformat())
written = SimpleXMLElement("<Ask/>")
written.marshall("Rate", 1e-11)
print(written.as_xml().decode()[-35:])
PYTHON
}
read_times | tee "$work/without"
grep -q '07Z -> 2024-02-29T13:05:07$' "$work/without"
grep -q '05:00 -> 2024-02-29T13:05:07$' "$work/without"
grep -q '<Rate>0.0000000000</Rate>' "$work/without"
"$work/venv/bin/pip" install -q --disable-pip-version-check python-dateutil==2.9.0.post0
read_times | tee "$work/with"
grep -q '07Z -> 2024-02-29T13:05:07+00:00$' "$work/with"
grep -q '05:00 -> 2024-02-29T13:05:07-05:00$' "$work/with"
