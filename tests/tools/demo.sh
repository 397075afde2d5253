#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the README promises, typed as a user would: a small cluster on real hosts is planned, upgraded over two release
# lines and asked for a third time, when there must be nothing left to do.

part=demo
# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"
suite begin "$part"

export LAB_NAME=demo LAB_STATE=$LOCKSTEP_CACHE/labs/demo
target=18.8.3
lab=(python3 "$root/tests/lab/lab.py")
trap '"${lab[@]}" down >/dev/null' EXIT

# play PLAYBOOK: as in the README, with the lab's inventory.
play() {
  # shellcheck disable=SC2016 # expanded by the inner shell, once the lab has written the file
  bash -c '. "$LAB_STATE/env.sh" && cd "$LAB_STATE" && ansible-playbook "$@"' play "lockstep.teleport.$1" \
    --extra-vars "teleport_target_version=$target"
}
export -f play
export target

step 'packages of the lab' -- "${lab[@]}" install
step 'boot the hosts' -- "${lab[@]}" up sqlite-small
step 'plan' -- bash -c 'play plan'
step 'upgrade' -- bash -c 'play upgrade'
step 'verify' -- bash -c 'play verify'
step 'upgrade again, with nothing to do' --forbid 'changed=[1-9]' -- bash -c 'play upgrade'
finish
