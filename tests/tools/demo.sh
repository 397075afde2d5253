#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the README promises, typed as a user would: a highly available cluster on real hosts is planned, upgraded over two
# release lines and asked again, when there must be nothing left to do. Ends with the report.

part=demo
# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"
suite begin "$part"

export LAB_NAME=demo LAB_STATE=$LOCKSTEP_CACHE/labs/demo
wanted=teleport_target_version=17.7.20
kept=$LOCKSTEP_CACHE/demo
lab=(python3 "$root/tests/lab/lab.py")
trap '"${lab[@]}" down >/dev/null' EXIT
# What a demo that was killed has left.
"${lab[@]}" down >/dev/null
rm -rf "$kept"
mkdir -p "$kept"

# As in the README, with the lab's inventory; the file exists once the lab is up.
# shellcheck disable=SC2016
as_user='. "$LAB_STATE/env.sh" && cd "$1" && exec ansible-playbook "lockstep.teleport.$0" --extra-vars "$2" ${3:+"$3"}'
step 'packages of the lab' -- "${lab[@]}" install
step 'boot three auth hosts, two proxies, six agents and etcd' -- "${lab[@]}" up ha --version 15.5.4
step 'plan' -- bash -c "$as_user" plan "$kept" "$wanted"
step 'upgrade' -- bash -c "$as_user" upgrade "$kept" "$wanted teleport_approved_plan_file=teleport-plan.json"
cp "$kept/teleport-plan.md" "$kept/teleport-plan.json" "$kept/teleport-report.md" "$kept/teleport-report.json" "$LOCKSTEP_CACHE/" ||
  fail 'report' 'the upgrade wrote no plan or report'
step 'verify' -- bash -c "$as_user" verify "$kept" "$wanted"
step 'upgrade again, with nothing to do' --forbid 'changed=[1-9]' -- bash -c "$as_user" upgrade "$kept" "$wanted"

echo
cat "$LOCKSTEP_CACHE/teleport-report.md"
echo "The plan: $LOCKSTEP_CACHE/teleport-plan.md, the report: $LOCKSTEP_CACHE/teleport-report.md (JSON beside them)"
finish
