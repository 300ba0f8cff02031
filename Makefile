# The pipeline's stages. `make help` lists them; `make all` goes from nothing to a checked submission.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
# Also with -j: each stage uses all cores by itself, and reads what the one before it wrote.
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules

# What you may set: make all RECIPE=strong SEED=3 SET="training.epochs=5"
SOURCE ?=
RECIPE ?=
RUN ?=
SEED ?=
SET ?=
FOLDS ?=
SEEDS ?=
RUNS ?=
INDEX ?=
IMAGE ?=
FORCE ?=
TRIALS ?=
STORAGE ?=
TRACK ?=
EXECUTOR ?=
DASK ?=
DATA ?= data
SUBMISSIONS ?= submissions
VENV ?= .venv

# Values travel in the environment, so that no shell ever takes their quotes and spaces apart;
# $(call quote,...) is for the few places where one does stand in a command.
quote = '$(subst ','\'',$(1))'
export DIGITS_SOURCE = $(SOURCE)
export DIGITS_RECIPE = $(RECIPE)
export DIGITS_RUN = $(RUN)
export DIGITS_SEED = $(SEED)
export DIGITS_SET = $(SET)
export DIGITS_FOLDS = $(FOLDS)
export DIGITS_SEEDS = $(SEEDS)
export DIGITS_RUNS = $(RUNS)
export DIGITS_INDEX = $(INDEX)
export DIGITS_IMAGE = $(IMAGE)
export DIGITS_FORCE = $(FORCE)
export DIGITS_TRIALS = $(TRIALS)
export DIGITS_STORAGE = $(STORAGE)
export DIGITS_TRACK = $(TRACK)
export DIGITS_EXECUTOR = $(EXECUTOR)
export DIGITS_DASK = $(DASK)
export DIGITS_DATA = $(DATA)
export DIGITS_SUBMISSIONS = $(SUBMISSIONS)

# What is to be installed beyond the pipeline itself, as names of pyproject.toml's extras. A
# scheduler's address alone means dask.
EXTRAS := $(filter mlflow wandb,$(TRACK)) $(filter dask,$(or $(EXECUTOR),$(if $(DASK),dask)))
comma := ,
space := $(subst ,, )
EXTRAS_LIST := $(subst $(space),$(comma),$(strip $(EXTRAS)))

ifneq ($(word 2,$(VENV)),)
  $(error VENV=$(VENV): a virtual environment for make must have no spaces in its name)
endif

# The interpreter that makes .venv: the first of these that is new enough.
PYTHONS := python3 python python3.14 python3.13 python3.12 python3.11
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
ifeq ($(strip $(VENV)),)
  PYTHON ?= $(firstword $(shell for p in $(PYTHONS); do $$p -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$p && break; done))
  RUNNER := $(PYTHON)
  INSTALLED :=
  INSTALLED_DEV :=
  INSTALLED_STRESS :=
  INSTALLED_TUNE :=
else
  RUNNER := $(VENV)/bin/python
  INSTALLED_BASE := $(VENV)/.installed
  INSTALLED := $(INSTALLED_BASE)
  ifneq ($(strip $(EXTRAS)),)
    INSTALLED := $(addprefix $(VENV)/.installed-,$(EXTRAS))
  endif
  INSTALLED_DEV := $(VENV)/.installed-dev
  INSTALLED_STRESS := $(VENV)/.installed-stress
  INSTALLED_TUNE := $(VENV)/.installed-optuna
  ifeq ($(wildcard $(RUNNER)),)
    PYTHON ?= $(firstword $(shell for p in $(PYTHONS); do $$p -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$p && break; done))
  else
    PYTHON := $(RUNNER)
  endif
endif
ifneq ($(filter-out help clean distclean,$(MAKECMDGOALS)),)
  ifeq ($(PYTHON),)
    $(error no Python 3.11 or newer was found; install one, or name it: make all PYTHON=/path/to/python)
  endif
endif
INTERPRETER = $(call quote,$(RUNNER))
DIGITS = $(INTERPRETER) -m pipeline
# What is imported is compiled then, and kept even if PYTHONDONTWRITEBYTECODE is set, as in many
# containers: each command would compile pandas anew. Compiling everything takes longer than fetching it.
unexport PYTHONDONTWRITEBYTECODE
INSTALL = -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt --editable

# Others that find no environment wait until this one has made it.
ALONE = $(call quote,$(PYTHON)) -m pipeline.system.exclusive $(VENV)

