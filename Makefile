# Two commands: `make lab` opens the course, `make test` runs every test. `make help` lists the rest.

# The first Python from 3.11 to 3.13 that runs; override with `make lab PYTHON=/path/to/python`
SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(SUITABLE)' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup lab test lint rebuild book train results clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 18

setup: $(READY)  ## a virtual environment with the tested versions of everything, in .venv

$(READY): pyproject.toml constraints.txt
	@"$(PYTHON)" -c '$(SUITABLE)' 2>/dev/null || { echo "Python 3.11, 3.12 or 3.13 is needed:" \
		"install one, or name it with PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[md,lab,test,dev,book]'
	@touch $@

lab: $(READY)  ## set up, then open the course in JupyterLab; ARGS="--no-browser --port 8899" is passed on
	$(BIN)/jupyter lab --ServerApp.root_dir=notebooks --LabApp.default_url=/lab/tree/00_start_here.ipynb \
		$(if $(filter 0,$(shell id -u)),--allow-root) $(ARGS)

test: $(READY)  ## set up, then run every test, units and notebooks; ARGS="-k graph" is passed on
	$(BIN)/python -m pytest --nbval -n 2 --dist loadscope $(ARGS)

lint: $(READY)  ## formatting, style, types and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

rebuild: $(READY)  ## run all notebooks anew and store their outputs, with pictures of the figures
	$(BIN)/python tools/rebuild_notebooks.py $(ARGS)

book: $(READY)  ## a static site of the course in build/book, to be opened from there, without a network
	$(BIN)/python tools/build_book.py $(ARGS)

train: $(READY)  ## train the network on BOTAN's sample and print the table; ARGS="--seed 1" is passed on
	$(BIN)/python -m glasslib.train $(ARGS)

results: $(READY)  ## list every number that the course shows, then make those that are missing (hours)
	$(BIN)/python -m glasslib.results make $(ARGS)

clean:  ## remove the virtual environment and caches; the data cache stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
