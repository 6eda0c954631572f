#!/bin/sh
# openapi-python-client 0.29.1 puts a backslash before a double quote in the default of a parameter: the client sends
# two characters, \", where the description says one, ".
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check openapi-python-client==0.29.1
"$work/venv/bin/openapi-python-client" --version
cat >"$work/openapi.json" <<'JSON'
{"openapi": "3.1.0", "info": {"title": "Quotes", "version": "1"}, "paths": {"/x": {"get": {
  "operationId": "read", "tags": ["all"], "responses": {"204": {"description": "Nothing"}},
  "parameters": [{"name": "quote", "in": "query", "schema": {"type": "string", "maxLength": 1, "default": "\""}}]}}}}
JSON
printf 'post_hooks: []\npackage_name_override: quotes\n' >"$work/config.yml"
"$work/venv/bin/openapi-python-client" generate --path "$work/openapi.json" --config "$work/config.yml" \
    --output-path "$work/client" --fail-on-warning
cd "$work/client"
"$work/venv/bin/python" - <<'PYTHON'
from quotes.api.all_.read import _get_kwargs

sent = _get_kwargs()["params"]["quote"]
print("the client sends", repr(sent), "of", len(sent), "characters")
assert sent == '\\"', "the behaviour has changed"
PYTHON
