#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# ansible-test sanity on the oldest and the newest ansible-core that this machine has a Python for.

part=sanity
# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"
suite begin "$part"

pythons=$(python3 "$tools/interpreters.py" | cut -d ' ' -f 1)
search_path=$(python3 "$tools/interpreters.py" path)

# ansible-test works only in a real folder of that path, and on everything that lies in it; it also writes there, so each
# core has its own.
copy_sources() {
  local copy=$1
  rm -rf "$copy"
  mkdir -p "$copy"
  (cd "$root" && git ls-files -z --cached --others --exclude-standard --deduplicate |
    while IFS= read -r -d '' file; do [ -e "$file" ] || [ -L "$file" ] && printf '%s\0' "$file"; done |
    tar --create --null --no-recursion --files-from=- --file=-) | tar --extract --directory "$copy"
}

# Tests are not published; what the sanity tests themselves read stays.
leave_out_tests() {
  find "$1/tests" -mindepth 1 -maxdepth 1 ! -name sanity ! -name config.yml -exec rm -rf {} +
}

# A home of its own keeps ansible-test's caches apart and holds the stand-in for the script it would download.
make_home() {
  mkdir -p "$1/.ansible/test/cache"
  local version
  for version in 20_3_4 21_3_1 23_1_2 24_2 25_2 25_3; do
    cp "$tools/get_pip.py" "$1/.ansible/test/cache/get_pip_$version.py"
  done
}

# ansible-test only warns about what it could not run, and passes. pwsh is for PowerShell files, of which there are none.
gaps() {
  local found=${pythons//./\\.}
  found=${found//$'\n'/|}
  printf '%s' 'Required program "(?!pwsh)[^"]*" not found' \
    '|Skipping sanity test .* due to missing|Skipping sanity test .* because it is unsupported' \
    "|Skipping sanity test .* on Python ($found) because it could not be found"
}

run_core() {
  local core=$1 home=$LOCKSTEP_CACHE/home/core-$1 copy=$LOCKSTEP_CACHE/sanity/core-$1/$inside
  make_home "$home"
  copy_sources "$copy"
  # What is published must pass on every core; the tests, which take half of the time, on the newest.
  [ "$core" = "${cores[-1]}" ] || leave_out_tests "$copy"
  step_beside "ansible-test on core $core" --forbid "$(gaps)" --show '^(ERROR|WARNING|FATAL)|^[a-z-]+( --python|$)' \
    -- env --chdir="$copy" --unset=PYTHONPYCACHEPREFIX HOME="$home" \
    PATH="$LOCKSTEP_CACHE/venv/core-$core/bin:$search_path" ansible-test sanity --local --color no
}

# One row for each Python of a target that compile and import could not be run with, so that nobody takes it for covered.
name_missing_pythons() {
  local minor
  for minor in {7..14}; do
    grep -qx "3.$minor" <<<"$pythons" || skip "compile and import on Python 3.$minor" 'no such Python on this machine'
  done
}

read -r -a cores <<<"$(python3 "$tools/venvs.py" ends)"
if [ "${#cores[@]}" -eq 0 ]; then
  fail 'ansible-test' 'no ansible-core is installed; run make setup'
else
  for core in "${cores[@]}"; do run_core "$core"; done
fi
name_missing_pythons
finish
