#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Unit, property and mutation tests; the unit tests on the oldest and the newest ansible-core that this machine has a
# Python for, or on those that are named.
# usage: unit.sh [CORE…]

part=unit
# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"
suite begin "$part"

read -r -a cores <<<"${*:-$(python3 "$tools/venvs.py" ends)}"
[ "${#cores[@]}" -gt 0 ] || fail 'unit tests' 'no ansible-core is installed; run make setup'
for core in "${cores[@]}"; do
  if [ -d "$LOCKSTEP_CACHE/venv/core-$core" ]; then
    pytest_step "unit-core-$core" "core-$core" tests/unit --numprocesses 2
  else
    skip "unit-core-$core" 'not installed: make setup with the same CORES says why'
  fi
done
# Whole playbooks, which take long. Once is enough, on the oldest: most scenarios of the lab run on the newest.
[ "${#cores[@]}" -eq 0 ] || pytest_step flow "core-${cores[0]}" tests/flow --numprocesses 2
for kind in property mutation fuzz; do pytest_step "$kind" dev "tests/$kind" --numprocesses 2; done
finish
