# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# For people: puts the tools of the tests into the current shell. To be sourced from the root of the checkout.

export LOCKSTEP_CACHE=${LOCKSTEP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lockstep-teleport}
export ANSIBLE_COLLECTIONS_PATH=$LOCKSTEP_CACHE/collections
export PATH=$LOCKSTEP_CACHE/venv/dev/bin:$PATH
