#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves the certificate authorities of a cluster into one phase of a rotation."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ca_rotation
short_description: Move the certificate authorities of a Teleport cluster into a phase of their rotation
version_added: 0.1.0
description:
  - Enters one phase of a manual rotation, once every instance has reported the phase before, and waits until every
    instance has reported this one. Steps that Teleport does not take are refused.
  - Without O(phase) it only looks, and says which instances have not reported the present phase.
  - Needs no more than the Auth Service on the host it runs on.
  - Only the phases of the C(host) authority are reported by instances. For other authorities there is nothing to wait
    for but O(settle).
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.linux
attributes:
  check_mode:
    support: full
    details:
      - Says what would be moved and who has not reported, and waits for nobody.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - Authorities that are in the phase stay in it. A rotation that has ended is a phase like the others,
        V(standby); entering V(init) from there begins a new one.
options:
  instance:
    description:
      - The Auth Service to ask, as M(lockstep.teleport.instance_info) returned it.
      - Of it are used C(bin_dir), C(exe) and C(config.path).
    type: dict
    required: true
  phase:
    description: The phase to enter. Without it nothing is changed.
    type: str
    choices: [init, update_clients, update_servers, standby, rollback]
  types:
    description: The authorities to move. All of them have to be in O(phase) or just before it.
    type: list
    elements: str
    default: [host, user]
  grace_period:
    description:
      - How long Teleport is told that the rotation may take, when it begins. A manual rotation waits for
        the next phase, however long it takes.
    type: str
    default: 48h
  expected:
    description:
      - Instances that must take part, besides those that the cluster lists. Each has C(host) and C(names), all names
        under which the cluster may list it.
    type: list
    elements: dict
    default: []
  ignored:
    description: Names of instances that are not waited for. They may be cut off.
    type: list
    elements: str
    default: []
  copies_of:
    description:
      - Name of another cluster in trust. The module then waits until the copies that this cluster keeps of that one's
        authorities hold all of O(copied_keys), and changes nothing.
    type: str
  copied_keys:
    description: Fingerprints by type of authority, as RV(authorities) of the other cluster has them.
    type: dict
    default: {}
  patience:
    description: Seconds to wait, before the phase is entered and after it, until every instance has reported.
    type: float
    default: 900
  settle:
    description: Seconds to wait at the end, after a phase was entered, for what no heartbeat shows.
    type: float
    default: 0
  timeout:
    description: Seconds after which one call of C(tctl) is given up.
    type: int
    default: 60
seealso:
  - module: lockstep.teleport.cluster_info
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: See where the authorities stand, and who has not reported it
  lockstep.teleport.ca_rotation:
    instance: "{{ observed.instance }}"
  register: seen

- name: Begin a rotation
  lockstep.teleport.ca_rotation:
    instance: "{{ observed.instance }}"
    phase: init
    types: [host, user]
"""

RETURN = r"""
cluster:
  description: The cluster's own name.
  returned: success
  type: str
phases:
  description: The phase of each authority of the cluster, by type. V(standby) is at rest.
  returned: success
  type: dict
authorities:
  description:
    - The authorities of the cluster with C(type), C(phase), C(mode), C(current_id), C(started), C(grace_period),
      C(last_rotated) and C(keys), fingerprints of all keys that are trusted.
  returned: success
  type: list
  elements: dict
ca_pins:
  description: CA pins, sorted.
  returned: success
  type: list
  elements: str
moved:
  description: Types of the authorities that entered the phase, or would have.
  returned: success
  type: list
  elements: str
missing:
  description:
    - Instances that have not reported the present phase of the host authority, with C(host), C(code) (V(offline),
      V(blind) or V(behind)) and C(message).
  returned: success
  type: list
  elements: dict
reported:
  description: Number of services that reported any phase.
  returned: success
  type: int
listed:
  description: Names of the instances that the cluster lists with a phase.
  returned: success
  type: list
  elements: str
auth_versions:
  description: Versions of the Auth Services that the cluster lists.
  returned: success
  type: list
  elements: str
remote_clusters:
  description: Leaf clusters with C(name), C(connection) and C(last_heartbeat).
  returned: success
  type: list
  elements: dict
