# The verbs of this project, each one command; people, pre-commit and CI use the same.
PYTHON ?= python

.PHONY: install format lint types test cov bench docs site all help

install:  ## install for development, into the active environment
	$(PYTHON) -m pip install -e '.[dev]'

format:  ## format the code, and mend what can be mended
	$(PYTHON) -m ruff format . && $(PYTHON) -m ruff check --fix .

lint:  ## check format, rules and who imports whom
	$(PYTHON) -m ruff format --check . && $(PYTHON) -m ruff check . && lint-imports

types:  ## check the types
	$(PYTHON) -m mypy

test:  ## run the tests
	$(PYTHON) -m pytest

cov:  ## run the tests and show which lines none of them reaches
	$(PYTHON) -m coverage run -m pytest && $(PYTHON) -m coverage report --show-missing --skip-covered

bench:  ## measure what must stay fast
	$(PYTHON) benchmarks/startup.py && $(PYTHON) benchmarks/load.py

docs:  ## check that the generated pages are up to date
	$(PYTHON) docs/build.py --check

site:  ## build the documentation into site/ (needs the extra docs)
	$(PYTHON) -m mkdocs build --strict

all: lint types test docs  ## everything that CI asks for

help:  ## list the verbs
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10
