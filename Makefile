# `make` lists what can be done. Everything runs from .venv, made from uv.lock; state lies in .local/.

PYTHON ?= python3
PY := .venv/bin/python
UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv 2>/dev/null),.local/uv/bin/uv)
WITH_DATABASE := $(PY) -m releasemgr.embedded run --
# A half-made or damaged .venv lacks one of these.
IS_WHOLE := $(PY) -c 'import sys, importlib.util as u; sys.exit(not all(map(u.find_spec, ("django", "psycopg", "uvicorn", "pytest"))))' 2>/dev/null
IS_ROOT_WITH_APT := test "$$(id -u)" = 0 && command -v apt-get >/dev/null
APT_INSTALL := apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends

export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv
export UV_NO_PROGRESS := 1
unexport VIRTUAL_ENV PYTHONHOME

.DEFAULT_GOAL := help
.PHONY: help up down test check fix bench clean venv browser

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

up: venv ## Start everything (PORT=8001, BIND, DATABASE_URL and KUBECONFIG are heeded); Ctrl-C stops it
	@$(PY) -m releasemgr.up

down: ## End a running or killed `make up`, and the embedded database
	@if test -x $(PY); then $(PY) -m releasemgr.up down; fi

test: venv browser ## Run all tests, in the browser too (ARGS="-k name" for some)
	@$(WITH_DATABASE) $(PY) -m pytest -n 3 --dist loadgroup $(ARGS)

check: venv ## Formatting, lint, types, import rules, templates, migrations, production settings
	@$(MAKE) --no-print-directory --keep-going $(addprefix check-,format lint types imports templates migrations deploy)

fix: venv ## Format and repair what can be repaired
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .
	@.venv/bin/djlint --quiet --reformat templates; true

bench: venv ## Measure deployments beside kubectl
	@$(WITH_DATABASE) $(PY) -m tests.bench $(ARGS)

clean: down ## Remove .venv and caches; the database and the sandbox in .local/ stay
	@rm -rf .venv .local/uv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis staticfiles test-results
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: check-format check-lint check-types check-imports check-templates check-migrations check-deploy
check-format:
	@echo "== formatting" && .venv/bin/ruff format --check .
check-lint:
	@echo "== lint" && .venv/bin/ruff check .
check-types:
	@echo "== types" && .venv/bin/mypy .
check-imports:
	@echo "== import rules" && .venv/bin/lint-imports
check-templates:
	@echo "== templates" && .venv/bin/djlint --check templates && .venv/bin/djlint --lint templates
check-migrations:
	@echo "== migrations" && $(WITH_DATABASE) $(PY) manage.py makemigrations --check --dry-run
check-deploy:
	@echo "== production settings" && env -u DEBUG ENVIRONMENT=production ALLOWED_HOSTS=releases.example \
		SECRET_KEY="$$($(PY) -c 'import secrets; print(secrets.token_urlsafe(64))')" \
		ENCRYPTION_KEYS="$$($(PY) -c 'import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())')" \
		DATABASE_URL=postgresql://user@database.example/releasemgr \
		$(PY) manage.py check --deploy --fail-level WARNING

# The stamp is written last, so that an interrupted installation is taken up again.
ifneq ($(shell $(IS_WHOLE) && echo whole),whole)
.PHONY: .venv/.complete
endif
venv: .venv/.complete

.venv/.complete: pyproject.toml uv.lock | $(if $(filter .local/%,$(UV)),.local/uv/.complete)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Python 3.11 or newer is needed; name it with PYTHON=python3.12, for example." >&2; exit 1; }
	@$(PY) -c '' 2>/dev/null || rm -rf .venv
	@echo "Installing the packages of uv.lock into .venv …"
	@{ $(UV) sync --quiet --frozen --python $(PYTHON) && { $(IS_WHOLE) || $(UV) sync --quiet --frozen --reinstall; }; } \
		|| { echo "The packages could not be installed; the reason is above. Then run the same command again." >&2; exit 1; }
	@touch $@

.local/uv/.complete:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { $(IS_ROOT_WITH_APT) && $(APT_INSTALL) python3-venv >/dev/null; } \
		|| { echo "Python's venv module is missing: run 'apt-get install python3-venv' as root, then this again." >&2; exit 1; }
	@echo "Installing uv …"
	@{ $(PYTHON) -m venv --clear .local/uv && .local/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); } \
		|| { echo "uv could not be installed; the reason is above. Then run the same command again." >&2; exit 1; }
	@touch $@

browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
		|| { $(IS_ROOT_WITH_APT) && echo "Installing Chromium …" && { $(APT_INSTALL) chromium fonts-dejavu-core; } >/dev/null; } \
		|| echo "Chromium is missing, so the browser tests cannot run: 'apt-get install chromium' as root." >&2
