#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upgrades one instance; the action plugin brings the artefact from the controller and survives a lost connection."""

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_upgrade
short_description: Upgrade the Teleport instance of a host
version_added: 0.1.0
description:
  - Brings one instance, or the client tools of a host, to a version, as one transaction.
  - Everything that can be done before the instance stops is done before. The artefact is fetched and verified, the new
    program is tried, and where the version can, it tests the real configuration.
  - The instance is then stopped, on request backed up, switched by one symbolic link, and started. It counts as
    upgraded when the process behind the unit runs the wanted version, is ready, and stays so.
  - If it does not come up, the old version is put back and started, on the restored backend if a backup was taken.
  - A run that was killed is recognised by the next one, and finished or undone.
  - When the connection is lost, as by the restart of the Teleport that carries it, the upgrade goes on, and its result
    is collected when the host answers again. A host that does not answer any more has failed (C(lost)), and is not
    unreachable, so that a play can go on from there.
  - An instance that was found stopped, is not enabled, and was not held by M(lockstep.teleport.instance_hold) stays
    stopped.
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.linux
  - lockstep.teleport.attributes.action
attributes:
  check_mode:
    support: full
    details:
      - Makes every check that changes nothing, among them that the artefact exists, its checksum, and free space.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  instance:
    description: The instance, as M(lockstep.teleport.instance_info) returned it.
    type: dict
    required: true
  version:
    description: Version to bring the instance to.
    type: str
    required: true
  artifact_url:
    description:
      - Base URL from which the host fetches C(teleport[-ent]-vX.Y.Z-linux-ARCH[-fips]-bin.tar.gz) and the same with
        C(.sha256) behind it, or a directory on the controller from which it is brought to the host.
    type: str
    default: https://cdn.teleport.dev
  edition:
    description: Edition to install. Defaults to the edition that is installed.
    type: str
    choices: [community, enterprise, fips]
  checksum:
    description: SHA-256 of the artefact in hex. The file C(.sha256) is not needed then.
    type: str
  checksums:
    description:
      - >-
        SHA-256 digests that are pinned, by file name, or by version and architecture, as in
        C({"17.7.20": {"amd64": "9f86…"}}).
      - Where any are given, an artefact without one is refused, and no file C(.sha256) is asked for. Digests that come
        from the publisher by another way than the artefacts protect against a server that was taken over.
      - A version folder on the host that came from a tarball with another digest is replaced.
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
  keep:
    description: Number of old versions to keep, the way back included. The one before is never removed.
    type: int
    default: 2
  expect_version:
    description: Version that must be there before. Anything but this or O(version) is refused.
    type: str
  ready_timeout:
    description: Seconds to wait for the instance to be ready.
    type: float
    default: 300
  stable_for:
    description: Seconds for which the same process has to stay ready.
    type: float
    default: 5
  stop_timeout:
    description:
      - Seconds to wait for the instance to stop before it is killed. A process that drains connections needs up to 300.
    type: float
    default: 330
  on_failure:
    description:
      - With V(restore) an instance that was running is started again at its old version when the new one fails.
      - With V(stop) it is switched back and stays stopped. That is for an Auth Service whose backend another one
        has migrated already.
    type: str
    choices: [restore, stop]
    default: restore
  allow_downgrade:
    description:
      - Whether O(version) may be older than what is there. Without it an older version is refused.
      - Only for instances that hold no state, and for an Auth Service whose backend is as the older version left it.
        M(lockstep.teleport.backend_restore) makes it so.
    type: bool
    default: false
  config_edit:
    description:
      - How a plan changes the configuration in this step, as it stands in C(config_edits) of the stage. Empty for no
        change.
      - The bytes come from C(config_edits) of O(instance). The file has to be the one that was observed, and to become
        the one that was planned. The new version tests it before anything is stopped; it is changed between stop and
        start.
      - Undone when the new version fails, and by a later O(allow_downgrade) to a version before the change. What was
        there lies beside the file until then, or until the version it belongs to is pruned.
    type: dict
    default: {}
  backup:
    description:
      - Take a verified backup of the backend between stop and switch, and restore it if the new version fails.
    type: dict
    suboptions:
      directory:
        description: Folder of all backups on the host.
        type: path
        required: true
      cluster:
        description: Name of the cluster. Defaults to what the instance says.
        type: str
      keep:
        description: Number of backups to keep. V(0) keeps all.
        type: int
        default: 0
      resources:
        description:
          - As in M(lockstep.teleport.backend_backup). It is asked for before the stop. Where C(tctl) does not answer,
            the backup goes without, and the timeline says so.
        type: bool
        default: true
      method:
        description: As in M(lockstep.teleport.backend_backup).
        type: str
        choices: [auto, clone]
        default: auto
      command:
        description: As in M(lockstep.teleport.backend_backup).
        type: raw
      restore_command:
        description: As in M(lockstep.teleport.backend_backup).
        type: raw
      verify_command:
        description: As in M(lockstep.teleport.backend_backup).
        type: raw
      command_timeout:
        description: As in M(lockstep.teleport.backend_backup).
        type: float
        default: 3600
  detached:
    description:
      - Ansible reaches this host through the Teleport that is upgraded. Where the session lies in the control group of
        the unit this is noticed without being said; say it where the session dies in another way, for example
        because the connection leads through a proxy on the same host.
      - The upgrade then runs in a scope of its own under systemd, survives the end of the session, and its result is
        collected when the host answers again.
    type: bool
    default: false
  reconnect_timeout:
    description:
      - Seconds that the host may not answer after the connection was lost, before the upgrade counts as failed. A host
        that is reached through the Teleport that is upgraded has the time that stopping and starting may take.
    type: float
    default: 120
  artifact_file:
    description: Path of the artefact on the host. The action plugin sets this.
    type: path
  artifact_size:
    description: Size in bytes of the artefact on the controller. The action plugin sets this in check mode.
    type: int
    default: 0
  run_id:
    description: Name of the run, for collecting its result after a lost connection. The action plugin sets this.
    type: str
  collect:
    description: Return the result of the run O(run_id) and do nothing else. The action plugin sets this.
    type: bool
    default: false
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Observe the instance
  lockstep.teleport.instance_info:
  register: observed

