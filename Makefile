# pbxai: every target is listed by `make help`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE ?= 1

.PHONY: help run saml call pjsua2 test check unit production e2e api-fuzz bench bench-pages format screenshots messages lock hooks clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

run: $(VENV)/.run ## Start everything on this machine: web, jobs, media worker, sandbox provider
	@exec $(BIN)/python manage.py run

saml: $(VENV)/.run ## Add what sign-in by SAML needs (optional; restart afterwards)
	@scripts/install saml

call: $(VENV)/.run ## Call the running system and talk: make call SAY="first sentence | second sentence"
	@exec $(BIN)/python manage.py call $(if $(SAY),--say "$$SAY") $(if $(NUMBER),--number "$$NUMBER")

pjsua2: $(VENV)/.run ## Build pjproject for 512 calls a worker and use it (Debian, some minutes, once)
	@scripts/pjsua2 $(if $(SOURCE),--source "$(SOURCE)") $(if $(SHA256),--sha256 "$(SHA256)")

test: $(VENV)/.test ## Everything that must be green: check, unit, e2e (installs what they need)
	@scripts/test

check: $(VENV)/.test ## Lint, format, types, walls between the rooms, migrations
	@scripts/check

unit: $(VENV)/.test ## The tests of the single rooms
	$(BIN)/pytest tests --ignore=tests/e2e -n 2 --dist loadfile -q

production: $(VENV)/.test ## The web side's tests on a PostgreSQL and a Redis of their own
	@scripts/system-packages
	@scripts/test-production

e2e: $(VENV)/.test ## The tests with real calls and a real browser (on the running machine's own loopback)
	@scripts/system-packages
	$(BIN)/pytest tests/e2e -n 2 --dist loadfile -q

api-fuzz: $(VENV)/.test ## Try the REST API with many documents: make api-fuzz EXAMPLES=200
	API_FUZZ_EXAMPLES=$(or $(EXAMPLES),200) $(BIN)/python -m pytest tests/api/test_fuzz.py -q -n 0 --timeout 7200

bench: $(VENV)/.test ## Load on two cores of this machine: make bench ARGS="steps --calls 10,50 --seconds 20"
	@$(BIN)/python -W ignore::DeprecationWarning -m bench $(ARGS)

bench-pages: $(VENV)/.test ## How quick pages are over 1,000,000 calls: make bench-pages ARGS="make", then ARGS="measure"
	@scripts/system-packages
	@$(BIN)/python -m bench.pages $(ARGS)

format: $(VENV)/.test ## Let ruff and djade put the code in order
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .
	git ls-files -z 'templates/*.html' | xargs -0 $(BIN)/djade --target-version 5.2

screenshots: $(VENV)/.test ## Take the pictures in docs/ anew from a running demo with a real call
	@scripts/system-packages
	$(BIN)/python -m tests.e2e.screenshots

messages: $(VENV)/.test ## Collect and compile the German texts (needs gettext)
	$(BIN)/python manage.py makemessages -l de --ignore=.venv --ignore=var && $(BIN)/python manage.py compilemessages -l de --ignore=.venv

lock: $(VENV)/.test ## Pin every dependency anew from requirements/*.in
	@scripts/lock

hooks: $(VENV)/.test ## Run the checks before each commit (pre-commit)
	$(BIN)/pre-commit install

clean: ## Remove the virtual environment and caches (not var/, where the data is)
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache

$(VENV)/.run: requirements/run.txt scripts/install
	@PYTHON=$(PYTHON) scripts/install run

$(VENV)/.test: requirements/test.txt scripts/install
	@PYTHON=$(PYTHON) scripts/install test
