# The pipeline's stages. `make help` lists them; `make all` goes from nothing to a checked submission.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
# Also with -j: each stage uses all cores by itself, and reads what the one before it wrote.
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules

# What you may set: make all RECIPE=strong SEED=3 SET="training.epochs=5"
SETTINGS := SOURCE RECIPE RUN SEED SET FOLDS SEEDS RUNS RECIPES INDEX IMAGE FORCE TRIALS STORAGE \
  TRACK EXECUTOR DASK DATA SUBMISSIONS VENV PYTHON CONSTRAINTS BENCH_VENV

# A value is a text, whoever gives it: to make, $$ in one begins an expression of its own language,
# which it would compute ($$(shell ...) included) whenever it looks at the variable. So each value is
# taken once, unread, before anything looks at it. One from make's command line would also be
# computed for the environment of every command, whether it is ours or not.
$(foreach name,$(SETTINGS),$(if $(filter-out undefined,$(firstword $(origin $(name)))),\
  $(eval override $(name) := $$(value $(name)))))
$(foreach name,$(filter-out MAKE% SHELL,$(.VARIABLES)),\
  $(if $(filter command,$(firstword $(origin $(name)))),\
    $(eval override $(name) := $$(value $(name)))$(eval export $(name))))

SOURCE ?=
RECIPE ?=
RUN ?=
SEED ?=
SET ?=
FOLDS ?=
SEEDS ?=
RUNS ?=
RECIPES ?=
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
PYTHON ?=
CONSTRAINTS ?= constraints.txt
BENCH_VENV ?= .venv-bench

# Values travel in the environment, so that no shell ever takes their quotes and spaces apart.
export DIGITS_SOURCE = $(SOURCE)
export DIGITS_RECIPE = $(RECIPE)
export DIGITS_RUN = $(RUN)
export DIGITS_SEED = $(SEED)
export DIGITS_SET = $(SET)
export DIGITS_FOLDS = $(FOLDS)
export DIGITS_SEEDS = $(SEEDS)
export DIGITS_RUNS = $(RUNS)
export DIGITS_RECIPES = $(RECIPES)
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

# The interpreter that makes .venv: the first of these that is new enough. Where .venv is made
# already, it looks after it itself.
PYTHONS := python3 python python3.14 python3.13 python3.12 python3.11
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
quote = '$(subst ','\'',$(1))'
first = $(shell for p in $(1); do "$$p" -E -S -c '$(NEW_ENOUGH)' 2>/dev/null && echo "$$p" && break; done)
ifneq ($(strip $(VENV)),)
  ifneq ($(filter ~/%,$(firstword $(VENV))),)
    override VENV := $(subst |/,/,$(subst |~/,|$(HOME)/,|$(VENV)))
  endif
  RUNNER := $(VENV)/bin/python
endif
ifneq ($(filter-out help,$(MAKECMDGOALS)),)
  ifneq ($(strip $(PYTHON)),)
    ifeq ($(call first,$(call quote,$(PYTHON))),)
      $(error PYTHON=$(PYTHON): this is no Python 3.11 or newer; name one, PYTHON=/path/to/python, or leave it out)
    endif
  else
    ifneq ($(call first,$(if $(RUNNER),$(call quote,$(RUNNER)))),)
      override PYTHON := $(RUNNER)
    else
      override PYTHON := $(call first,$(PYTHONS))
    endif
    ifeq ($(PYTHON),)
      $(error no Python 3.11 or newer was found; install one, or name it: make all PYTHON=/path/to/python)
    endif
  endif
endif
ifeq ($(strip $(VENV)),)
  RUNNER := $(PYTHON)
else
  # Packages from elsewhere are not this environment's.
  unexport PYTHONPATH
