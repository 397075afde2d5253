# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses, inventory and the files an administrator writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from ansible_collections.lockstep.teleport.tests.lab.labkit.configs import (
    POSTGRESQL_PASSWORD,
    balanced_cluster,
    etcd_environment,
    haproxy_config,
    postgresql_statements,
    teleport_config,
    teleport_files,
    teleport_unit,
)
from ansible_collections.lockstep.teleport.tests.lab.labkit.errors import LabError
from ansible_collections.lockstep.teleport.tests.lab.labkit.inventory import control_path_dir, group_name, inventory
from ansible_collections.lockstep.teleport.tests.lab.labkit.record import Lab, change_lab, load_lab, plan_lab, save_lab
from ansible_collections.lockstep.teleport.tests.lab.labkit.settings import read_settings
from ansible_collections.lockstep.teleport.tests.lab.labkit.topology import parse_topology, read_topology

UNIT = "[Service]\nExecStart=/usr/local/bin/teleport start --pid-file=/run/teleport.pid\n"


def lab(name: str, *overrides: str) -> Lab:
    return plan_lab(parse_topology(name, read_topology(name), overrides), "10.231.9.0/24")


def config(of: Lab, host: str) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load(teleport_config(of, of.topology.host(host)))
    return parsed


def test_addresses_begin_after_the_gateway_and_follow_the_file() -> None:
    planned = lab("sqlite-small")
    assert planned.gateway == "10.231.9.1"
    assert planned.addresses == {name: f"10.231.9.{11 + n}" for n, name in enumerate(planned.addresses)}
    assert list(planned.addresses) == ["auth1", "proxy1", "agent1", "agent2"]


@pytest.mark.parametrize("subnet", ["10.0.0.0/29", "fd00::/64", "ten"])
def test_unusable_subnets_are_refused(subnet: str) -> None:
    with pytest.raises(LabError, match="allowed is an IPv4 network"):
        plan_lab(parse_topology("ha", read_topology("ha")), subnet)


def test_inventory_groups_hosts_by_cluster_and_keeps_service_hosts_out_of_teleport() -> None:
    settings = read_settings({"LAB_STATE": "/s/lab", "LOCKSTEP_CACHE": "/c"})
    tree = yaml.safe_load(inventory(lab("ha-leaf"), settings, "ops", "http://10.231.9.1:80"))["all"]
    teleport = tree["children"]["teleport"]
    assert set(teleport["children"]) == {"cluster_root_example", "cluster_leaf_example"}
    members = {host for group in teleport["children"].values() for host in group["hosts"]}
    assert "svc1" not in members
    assert len(members) == 12
    assert set(tree["children"]["lab_services"]["hosts"]) == {"svc1"}
    assert teleport["vars"]["teleport_clusters"] == {"root.example": {}, "leaf.example": {"root": "root.example"}}
    assert teleport["children"]["cluster_leaf_example"]["vars"] == {"teleport_cluster": "leaf.example"}
    assert tree["vars"]["ansible_become"] is True
    assert tree["vars"]["ansible_ssh_private_key_file"] == "/s/lab/id_ed25519"


def test_inventory_says_nothing_of_clusters_where_there_is_no_trust() -> None:
    settings = read_settings({"LAB_STATE": "/s/lab"})
    tree = json.loads(inventory(lab("ha"), settings, "root", "http://x"))["all"]
    assert tree["children"]["teleport"]["vars"] == {"teleport_artifact_url": "http://x"}
    assert "ansible_become" not in tree["vars"]


def test_group_names_are_valid_in_ansible() -> None:
    assert group_name("east-1.example") == "cluster_east_1_example"


def test_control_sockets_fit_their_limit() -> None:
    hashed_socket_name = "x" * 27  # ansible: ten characters and ssh's temporary suffix of seventeen
    assert len(f"{control_path_dir('a' * 12)}/{hashed_socket_name}") < 104


@pytest.mark.parametrize("name", ["", "Lab", "a-b", "abcdefghijklm", "9a"])
def test_lab_names_are_checked(name: str) -> None:
    if not name:
        assert read_settings({"LAB_NAME": name}).name == "lab"
        return
    with pytest.raises(LabError, match="LAB_NAME"):
        read_settings({"LAB_NAME": name})


def test_settings_follow_the_environment() -> None:
    settings = read_settings({"XDG_CACHE_HOME": "/x", "LAB_NAME": "two"})
    assert settings.state == Path("/x/lockstep-teleport/labs/two")
    assert settings.container("auth1") == "lockstep-two-auth1"


def test_an_ha_auth_stores_in_etcd_with_its_certificate() -> None:
    storage = config(lab("ha"), "auth2")["teleport"]["storage"]
    assert storage["type"] == "etcd"
    assert storage["peers"] == ["https://svc1:2379"]
    assert storage["tls_key_file"] == "/etc/teleport-etcd/client.key"
    assert storage["prefix"] == "/root.example/"


