#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Every molecule scenario on real hosts, twice JOBS of them at once, each with a lab of its own; with SCENARIO=name
# only that one.

part=lab-test
# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"
suite begin "$part"
cd "$collections/$inside"

# They wait for hosts more than they compute.
JOBS=$((JOBS * 2))
scenario_limit=1800 # seconds; a scenario that hangs must not take the rest of the run with it

scenarios=()
for file in extensions/molecule/*/molecule.yml; do
  [ -e "$file" ] || continue
  name=$(basename "$(dirname "$file")")
  if [ -z "${SCENARIO:-}" ] || [ "$SCENARIO" = "$name" ]; then scenarios+=("$name"); fi
done

[ -z "${scenarios[*]}" ] || step 'packages of the lab' -- python3 tests/lab/lab.py install
# The rest of the matrix is for make kill-matrix. The number is seconds in which cases are begun.
[ -n "${SCENARIO:-}" ] || step_beside 'killed at some steps' --limit "$scenario_limit" -- python tests/kill/kill_matrix.py --seconds 150
[ "${#scenarios[@]}" -gt 0 ] || fail "${SCENARIO:-scenarios}" 'no such scenario in extensions/molecule'
# From the end of the alphabet: upgrades take longest, and one that is started last would run alone.
for ((i = ${#scenarios[@]} - 1; i >= 0; i--)); do
  name=${scenarios[i]}
  step_beside "$name" --limit "$scenario_limit" --forbid '\[DEPRECATION WARNING\]' -- molecule test --scenario-name "$name"
done
finish
