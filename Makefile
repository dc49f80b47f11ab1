# Every target sets up what it needs; `make` alone lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Number of test processes; `make test WORKERS=0` runs all tests in one.
WORKERS ?= 3
PIP := $(BIN)/pip --disable-pip-version-check -q
.DEFAULT_GOAL := help

.PHONY: help setup check test faults demo serve up journey endurance down bench bench-gpu demo-bundle alerts monitoring-journey clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("HILBERT needs Python 3.11 to 3.13, this is " + sys.version.split()[0]) if not (3, 11) <= sys.version_info[:2] < (3, 14) else 0'
	@$(PYTHON) -m venv $(VENV)

# The service alone: no torch, no transformers.
$(VENV)/.serving: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Setting up the service in $(VENV) (once, a minute or two) ..."
	@$(PIP) install -c constraints.txt -e '.[api,worker]'
	@touch $@

# Everything: training, tests, checks. torch is installed first, so that an available CPU build is used.
$(VENV)/.development: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Setting up the development environment in $(VENV) (once, a few minutes) ..."
	@$(PIP) install -c constraints.txt torch
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.serving

setup: $(VENV)/.development ## install everything into .venv

check: $(VENV)/.development ## ruff, mypy strict, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# The tests start many processes; with bytecode files each module is compiled only once.
test: $(VENV)/.development ## run the tests with branch coverage
	@$(BIN)/coverage erase
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/coverage run -m pytest -n $(WORKERS)
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report

faults: $(VENV)/.development ## 2,000 assessments under kills, restarts and a full disk; writes docs/fault-report.md
	@PYTHONPATH=. $(BIN)/python -m tests.faults.run --report docs/fault-report.md

demo: $(VENV)/.serving ## score examples/interview.flac end to end through the real service
	@exec $(BIN)/hilbert demo

serve: $(VENV)/.serving ## start API, workers and sweeper on this machine
	@exec $(BIN)/hilbert serve

# These need Docker and its compose plugin. docker-compose.yml has the variables; deploy/README.md explains them.
up: ## build the images and start the whole service in containers
	@deploy/make-secrets
	@docker compose build -q
	@docker compose up -d --wait --no-build
	@echo "HILBERT answers at http://$${HILBERT_PUBLISH:-127.0.0.1:8000}"
	@echo "A key:    docker compose exec api hilbert keys create NAME"

journey: $(VENV)/.development ## test the running containers through the API, and inspect images and containers
	@PYTHONPATH=. $(BIN)/pytest -q -s --no-header -p no:cacheprovider tests/docker/test_journey.py tests/docker/test_containers.py

endurance: $(VENV)/.development ## replace and kill each running service under load; roll bundles out and back; back up, destroy, restore (a quarter of an hour)
	@PYTHONPATH=. $(BIN)/pytest -q -s --no-header -p no:cacheprovider tests/docker/test_rolling.py tests/docker/test_kills.py tests/docker/test_roll_out.py tests/docker/test_backup.py

down: ## stop the containers; data and secrets are kept
	@docker compose down

# promtool is in Prometheus' image, so nothing has to be installed.
PROMETHEUS_IMAGE ?= prom/prometheus:v2.42.0
PROMTOOL := docker run --rm --network none -v $(CURDIR)/deploy/monitoring/prometheus:/rules:ro -w /rules --entrypoint promtool $(PROMETHEUS_IMAGE)
alerts: ## check Prometheus' configuration and fire each alert in a test (a few minutes, needs Docker)
	@$(PROMTOOL) check config prometheus.yml
	@for file in deploy/monitoring/prometheus/tests/*.yml; do $(PROMTOOL) test rules tests/$${file##*/} || exit 1; done

monitoring-journey: $(VENV)/.development ## test targets, dashboards and an alert in a running stack (minutes, needs Docker)
	@tests/docker/monitoring/run

demo-bundle: $(VENV)/.development ## make the demonstration bundle again, from scratch
	@$(BIN)/hilbert-train demo --out examples/bundle

bench: $(VENV)/.development ## print the benchmark tables (an hour)
	@for file in $(filter-out %_gpu.py,$(wildcard bench/*.py)); do PYTHONPATH=. $(BIN)/python $$file || exit 1; done

bench-gpu: $(VENV)/.development ## print the benchmark tables of a GPU
	@for file in bench/*_gpu.py; do PYTHONPATH=. $(BIN)/python $$file || exit 1; done

clean: ## remove the environment and caches
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .coverage*
