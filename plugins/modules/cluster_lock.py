#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes, prolongs and releases the lock of a cluster; the action plugin says who asks and keeps the lock alive."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_lock
short_description: Keep two runs from working on one cluster
version_added: 0.1.0
description:
  - Takes the lock of a cluster on an auth host, prolongs it, or lets it go. All auth hosts of a cluster have to grant
    it.
  - The lock is a file that is read, judged and replaced in one step. It names its owner, the run, and when it was
    renewed.
  - A lock that was not renewed for its O(ttl) is stale and taken over, and so is one whose process on the same
    controller has ended. A live one is taken over only when O(override) names its run.
  - Ages come from the auth host's clock since boot, so clocks that differ or are set do no harm.
  - While a run holds the lock, a process on the controller renews it. It ends with C(ansible-playbook), however that
    ends, and then lets the lock go.
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.linux
  - lockstep.teleport.attributes.action
attributes:
  check_mode:
    support: full
    details:
      - Takes nothing. A lock that another run holds is a warning.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - Taking a lock that the run holds renews it and reports no change.
options:
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  state:
    description:
      - With V(present) the lock is taken, or renewed when this run holds it.
      - With V(renewed) it is renewed, and the module fails when this run does not hold it any more.
      - With V(absent) it is let go when this run holds it, or the run that O(override) names.
      - With V(query) nothing is changed.
    type: str
    choices: [present, renewed, absent, query]
    default: present
  playbook:
    description: What the lock is for, to be told to others.
    type: str
    default: ''
  target:
    description: Version that the run goes to, to be told to others.
    type: str
    default: ''
  ttl:
    description: Seconds after which a lock that nobody renews is stale.
    type: float
    default: 600
  override:
    description: Id of the run whose live lock is taken over, or let go. Any other live lock is respected.
    type: str
    default: ''
  directory:
    description: Folder of the locks on the auth host. All controllers have to name the same.
    type: path
    default: /var/lib/lockstep-teleport
  keep:
    description: Let a process on the controller renew the lock until the run ends.
    type: bool
    default: true
  run_id:
    description: Id of the run. The action plugin sets this.
    type: str
    default: ''
  owner:
    description: Who asks. The action plugin sets this.
    type: dict
    default: {}
  running_for:
    description: Seconds since the run began. The action plugin sets this.
    type: float
    default: 0
  ended:
    description:
      - Seconds since the boot of the controller at which the process of the run ended, when it did not let the lock go
        itself. The action plugin sets this.
    type: float
  dead:
    description: Id of a run whose process is known to have ended. The action plugin sets this.
    type: str
    default: ''
  share:
    description:
      - Name that several runs give which may hold the lock together, such as the slices of one job of AWX. It is let go
        when the last of them lets it go.
    type: str
    default: ''
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Lock the cluster
  lockstep.teleport.cluster_lock:
    cluster: teleport.example.com
    playbook: my_maintenance

- name: Say who holds it
  lockstep.teleport.cluster_lock:
    cluster: teleport.example.com
    state: query
  register: lock

- name: Let it go
  lockstep.teleport.cluster_lock:
    cluster: teleport.example.com
    state: absent
"""

RETURN = r"""
run_id:
  description: Id of this run.
  returned: always
  type: str
  sample: 4711-1f0c9a2b
held:
  description: Whether this run holds the lock now.
  returned: always
  type: bool
holder:
  description:
    - The lock as it lies on the host. Has C(run_id), C(owner), C(playbook), C(target), C(since) and C(ttl) in seconds,
      C(renewed) and C(released). Null when there never was one.
  returned: always
  type: dict
holder_text:
  description: Who holds it, for what, since when and until when; empty when nobody does.
  returned: always
  type: str
taken_over:
  description: Whose lock was taken over and why; empty when none was.
  returned: when O(state=present)
  type: str
refused:
  description: Why the lock was not granted, V(held), V(overtaken) or V(lost).
  returned: when it was refused
  type: str
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils import lock_decision as rules
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.lock_store import LockStore, Outcome

