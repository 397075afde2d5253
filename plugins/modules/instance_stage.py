#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings releases onto a host ahead of its upgrade."""

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_stage
short_description: Bring the releases of an upgrade onto a host ahead of it
version_added: 0.1.0
description:
  - Fetches every release of O(versions), compares it with its SHA-256, unpacks it beside the version that runs and
    tries its programs, so that M(lockstep.teleport.instance_upgrade) only has to switch and to restart.
  - Nothing is begun unless there is room for all of them. What is on the host already is read and compared, and stays.
  - A fetch that breaks off is continued by the next run, where the server can continue.
  - Nothing that runs is touched. On hosts of packages the packages are fetched from their repository. Hosts on which
    Teleport's own updater is at work are left alone, and say so.
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.linux
  - lockstep.teleport.attributes.action
attributes:
  check_mode:
    support: full
    details:
      - Makes sure that everything can be had and finds room.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  instance:
    description: The instance, as M(lockstep.teleport.instance_info) returned it.
    type: dict
    required: true
  versions:
    description: The releases to bring, in the order in which they will be needed.
    type: list
    elements: str
    required: true
  artifact_url:
    description:
      - Base URL from which the host fetches C(teleport[-ent]-vX.Y.Z-linux-ARCH[-fips]-bin.tar.gz) and the same with
        C(.sha256) behind it, or a directory on the controller from which it is brought to the host.
    type: str
    default: https://cdn.teleport.dev
  tarball_url:
    description:
      - Base URL where tarballs are nearer than at O(artifact_url), as M(lockstep.teleport.artifact_share) returns it.
      - Whoever serves them there is not believed. What comes from it is compared with O(checksums), or else with the
        C(.sha256) file at O(artifact_url).
    type: str
  edition:
    description: Edition to bring. Defaults to the edition that is installed.
    type: str
    choices: [community, enterprise, fips]
  checksums:
    description: SHA-256 digests that are pinned, as in M(lockstep.teleport.instance_upgrade).
    type: dict
    default: {}
  ca_path:
    description:
      - File on the host with the certificate authorities, in PEM, that O(artifact_url) is verified with, instead of
        those of the host.
    type: path
  versions_dir:
    description: Folder with one folder per version. Defaults to what the instance was observed with.
    type: path
  rate:
    description: Bytes per second that this host fetches at most, on average. V(0) is as fast as it goes.
    type: int
    default: 0
  artifact_file:
    description: Tarball of the only version in O(versions) on the host. The action plugin sets this.
    type: path
  artifact_size:
    description:
      - Size of that tarball, or of the largest of those at O(tarball_url) or on the controller. For the controller the
        action plugin sets this.
    type: int
    default: 0
  checksum:
    description: SHA-256 of O(artifact_file). The action plugin sets this.
    type: str
seealso:
  - module: lockstep.teleport.instance_upgrade
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Bring both releases of the weekend's upgrade onto the host, at 5 MB a second
  lockstep.teleport.instance_stage:
    instance: "{{ observed.instance }}"
    versions: [16.5.18, 17.7.20]
    artifact_url: https://mirror.example.com/teleport
    rate: 5000000
"""

RETURN = r"""
brought:
  description: Versions that were brought, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [17.7.20]
present:
  description: Versions of O(versions) that are on the host now.
  returned: success
  type: list
  elements: str
  sample: [16.5.18, 17.7.20]
fetched_bytes:
  description: Bytes that the host fetched. Packages are not counted.
  returned: success
  type: int
  sample: 170000000
free_bytes:
  description: Bytes that are left free where the versions lie.
  returned: success
  type: int
  sample: 12884901888
msg:
  description: What was done, in words.
  returned: always
  type: str
  sample: 17.7.20 was brought.