.PHONY: help
help: ## List targets and variables
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@printf '\nVariables (make all RECIPE=strong SEED=3):\n'
	@printf '  %-12s %s\n' \
	  SOURCE 'auto, kaggle, kaggle-notebook, mnist-csv, practice, or a path to a folder or zip' \
	  RECIPE 'a name from pipeline/recipes, or a path ending in .toml' \
	  SEED 'a whole number; the seed of weights, batches and dropout' \
	  SET '"key=value ...": override single values of the recipe' \
	  FOLDS 'a number of folds; trains a network for each and averages them' \
	  SEEDS 'for seeds: how many seeds, or which ones, "0 3 7"' \
	  RUN 'a name of your own for the run; alone, it names an existing run' \
	  RUNS 'for blend and compare: names of finished runs, "a b c"' \
	  INDEX 'for look: a row of train.csv, from 0' \
	  IMAGE 'for predict: a picture file' \
	  FORCE '1: do the stage again though nothing changed (submit, push: send again)' \
	  TRIALS 'for tune: how many sets of values are tried, in all' \
	  STORAGE 'for tune: the address of a database that several machines share' \
	  TRACK 'mlflow or wandb: tell that tracking service of the run' \
	  EXECUTOR 'local, or dask: train on the workers of a cluster' \
	  DASK 'the address of a dask scheduler, tcp://host:8786; without, a cluster here' \
	  DATA 'folder of raw data, arrays and runs (data)' \
	  SUBMISSIONS 'folder of submission files and their ledger (submissions)' \
	  VENV 'the virtual environment (.venv); VENV= uses the interpreter at hand'

# ---- the whole way, and single stages: each decides by itself whether it is due --------------
.PHONY: all
all: $(INSTALLED) ## Do every stage that is due, up to the checked CSV and a summary
	@$(DIGITS) all

.PHONY: download preprocess train validate submission submit
download: $(INSTALLED) ## Fetch the digits of SOURCE into data/raw
	@$(DIGITS) download
preprocess: $(INSTALLED) ## Check the CSV files and turn them into arrays
	@$(DIGITS) preprocess
train: $(INSTALLED) ## Train the network of RECIPE; goes on where it was interrupted
	@$(DIGITS) train
validate: $(INSTALLED) ## Measure the run on the digits held out of training
	@$(DIGITS) validate
submission: $(INSTALLED) ## Predict the test digits and write the checked CSV
	@$(DIGITS) submission
submit: $(INSTALLED) ## Send the CSV to Kaggle and show the score
	@$(DIGITS) submit

.PHONY: seeds
seeds: $(INSTALLED) ## Train and validate with SEEDS=3 seeds, and show how much is luck
	@$(DIGITS) seeds

.PHONY: blend
blend: $(INSTALLED) ## Average the finished RUNS="a b c" into a new run, with a CSV
	@$(DIGITS) blend

.PHONY: tune
tune: $(INSTALLED_TUNE) ## Search the ranges of RECIPE for better settings; goes on with TRIALS=
	@$(DIGITS) tune

.PHONY: report compare
report: $(INSTALLED) ## Write a page about the run, to open in a browser
	@$(DIGITS) report
compare: $(INSTALLED) ## Put the validated RUNS="a b c" side by side, on a page and here
	@$(DIGITS) compare

.PHONY: look errors predict
look: $(INSTALLED) ## Show the digit in row INDEX=42 of train.csv, and what the run reads in it
	@$(DIGITS) look
errors: $(INSTALLED) ## Show the held-out digits that the run misreads
	@$(DIGITS) errors
predict: $(INSTALLED) ## Read the digit in a picture of your own: IMAGE=my-digit.png
	@$(DIGITS) predict

# A new push is of the code as it is now.
.PHONY: notebook push
notebook: $(INSTALLED) ## Write a notebook that runs all of this at Kaggle
	@$(DIGITS) notebook
push: $(INSTALLED) ## Write the notebook and send it to Kaggle, where it runs
	@$(DIGITS) notebook
	@$(DIGITS) push

.PHONY: runs trace reproduce
runs: $(INSTALLED) ## List runs and submissions
	@$(DIGITS) runs
trace: $(INSTALLED) ## Show what RUN (or a CSV, a submission's number, a score) was made of
	@$(DIGITS) trace
reproduce: $(INSTALLED) ## Train RUN again from its record, and compare the bits
	@$(DIGITS) reproduce

# ---- working on the pipeline itself ----------------------------------------------------------
.PHONY: test stress lint results figures tour
test: $(INSTALLED_DEV) ## Run the tests
	@$(INTERPRETER) -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
stress: $(INSTALLED_STRESS) ## Try to break the pipeline, at length, and write docs/reliability.md
	@$(INTERPRETER) -m tests.stress
lint: $(INSTALLED_DEV) ## Check style, formatting and types
	@$(INTERPRETER) -m ruff check .
	@$(INTERPRETER) -m ruff format --check .
	@$(INTERPRETER) -m mypy
