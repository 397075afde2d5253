#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Every parser of foreign text on LOCKSTEP_FUZZ_EXAMPLES inputs each; `make unit` tries a few of the same.

part=fuzz
# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"
suite begin "$part"

pytest_step fuzz dev tests/fuzz --numprocesses 2
finish
