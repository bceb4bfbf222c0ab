# Everything a fresh machine with Python 3.11+ and make needs: `make tune` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

REGION := forehead_wrinkle
PACK := runs/packs/$(REGION)-72.arrow
EXPERIMENT := sample

.PHONY: setup tune test short e2e chaos check bench findings clean

setup: $(READY)

# uv fills the environment several times faster than pip. Compiled once here, not by each of the processes that Ray starts.
$(READY): requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --requirement requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

# A second run shows what is there, after an interruption it goes on.
tune: $(PACK)
	$(BIN)/skin-tune tune $(PACK) --space search_spaces/sample.yaml --name $(EXPERIMENT) \
	  $(if $(wildcard runs/experiments/$(REGION)/$(EXPERIMENT)/asked.json),--resume)

runs/sample: | $(READY)
	$(BIN)/skin-tune sample $@ --subjects 80

$(PACK): | $(READY) runs/sample
	$(BIN)/skin-tune prepare runs/sample --region $(REGION) --size 72 --out runs/packs

# The tests of clusters and training, and those that race against a process of their own, run two files at a time, the short
# ones last, then all others beside the one that brings a cluster up.
# A process has one thread unless a trial gives it more, threads that wait leave the core to other tests, memory that one step
# frees is kept for the next, and the package is compiled once, not by each process.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive MALLOC_TRIM_THRESHOLD_=4000000000 \
  MALLOC_MMAP_THRESHOLD_=4000000000 $(BIN)/python -m pytest
LONG := tests/test_examples.py tests/test_api.py tests/results/store/test_beside_a_writer.py \
  tests/tuning/tracking/test_wandb_process.py tests/integration tests/inference tests/training

test: $(READY)
	$(PYTEST) --numprocesses 2 --dist loadfile --no-loadscope-reorder $(LONG)
	$(MAKE) --no-print-directory --jobs 2 short e2e

short: $(READY)
	$(PYTEST) $(LONG:%=--ignore %)

# Hands jobs to a Slurm queue of its own, then brings a cluster up and down over ssh on this machine, and ends every Ray process
# on it.
e2e: $(READY)
	$(BIN)/python -m pytest -m e2e tests/e2e

# Kills whole runs at random moments, for about ten minutes, then repeats a few tests of `make test` in another way;
# CHAOS_SEED=N repeats the moments of an earlier time.
chaos: $(READY)
	$(PYTEST) -m chaos tests/chaos tests/integration --capture no

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m benchmarks

# What other libraries do where a good guess is wrong: each script installs them afresh, and fails where that has changed.
findings:
	@changed=; \
	for script in findings/*.sh; do echo "$$script"; $$script || changed="$$changed $$script"; done; \
	if [ -n "$$changed" ]; then echo "no longer as stated, or not installed:$$changed"; exit 1; fi

clean:
	rm -rf runs $(VENV)
