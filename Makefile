# `make help` lists the targets. All of them set up .venv first, from the lock files.

VENV := .venv
BIN := $(VENV)/bin
# The wheels and their hashes decide what is installed, not the settings of this machine's pip.
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip
PYTEST := $(BIN)/python -m pytest
# Processes that share the tests: one for each core, and one more where tests wait for Kafka.
CORES := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
PROCESSES ?= $(shell n=$(CORES); echo $$((n < 8 ? n + 1 : 8)))
COMPILE := uv pip compile --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links --quiet
LOCK := $(COMPILE) pyproject.toml
SYSTEM_TESTS := $(wildcard tests/system)
OPS := .cache/ops

.DEFAULT_GOAL := help
.PHONY: help demo test test-unit test-system test-ops ops-tools chaos check bench flames bench-peers learn-report lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Start a Kafka, replay real shop data, watch tags change
	@$(BIN)/stream-app demo

test: $(VENV)/.dev ## Run all tests, those against a real Kafka first
	@$(PYTEST) -n $(PROCESSES) tests/unit $(SYSTEM_TESTS)

test-unit: $(VENV)/.dev ## Run the tests that need no Kafka
	@$(PYTEST) -n $(CORES) tests/unit

test-system: $(VENV)/.dev ## Run the tests against a real Kafka
	@$(PYTEST) -n $(PROCESSES) tests/system

test-ops: $(VENV)/.dev ops-tools ## Test what is deployed, by helm (needs Go), Prometheus, hadolint, mkdocs
	@$(PYTEST) -n $(PROCESSES) tests/ops

ops-tools: $(OPS)/.tools $(OPS)/.prometheus ## Build and download what test-ops runs

chaos: $(VENV)/.dev ## Kill, freeze, cut and fill for minutes (SEED=7 MINUTES=3 BROKERS=three)
	@cd tests && PYTHONPATH=.. ../$(BIN)/python -m chaos

check: $(VENV)/.dev ## Lint, format, types, import direction
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/.dev ## Measure throughput, latency, restoring and memory (20 minutes)
	@$(BIN)/python -m bench

flames: $(VENV)/.dev ## Draw where a worker's time goes, working a backlog off and at 1,000 events/s
	@$(BIN)/python -m bench.flames
	@$(BIN)/python -m bench.flames --rate 1000

bench-peers: $(VENV)/.dev ## Measure the same job on Faust, Quix Streams, Bytewax, PyFlink too (40 minutes)
	@$(BIN)/python -m bench.peers.install
	@$(BIN)/python -m bench.peers

learn-report: $(VENV)/.dev ## Measure learning on a year of real purchases (4 minutes)
	@mkdir -p .cache
	@test -e .cache/purchases.ndjson.gz || { \
		$(BIN)/stream-app data --no-clicks --out .cache/purchases.part.gz && \
		mv .cache/purchases.part.gz .cache/purchases.ndjson.gz; }
	@$(BIN)/stream-app replay --catalog purchases --learn .cache/learn-report \
		.cache/purchases.ndjson.gz > /dev/null

lock: ## Choose the newest versions anew and write the lock files (needs uv)
	$(LOCK) --upgrade --extra dev -o requirements-dev.lock
	$(LOCK) --extra build --extra demo --extra otel -c requirements-dev.lock \
		-o requirements-demo.lock
	$(LOCK) --extra otel -c requirements-dev.lock -o requirements.lock
	$(COMPILE) requirements-ops.in --upgrade -o requirements-ops.lock
	$(COMPILE) deploy/image/build.in --upgrade -o deploy/image/build.lock
	for name in quix bytewax flink; do (cd bench/peers/requirements && \
		$(COMPILE) $$name.in --upgrade -o $$name.lock); done

clean: ## Remove .venv, caches and the demo's data
	rm -rf $(VENV) .broker .cache .demo .hypothesis .import_linter_cache .mypy_cache .pytest_cache \
		.ruff_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than what it was made from, so a second run starts at once.
$(BIN)/python:
	@sh scripts/venv $(VENV)

$(VENV)/.demo: requirements-demo.lock pyproject.toml | $(BIN)/python
	@test -e $(VENV)/.dev || { \
		echo "Installing what the demo needs (once; about 200 MB)"; \
		$(PIP) install --require-hashes -r requirements-demo.lock; }
	@$(PIP) install --quiet --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "Installing what the demo and the tests need (once; about 240 MB)"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --quiet --no-build-isolation --no-deps -e .
	@touch $@ $(VENV)/.demo

$(OPS)/.tools: requirements-ops.lock scripts/ops-tools $(wildcard tests/ops/tools/*)
	@sh scripts/ops-tools $(OPS)
	@touch $@

$(OPS)/.prometheus: scripts/ops-prometheus
	@sh scripts/ops-prometheus $(OPS)
	@touch $@
