# `make` checks the code quickly; `make demo` shows it at work; `make test` is all that CI runs.
# Everything is installed into .venv; Debian packages only where a target says so.

PYTHON ?= python3
BIN := .venv/bin
SEED ?= 1
KILLS ?= 1000
CRASHES ?= 20000
MINUTES ?= 30

.PHONY: all lint types fast test again demo bench crash long sim soak servers peers fmt docs clean

all: lint types fast

lint: .venv/dev
	$(BIN)/ruff format --check src tests bench docs
	$(BIN)/ruff check src tests bench docs

types: .venv/dev
	$(BIN)/mypy

fast: .venv/dev
	EFFORT=quick $(BIN)/pytest -n auto -m "not slow"

test: .venv/dev .venv/readers
	@command -v zstd >/dev/null || { apt-get update -q && apt-get install -y -q zstd; }
	@command -v systemd-analyze >/dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends systemd; }
	@command -v chromium >/dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends chromium; }
	@command -v prometheus >/dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends prometheus; }
	$(MAKE) lint types
	$(BIN)/pytest -n auto || { test $$? -eq 1 && $(MAKE) again; }

# Real processes, clocks and sockets on a busy machine: what failed beside thousands of others has to pass alone.
again: .venv/dev
	$(BIN)/pytest -n 0 --last-failed --last-failed-no-failures none

demo: .venv/run
	$(BIN)/personastream demo

bench: .venv/bench
	@command -v nginx >/dev/null || { apt-get update -q && apt-get install -y -q nginx-light; }
	$(BIN)/python -m bench.run_all

crash: .venv/dev
	$(BIN)/python -m tests.crash --kills $(KILLS) --seed $(SEED)

long: .venv/dev
	EFFORT=whole $(BIN)/pytest -n auto tests/crash tests/simulation tests/sinks

sim: .venv/dev
	$(BIN)/python -m tests.simulation --crashes $(CRASHES) --seed $(SEED)

soak: .venv/dev
	$(BIN)/python -m tests.soak --minutes $(MINUTES)

servers: .venv/dev .venv-servers/done
	SERVERS=.venv-servers $(BIN)/pytest -m servers tests/servers

peers: .venv/bench .venv-peers/done

fmt: .venv/dev
	$(BIN)/ruff check --fix src tests bench docs
	$(BIN)/ruff format src tests bench docs

docs: .venv/dev
	$(BIN)/python -m docs.configuration

clean:
	rm -rf .venv .venv-servers .venv-peers .mypy_cache .pytest_cache .ruff_cache .hypothesis runs

# One environment; each stamp says which extras it holds.
.venv/python:
	$(PYTHON) -m venv .venv || { apt-get update -q && apt-get install -y -q python3-venv && $(PYTHON) -m venv .venv; }
	touch $@

.venv/run: .venv/python pyproject.toml
	$(BIN)/pip install -q -e .
	touch $@

.venv/dev: .venv/python pyproject.toml
	$(BIN)/pip install -q -e '.[dev]'
	touch $@ .venv/run

.venv/readers: .venv/dev
	$(BIN)/pip install -q -e '.[readers]'
	touch $@

# Real servers live apart: their packages do not agree with ours. llama-cpp-python is compiled, for some 15 minutes.
.venv-servers/done:
	@command -v c++ >/dev/null || { apt-get update -q && apt-get install -y -q g++; }
	$(PYTHON) -m venv .venv-servers
	CMAKE_BUILD_PARALLEL_LEVEL=2 .venv-servers/bin/pip install -q 'litellm[proxy]>=1.108' 'llama-cpp-python[server]>=0.3.36' 'gguf>=0.19'
	touch $@

.venv/bench: .venv/dev
	$(BIN)/pip install -q -e '.[bench]'
	touch $@

# Packages to compare with; two of them are both called simhash.
.venv-peers/done:
	for each in one two three; do $(PYTHON) -m venv .venv-peers/$$each || exit; done
	.venv-peers/one/bin/pip install -q rensa datasketch gaoya simhash text-dedup
	.venv-peers/two/bin/pip install -q simhash-pybind
	.venv-peers/three/bin/pip install -q 'datatrove[io,processing]' spacy
	touch $@
