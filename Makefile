# The two commands that matter: `make demo` and `make test`. Everything happens inside .venv.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test lint types check docs bench samples clean

demo: $(READY)
	@sh scripts/demo.sh

test: lint types check

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

check: $(READY)
	$(BIN)/pytest -n auto $(ARGS)

docs: $(READY)  ## regenerate the pages that are made from the code
	$(BIN)/python scripts/make_docs.py

bench: $(READY)
	$(BIN)/python -m benchmarks.run $(ARGS)
	$(BIN)/python -m benchmarks.attribution

samples: $(READY)  ## make sample_logs/ and sample_pcaps/ anew; needs root and Debian's servers
	$(BIN)/python scripts/make_samples.py
	$(BIN)/python sample_pcaps/make.py

$(READY): pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "l7meter needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt -e .
	@touch $@

clean:
	rm -rf .venv demo build dist .pytest_cache .mypy_cache .ruff_cache
