# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils.run_settings import NAMES, Difference, taken
from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT

ON_THE_CONTROLLER = ("plan", "report", "verify", "rollback", "rotation", "phase")
#: Read where the hosts' own variables are at hand, or, as a pattern of hosts, before any host is known.
OF_HOSTS = {
    "teleport_artifact_ca_path",
    "teleport_artifact_checksums",
    "teleport_artifact_url",
    "teleport_backup_command",
    "teleport_backup_command_timeout",
    "teleport_backup_dir",
    "teleport_backup_encryption",
    "teleport_backup_method",
    "teleport_backup_verify_command",
    "teleport_detached",
    "teleport_hosts",
    "teleport_keep_versions",
    "teleport_max_failed_agents",
    "teleport_ready_timeout",
    "teleport_reconnect_timeout",
    "teleport_restore_command",
    "teleport_stable_for",
    "teleport_versions_dir",
}


def take(own: dict[str, Any], **hosts: dict[str, Any]) -> Any:
    return taken(own, hosts.items())


def test_what_the_hosts_say_is_taken() -> None:
    clusters = {"branch": {"root": "main"}}
    assert take({}, a={"teleport_clusters": clusters}, b={"teleport_clusters": clusters}) == (
        {"teleport_clusters": clusters},
        [],
    )


def test_the_controllers_own_word_comes_first() -> None:
    own = {"teleport_target_version": "17.7.20", "teleport_batches": 0}
    assert take(own, a={"teleport_target_version": "16", "teleport_batches": [1]}) == ({}, [])


def test_a_host_without_a_variable_has_no_opinion() -> None:
    assert take({}, a={}, b={"teleport_batches": [1]}, c={"teleport_batches": None}) == ({"teleport_batches": [1]}, [])


def test_hosts_that_differ_are_named_once_for_each_variable() -> None:
    _settings, differences = take({}, **{name: {"teleport_batches": [number]} for number, name in enumerate("abc")})
    assert differences == [Difference("teleport_batches", "a", "b")]


def test_what_belongs_to_a_host_stays_there() -> None:
    assert take({}, a={"teleport_service": "teleport", "teleport_cluster": "main"}) == ({}, [])


def test_everything_that_is_read_on_the_controller_is_taken() -> None:
    text = "".join((ROOT / "roles" / role / "defaults" / "main.yml").read_text() for role in ON_THE_CONTROLLER)
    read = set(re.findall(r"\bteleport_[a-z_]+\b", re.sub(r"#.*", "", text)))
    assert read - set(NAMES) == OF_HOSTS & read
    assert set(NAMES) - read <= {
        "teleport_gate_patience",
        "teleport_rotate_ca",
        "teleport_pause_file",
        "teleport_pause_after_stages",
    }
