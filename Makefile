# The stages of ALT, left to right: make corpus features adapter. `make help` lists all targets.

PYTHON     ?= python3
VENV       ?= .venv
BIN        := $(VENV)/bin

LABELS     ?= k400
# The commands' own defaults are ViT-B-16 with openai weights; ALT_MODEL changes them for all.
MODEL      ?=
PRETRAINED ?=
DATASET    ?= k400
SPLIT      ?=
FEATURES   ?= artifacts/features/$(DATASET)$(if $(SPLIT),-$(SPLIT)).h5
ROOT       ?=
RUN        ?= runs/$(DATASET)
DEMO       ?=

empty      :=
space      := $(empty) $(empty)
comma      := ,
BACKBONE   := $(if $(MODEL),--model "$(MODEL)") $(if $(PRETRAINED),--pretrained "$(PRETRAINED)")
CORPUS     ?=

.DEFAULT_GOAL := help
.PHONY: help setup corpus features adapter demo mini bench test lint lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  variables: LABELS="k400 ucf101" MODEL=ViT-B-16 PRETRAINED=openai DATASET=k400 SPLIT=train ROOT=… FEATURES=… RUN=… CORPUS=… DEMO="--seeds 5" PYTHON=python3.12 VENV=.venv'

setup: $(VENV)/.ready  ## virtual environment, dependencies, spaCy model, WordNet; once

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "setup: $(PYTHON) is older than 3.11; run make setup PYTHON=python3.12" >&2; exit 2; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || \
	    $(PYTHON) -m venv $(if $(wildcard $(VENV)/pyvenv.cfg),--clear) $(VENV) || \
	    { echo "setup: $(PYTHON) cannot make virtual environments; install its venv module" >&2; exit 2; }
	@echo "setup: dependencies into $(VENV) (a few minutes and several GB the first time)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-compile --require-hashes \
	    -r requirements.lock \
	    || { echo "setup: dependencies cannot be installed; connect to a package registry and run make setup again" >&2; exit 2; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true  # on all cores, where pip takes one
	@$(BIN)/python -m corpus.fetch
	@touch $@

corpus: setup  ## text corpus of LABELS, embedded by MODEL/PRETRAINED
	$(BIN)/alt-corpus build --labels "$(subst $(space),$(comma),$(strip $(LABELS)))" \
	    $(BACKBONE) $(if $(CORPUS),--out "$(CORPUS)")

features: setup  ## region features of DATASET (and its SPLIT; from ROOT, or ALT_DATA/DATASET)
	$(BIN)/alt-extract --dataset "$(DATASET)" $(if $(ROOT),--root "$(ROOT)") $(if $(SPLIT),--split "$(SPLIT)") \
	    $(BACKBONE) --out "$(FEATURES)"

adapter: setup  ## train the adapter on FEATURES
	$(BIN)/alt-adapter train --features "$(FEATURES)" --out "$(RUN)" \
	    $(if $(CORPUS),--corpus "$(CORPUS)")

demo: setup  ## the whole path on a generated world, in minutes, with no download
	$(BIN)/alt-demo run $(DEMO)

mini: setup  ## train the mini backbone on stills of the demo world; resumes
	$(BIN)/python -m pipelines.mini train

bench: setup  ## speed of the region encoder beside open_clip's own tower
	$(BIN)/python -m pipelines.bench

test: setup  ## the test suite
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

lint: setup  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lock:  ## recompute requirements.lock from pyproject.toml (needs uv)
	uv pip compile -q pyproject.toml --extra dev --universal --generate-hashes \
	    --no-annotate --no-header --no-emit-index-url -o requirements.lock

clean:  ## remove what tools leave behind; artifacts and runs stay
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