- name: Upgrade an agent
  lockstep.teleport.instance_upgrade:
    instance: "{{ observed.instance }}"
    version: 17.7.20

- name: Upgrade the only Auth Service that runs, with a backup
  lockstep.teleport.instance_upgrade:
    instance: "{{ observed.instance }}"
    version: 17.7.20
    expect_version: 16.5.18
    artifact_url: /srv/teleport-artifacts
    backup:
      directory: /var/lib/teleport-backups
"""

RETURN = r"""
versions:
  description: Version that counted before, and version that counts now.
  returned: success
  type: dict
  sample: {from: 16.5.18, to: 17.7.20}
instance_before:
  description: Version, current version folder, and whether a process ran.
  returned: success
  type: dict
instance_after:
  description:
    - Version that counts now, and C(main_pid), the process that was proven. It is null for client tools, and not there
      in check mode.
  returned: success
  type: dict
timeline:
  description: What happened, with C(event) and C(at) in seconds since the epoch.
  returned: always
  type: list
  elements: dict
outage:
  description: From asking the old process to stop until a process was ready. Null when none was stopped.
  returned: always
  type: dict
  sample: {stopped_at: 1767225600.0, ready_at: 1767225602.5, seconds: 2.5}
rolled_back:
  description: Whether the new version failed and everything was put back. The module has failed then.
  returned: always
  type: bool
unfinished:
  description:
    - How far the upgrade got, as the journal on the host has it, C(null) when it has none. In the phases C(prepared)
      and C(stopped) nothing but the old version can have run.
  returned: when the module was killed on the host
  type: str
lost:
  description: Whether the host stopped answering. What it runs is not known then, unless nothing was changed.
  returned: when the host does not answer
  type: bool
evidence:
  description: End of the unit's log, readiness, unit and versions at the moment of the failure, without secrets.
  returned: failure
  type: dict
config_change:
  description:
    - What a restore changed in C(teleport.yaml), with C(key), C(old) and C(new), see
      M(lockstep.teleport.backend_follow).
  returned: when a restored backend has another name
  type: dict
backup:
  description: The backup that was taken, with C(path) and C(manifest).
  returned: when one was taken
  type: dict
config_edit:
  description: The configuration that was changed, and where what was there is kept, with C(path) and C(kept).
  returned: when it was changed
  type: dict
pruned:
  description: Names of the version folders that were removed.
  returned: success
  type: list
  elements: str
