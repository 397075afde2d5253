#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the planner of rollbacks; the action plugin of the same name does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollback_plan
short_description: Plan the way back of one Teleport cluster by one hop
version_added: 0.1.0
description:
  - Computes every step of a rollback, in its order, and says what is lost; or fails with every reason against it.
  - The order is client tools, agents, proxies, auth. The backend is restored while all auth servers are stopped.
  - Where the cluster goes is what the backup says that the auth hosts offer. Inside a release line a version can be
    named instead, and nothing is restored then.
  - A rollback that was cut off is planned from what is observed. One that is done has no steps.
  - Runs on the controller from plain data and touches no host.
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.read_only
  - lockstep.teleport.attributes.action
  - lockstep.teleport.attributes.controller
options:
  cluster:
    description: The cluster to take back.
    type: str
    required: true
  instances:
    description:
      - All instances of all clusters, as for M(lockstep.teleport.upgrade_plan), with C(held) where one is held.
    type: list
    elements: dict
    required: true
  unmanaged:
    description: Instances that the clusters report and the inventory lacks.
    type: list
    elements: dict
    default: []
  clusters:
    description: The clusters, and which root each leaf trusts.
    type: dict
    default: {}
  version:
    description: The version to return to. The backup's by default. Needed to go back inside a release line.
    type: str
  backups:
    description:
      - What M(lockstep.teleport.backup_info) returned on each auth host, as C(host), C(backups) and C(chosen).
    type: list
    elements: dict
    default: []
  names_backup:
    description: Whether a certain backup was asked for, so that it is restored even inside a release line.
    type: bool
    default: false
  acknowledge:
    description: Name of the backup for which it is accepted that everything written since is lost.
    type: str
    default: ''
  refusals:
    description: The reason of each host that was asked and cannot go back, by host.
    type: dict
    default: {}
  waivers:
    description: Codes of findings that are accepted.
    type: list
    elements: str
    default: []
  findings:
    description: Findings made before, e.g. those of the instances.
    type: list
    elements: dict
    default: []
  releases:
    description: Rows added to or overriding the release catalogue.
    type: raw
  batches:
    description: Sizes of the batches of agents and client tools, the canary first.
    type: list
    elements: raw
    default: [1, 10%, 25%]
  proxy_batches:
    description: Sizes of the batches of proxies.
    type: list
    elements: raw
    default: [1, 10%, 25%]
  now:
    description: The time now in UTC, as C(YYYY-MM-DDThh:mm:ssZ), to say how much time is lost.
    type: str
  draft:
    description: Only return RV(target), and fail for nothing.
    type: bool
    default: false
seealso:
  - module: lockstep.teleport.backup_info
  - module: lockstep.teleport.upgrade_plan
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Plan a rollback inside a release line
  lockstep.teleport.rollback_plan:
    cluster: main
    version: 16.5.12
    instances:
      - {host: auth1, cluster: main, services: [auth], version: 16.5.13}
      - {host: db1, cluster: main, services: [agent], version: 16.5.13}
"""

RETURN = r"""
plan:
  description: The plan, in the form of RV(lockstep.teleport.upgrade_plan#module:plan) with one stage.
  returned: when not O(draft)
  type: dict
findings:
  description: What speaks against the rollback or should be known before.
  returned: when not O(draft)
  type: list
  elements: dict
markdown:
  description: The plan for people.
  returned: when not O(draft)
  type: str
target:
  description: C(version), where the cluster would go, and C(hosts), those that would change.
  returned: always
  type: dict
"""
