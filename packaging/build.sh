#!/bin/sh
# Build wheel and source distribution into a folder, dist by default, and check both as an index would:
# packaging/build.sh [FOLDER]
#
# The tools are those of requirements/package.txt, in an environment of their own, build/package.
# PYTHON=… chooses the interpreter.
set -eu

cd "$(dirname "$0")/.."
output=${1:-dist}
tools=build/package
wanted=$(cat requirements/package.txt requirements/build.txt | cksum)

if [ "$wanted" != "$(cat "$tools/.installed" 2>/dev/null || :)" ]; then
    rm -rf "$tools"
    "${PYTHON:-python3}" -m venv "$tools"
    "$tools/bin/pip" --disable-pip-version-check install -qq --require-hashes \
        -r requirements/package.txt -r requirements/build.txt
    printf '%s\n' "$wanted" >"$tools/.installed"
fi

rm -f "$output"/soapstone-*.whl "$output"/soapstone-*.tar.gz
"$tools/bin/python" -m build --no-isolation --outdir "$output" .
"$tools/bin/twine" check --strict "$output"/soapstone-*
"$tools/bin/check-wheel-contents" "$output"/soapstone-*.whl
