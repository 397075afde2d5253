#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads one host; the action plugin of the same name parses what must not be shown and builds the result."""

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_info
short_description: Observe the Teleport instance of a host
version_added: 0.1.0
description:
  - Returns everything an upgrade has to know about the Teleport instance of a host, or about the client tools of a host
    without one.
  - The version that counts is the one of the process behind the unit, asked through C(/proc), not the one of the file
    in O(bin_dir).
  - The configuration is parsed on the controller. Nothing secret of it is in the result.
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.read_only
  - lockstep.teleport.attributes.linux
  - lockstep.teleport.attributes.action
options:
  config_path:
    description:
      - Path of the instance's configuration. What the running process was given with C(--config) goes before it.
    type: path
    default: /etc/teleport.yaml
  service:
    description: Name of the systemd unit of the instance.
    type: str
    default: teleport
  bin_dir:
    description: Folder from which the unit and people call C(teleport), C(tctl) and C(tsh).
    type: path
    default: /usr/local/bin
  versions_dir:
    description: Folder in which this collection keeps one folder per version.
    type: path
    default: /opt/teleport-versions
  diag_addr:
    description:
      - Address of the diagnostic endpoint. Discovered from the command line of the process and from the configuration
        when it is not given.
    type: str
  data_dir:
    description:
      - Data directory of the instance. Always discovered; the action plugin sets this when it has to ask a second time.
    type: path
  config_cures:
    description:
      - Codes of preflight rules whose cure is a change of the configuration that an upgrade may make, or V(all).
        The changes are then returned, and made by nobody but M(lockstep.teleport.instance_upgrade).
    type: list
    elements: str
    default: []
  busy_timeout:
    description:
      - Seconds to wait while another upgrade is at work on the host, such as one whose controller was killed. What is
        seen in the middle of it would be of no use. After that the finding C(busy) says so.
    type: float
    default: 600
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Observe the instance
  lockstep.teleport.instance_info:
  register: observed

- name: Show what runs
  ansible.builtin.debug:
    msg: "{{ observed.instance.version }} on {{ observed.instance.services | join(', ') }}"
"""

RETURN = r"""
instance:
  description:
    - What the host told.
  returned: always
  type: dict
  contains:
    host:
      description: Name of the host in the inventory.
      type: str
      returned: always
    cluster:
      description: Name of the cluster, where the instance is an Auth Service and its configuration names it.
      type: str
      returned: always
    services:
      description: Which of V(auth), V(proxy) and V(agent) the instance runs, or V(client) for client tools alone.
      type: list
      elements: str
      returned: always
    roles_enabled:
      description: Sections of the configuration that are switched on.
      type: list
      elements: str
      returned: always
    version:
      description: Version that counts, that is the one that runs, else the installed one. Of client tools the oldest.
      type: str
      returned: always
    running_version:
      description: Version of the process.
      type: str
      returned: always
    installed_version:
      description: Version of the file.
      type: str
      returned: always
    edition:
      description: One of V(community), V(enterprise), V(fips).
      type: str
      returned: always
    state:
      description: V(running) or V(stopped). Client tools always count as running.
      type: str
      returned: always
    held:
      description: Whether M(lockstep.teleport.instance_hold) keeps the instance stopped.
      type: bool
      returned: always
    marks:
      description: What M(lockstep.teleport.instance_mark) left on the host.
      type: list
      elements: str
      returned: always
    unfinished:
      description: Whether an upgrade of this collection was killed on the host.
      type: bool
      returned: always
    interrupted:
      description: Whether a hold, a mark or an unfinished upgrade of this collection lies on the host.
      type: bool
      returned: always
    unit:
      description: What systemd says of the unit.
      type: dict
      returned: always
    exe:
      description: Path of the program that the process executes.
      type: str
      returned: always
    install_method:
      description: One of V(tarball), V(package), V(managed_updates), V(none).
      type: str
      returned: always
    package:
      description:
        - The package that Teleport belongs to, with C(tool), C(name), C(edition), C(version), whether it is C(held),
          the C(channel) and the file (C(source)) it comes from, and C(problem), which says why it cannot be upgraded.
      type: dict
      returned: always; null where it belongs to none
    updater:
      description:
        - Teleport's own updater on the host, with C(kind) (C(teleport-update) or C(teleport-upgrade)), whether it is
          C(enabled) and C(pinned), the version it has C(active), and whether M(lockstep.teleport.instance_updater) has
          C(paused) it.
      type: dict
      returned: always; null where there is none
    bin_dir:
      description: As asked.
      type: str
      returned: always
    versions_dir:
      description: As asked.
      type: str
      returned: always
    kept_versions:
      description: Names of the complete version folders on the host.
      type: list
      elements: str
      returned: always
    architecture:
      description: Architecture as Teleport's artefacts call it, for example V(amd64).
      type: str
      returned: always
    hostname:
      description: Name the host gives itself.
      type: str
      returned: always
    host_uuid:
      description: Identifier under which the cluster lists the instance.
      type: str
      returned: always
    config:
      description: The secret-free part of the configuration, with C(error) when it cannot be read.
      type: dict
      returned: always
    free_bytes:
      description: Bytes that can still be written below the versions and the data directory.
      type: dict
      returned: always
    session_inside_unit:
      description: Whether Ansible's own session lies in the unit's control group, so that it ends with the instance.
      type: bool
      returned: always
    ready:
      description: What the instance answers about its readiness; null when it offers no way to ask.
      type: dict
      returned: always
    concerns:
      description:
        - Preflight rules that the host offends, each with C(rule), its identifier, and C(found). Which of them matter
          depends on the release lines that an upgrade goes through, so M(lockstep.teleport.upgrade_plan) judges them.
        - C(change) says what O(config_cures) could change, where it does not name the rule.
      type: list
      elements: dict
      returned: always
    config_edits:
      description:
        - Changes of the configuration that cure rules, in the order in which hops need them. Each has its C(rule), the
          SHA-256 of the file C(before) and C(after) it, C(lines) to show, and C(spans), the bytes that give way to
          others. None of it holds what the rules do not name.
      type: list
      elements: dict
      returned: where O(config_cures) names rules that the host offends
    findings:
      description: What stands in the way of an upgrade, or should be known.
      type: list
      elements: dict
      returned: always
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.observation import Request, observe

_PATHS = ("config_path", "bin_dir", "versions_dir", "data_dir")


def main() -> None:
    """Read the host and hand everything to the action plugin."""
    module = AnsibleModule(
        argument_spec={
            "config_path": {"type": "path", "default": "/etc/teleport.yaml"},
            "service": {"type": "str", "default": "teleport"},
            "bin_dir": {"type": "path", "default": "/usr/local/bin"},
            "versions_dir": {"type": "path", "default": "/opt/teleport-versions"},
            "diag_addr": {"type": "str"},
            "data_dir": {"type": "path"},
            "config_cures": {"type": "list", "elements": "str", "default": []},
            "busy_timeout": {"type": "float", "default": 600},
        },
        supports_check_mode=True,
    )
    given = {name: value for name, value in module.params.items() if value is not None}
    relative = [name for name in _PATHS if not os.path.isabs(given.get(name, "/"))]
    if relative:
        module.fail_json(msg=f"{relative[0]} is {given[relative[0]]!r}; an absolute path is needed.")
    try:
        asked = {name: value for name, value in given.items() if name != "config_cures"}
        observed = observe(Host(), Request(**asked))
    except HostError as problem:
        module.fail_json(msg=str(problem))
    else:
        module.exit_json(changed=False, request=given, observed=observed)


if __name__ == "__main__":
    main()
