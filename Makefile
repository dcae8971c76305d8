# Everything a newcomer needs: `make demo` looks, `make test` proves, `make help` lists the rest.
# Packages are installed into .venv only, at the versions of constraints.txt.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
DEMO ?= demo

.DEFAULT_GOAL := help
.PHONY: help demo test setup check bench docs clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## install base and essentia, then sing a corpus, mine it, ask it and plot it into demo/
	$(BIN)/motifdb demo $(DEMO)

# three processes on two cores: tests that wait for Ray or for what they kill leave room for another
test: $(VENV)/.all check ## install everything, then lint, type check, check import layers and docs, run all tests
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile

setup: $(VENV)/.all ## install everything for development, and the pre-commit hooks
	@if git rev-parse --git-dir >/dev/null 2>&1; then $(BIN)/pre-commit install; fi

check: $(VENV)/.all ## formatting, lint, strict types, import layers, generated docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/make_tables.py --check

bench: $(VENV)/.all ## run every benchmark; each prints its command, machine, input size and figures
	@set -e; for b in benchmarks/[!_]*.py; do echo "== $$b"; $(BIN)/python $$b; done

docs: $(VENV)/.all ## write docs/tables.md anew from the declarations of tables and views
	$(BIN)/python docs/make_tables.py

clean: ## remove .venv, the demo and everything that tools left behind
	rm -rf $(VENV) $(DEMO) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# Stamps: a second `make` installs nothing; a changed pyproject.toml or constraints.txt installs again.
$(VENV)/bin/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "motifdb needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	"$(PYTHON)" -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[essentia]'
	@touch $@

$(VENV)/.all: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[all,dev]'
	@touch $(VENV)/.demo $@
