# Two commands do all set-up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
PY ?= $(VENV)/bin/python

.PHONY: demo test lint format fuzz lock audit-dependencies sbom clean

demo: $(VENV)/.demo
	$(PY) -m assay.cli demo

test: $(VENV)/.test
	$(PY) -m pytest -n auto --dist worksteal

lint: $(VENV)/.lint
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"

format: $(VENV)/.lint
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

# Where seeds come from and what is searched: docs/hardening.md. SECONDS is the budget of all targets together.
SECONDS ?= 120
fuzz: $(VENV)/.test
	$(PY) tests/fuzzing/run.py --seconds $(SECONDS)

# The lock file has hashes and names no registry: whose packages are taken is the business of the machine.
LOCKED = --extra test --extra lint --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
lock: $(VENV)/.supply
	$(VENV)/bin/uv pip compile pyproject.toml $(LOCKED) --quiet --output-file requirements.lock

audit-dependencies: $(VENV)/.supply
	$(PY) -m pip_audit --strict --require-hashes --disable-pip --requirement requirements.lock

sbom: $(VENV)/.supply
	$(VENV)/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-format JSON --output-file sbom.json requirements.lock

$(VENV)/.supply: | $(VENV)/bin/python
	$(PY) -m pip install --quiet --disable-pip-version-check uv pip-audit cyclonedx-bom
	@touch $@

$(VENV)/bin/python:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'assay needs Python 3.11 or newer; name one: make PYTHON=python3.11 …')"
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(PY) -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

$(VENV)/.lint: pyproject.toml | $(VENV)/bin/python
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[lint]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
