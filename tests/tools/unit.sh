#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Unit, property and mutation tests; the unit tests on every ansible-core that this machine has a Python for.

part=unit
# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"
suite begin "$part"

read -r -a cores <<<"$(python3 "$tools/venvs.py" cores)"
[ "${#cores[@]}" -gt 0 ] || fail 'unit tests' 'no ansible-core is installed; run make setup'
for core in "${cores[@]}"; do pytest_step "unit-core-$core" "core-$core" tests/unit; done
for kind in property mutation; do
  if [ -d "$root/tests/$kind" ]; then pytest_step "$kind" dev "tests/$kind"; fi
done
finish
