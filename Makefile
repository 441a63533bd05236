# The verbs to know. Each does its own set-up; see packaging/ for how.
.DEFAULT_GOAL := help
.PHONY: help up down test test-vm lint type format protos sim bench bench-swarm bench-networks clean environment
SHELL := /bin/bash
BIN := .venv/bin
TESTS ?= tests
# Three on two cores: tests wait for other processes a third of their time.
WORKERS ?= 3
export PYTHON

help: ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

up: ## start a node on this machine and show that it works (root)
	@packaging/system_packages.sh run
	@packaging/environment.sh run
	@packaging/up.sh

down: ## stop it; PURGE=1 deletes its data
	@packaging/down.sh

environment:
	@packaging/environment.sh dev

test: ## run all tests; TESTS=tests/unit for some
	@packaging/system_packages.sh test
	@packaging/environment.sh dev
	@docker=$$(packaging/docker_cli.sh) && export PATH="$$(dirname "$$docker"):$$PATH"; \
	timeout --foreground -s INT -k 60 900 $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

test-vm: environment ## run kernel-dependent tests in a virtual machine with Debian's kernel (root); TESTS=...
	@packaging/system_packages.sh test
	@packaging/vm_tests.sh $(if $(filter-out tests,$(TESTS)),$(TESTS))

lint: environment ## ruff, mypy --strict, layers, fresh stubs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	packaging/protos.sh --check

type: environment ## mypy --strict alone
	$(BIN)/mypy

format: environment ## let ruff lay out the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

protos: environment ## generate the gRPC stubs
	packaging/protos.sh

sim: environment ## consensus under seeded faults; SEEDS=1000 FIRST=1
	$(BIN)/python -m tests.sim --seeds $(or $(SEEDS),1000) --first $(or $(FIRST),1)

bench: environment ## measure this engine beside others; ARGS=--help for how
	@packaging/system_packages.sh bench
	$(BIN)/python -m bench $(ARGS)

bench-swarm: environment ## measure services beside others, and the managers alone; ARGS=--help
	@packaging/system_packages.sh test
	@missed=0; \
	$(BIN)/python -m bench.swarm_services $(ARGS) || missed=$$?; \
	if [ -z "$(ARGS)" ] && [ $$missed -le 1 ]; then \
		$(BIN)/python -m bench.swarm_control || missed=1; \
		$(BIN)/python -m bench.control_plane || missed=1; \
	fi; exit $$missed

bench-networks: environment ## measure overlay networks, on hosts in namespaces; ARGS=--help
	@packaging/system_packages.sh bench
	$(BIN)/python -m bench.swarm_networks $(ARGS)

clean: ## remove what building and testing left here
	rm -rf build dist .venv *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
