#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The whole matrix of tests/kill, as it goes.

part=kill-matrix
# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"
cd "$collections/$inside"
exec python tests/kill/kill_matrix.py
