# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034 # the variables are for the scripts that source this
# What every script of the tests starts from; sourced. $part is the name of the part of the tests, set by the sourcing script.

set -euo pipefail
: "${LOCKSTEP_CACHE:?run this through make, which sets LOCKSTEP_CACHE}"
: "${part:=}"

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tools=$root/tests/tools
collections=$LOCKSTEP_CACHE/collections
inside=ansible_collections/lockstep/teleport

# Without pyenv's shims: those of inactive versions exist and fail.
system_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH=$LOCKSTEP_CACHE/venv/dev/bin:$system_path
export LC_ALL=C.UTF-8
export ANSIBLE_COLLECTIONS_PATH=$collections
export ANSIBLE_NOCOLOR=1 NO_COLOR=1
export PYTHONPYCACHEPREFIX=$LOCKSTEP_CACHE/pycache
export RUFF_CACHE_DIR=$LOCKSTEP_CACHE/ruff MYPY_CACHE_DIR=$LOCKSTEP_CACHE/mypy

# How many steps run side by side where a part allows it.
: "${JOBS:=$(nproc)}"
[[ $JOBS =~ ^[1-9][0-9]*$ ]] || { echo "JOBS is '$JOBS'; allowed is a number from 1 on" >&2 && exit 2; }

failures=0
started=() # process ids of the steps that were started beside others

# suite ACTION ARGUMENT…: see suite.py.
suite() { /usr/bin/env python3 "$tools/suite.py" "$@"; }

# step NAME [OPTION…] -- COMMAND…: one counted step of $part. A failing step does not keep the next from running.
step() { suite run "$part" "$@" || failures=$((failures + 1)); }

# step_beside NAME [OPTION…] -- COMMAND…: the same, beside up to $JOBS - 1 others that were started so.
step_beside() {
  # Only to wait: of two that end at once, bash forgets how the second ended. finish asks each by its process id.
  while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do wait -n || true; done
  suite run "$part" "$@" &
  started+=("$!")
}

# skip / fail NAME REASON: a step that cannot run here, and one that should have.
skip() { suite skip "$part" "$@"; }
fail() { suite fail "$part" "$@" || failures=$((failures + 1)); }

# pytest_step NAME VENV FOLDER [OPTION…]: the tests of a folder, each counted.
pytest_step() {
  local report=$LOCKSTEP_CACHE/reports/$1.xml
  mkdir -p "${report%/*}"
  step "$1" --junit "$report" -- env --chdir="$root" PYTHONPATH="$collections" "$LOCKSTEP_CACHE/venv/$2/bin/python" \
    -m pytest --quiet --junit-xml="$report" "${@:3}"
}

# The last line of every part.
finish() {
  local process
  for process in "${started[@]}"; do wait "$process" || failures=$((failures + 1)); done
  exit "$((failures > 0))"
}
