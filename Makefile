# Two commands do everything, venv and installation included: `make demo` and `make test`.
PYTHON ?= python3
BIN = .venv/bin
PIP = $(BIN)/pip install --quiet --disable-pip-version-check
# Python compiles what it imports; pip would compile all of every environment, for minutes.
export PIP_NO_COMPILE = 1
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test suite search chaos mutants lowest py313 which-py313 constraints coverage consumers warehouses lint bench bench-full picture docs release clean

demo: .venv/base
	$(BIN)/amx-kimi demo

test: .venv/test
	$(MAKE) --jobs 2 lint suite

suite: .venv/test
	$(BIN)/pytest -n 3 --dist worksteal --ignore tests/consumers --ignore tests/warehouses

# Other examples for the properties, and many more of them (ARGS="tests/publish").
search: .venv/test
	$(BIN)/pytest -n 3 --hypothesis-profile search $(or $(ARGS),tests --ignore tests/consumers)

# Ten minutes of seeded trouble (ARGS="--minutes 60", "--seed 7 --kills 100", --help): docs/reliability.md
chaos: .venv/test
	$(BIN)/python -m tests.chaos $(ARGS)

# Which small changes of the modules that decide the tests do not notice (ARGS="policy --most 20")
mutants: .venv/test
	$(PIP) --editable ".[test,mutants]" --constraint tests/constraints.txt
	$(BIN)/python -m tests.mutants $(ARGS)

# What depends on other packages, with the lowest versions that pyproject.toml admits; and on Python 3.13.
FOREIGN = tests/client tests/journal tests/publish tests/test_litellm_provider.py tests/test_package.py \
  $(addprefix tests/annotate/test_,sqlite.py duckdb.py postgresql.py run.py)
# The first that runs: pyenv's shims are there for versions that are not chosen, too.
PYTHON313 ?= $(shell for one in python3.13 "$$(pyenv root 2>/dev/null)"/versions/3.13.*/bin/python3; do \
  "$$one" -c "" 2>/dev/null && echo "$$one" && break; done)

lowest: .venv/test
	$(BIN)/python tests/lowest.py > .venv/lowest.txt
	$(PYTHON) -m venv .venv/lowest
	.venv/lowest/bin/pip install --quiet --disable-pip-version-check --editable ".[run]" --constraint .venv/lowest.txt
	.venv/lowest/bin/python -m pytest -n 3 $(FOREIGN)

which-py313:
	@echo $(PYTHON313)

py313: .venv/test
	@test -n "$(PYTHON313)" || { echo "no Python 3.13 here: make py313 PYTHON313=/its/path"; exit 1; }
	$(PYTHON313) -m venv .venv/py313
	.venv/py313/bin/pip install --quiet --disable-pip-version-check --editable ".[run]" --constraint tests/constraints.txt
	.venv/py313/bin/python -m pytest -n 3 $(FOREIGN)

# The newest versions of everything that the tests need, written down.
constraints:
	$(PYTHON) -m venv .venv/fresh
	.venv/fresh/bin/pip install --quiet --disable-pip-version-check ".[docs,test]"
	{ echo "# What the tests run with: \`make constraints\` writes it anew."; \
	  .venv/fresh/bin/pip freeze --exclude amx-kimi; } > tests/constraints.txt

# Which lines the tests reach; half as slow again.
coverage: .venv/test
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -n 3 --ignore tests/consumers
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# Warehouses that emulators stand in for, which have an environment of their own.
warehouses: .venv/warehouses .venv/emulators
	$(BIN)/pytest -n 2 tests/warehouses $(ARGS)

# The real AMX 0.19.0 and 0.17.0, the LiteLLM Proxy, dbt, DataHub, a browser, three mock servers and a small
# language model, in environments of their own.
consumers: .venv/test
	$(BIN)/pytest -n 2 tests/consumers $(ARGS)

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Under 15 minutes; AMX and the peers get environments of their own below .venv.
bench: .venv/test
	$(BIN)/python -m benchmarks

bench-full: .venv/test
	$(BIN)/python -m benchmarks --full

# README's picture: the demo in a terminal, recorded as docs/demo.svg.
picture: .venv/test
	$(BIN)/python docs/record.py

# The site of docs/, with every command's --help, into site/.
docs: .venv/docs
	$(BIN)/mkdocs build --strict

# Sets the version, dates the changelog, commits and tags: make release VERSION=1.2.3. Pushes nothing.
release:
	$(PYTHON) .ci/release "$(VERSION)"

.venv/bin/pip:
	$(PYTHON) -m venv .venv || { apt-get update && apt-get install -y python3-venv && $(PYTHON) -m venv .venv; }

.venv/base: pyproject.toml | .venv/bin/pip
	$(PIP) --editable .
	touch $@

.venv/test: pyproject.toml tests/constraints.txt | .venv/bin/pip
	$(PIP) --editable ".[test]" --constraint tests/constraints.txt
	touch .venv/base $@

.venv/warehouses: .venv/test
	$(PIP) --editable ".[test,warehouses]" --constraint tests/constraints.txt
	touch $@

# fakesnow needs an older driver of Snowflake than bqemulator's cryptography goes with.
EMULATORS = bqemulator chdb==4.4.0 pyspark==4.3.0
FAKESNOW = "fakesnow[server]==0.12.1" snowflake-connector-python==3.18.1

.venv/emulators: | .venv/bin/pip
	$(PYTHON) -m venv $@ && $@/bin/pip install --quiet --disable-pip-version-check $(EMULATORS)
	$(PYTHON) -m venv $@/fakesnow && $@/fakesnow/bin/pip install --quiet --disable-pip-version-check $(FAKESNOW)

.venv/docs: pyproject.toml tests/constraints.txt | .venv/bin/pip
	$(PIP) --editable ".[docs]" --constraint tests/constraints.txt
	touch .venv/base $@

clean:
	rm -rf .venv site .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
