#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The benchmarks: tests that fail when a budget is exceeded and print what they measured.

part=bench
# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"
suite begin "$part"
report=$LOCKSTEP_CACHE/reports/bench.xml
mkdir -p "${report%/*}"

step benchmarks --junit "$report" -- env --chdir="$root" PYTHONPATH="$collections" python -m pytest --quiet --capture=no \
  --override-ini='python_files=bench_*.py' --junit-xml="$report" tests/benchmarks
grep -E '^figure: ' "$LOCKSTEP_CACHE/logs/bench-benchmarks.log" | sed 's/^/  /' || fail figures 'the benchmarks printed none'
finish
