#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Checks the types of plugins and tests. What Ansible imports is checked by its full name, from above ansible_collections;
# a folder of scripts that import each other is a program of its own and is checked from within.

# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"

failed=0
mapfile -t imported < <(cd "$root" && git ls-files --cached --others --exclude-standard 'plugins/*.py' 'tests/*.py' |
  grep -Ev '^tests/(tools|double|lab|kill)/')
(cd "$collections" && mypy --config-file "$root/pyproject.toml" "${imported[@]/#/$inside/}") || failed=1
# The double's tests, and the lab, take modules from beside them.
export MYPYPATH=$root/tests/double/tests:$root/tests/double
for program in tools double lab kill; do
  mapfile -t files < <(cd "$root/tests" && git ls-files --cached --others --exclude-standard "$program/*.py")
  [ "${#files[@]}" -gt 0 ] || continue
  (cd "$root/tests/$program" && mypy --config-file "$root/pyproject.toml" "${files[@]#"$program/"}") || failed=1
done
exit "$failed"
