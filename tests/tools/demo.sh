#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the README promises, typed as a user would: a small cluster on real hosts is planned, upgraded over two release
# lines and asked for a third time, when there must be nothing left to do.

part=demo
# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"
suite begin "$part"

export LAB_NAME=demo LAB_STATE=$LOCKSTEP_CACHE/labs/demo
wanted=teleport_target_version=18.10.1
lab=(python3 "$root/tests/lab/lab.py")
trap '"${lab[@]}" down >/dev/null' EXIT

# As in the README, with the lab's inventory; the file exists once the lab is up.
# shellcheck disable=SC2016
as_user='. "$LAB_STATE/env.sh" && cd "$LAB_STATE" && exec ansible-playbook "lockstep.teleport.$0" --extra-vars "$1"'
step 'packages of the lab' -- "${lab[@]}" install
step 'boot the hosts' -- "${lab[@]}" up sqlite-small
step 'plan' -- bash -c "$as_user" plan "$wanted"
step 'upgrade' -- bash -c "$as_user" upgrade "$wanted"
step 'verify' -- bash -c "$as_user" verify "$wanted"
step 'upgrade again, with nothing to do' --forbid 'changed=[1-9]' -- bash -c "$as_user" upgrade "$wanted"
finish
