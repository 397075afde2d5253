# SPDX-License-Identifier: GPL-3.0-or-later
# `make test` builds what it needs and runs everything; see CONTRIBUTING.md for the parts.

SHELL := /bin/bash
LOCKSTEP_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/lockstep-teleport
export LOCKSTEP_CACHE

# Releases of ansible-core to install; tested are the oldest and the newest that the machine has a Python for. On every
# supported one: make setup unit CORES="2.16 2.17 2.18 2.19 2.20 2.21"
CORES ?= 2.16 2.19 2.21
# How many slow steps run at once, and of scenarios twice as many; each of those has hosts of its own, of some 20 MB each.
JOBS ?= $(shell nproc)
export JOBS
# Cheapest first. Without bench: what is timed fails on a busy machine.
PARTS := setup lint docs unit integration sanity lab-test
TOOLS := tests/tools

.PHONY: help test setup lint format unit fuzz integration bench sanity lab-test kill-matrix docs demo changelog clean
.DEFAULT_GOAL := help

help: ## Show the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

test: ## Run every part; the last line counts all of them
	@python3 $(TOOLS)/suite.py all $(PARTS)

setup: ## Install packages and build the virtual environments
	@bash $(TOOLS)/setup.sh $(CORES)

lint: ## Style, types, documentation, changelog
	@bash $(TOOLS)/lint.sh

format: ## Format and mend the Python files
	@$(LOCKSTEP_CACHE)/venv/dev/bin/ruff format .
	@$(LOCKSTEP_CACHE)/venv/dev/bin/ruff check --fix .

unit: ## Unit, property and mutation tests
	@bash $(TOOLS)/unit.sh $(if $(filter-out file,$(origin CORES)),$(CORES))

fuzz: ## The fuzzers of `make unit` for longer: make fuzz EXAMPLES=20000
	@LOCKSTEP_FUZZ_EXAMPLES=$(or $(EXAMPLES),2000) bash $(TOOLS)/fuzz.sh

sanity: ## ansible-test sanity on the oldest and the newest ansible-core
	@bash $(TOOLS)/sanity.sh

integration: ## Tests with real processes on the loopback
	@bash $(TOOLS)/integration.sh

bench: ## Benchmarks against their budgets
	@bash $(TOOLS)/bench.sh

lab-test: ## Molecule scenarios on real hosts; one: make lab-test SCENARIO=name
	@bash $(TOOLS)/lab_test.sh

kill-matrix: ## Kill an upgrade at each of its steps and run it again; prints the matrix, takes an hour
	@bash $(TOOLS)/kill_matrix.sh

docs: ## The documentation as a site
	@bash $(TOOLS)/docs.sh

demo: setup ## A cluster on real hosts, planned, upgraded and verified as in the README
	@bash $(TOOLS)/demo.sh

changelog: ## Write CHANGELOG.md anew from the fragments and the plugins
	@bash $(TOOLS)/changelog.sh

clean: ## Remove everything that the tests put outside the checkout
	@rm -rf $(LOCKSTEP_CACHE)
