# Everything that people and CI do here; needs Python 3.11 or newer and make. `make` alone lists the targets.
#   make PYTHON=python3.12 …   which Python makes the environment .venv
#   make test ARGS="-k ledger" what to add to the command that a target runs

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
UV_COMPILE := $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help demo test lint format bench bench-full chaos fuzz fuzz-full mutants examples kafka lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.run ## run the whole job on this machine: broker, data mart, engines, worker
	@$(BIN)/payload-worker demo $(ARGS)

test: lint ## lint, then run the tests, on real Apache Kafka where it is to be had
	@$(BIN)/python -m tests.kafka --fetch
	@$(BIN)/python -m tests.registry --fetch
	@$(BIN)/python -m tests.real_client
	@$(BIN)/python -m tests.producers
	@$(BIN)/python -m pytest --numprocesses 3 --dist worksteal $(ARGS)

lint: $(VENV)/.dev ## check style and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: $(VENV)/.dev ## put the code into the project's format
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

bench: $(VENV)/.dev ## measure the worker beside the quickest peers, in some minutes
	@$(BIN)/python -m tests.kafka --fetch
	@$(BIN)/python -m bench compare $(ARGS)

bench-full: $(VENV)/.dev ## measure it beside all peers, before endpoints of 0 and 20 ms
	@$(BIN)/python -m tests.kafka --fetch
	@$(BIN)/python -m bench compare --full --keep $(ARGS)

chaos: $(VENV)/.dev ## play the reliability scenarios (ARGS=--full: at the promised sizes)
	@$(BIN)/python -m tests.kafka --fetch
	@$(BIN)/python -m chaos $(ARGS)

fuzz: $(VENV)/.dev ## send mutated records through all rooms, beside a plain decoder (ARGS="--seed 5 --only 17": one again)
	@$(BIN)/python -m tests.fuzz $(ARGS)

fuzz-full: $(VENV)/.dev ## ten million of them: half an hour
	@$(BIN)/python -m tests.fuzz --messages 10000000 $(ARGS)

mutants: $(VENV)/.dev ## put deliberate defects into copies of the tree; each must be caught by a test
	@$(BIN)/python -m mutants $(ARGS)

examples: $(VENV)/.dev ## build the example producers and send from each (ARGS="--events 10000": that many)
	@$(BIN)/python -m tests.kafka --fetch
	@$(BIN)/python -m tests.producers
	@REQUIRE_REAL_KAFKA=1 $(BIN)/python -m pytest tests/producers $(ARGS)

kafka: $(VENV)/.dev ## run a real broker in the foreground, to try things
	@$(BIN)/python -m tests.kafka

lock: $(VENV)/.made ## lock the dependencies anew, with hashes (ARGS=--upgrade: at their newest)
	@$(PIP) install "uv>=0.9"
	$(UV_COMPILE) $(ARGS) --extra sandbox -o requirements/run.txt pyproject.toml requirements/build.in
	$(UV_COMPILE) $(ARGS) --all-extras -c requirements/run.txt -o requirements/dev.txt pyproject.toml requirements/build.in
	$(UV_COMPILE) $(ARGS) --no-emit-package h5py -o requirements/real-client.txt requirements/real-client.in
	$(UV_COMPILE) $(ARGS) -o requirements/real-client-v2.txt requirements/real-client-v2.in
	@for peer in bench/peers/*.in; do \
		echo "$$peer"; $(UV_COMPILE) $(ARGS) -o "$${peer%.in}.txt" "$$peer" || exit 1; done

clean: ## remove all that was made here: the environment, the fetched broker, caches
	@rm -rf $(addprefix examples/producers/*/,build dist target node_modules) $(VENV) .kafka .registry .bench .openscale-client dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp is written after its last command succeeded, so what failed is tried again.

$(VENV)/.made:
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "make: there is no $(PYTHON) here; install Python 3.11 or newer, or say make PYTHON=…" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $$("$(PYTHON)" --version) is too old; Python 3.11 or newer is needed: make PYTHON=python3.11 …" >&2; \
		exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "make: $(PYTHON) cannot make environments; install its venv module (Debian: apt install python3-venv)" >&2; \
		exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	@touch $@

$(VENV)/.run $(VENV)/.dev: $(VENV)/.%: requirements/%.txt pyproject.toml hatch_build.py worker/extension/_rooms.c $(VENV)/.made
	$(PIP) install --require-hashes -r $<
	$(PIP) install --no-deps --no-build-isolation --no-index --editable .
	@touch $@
