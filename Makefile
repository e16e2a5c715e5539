# make demo   from nothing to a trained model that reads
# make test   every check, against the wheel and not the source tree
# make bench  the speeds that docs/benchmarks.md tells
# make clean  remove what make made

# The first interpreter on the path that the package supports.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
SOURCES := pyproject.toml README.md $(shell find src -type f -not -path '*/__pycache__/*')

.PHONY: demo test bench format clean

demo: .venv/installed
	$(BIN)/handwriting demo

test: .venv/tested
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest

bench: .venv/tested
	$(BIN)/python benchmarks/run.py

format: .venv/tested
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.venv/made:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11, 3.12 or 3.13 found; install one, or say where: make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

dist/made: .venv/made $(SOURCES)
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	touch $@

.venv/installed: dist/made
	$(BIN)/python -m pip install --quiet dist/*.whl
	$(BIN)/python -m pip install --quiet --no-deps --force-reinstall dist/*.whl
	touch $@

.venv/tested: .venv/installed
	$(BIN)/python -m pip install --quiet "$$(ls dist/*.whl)[dev]"
	touch $@

clean:
	rm -rf .venv dist build handwriting-demo
