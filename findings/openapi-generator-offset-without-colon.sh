#!/bin/sh
# The Python client that openapi-generator 7.26.0 makes writes a date-time parameter as 2026-01-31T08:00:00.000000+0200.
# OpenAPI's date-time is that of RFC 3339 (5.6), whose offset has a colon: a strict server refuses it. In a body the same
# client writes +02:00. A time without a zone goes out without one.
# Take offsets without a colon, or set datetime_format of the client's Configuration and give times in UTC:
# "%Y-%m-%dT%H:%M:%SZ". Needs Java.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check openapi-generator-cli==7.26.0
cat >openapi.json <<'JSON'
{"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": {"/people": {"get": {"operationId": "find",
 "parameters": [{"name": "since", "in": "query", "schema": {"type": "string", "format": "date-time"}}],
 "responses": {"200": {"description": "found"}}}}}}
JSON
venv/bin/openapi-generator-cli generate -g python -i openapi.json -o client >log 2>&1 || { cat log; exit 1; }
venv/bin/pip install -q --disable-pip-version-check ./client
venv/bin/python - <<'PYTHON'
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from urllib.parse import unquote

import openapi_client


def sent(at, **settings):
    """Return the query of a call."""
    client = openapi_client.ApiClient(openapi_client.Configuration(host="http://127.0.0.1:9", **settings))
    urls = []
    client.call_api = lambda method, url, *others, **more: urls.append(unquote(url)) or 1 / 0
    try:
        openapi_client.DefaultApi(client).find(since=at)
    except ZeroDivisionError:
        pass
    print(urls[0])
    return urls[0].partition("=")[2]


print("openapi-generator", version("openapi-generator-cli"))
at = datetime(2026, 1, 31, 8, tzinfo=timezone(timedelta(hours=2)))
assert sent(at) == "2026-01-31T08:00:00.000000+0200"
assert sent(at.replace(tzinfo=None)) == "2026-01-31T08:00:00.000000"
assert sent(at.astimezone(timezone.utc), datetime_format="%Y-%m-%dT%H:%M:%SZ") == "2026-01-31T06:00:00Z"
PYTHON
