#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Everything that can be said about the sources without running them.

part=lint
# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"
suite begin "$part"
cd "$root"

mapfile -t scripts < <(git ls-files --cached --others --exclude-standard '*.sh' .ci/run)
# The longest first.
step_beside 'ansible-lint' -- ansible-lint --offline --strict --profile production
step_beside 'galaxy-importer' --forbid '(?m)^(WARNING|ERROR)' -- bash "$tools/archive.sh"
step_beside 'ruff check' -- ruff check .
step_beside 'ruff format' -- ruff format --check .
step_beside 'yamllint' -- yamllint --strict .
step_beside 'shellcheck' -- shellcheck --external-sources "${scripts[@]}"
# mypy knows no Python as old as the targets' any more; this tells what the standard library did not have yet.
step_beside 'vermin' -- vermin --quiet --no-tips --target=3.7- --violations plugins/module_utils plugins/modules
step_beside 'mypy' -- bash "$tools/mypy.sh"
step_beside 'antsibull-changelog' -- antsibull-changelog lint
step_beside 'antsibull-docs' -- antsibull-docs lint-collection-docs --plugin-docs --check-extra-docs-refs \
  --validate-collection-refs all --disallow-unknown-collection-refs .
finish