trusted_clusters:
  description: Root clusters with C(name) and C(enabled).
  returned: success
  type: list
  elements: dict
observed_at:
  description: When the cluster was asked, by the clock of the auth host.
  returned: success
  type: str
"""

import time
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils import cluster_query, rotation, rotation_run
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.tctl import TctlError


def main() -> None:
    """Look, decide, and move unless it is only to be said."""
    module = AnsibleModule(
        argument_spec={
            "instance": {"type": "dict", "required": True},
            "phase": {"type": "str", "choices": ["init", "update_clients", "update_servers", "standby", "rollback"]},
            "types": {"type": "list", "elements": "str", "default": ["host", "user"]},
            "grace_period": {"type": "str", "default": "48h"},
            "expected": {"type": "list", "elements": "dict", "default": []},
            "ignored": {"type": "list", "elements": "str", "default": []},
            "copies_of": {"type": "str"},
            "copied_keys": {"type": "dict", "default": {}, "no_log": False},
            "patience": {"type": "float", "default": 900},
            "settle": {"type": "float", "default": 0},
            "timeout": {"type": "int", "default": 60},
        },
        mutually_exclusive=[("phase", "copies_of")],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**_result(module))
    except (TctlError, rotation_run.RotationError) as error:
        view = getattr(error, "view", None)
        module.fail_json(msg=str(error), phases=_phases(view) if view else {})


def _result(module: AnsibleModule) -> Dict[str, Any]:
    given = module.params
    tctl = cluster_query.tctl_of(Host(), given["instance"], given["timeout"])
    wish = _wish(given)
    runner = rotation_run.Runner(tctl, time.sleep, time.monotonic)
    if given["copies_of"]:
        return {"changed": False, **_facts(_wait_for_copies(runner, given, wish), wish)}
    view = rotation_run.look(tctl)
    moved: List[str] = runner.decide(view, wish).types if wish.phase else []
    before = _phases(view)
    if wish.phase and not module.check_mode:
        view = runner.enter(wish, view)
    after = {**before, **dict.fromkeys(moved, wish.phase)}
    return {"changed": bool(moved), "moved": moved, **_facts(view, wish), "diff": {"before": before, "after": after}}


def _wish(given: Dict[str, Any]) -> rotation_run.Wish:
    expected = [
        rotation.Expected(str(one.get("host")), frozenset(str(text) for text in one.get("names") or [] if text))
        for one in given["expected"]
    ]
    return rotation_run.Wish(
        given["phase"] or "",
        given["types"],
        given["grace_period"],
        expected,
        given["ignored"],
        given["patience"],
        given["settle"],
    )


def _wait_for_copies(runner: rotation_run.Runner, given: Dict[str, Any], wish: rotation_run.Wish) -> rotation_run.View:
    cluster = given["copies_of"]

    def still(view: rotation_run.View) -> List[rotation.Missing]:
        lacking = rotation.lacking(view.authorities, given["copied_keys"], cluster)
        message = f"does not hold the new key of {cluster} yet"
        return [rotation.Missing(f"its copy of the {kind} authority", "copy", message) for kind in lacking]

    return runner.wait(wish, still, f"do without the old keys of {cluster}")


def _phases(view: rotation_run.View) -> Dict[str, str]:
    return {authority.type: authority.phase for authority in view.own}


def _facts(view: rotation_run.View, wish: rotation_run.Wish) -> Dict[str, Any]:
    return {
        "cluster": view.cluster,
        "phases": _phases(view),
        "authorities": [authority.facts() for authority in view.own],
        "ca_pins": view.ca_pins,
        "missing": [dict(one._asdict()) for one in rotation_run.absent(view, wish)],
        "reported": len(view.reports),
        "listed": sorted({report.host or report.id for report in view.reports}),
        "auth_versions": sorted({one.version for one in view.reports if one.service == "auth_servers" and one.version}),
        "remote_clusters": view.remote_clusters,
        "trusted_clusters": view.trusted_clusters,
        "observed_at": view.observed_at,
    }


if __name__ == "__main__":
    main()
