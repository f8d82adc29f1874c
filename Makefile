# make install | demo | test | bench | docs
VENV ?= .venv
PYTHON ?= python3
# The CPU build of torch unless told otherwise; see README.md for GPUs.
TORCH ?= torch==2.13.0
BIN := $(VENV)/bin
CORES ?= $(shell nproc 2>/dev/null || echo 2)
WORKERS ?= $(CORES)
export OMP_NUM_THREADS := 1
export NUMBA_NUM_THREADS := 1

.PHONY: install demo test check peer bench docs clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --editable '.[model,root,sim,report,dev]'
	touch $@

demo: install
	$(BIN)/snakemake --cores $(CORES) --profile workflow/profiles/default --directory demo \
	    --config input="$(CURDIR)/tests/data/larcv2_sample.root"
	@echo "tables: demo/results/tables  report: demo/results/report.html  display: demo/results/events.html"

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy spine
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check Snakefile workflow

PEER_VENV ?= .venv-peer

# The distribution whose reader opens what we write, and its source archive with the examples of its configurations;
# tests that need them are skipped where they cannot be had.
peer: $(PEER_VENV)/.installed $(PEER_VENV)/.examples

$(PEER_VENV)/.installed:
	test -x $(PEER_VENV)/bin/python || $(PYTHON) -m venv $(PEER_VENV)
	$(PEER_VENV)/bin/python -m pip install --quiet "spine==1.4.3" && touch $@ || echo "no environment with spine==1.4.3: its tests are skipped"

$(PEER_VENV)/.examples: $(PEER_VENV)/.installed
	$(PEER_VENV)/bin/python -m pip download --quiet --no-deps --no-binary :all: --dest $(PEER_VENV)/sdist "spine==1.4.3" \
	    && tar -xzf $(PEER_VENV)/sdist/spine-1.4.3.tar.gz -C $(PEER_VENV)/sdist && touch $@ \
	    || echo "no source archive of spine==1.4.3: the tests of its configurations are skipped"

test: check peer
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile

bench: install
	$(BIN)/python -m benchmarks.run

docs: install
	$(BIN)/python -m spine.document docs

clean:
	rm -rf demo .pytest_cache .mypy_cache .ruff_cache