ARGUMENTS: Dict[str, Any] = {
    "cluster": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "renewed", "absent", "query"], "default": "present"},
    "playbook": {"type": "str", "default": ""},
    "target": {"type": "str", "default": ""},
    "ttl": {"type": "float", "default": 600},
    "override": {"type": "str", "default": ""},
    "directory": {"type": "path", "default": "/var/lib/lockstep-teleport"},
    "keep": {"type": "bool", "default": True},
    "run_id": {"type": "str", "default": ""},
    "owner": {"type": "dict", "default": {}},
    "running_for": {"type": "float", "default": 0},
    "ended": {"type": "float"},
    "dead": {"type": "str", "default": ""},
    "share": {"type": "str", "default": ""},
}


def perform(store: LockStore, parameters: Dict[str, Any], check_mode: bool) -> Dict[str, Any]:
    """Do what is asked for and return the result, with ``failed`` when it was refused.

    :raises HostError: when the lock cannot be read or written.
    """
    run_id = parameters["run_id"]
    if parameters["state"] == "query":
        return _told(store, run_id)
    if parameters["state"] == "absent":
        before = store.read()
        changed = store.release(run_id, parameters["override"], check_mode, parameters["ended"])
        return {**_told(store, run_id), "changed": changed, "diff": _diff(before, None if changed else before)}
    claim = _claim(parameters)
    return _answer(store, claim, store.claim(claim, check_mode), check_mode)


def _claim(parameters: Dict[str, Any]) -> rules.Claim:
    return rules.Claim(
        run_id=parameters["run_id"],
        cluster=parameters["cluster"],
        owner=parameters["owner"],
        playbook=parameters["playbook"],
        target=parameters["target"],
        ttl=parameters["ttl"],
        running_for=parameters["running_for"],
        override=parameters["override"],
        dead=parameters["dead"],
        renew_only=parameters["state"] == "renewed",
        share=parameters["share"],
    )


def _answer(store: LockStore, claim: rules.Claim, outcome: Outcome, check_mode: bool) -> Dict[str, Any]:
    told = _told(store, claim.run_id)
    action, reason = outcome.decision
    if action == rules.REFUSE:
        why = rules.refusal(outcome.before, claim, reason, store.now())
        return {**told, "changed": False, "failed": not check_mode, "refused": reason, "msg": why}
    over = ""
    if action == rules.TAKE_OVER and outcome.before is not None:
        over = rules.takeover(outcome.before, reason, store.now())
    after = rules.granted(outcome.before, claim, store.now()) if check_mode else outcome.after
    return {**told, "changed": action != rules.RENEW, "taken_over": over, "diff": _diff(outcome.before, after)}


def _told(store: LockStore, run_id: str) -> Dict[str, Any]:
    record = store.read()
    held = record is not None and rules.is_held(record)
    return {
        "changed": False,
        "run_id": run_id,
        "held": rules.is_held_by(record, run_id),
        "holder": None if record is None else rules.dump(record),
        "holder_text": rules.describe(record, store.now()) if record is not None and held else "",
    }


def _diff(before: Any, after: Any) -> Dict[str, Dict[str, Any]]:
    def shown(record: Any) -> Dict[str, Any]:
        return {"locked_by_run": record.run_id if rules.is_held(record) else None}

    return {"before": shown(before), "after": shown(after)}


def main() -> None:
    """Translate between Ansible and the lock."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    parameters = module.params
    if parameters["state"] != "query" and not parameters["run_id"]:
        module.fail_json(msg="run_id is missing: the action plugin of this module names the run that asks.")
    try:
        result = perform(LockStore(parameters["directory"], parameters["cluster"]), parameters, module.check_mode)
    except HostError as problem:
        module.fail_json(msg=str(problem))
    if result.get("failed"):
        module.fail_json(**result)
    for text in (result.get("taken_over"), result.get("msg")):
        if text:
            module.warn(text)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