def test_a_postgresql_cluster_logs_in_with_a_password_that_needs_quoting() -> None:
    storage = config(lab("backends"), "postgresql1")["teleport"]["storage"]
    uri = urlsplit(storage["conn_string"])
    assert (uri.hostname, uri.path, unquote(uri.password or "")) == (
        "svc1",
        "/postgresql_example_state",
        POSTGRESQL_PASSWORD,
    )
    audit = config(lab("backends"), "etcd2")["teleport"]["storage"]["audit_events_uri"]
    assert [urlsplit(one).path for one in audit] == ["/etcd_example_audit"]
    assert "audit_events_uri" not in config(lab("ha"), "auth1")["teleport"]["storage"]
    assert postgresql_statements(lab("backends")).count("CREATE DATABASE") == 4


def test_an_agent_dials_all_auth_hosts_and_nothing_else_runs_on_it() -> None:
    agent = config(lab("ha"), "agent1")
    assert agent["teleport"]["auth_servers"] == ["auth1:3025", "auth2:3025", "auth3:3025"]
    assert "storage" not in agent["teleport"]
    assert [agent[f"{name}_service"]["enabled"] for name in ("auth", "proxy", "ssh")] == [False, False, True]


def test_proxies_behind_the_balancer_are_known_by_its_name_first() -> None:
    both = lab("ha-leaf")
    assert config(both, "proxy1")["proxy_service"]["public_addr"] == ["svc1:3080", "proxy1:3080"]
    assert config(both, "leaf1")["proxy_service"]["public_addr"][0] == "leaf1:3080"
    assert balanced_cluster(both) == "root.example"
    assert balanced_cluster(lab("sqlite-small")) == ""


def test_old_teleport_gets_its_diagnostics_address_on_the_command_line() -> None:
    assert "diag_addr" not in config(lab("pre5"), "auth1")["teleport"]
    assert "start --diag-addr=127.0.0.1:3000 --pid-file" in teleport_unit(UNIT, "4.2.12")
    assert config(lab("pre5", "4.3.10"), "auth1")["teleport"]["diag_addr"] == "127.0.0.1:3000"
    assert teleport_unit(UNIT, "4.3.10") == UNIT


def test_secrets_are_not_readable_by_everybody() -> None:
    ha = lab("ha")
    etcd = dict.fromkeys(("client.crt", "client.key", "ca.crt"), b"x")
    modes = {file.path: file.mode for file in teleport_files(ha, ha.topology.host("auth1"), UNIT, etcd)}
    assert modes["/etc/teleport.yaml"] == 0o600
    assert modes["/etc/teleport-etcd/client.key"] == 0o600


def test_etcd_takes_nobody_without_a_certificate() -> None:
    ha = lab("ha")
    assert 'ETCD_CLIENT_CERT_AUTH="true"' in etcd_environment(ha, ha.topology.host("svc1")).splitlines()


def test_the_balancer_serves_every_proxy_on_every_port() -> None:
    ha = lab("ha")
    text = haproxy_config(ha)
    for port in (3023, 3024, 3080):
        for proxy in ("proxy1", "proxy2"):
            assert f"  server {proxy} {ha.address(proxy)}:{port}\n" in text


def test_knobs_reach_every_host_that_runs_teleport() -> None:
    data = {**read_topology("sqlite-small"), "knobs": {"time_scale": 0.5}}
    small = plan_lab(parse_topology("t", data), "10.231.9.0/24")
    files = {file.path: file.content for file in teleport_files(small, small.topology.host("agent1"), UNIT, {})}
    assert json.loads(files["/etc/teleport-double.json"]) == {"time_scale": 0.5}
    plain = lab("sqlite-small")
    assert len(teleport_files(plain, plain.topology.host("agent1"), UNIT, {})) == len(files) - 1


def test_a_reset_may_change_versions_and_knobs_and_keeps_what_it_does_not_name(tmp_path: Path) -> None:
    settings = read_settings({"LAB_STATE": str(tmp_path)})
    save_lab(settings, read_topology("sqlite-small"), "sqlite-small", ["15.1.0"], "10.231.9.0/24")
    changed = change_lab(settings, ["agent1=14.0.0"], {"time_scale": 0.5}).topology
    assert (changed.host("agent1").version, changed.knobs) == ("14.0.0", {"time_scale": 0.5})
    kept = change_lab(settings, [], None).topology
    assert kept == changed == load_lab(settings).topology
    with pytest.raises(LabError, match="neither a host nor a cluster"):
        change_lab(settings, ["agent9=14.0.0"], None)
    assert load_lab(settings).topology == changed


def test_without_a_lab_the_message_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"is not up .* run `lab\.py up TOPOLOGY`"):
        load_lab(read_settings({"LAB_STATE": str(tmp_path)}))
