# The two commands: `make talk` and `make test`. Windows: `./make.ps1 talk`, `./make.ps1 test`.

PYTHON ?= python3
# Tests run in so many processes: one for each core, a file's tests in one of them.
WORKERS ?= auto
BIN := .venv/bin

.PHONY: help talk test lint format types proto tavern

help:
	@echo "make talk    talk to a character of the starter model, in this terminal"
	@echo "make test    run every test"
	@echo "make tavern  five characters in one terminal"
	@echo "make lint    check style, format and imports"
	@echo "make types   check types"
	@echo "make format  format the code"
	@echo "make proto   generate code from proto/"

.venv/run.stamp: pyproject.toml constraints.txt runtime/bootstrap.py
	@$(PYTHON) runtime/bootstrap.py --stamp $@ >&2

.venv/dev.stamp: pyproject.toml constraints.txt runtime/bootstrap.py
	@$(PYTHON) runtime/bootstrap.py --extras dev,bundle,metrics,hub,train,samples,render --stamp $@ >&2
	@touch .venv/run.stamp

talk: .venv/run.stamp
	@$(BIN)/townsfolk talk

.venv/samples.stamp: pyproject.toml constraints.txt runtime/bootstrap.py
	@$(PYTHON) runtime/bootstrap.py --extras samples --stamp $@ >&2

tavern: .venv/samples.stamp
	@$(BIN)/python samples/python/tavern.py

test: .venv/dev.stamp
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

lint: .venv/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: .venv/dev.stamp
	$(BIN)/mypy runtime kernels samples/python

format: .venv/dev.stamp
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

proto: .venv/dev.stamp
	$(BIN)/python proto/generate.py
