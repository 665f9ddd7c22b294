# Farthing's workshop. A fresh machine needs Python 3.11 or newer, pip, make and git; `make demo` and `make test` do the rest.
# `make` alone lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test check audit format serve bench lock clean

# The lock was resolved for Python 3.11, so a machine that has several takes that one.
PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3) python3)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check

# The stamp changes with the lock files and pyproject.toml: only then is anything installed again.
STAMP := $(VENV)/.ok-$(firstword $(shell cat requirements.lock requirements-dev.lock pyproject.toml | cksum))

# torch is not in the lock: the processor-only build, a tenth of the size, is on an index of its own.
TORCH := 2.13.0
TORCH_INDEX := https://download.pytorch.org/whl/cpu

# Where the benchmarks find the real handbooks and question sets; those that need them are left out where it is missing.
BENCH_DATA ?= ../shared/data

# Three questions that the manual, in docs/, answers.
define DEMO_QUESTIONS
"Where does Farthing keep everything that it writes?" \
"Which access label does a document get when nobody names one?" \
"What happens when a page is renamed or moved?"
endef

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## make the virtual environment in .venv (the other targets do this themselves)

$(STAMP): requirements.lock requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Farthing needs Python 3.11 or newer, and $(PYTHON) is older or missing. Install it (Debian, Ubuntu: apt install python3.11" \
	    "python3.11-venv), or name one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: its venv module is missing. Install it (Debian, Ubuntu:" \
	    "apt install python3-venv) and run make again." >&2; exit 2; }
	@echo "Setting up $(VENV), once: torch first, then the packages of the lock files (about 1.8 GB)."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'from importlib.metadata import version; assert version("torch").split("+")[0] == "$(TORCH)"' 2>/dev/null \
	  || $(PIP) install --retries 0 --timeout 15 --index-url $(TORCH_INDEX) --no-deps torch==$(TORCH)+cpu 2>/dev/null \
	  || $(PIP) install --no-deps torch==$(TORCH)
	@$(PIP) install --no-deps --require-hashes -r requirements.lock -r requirements-dev.lock
	@# Nothing to do for the processor-only build; a build that needs more (CUDA) takes it here.
	@$(PIP) install torch==$(TORCH)
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip check
	@rm -f $(VENV)/.ok-* && touch $@

demo: $(STAMP) ## index the manual in docs/, ask three questions, print answers, citations and receipts
	$(BIN)/farthing index docs
	@for question in $(DEMO_QUESTIONS); do \
	  printf '\n$$ farthing ask "%s"\n' "$$question"; \
	  $(BIN)/farthing ask "$$question" || exit; \
	done

test: $(STAMP) ## run the whole test suite
	@$(BIN)/pytest

check: $(STAMP) ## everything that continuous integration checks: format, lint, types, imports, quality and cost, tests, coverage
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry --no-ansi .
	$(BIN)/farthing eval gate
	$(BIN)/pytest --cov

# CVE-2025-69872 is diskcache's, and has no release that mends it: docs/security.md says how it is closed here, and by which tests.
# pip-audit lives beside the lock, in an environment of its own, for it must know of holes that the lock does not.
audit: $(STAMP) ## ask PyPI whether a locked package has a known hole (needs the network, and says so where there is none)
	@test -x $(VENV)/audit/bin/pip-audit || { $(BIN)/python -m venv $(VENV)/audit && \
	  $(VENV)/audit/bin/python -m pip -qq --disable-pip-version-check install pip-audit; }
	@$(VENV)/audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off --ignore-vuln CVE-2025-69872 \
	  -r requirements.lock || { echo "There is a known hole, or PyPI could not be asked: see above." >&2; exit 1; }

format: $(STAMP) ## format the code and repair what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

serve: $(STAMP) ## answer over HTTP on this machine
	$(BIN)/farthing serve

# Every script of eval/benchmarks; those with an option --data get the folder, and are left out where it is missing.
bench: $(STAMP) ## measure what the README claims (BENCH_DATA=folder with the handbooks)
	@set -e; for script in eval/benchmarks/[a-z]*.py; do \
	  name=$$(basename $$script .py); data=; \
	  if grep -q '"--data"' $$script; then data="--data $(BENCH_DATA)"; fi; \
	  if test -n "$$data" && ! test -d "$(BENCH_DATA)"; then echo "== $$name: left out, $(BENCH_DATA) is not there"; continue; fi; \
	  printf '\n== %s\n' "$$name"; $(BIN)/python -m eval.benchmarks.$$name $$data; \
	done

# pip-compile keeps the versions that stand in the lock files; delete them first to take the newest.
# torch is constrained, so that the rest fits it, and then left out with the CUDA packages that some of its builds ask for.
COMPILE = $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header --no-annotate \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --constraint $(VENV)/torch.in
WITHOUT_TORCH := /^[a-z0-9]/ { keep = $$1 !~ /^(torch|triton|nvidia-.*|cuda-.*)==/ && !($$1 in seen) } /^[a-z0-9]/ || /^ / { if (keep) print }

lock: $(STAMP) ## resolve requirements.lock (to run) and requirements-dev.lock (to work on it, on top) from pyproject.toml
	@echo "torch==$(TORCH)" > $(VENV)/torch.in
	@cp requirements.lock $(VENV)/runtime.txt
	@cat requirements.lock requirements-dev.lock > $(VENV)/dev.txt
	$(COMPILE) --output-file $(VENV)/runtime.txt pyproject.toml
	$(COMPILE) --extra dev --extra workshop --constraint $(VENV)/runtime.txt --output-file $(VENV)/dev.txt pyproject.toml
	@{ echo "# Written by make lock: what Farthing needs to run, except torch (see the Makefile)."; \
	  awk '$(WITHOUT_TORCH)' $(VENV)/runtime.txt; } > requirements.lock
	@{ echo "# Written by make lock: what working on Farthing needs on top of requirements.lock."; \
	  awk 'NR == FNR { if (/==/) seen[$$1]; next } $(WITHOUT_TORCH)' requirements.lock $(VENV)/dev.txt; } > requirements-dev.lock

clean: ## remove the virtual environment and what the tools cached; your index in .farthing stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
