#!/bin/sh
# Make .venv hold what a make target needs: requirements/install.sh run|dev|bench
#
# run: the server and the printed example scripts. dev: the same, and all that tests, checks and the manual need.
# bench: the dev set, and the servers that the benches compare with.
# Both locks pin the same versions, so the dev set serves `make run` as well and nothing is taken away on a switch.
# Stamps in .venv hold checksums of what was installed; when they still fit, this ends at once.
# PYTHON=… chooses the interpreter; without it the first suitable one on PATH is taken.
set -eu

cd "$(dirname "$0")/.."
wanted=$1
bench=
[ "$wanted" != bench ] || bench=yes wanted=dev
venv=.venv

fail() {
    printf 'soapstone: %s\n' "$1" >&2
    exit 1
}

# The locks are resolved and checked for these versions; a newer Python is taken only when PYTHON names it.
locked() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' </dev/null >/dev/null 2>&1; }
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' </dev/null >/dev/null 2>&1; }
can_make_venv() { "$1" -c 'import ensurepip, venv' </dev/null >/dev/null 2>&1; }
# Tells one interpreter from another; the same in an environment made by it.
identity() { "$1" -c 'import sys; print(sys.base_prefix, sys.version.split()[0])' </dev/null 2>/dev/null; }

choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        command -v "$PYTHON" >/dev/null || fail "PYTHON=$PYTHON is not there; name a Python 3.11 or newer"
        new_enough "$PYTHON" || fail "PYTHON=$PYTHON is too old or does not start; name a Python 3.11 or newer"
        printf '%s\n' "$PYTHON"
        return
    fi
    without_venv=
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        locked "$candidate" || continue
        if can_make_venv "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
        without_venv=${without_venv:-$candidate}
    done
    [ -z "$without_venv" ] || lacks_venv "$without_venv"
    fail "needs Python 3.11 to 3.14; install one (Debian, Ubuntu: apt install python3 python3-venv) or name it with PYTHON=…"
}

lacks_venv() {
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    fail "$1 cannot make virtual environments; on Debian or Ubuntu: apt install python$version-venv"
}

make_venv() {
    # What follows would empty the environment that it leads to.
    [ ! -L "$venv" ] || fail "$venv is a link to an environment made elsewhere; remove the link first"
    python=$(choose_python)
    can_make_venv "$python" || lacks_venv "$python"
    printf 'Making %s with %s (%s)\n' "$venv" "$python" "$("$python" --version 2>&1)"
    "$python" -m venv --clear "$venv"
    printf '%s\n' "$here" >"$venv/.place"
}

# A stamp fits when its file holds the checksum of the given files as they are now.
fits() {
    stamp=$venv/.$1
    shift
    [ -f "$stamp" ] && [ "$(cat "$@" | cksum)" = "$(cat "$stamp")" ]
}

# Errors only: warnings here are about the machine's own pip settings.
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --no-input -qq "$@"; }

# An environment serves only where it was made (its scripts hold its path), while its Python is there and suitable,
# and when it is the one that PYTHON names.
here=$(pwd -P)
usable=yes
[ -f "$venv/.place" ] && [ "$(cat "$venv/.place")" = "$here" ] && new_enough "$venv/bin/python" || usable=
if [ -n "$usable" ] && [ -n "${PYTHON:-}" ]; then
    [ "$(identity "$PYTHON")" = "$(identity "$venv/bin/python")" ] || usable=
fi
[ -n "$usable" ] || make_venv

if ! fits dev requirements/dev.txt requirements/build.txt; then
    if [ "$wanted" = dev ] || ! fits run requirements/run.txt requirements/build.txt; then
        printf 'Installing the %s set from requirements/ into %s (about half a minute)\n' "$wanted" "$venv"
        rm -f "$venv/.run" "$venv/.dev"
        pip install --require-hashes -r "requirements/$wanted.txt" -r requirements/build.txt
        cat "requirements/$wanted.txt" requirements/build.txt | cksum >"$venv/.$wanted"
    fi
fi

if ! fits package pyproject.toml; then
    # --no-index proves it: the package is built with what the locks brought.
    pip install --no-index --no-deps --no-build-isolation --editable .
    cksum <pyproject.toml >"$venv/.package"
fi

if [ -n "$bench" ] && ! fits bench requirements/bench.txt; then
    printf 'Installing the bench set from requirements/ into %s\n' "$venv"
    # One of them is built here, and uv can hold the builder to the lock as well.
    "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --require-hashes \
        --build-constraints requirements/bench.txt -r requirements/bench.txt
    cksum <requirements/bench.txt >"$venv/.bench"
fi