results: $(INSTALLED) ## Write the documents' tables of results from the runs
	@$(INTERPRETER) -m docs.make_results
figures: $(INSTALLED) ## Make the pictures of the documents
	@$(INTERPRETER) -m docs.make_figures
tour: $(INSTALLED_DEV) ## Take the README's pictures, with the browser on this machine
	@$(INTERPRETER) -m docs.make_tour

# PyTorch is large, and nothing else needs it: it has an environment of its own.
BENCH_VENV ?= .venv-bench
BENCH_RUNNER = $(BENCH_VENV)/bin/python
.PHONY: bench
bench: $(BENCH_VENV)/.installed ## Compare the network's speed with PyTorch's and scikit-learn's
	@$(BENCH_RUNNER) -m pytest --quiet benchmarks
	@$(BENCH_RUNNER) -m benchmarks

$(BENCH_VENV)/.installed: pyproject.toml constraints.txt
	@echo "Installing into $(BENCH_VENV) (PyTorch is some hundred megabytes) ..."
	@$(call quote,$(PYTHON)) -m venv $(BENCH_VENV)
	@$(BENCH_RUNNER) $(INSTALL) '.[bench]'
	@touch "$@"

.PHONY: scale
scale: $(INSTALLED) ## Measure the stages on up to a hundred times as many digits
	@$(INTERPRETER) -m benchmarks.scale

.PHONY: install
install: $(INSTALLED) ## Make .venv and install (VENV=: install into the interpreter at hand)
ifeq ($(strip $(VENV)),)
	@$(INTERPRETER) $(INSTALL) '.$(addsuffix ],$(addprefix [,$(EXTRAS_LIST)))'
else
$(RUNNER):
	@echo "Making $(VENV) with $(PYTHON) ..."
	@$(ALONE) sh -c 'test -x "$$1" || "$$2" -m venv "$$3" || { rm -rf "$$3"; echo "Error: $$2 cannot make a virtual environment; install its venv module (Debian: apt install python3-venv), or use the interpreter at hand: make VENV=" >&2; exit 1; }' sh "$@" $(call quote,$(PYTHON)) "$(VENV)"

$(INSTALLED_BASE): pyproject.toml constraints.txt | $(RUNNER)
	@echo "Installing into $(VENV) (about a minute) ..."
	@$(ALONE) $(INTERPRETER) $(INSTALL) .
	@touch "$@"

$(VENV)/.installed-dask $(VENV)/.installed-mlflow $(VENV)/.installed-optuna $(VENV)/.installed-wandb: $(VENV)/.installed-%: $(INSTALLED_BASE)
	@echo "Installing $* ..."
	@$(ALONE) $(INTERPRETER) $(INSTALL) '.[$*]'
	@touch "$@"

$(INSTALLED_DEV): $(INSTALLED_BASE)
	@echo "Installing what the tests need ..."
	@$(ALONE) $(INTERPRETER) $(INSTALL) '.[dev]'
	@touch "$@"

$(INSTALLED_STRESS): $(INSTALLED_DEV)
	@echo "Installing what the stress tests need ..."
	@$(ALONE) $(INTERPRETER) $(INSTALL) '.[dev,stress]'
	@touch "$@"
endif

# An empty DATA is the default one, as everywhere, and never the root of the disk.
DATA_FOLDER = $(call quote,$(or $(DATA),data))
SUBMISSIONS_FOLDER = $(call quote,$(or $(SUBMISSIONS),submissions))
.PHONY: clean distclean
clean: ## Remove what can be rebuilt: arrays, runs, searches, pages, caches (never raw data nor submissions)
	@rm -rf $(DATA_FOLDER)/processed $(DATA_FOLDER)/runs $(DATA_FOLDER)/tuning $(DATA_FOLDER)/comparisons $(DATA_FOLDER)/reproductions .pytest_cache .mypy_cache .ruff_cache build dist *.egg-info
	@find $(wildcard pipeline tests benchmarks docs) -name __pycache__ -type d -prune -exec rm -rf {} +
distclean: ## Remove everything that git does not keep, after asking
	@printf 'Remove .venv, all data and ALL SUBMISSIONS, ledger included? [y/N] '; \
	  read answer; test "$$answer" = y || { echo "Nothing was removed."; exit 1; }
	@rm -rf .venv .venv.lock .venv-bench $(DATA_FOLDER)/raw $(DATA_FOLDER)/notebook $(SUBMISSIONS_FOLDER)/*.csv $(SUBMISSIONS_FOLDER)/*.json $(SUBMISSIONS_FOLDER)/ledger.jsonl
	@$(MAKE) --no-print-directory clean
