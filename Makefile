# `make` alone prints what there is. Settings: PORT, DATA, PYTHON (the interpreter for .venv), PYTEST (further arguments).
PORT = 8080
DATA = ./data

# `make lock UPGRADE=1` takes the newest versions; without it only what pyproject.toml asks for moves.
UPGRADE =
COMPILE = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) -c requirements/constraints.txt

export PYTHON

# Test processes, and the servers that tests start, import the same modules hundreds of times: what Python compiled is
# kept, whatever the environment says.
TEST = PYTHONDONTWRITEBYTECODE= .venv/bin/python -m pytest

.PHONY: help run test test-quick test-times check interop interop-more package notices bench soak lock clean

help:
	@echo "make run        serve on 127.0.0.1 with demo data (PORT=8080 DATA=./data)"
	@echo "make test       all tests but those that drive foreign programs"
	@echo "make test-quick most of the tests: SQLite alone, no server processes, nothing slow"
	@echo "make test-times all tests; what each takes decides what test-quick leaves out"
	@echo "make check      lint, format, types and the manual"
	@echo "make interop    tests that drive foreign clients, and the installed package"
	@echo "make interop-more clients that no registry has (PHP_LISTRAK=FOLDER)"
	@echo "make package    wheel and source distribution in dist/, checked as an index does"
	@echo "make notices    the licences of all that an installation holds, in build/THIRD_PARTY_NOTICES"
	@echo "make bench      the measurements of docs/measurements.md"
	@echo "make soak       the long proofs"
	@echo "make lock       resolve requirements/ anew (UPGRADE=1: to the newest versions)"
	@echo "make clean      remove .venv and everything that was built; data stays"

run:
	@requirements/install.sh run
	@exec .venv/bin/soapstone serve --demo --port "$(PORT)" --data "$(DATA)"

test:
	@requirements/install.sh dev
	$(TEST) -m "not interop" $(PYTEST)

test-quick:
	@requirements/install.sh dev
	$(TEST) -n logical -m "not (interop or postgresql or process or long or slow)" $(PYTEST)

test-times:
	@requirements/install.sh dev
	$(TEST) -m "not interop" --store-times $(PYTEST)

check:
	@requirements/install.sh dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/mkdocs build --strict --quiet

interop:
	@requirements/install.sh dev
	@tests/interop/install.sh
	@rm -rf build/grid
	$(TEST) -m interop $(PYTEST)
	.venv/bin/python tests/interop/grid.py

interop-more:
	@requirements/install.sh dev
	.venv/bin/python tests/interop/more.py

package:
	@packaging/build.sh

notices:
	"$${PYTHON:-python3}" -m venv --clear build/notices
	build/notices/bin/pip --disable-pip-version-check install -qq --require-hashes -r requirements/image.txt
	build/notices/bin/python packaging/third_party_notices.py >build/THIRD_PARTY_NOTICES

bench:
	@requirements/install.sh bench
	@found=; for script in bench/*.py; do \
		grep -qs __main__ "$$script" || continue; \
		found=yes; echo "== $$script"; .venv/bin/python "$$script" || exit 1; \
	done; [ -n "$$found" ] || echo "There are no benchmarks yet: bench/ holds no script."

soak:
	@requirements/install.sh dev
	$(TEST) -q -m "not interop" --hypothesis-profile=random $$(grep -rl "from hypothesis import" tests --include="test_*.py")
	@tests/interop/install.sh
	TAP_SECONDS=180 $(TEST) -q -m interop tests/interop/test_tap_listrak.py
	@found=; for script in bench/soak/*.py; do \
		[ -f "$$script" ] || continue; \
		found=yes; echo "== $$script"; .venv/bin/python "$$script" || exit 1; \
	done; [ -n "$$found" ] || echo "There are no long proofs yet: bench/soak/ holds no script."

# The dev lock comes first and the others follow its versions, so that one environment can serve them all.
lock:
	@requirements/install.sh dev
	$(COMPILE) pyproject.toml --extra postgresql --extra s3 --group dev --group docs -o requirements/dev.txt
	$(COMPILE) -c requirements/dev.txt pyproject.toml --group demo -o requirements/run.txt
	$(COMPILE) -c requirements/dev.txt pyproject.toml --extra postgresql --extra s3 -o requirements/image.txt
	$(COMPILE) -c requirements/dev.txt --group build -o requirements/build.txt
	$(COMPILE) -c requirements/dev.txt -c requirements/build.txt --group package -o requirements/package.txt
	$(COMPILE) -c requirements/dev.txt --group bench -o requirements/bench.txt

clean:
	rm -rf .venv build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/interop/node/node_modules tests/interop/openapi/environment tests/interop/tap/environment tests/interop/buckets/environment
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
