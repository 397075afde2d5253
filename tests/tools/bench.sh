#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The benchmarks: programs that print what they measured and fail beyond their budget.

part=bench
# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"
suite begin "$part"
cd "$root"

for file in tests/benchmarks/*.py; do
  name=$(basename "$file" .py)
  step "$name" -- env PYTHONPATH="$collections" python "$file"
  sed 's/^/         /' "$LOCKSTEP_CACHE/logs/bench-$name.log"
done
finish
