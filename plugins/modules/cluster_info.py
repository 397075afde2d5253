#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a cluster about itself through tctl on an auth host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_info
short_description: Ask a Teleport cluster who is connected and at which version
version_added: 0.1.0
description:
  - Runs C(tctl) on an auth host and returns one view of the cluster, the same for all versions of Teleport.
  - Needs no more than the Auth Service on the host it runs on. The answer is that of this Auth Service alone.
  - The lists of a cluster name dead instances for up to ten minutes. An entry proves nothing by being listed;
    an entry with a new version does.
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.read_only
  - lockstep.teleport.attributes.linux
options:
  instance:
    description:
      - The Auth Service to ask, as M(lockstep.teleport.instance_info) returned it.
      - Of it are used C(bin_dir), C(exe), and of C(config) C(path), C(data_dir) and C(storage).
    type: dict
    required: true
  timeout:
    description: Seconds after which one call of C(tctl) is given up.
    type: int
    default: 30
  attempts:
    description: How often a question is asked while the Auth Service cannot be reached, two seconds apart.
    type: int
    default: 3
  preflight:
    description:
      - Whether to look at roles, users and the backend as well, for what a later version takes differently.
    type: bool
    default: false
seealso:
  - module: lockstep.teleport.cluster_gate
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Ask the cluster
  lockstep.teleport.cluster_info:
    instance: "{{ observed.instance }}"
  register: asked

- name: Show who is behind
  ansible.builtin.debug:
    msg: "{{ asked.cluster_view.instances | rejectattr('version', 'equalto', asked.cluster_view.version) | list }}"
"""

RETURN = r"""
cluster_view:
  description: What the cluster says about itself.
  returned: success
  type: dict
  contains:
    cluster:
      description: Name of the cluster.
      type: str
      returned: always
    version:
      description: Version of the Auth Service asked. Null up to 4.1, which did not tell.
      type: str
      returned: always
    ca_pins:
      description: CA pins, sorted. There are two during a rotation.
      type: list
      elements: str
      returned: always
    authorities:
      description:
        - Certificate authorities with C(type), C(rotation), which is V(idle) or V(in_progress), and the C(text) of
          C(tctl).
      type: list
      elements: dict
      returned: always
    rotation_in_progress:
      description: Whether any authority is being rotated.
      type: bool
      returned: always
    instances:
      description:
        - One entry per instance with C(id), C(host), C(services), C(version), C(expires) and C(address).
        - C(version) is null where the cluster does not tell, which none before 4.3 does.
      type: list
      elements: dict
      returned: always
      sample:
        - id: 7c2d0a55-31f9-4c4e-9d2a-5b6a0e6f7a10
          host: auth-1
          services: [auth, proxy]
          version: 17.7.20
          expires: "2026-11-22T20:10:00Z"
          address: 192.0.2.11:3025
    versions_known:
      description: Whether every instance has a version.
      type: bool
      returned: always
    remote_clusters:
      description: Leaf clusters with C(name), C(connection) and C(last_heartbeat).
      type: list
      elements: dict
      returned: always
    trusted_clusters:
      description: Root clusters with C(name) and C(enabled).
      type: list
      elements: dict
      returned: always
    observed_at:
      description: When the cluster was asked, by the clock of the auth host.
      type: str
      returned: always
    auth_preference:
      description:
        - Its C(second_factor), where an Auth Service of a later line could refuse it. Null for lines before 6, which do
          not show it, and from 16 on.
      type: dict
      returned: always
    unseen:
      description: Kinds of resources that this version of Teleport cannot list.
      type: list
      elements: str
      returned: always
    facts:
      description: What the preflight rules look at, by name. A fact that could not be told is missing.
      type: dict
      returned: with O(preflight)
"""

from typing import Any, Dict, Mapping

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils import cluster_facts, cluster_query
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.registry import open_backend
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.tctl import TctlError


def backend_facts(instance: Mapping[str, Any], version: str) -> Dict[str, Any]:
    """Return the facts of the store behind an Auth Service, none where it cannot be looked into from here."""
    config = instance.get("config") or {}
    try:
        backend = open_backend(config.get("storage") or {}, str(config.get("data_dir") or ""), version)
    except BackupError:
        return {}
    try:
        return cluster_facts.read_backend(backend)
    except BackupError:
        # A backup has to reach it; its rehearsal says what is wrong.
        return {}
    finally:
        backend.close()


def main() -> None:
    """Ask and return the view."""
    module = AnsibleModule(
        argument_spec={
            "instance": {"type": "dict", "required": True},
            "timeout": {"type": "int", "default": 30},
            "attempts": {"type": "int", "default": 3},
            "preflight": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    given, instance = module.params, module.params["instance"]
    try:
        tctl = cluster_query.tctl_of(Host(), instance, given["timeout"], given["attempts"])
        view = cluster_query.ask(tctl)
        if given["preflight"]:
            version = view["version"] or instance.get("version")
            # What the cluster says of a user counts before what the keys of its backend let one guess.
            view["facts"] = {**backend_facts(instance, version), **cluster_query.ask_facts(tctl, version)}
    except TctlError as error:
        module.fail_json(msg=str(error))
    else:
        module.exit_json(changed=False, cluster_view=view)


if __name__ == "__main__":
    main()
