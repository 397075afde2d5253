#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_gate
short_description: Stop the run unless a Teleport cluster shows what is expected
version_added: 0.1.0
description:
  - Asks the cluster through M(lockstep.teleport.cluster_info) until everything in O(expect) holds, or until O(patience)
    has run out; then fails with all that is missing.
  - It fails at once for what no waiting cures, such as a changed CA pin or a CA rotation in progress.
  - What the cluster cannot show, such as versions before 4.3, fails the gate too, unless the instance is named in
    C(proven).
  - In check mode it judges what it finds at the first look.
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.read_only
  - lockstep.teleport.attributes.linux
  - lockstep.teleport.attributes.action
options:
  instance:
    description: The Auth Service to ask, as M(lockstep.teleport.instance_info) returned it.
    type: dict
    required: true
  expect:
    description:
      - What has to hold. Everything is optional, and what is not given is not judged, with one exception. No
        certificate authority may be in the middle of a rotation, whatever is given.
    type: dict
    default: {}
    suboptions:
      cluster:
        description: Name of the cluster.
        type: str
      version:
        description:
          - Version of the Auth Service asked. Any other Auth Service listed with another version fails the gate,
            unless it is named in O(expect.stopped) or its entry has expired.
        type: str
      instances:
        description:
          - Instances that have to be listed at a version, each with C(host) and C(version), and, where the cluster
            lists it under another name, its C(host_uuid), C(hostname) or C(nodename).
        type: list
        elements: dict
      proven:
        description: UUIDs or host names of instances whose version was proven on the host itself.
        type: list
        elements: str
      stopped:
        description: UUIDs or host names of instances that were proven to be stopped on the host itself.
        type: list
        elements: str
      before:
        description:
          - An earlier RV(lockstep.teleport.cluster_info#module:cluster_view). Its instances, CA pins, authorities, leaf
            connections and trusts must still be there.
          - An instance that had not announced itself for more than six minutes then is not missed.
        type: dict
      ca_pins:
        description: CA pins that must be unchanged. Taken from O(expect.before) when not given.
        type: list
        elements: str
      authorities:
        description: Types of authorities that must be there. Taken from O(expect.before) when not given.
        type: list
        elements: str
      agents_at_least:
        description: Number of agents that have to be listed.
        type: int
      remote_clusters:
        description: Leaf clusters that have to be connected. Taken from O(expect.before) when not given.
        type: list
        elements: str
  patience:
    description:
      - Seconds to wait for what is missing. Nodes of a healthy cluster have been seen to blip up to 75 seconds after
        their Auth Service was restarted.
    type: float
    default: 90
  reconnect_patience:
    description:
      - The same while nothing is missing but agents, proxies and leaf clusters that were connected before. They come
        back by themselves, some only after minutes. Without effect when it is less than O(patience).
      - What the gate waits for is shown every half a minute.
    type: float
    default: 0
  interval:
    description:
      - Seconds between two looks. The first waits are shorter, as what is missing mostly comes within a moment.
    type: float
    default: 5
  timeout:
    description: Seconds after which one call of C(tctl) is given up.
    type: int
    default: 30
seealso:
  - module: lockstep.teleport.cluster_info
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Remember what the cluster looks like
  lockstep.teleport.cluster_info:
    instance: "{{ observed.instance }}"
  register: asked

- name: Go on only when nothing was lost
  lockstep.teleport.cluster_gate:
    instance: "{{ observed.instance }}"
    expect:
      version: 17.7.20
      before: "{{ asked.cluster_view }}"
"""

RETURN = r"""
findings:
  description: Everything that is missing, with C(code), C(severity), C(cluster), C(host), C(message) and C(hint).
  returned: always
  type: list
  elements: dict
seen:
  description: Numbers of the last look, null when the cluster did not answer.
  returned: always
  type: dict
  sample:
    cluster: example.com
    version: 17.7.20
    instances: 5
    versions: {"17.7.20": 5}
    leaves_online: 1
waited:
  description: Seconds from the first look to the last.
  returned: always
  type: float
looks:
  description: How often the cluster was asked.
  returned: always
  type: int
"""
