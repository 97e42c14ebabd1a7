# Needs only make and python3 (3.11 or newer, with venv). Extra words for the command go in ARGS: make test ARGS=tests/unit

PYTHON := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: run test lint bench chaos serve lock clean help runtime development

run: runtime ## Set up and send three notifications of a sample school into var/outbox
	@$(PYTHON) -m gateway demo $(ARGS)

test: development ## Set up and run every test; PostgreSQL and Redis join in when their programs are installed
	@$(PYTHON) -m pytest --numprocesses 4 --dist worksteal $(ARGS)

lint: development ## Check style, types and the direction of imports
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy
	$(PYTHON) .venv/bin/lint-imports

bench: development ## Measure against the goals and others (ARGS=fanout: one of them; ARGS=--quick: only that it runs)
	@$(PYTHON) -m tests.bench $(ARGS)

chaos: development ## Kill workers and servers under load; count lost and doubled messages
	@$(PYTHON) -m tests.chaos $(ARGS)

serve: runtime ## Serve the API and console on http://127.0.0.1:8080
	@$(PYTHON) -m gateway serve $(ARGS)

lock: ## Pin the requirements of pyproject.toml again, with hashes (needs uv; newest versions: ARGS=--upgrade)
	@command -v uv >/dev/null || { echo "make lock needs uv on the PATH." >&2; exit 1; }
	uv pip compile $(LOCK) pyproject.toml --output-file requirements.txt
	uv pip compile $(LOCK) pyproject.toml --extra telemetry --extra test --extra check --constraint requirements.txt --output-file requirements-dev.txt

LOCK = --quiet --universal --python-version 3.11 --generate-hashes --no-header $(ARGS)

clean: ## Remove the environment and all caches; data in var stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
	find channels gateway tests -name __pycache__ -prune -exec rm -rf {} +

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

runtime:
	@sh scripts/setup.sh requirements.txt

development:
	@sh scripts/setup.sh requirements-dev.txt