"""

import contextlib
import os
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils import installation, journal, shield, trust
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.means import CHOICE_ARGUMENTS
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.order import from_parameters
from ansible_collections.lockstep.teleport.plugins.module_utils.transaction import UpgradeFailed
from ansible_collections.lockstep.teleport.plugins.module_utils.upgrade import Upgrade
from ansible_collections.lockstep.teleport.plugins.module_utils.url_opener import url_opener

ARGUMENTS: Dict[str, Any] = {
    "instance": {"type": "dict", "required": True},
    "version": {"type": "str", "required": True},
    "artifact_url": {"type": "str", "default": "https://cdn.teleport.dev"},
    "edition": {"type": "str", "choices": ["community", "enterprise", "fips"]},
    "checksum": {"type": "str"},
    "checksums": {"type": "dict", "default": {}},
    "ca_path": {"type": "path"},
    "versions_dir": {"type": "path"},
    "keep": {"type": "int", "default": 2},
    "expect_version": {"type": "str"},
    "ready_timeout": {"type": "float", "default": 300},
    "stable_for": {"type": "float", "default": 5},
    "stop_timeout": {"type": "float", "default": 330},
    "on_failure": {"type": "str", "choices": ["restore", "stop"], "default": "restore"},
    "allow_downgrade": {"type": "bool", "default": False},
    "config_edit": {"type": "dict", "default": {}},
    "backup": {
        "type": "dict",
        "options": {
            "directory": {"type": "path", "required": True},
            "cluster": {"type": "str"},
            "keep": {"type": "int", "default": 0},
            "resources": {"type": "bool", "default": True},
            **CHOICE_ARGUMENTS,
        },
    },
    "detached": {"type": "bool", "default": False},
    "reconnect_timeout": {"type": "float", "default": 120},
    "artifact_file": {"type": "path"},
    "artifact_size": {"type": "int", "default": 0},
    "run_id": {"type": "str"},
    "collect": {"type": "bool", "default": False},
}


_UNPROTECTED = (
    "artifact_url is http and no digest is pinned: whoever is on the way between hosts and server can exchange the "
    "release and its checksum. Use https, or pin digests in teleport_artifact_checksums."
)


def perform(upgrade: Upgrade, check_mode: bool) -> Dict[str, Any]:
    """Upgrade, or say what would be done; a failure becomes a result with ``failed``."""
    try:
        if check_mode:
            return upgrade.preview()
        if upgrade.needs_artifact():
            return {"changed": False, "artifact_required": True}
        return upgrade.run()
    except UpgradeFailed as problem:
        failure = {"rolled_back": problem.rolled_back, "evidence": problem.evidence, "changed": True}
        return {"failed": True, "msg": str(problem), **failure, **upgrade.progress()}
    except HostError as problem:
        return _not_begun(upgrade, str(problem))
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        advice = "Look at the file system of this host (full, read-only, damaged?), mend it and run again."
        return _not_begun(upgrade, f"{where}{problem.strerror or problem}. {advice}")


def _not_begun(upgrade: Upgrade, reason: str) -> Dict[str, Any]:
    return {"failed": True, "msg": reason, "changed": False, "rolled_back": False, **upgrade.progress()}


def collected(versions_dir: str, run_id: str) -> Dict[str, Any]:
    """Answer a controller that lost its connection.

    ``collected`` is the result, ``pending`` says that it has to wait, ``unfinished`` how far a killed run got.
    """
    # In this order: a run leaves its result before it lets go of the host.
    pending = journal.is_busy(versions_dir)
    left = {"collected": journal.collect_result(versions_dir, run_id), "unfinished": journal.phase(versions_dir)}
    return {"changed": False, "pending": pending, **left}


def main() -> None:
    """Translate between Ansible and the upgrade."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        order = from_parameters(module.params)
    except HostError as problem:
        module.fail_json(msg=str(problem))
    versions_dir = order.layout.versions_dir
    run_id = module.params["run_id"] or ""
    if module.params["collect"]:
        module.exit_json(**collected(versions_dir, run_id))
    shield.ignore_signals()
    fetches = order.instance.get("install_method") not in (installation.PACKAGE, installation.MANAGED_UPDATES)
    if fetches and order.release.base_url.startswith("http://") and not order.release.checksum:
        module.warn(_UNPROTECTED)
    upgrade = Upgrade(Host(), order, url_opener(module.params["ca_path"]))
    result = perform(upgrade, module.check_mode)
    # Nothing is written into a folder that was refused because others can change it.
    if run_id and not module.check_mode and os.path.isdir(versions_dir) and not trust.objection(versions_dir):
        # On a full disk only a controller that lost its connection misses it.
        with contextlib.suppress(OSError):
            journal.leave_result(versions_dir, run_id, result)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
