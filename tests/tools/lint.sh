#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Everything that can be said about the sources without running them.

part=lint
# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"
suite begin "$part"
cd "$root"

mapfile -t scripts < <(git ls-files --cached --others --exclude-standard '*.sh' .ci/run)
step 'ruff check' -- ruff check .
step 'ruff format' -- ruff format --check .
step 'yamllint' -- yamllint --strict .
step 'shellcheck' -- shellcheck --external-sources "${scripts[@]}"
# mypy knows no Python as old as the targets' any more; this tells what the standard library did not have yet.
step 'vermin' -- vermin --quiet --no-tips --target=3.7- --violations plugins/module_utils plugins/modules
step 'mypy' -- bash "$tools/mypy.sh"
step 'antsibull-changelog' -- antsibull-changelog lint
step 'antsibull-docs' -- antsibull-docs lint-collection-docs --plugin-docs --check-extra-docs-refs \
  --validate-collection-refs all --disallow-unknown-collection-refs .
step 'galaxy-importer' --forbid '(?m)^(WARNING|ERROR)' -- bash "$tools/archive.sh"
step 'ansible-lint' -- ansible-lint --offline --strict --profile production
finish