"""

from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    artifact,
    durable,
    installation,
    journal,
    release,
    ways,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.order import Order, from_parameters
from ansible_collections.lockstep.teleport.plugins.module_utils.staging import Staging
from ansible_collections.lockstep.teleport.plugins.module_utils.url_opener import url_opener
from ansible_collections.lockstep.teleport.plugins.module_utils.way import Way

#: What an order asks about the upgrade itself, which this is none of.
_NO_UPGRADE: Dict[str, Any] = {
    "expect_version": None, "backup": None, "on_failure": "restore", "detached": False, "keep": 0, "ready_timeout": 0,
    "stable_for": 0, "stop_timeout": 0,
}  # fmt: skip


def orders_of(parameters: Dict[str, Any]) -> List[Order]:
    """Return one order for each version. Raises :class:`HostError` when a parameter cannot be used."""
    return [from_parameters({**_NO_UPGRADE, **parameters, "version": version}) for version in parameters["versions"]]


def stage(host: Host, orders: List[Order], opener: artifact.Opener, rate: int, check_mode: bool) -> Dict[str, Any]:
    """Return the module's result. Raises :class:`HostError` when something cannot be had or finds no room."""
    if not orders:
        return {"changed": False, "brought": [], "present": [], "fetched_bytes": 0, "msg": "No version is wanted."}
    layout = orders[0].layout
    method = installation.install_method(host, layout)
    if method == installation.PACKAGE:
        return stage_packages(orders, [ways.choose(host, order, method, None, opener) for order in orders], check_mode)
    if method == installation.MANAGED_UPDATES:
        told = "Nothing was brought: Teleport is installed by its updater, which fetches releases itself."
        return {"changed": False, "brought": [], "present": [], "fetched_bytes": 0, "msg": told}
    staging = Staging(host, layout, [order.release for order in orders], opener)
    missing = staging.missing()
    if any(_comes_from_controller(one) for one in missing):
        if all(one.file_size for one in missing):
            staging.check_room(missing)
        return {"changed": False, "required": [one.version for one in missing]}
    if check_mode or not missing:
        staging.check_room(missing)
        done: Dict[str, Any] = {"fetched_bytes": 0, "brought": [one.version for one in missing]}
    else:
        done = staging.bring(missing, rate)
    return {"changed": bool(done["brought"]), **done, **staging.outcome(), "msg": _told(done["brought"], check_mode)}


def stage_packages(orders: List[Order], packages: List[Way], check_mode: bool) -> Dict[str, Any]:
    """Do the same on a host of packages, which come from its repository. Raises as `stage` does."""
    missing = [(order, way) for order, way in zip(orders, packages) if not way.is_present()]
    layout = orders[0].layout
    for _order, way in missing:
        way.check_available(0)
    if missing and not check_mode:
        installation.make_versions_dir(layout)
        with journal.alone(layout.versions_dir):
            for _order, way in missing:
                way.stage()
    brought = [order.release.version for order, _way in missing]
    present = [order.release.version for order, way in zip(orders, packages) if way.is_present()]
    done = {"brought": brought, "present": present, "fetched_bytes": 0}
    return {
        "changed": bool(brought),
        **done,
        "free_bytes": durable.free_bytes(layout.versions_dir),
        "msg": _told(brought, check_mode),
    }


def _comes_from_controller(one: release.Release) -> bool:
    return not one.base_url and not one.file


def _told(brought: List[str], check_mode: bool) -> str:
    if not brought:
        return "Everything is on the host already."
    verb = "would be" if check_mode else "was" if len(brought) == 1 else "were"
    return f"{' and '.join(brought)} {verb} brought."


def main() -> None:
    """Translate between Ansible and the staging."""
    module = AnsibleModule(
        argument_spec={
            "instance": {"type": "dict", "required": True},
            "versions": {"type": "list", "elements": "str", "required": True},
            "artifact_url": {"type": "str", "default": "https://cdn.teleport.dev"},
            "tarball_url": {"type": "str"},
            "edition": {"type": "str", "choices": ["community", "enterprise", "fips"]},
            "checksums": {"type": "dict", "default": {}},
            "ca_path": {"type": "path"},
            "versions_dir": {"type": "path"},
            "rate": {"type": "int", "default": 0},
            "artifact_file": {"type": "path"},
            "artifact_size": {"type": "int", "default": 0},
            "checksum": {"type": "str"},
        },
        supports_check_mode=True,
    )
    opener = url_opener(module.params["ca_path"])
    try:
        orders = orders_of(module.params)
        result = stage(Host(), orders, opener, module.params["rate"], module.check_mode)
    except HostError as problem:
        module.fail_json(msg=str(problem))
    else:
        module.exit_json(**result)


if __name__ == "__main__":
    main()