endif
# Each interpreter knows its own home; and the code of this folder comes first.
unexport PYTHONHOME PYTHONSAFEPATH
export DIGITS_VENV = $(VENV)
export DIGITS_PYTHON = $(PYTHON)
export DIGITS_RUNNER = $(RUNNER)
export DIGITS_CONSTRAINTS = $(CONSTRAINTS)
export DIGITS_BENCH_VENV = $(BENCH_VENV)
INTERPRETER = "$$DIGITS_RUNNER"
DIGITS = $(INTERPRETER) -m pipeline
# Before there are any packages, and when there is no more than an interpreter.
AT_HAND = "$$DIGITS_PYTHON" -m pipeline
# What is imported is compiled then, and kept even if PYTHONDONTWRITEBYTECODE is set, as in many
# containers: each command would compile pandas anew. Compiling everything takes longer than fetching it.
unexport PYTHONDONTWRITEBYTECODE

# What comes before a target that needs packages: it sees by itself whether there is something to do.
INSTALL = @$(AT_HAND).system.installation "$$DIGITS_VENV"
ifneq ($(strip $(VENV)),)
  INSTALLED := .installed
  INSTALLED_DEV := .installed-dev
  INSTALLED_STRESS := .installed-stress
  INSTALLED_TUNE := .installed-optuna
endif
.PHONY: .installed .installed-dev .installed-stress .installed-optuna .installed-bench
.installed:
	$(INSTALL) $(EXTRAS)
.installed-dev:
	$(INSTALL) dev
.installed-stress:
	$(INSTALL) dev stress
.installed-optuna:
	$(INSTALL) optuna $(EXTRAS)
.installed-bench:
	@$(AT_HAND).system.installation "$$DIGITS_BENCH_VENV" bench

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
	  SEEDS 'for seeds and decide: how many seeds, or which ones, "0 3 7"' \
	  RUN 'a name of your own for the run; alone, it names an existing run' \
	  RUNS 'for blend and compare: names of finished runs, "a b c"' \
	  RECIPES 'for decide: names or paths of recipes, "quick my.toml"' \
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
	  VENV 'the virtual environment (.venv); VENV= uses the interpreter at hand' \
	  PYTHON 'the interpreter that makes it (3.11 or newer)' \
	  CONSTRAINTS 'file of the versions that are installed (constraints.txt); CONSTRAINTS= the newest'

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

.PHONY: decide
decide: $(INSTALLED) ## Compare RECIPES="quick my.toml" out-of-fold, to choose between them
	@$(DIGITS) decide

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
# In an environment of its own, which goes again.
NEWEST = SOURCE=practice RECIPE=smoke RUN=newest CONSTRAINTS= EXECUTOR= TRACK=
.PHONY: test-newest
test-newest: ## Go the whole way with the newest versions of all packages, and list them
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	  $(MAKE) --no-print-directory all report VENV="$$folder/venv" DATA="$$folder/data" \
	    SUBMISSIONS="$$folder/submissions" $(NEWEST) && \
	  "$$folder/venv/bin/python" -m pip list

.PHONY: test stress lint results figures tour
test: $(INSTALLED_DEV) ## Run the tests
	@$(INTERPRETER) -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
stress: $(INSTALLED_STRESS) ## Try to break the pipeline, at length, and write docs/reliability.md
	@$(INTERPRETER) -m pytest --quiet -m stress --numprocesses auto --maxprocesses 4
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
BENCH_RUNNER = "$$DIGITS_BENCH_VENV/bin/python"
.PHONY: bench
bench: .installed-bench ## Compare the network's speed with PyTorch's and scikit-learn's
	@$(BENCH_RUNNER) -m pytest --quiet benchmarks
	@$(BENCH_RUNNER) -m benchmarks

.PHONY: scale
scale: $(INSTALLED) ## Measure the stages on up to a hundred times as many digits
	@$(INTERPRETER) -m benchmarks.scale

.PHONY: install
install: ## Make .venv and install (VENV=: install into the interpreter at hand)
	$(INSTALL) $(EXTRAS)

.PHONY: clean clean-runs distclean
clean: ## Remove what is rebuilt when it is needed: arrays, pages, caches
	@$(AT_HAND).plan.cleaning clean
clean-runs: ## Remove trained runs and searches, after asking (FORCE=1: without)
	@$(AT_HAND).plan.cleaning clean-runs
distclean: ## Remove everything that git does not keep, after asking: .venv, data and submissions too
	@$(AT_HAND).plan.cleaning distclean
