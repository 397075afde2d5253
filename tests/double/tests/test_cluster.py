# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several instances: skew, blips, dead auths, trusted clusters, mixed versions on one store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import witness
from loopback import SLOW_SCALE, Host, eventually

NewHost = Callable[..., Host]
AUTH, PROXY, NODE = ("auth",), ("proxy",), ("node",)


def signed(auth: Host, user: str) -> Path:
    """Identity file of a new user."""
    roles = ["--roles=access"] if int(auth.version.split(".")[0]) >= 6 else []
    auth.tctl("users", "add", user, *(roles or ["root"]))
    out = auth.folder / f"{user}.pem"
    auth.tctl("auth", "sign", f"--user={user}", f"--out={out}")
    if roles:
        return relabelled(auth, user, out)
    return out


def relabelled(auth: Host, user: str, out: Path) -> Path:
    """Give the user the login root and sign again."""
    resource = auth.get(f"user/{user}")[0]
    resource["spec"]["traits"] = {"logins": ["root"]}
    path = auth.folder / f"{user}.json"
    path.write_text(json.dumps(resource))
    auth.tctl("create", "-f", str(path))
    auth.tctl("auth", "sign", f"--user={user}", f"--out={out}")
    return out


@pytest.mark.parametrize(
    ("auth", "node", "text"),
    [
        ("8.3.12", "4.4.12", "Critical service ssh.node has exited with error 404 page not found, aborting."),
        ("8.3.12", "6.2.31", "Critical service ssh.node has exited with error object not found, aborting."),
        ("6.2.11", "8.3.12", "unknown method GetSessionRecordingConfig for service proto.AuthService"),
        ("9.3.13", "10.3.16", "only versions 10 and greater are supported, but auth server is version 9."),
        ("16.5.12", "17.7.20", "Teleport instance is too new. This instance is running v17."),
    ],
)
def test_nodes_that_do_not_fit_die_at_their_start(new_host: NewHost, auth: str, node: str, text: str) -> None:
    server = new_host("a1", services=AUTH).start(auth)
    status, log = new_host("n1", services=NODE, auth=server).dies(node)
    assert (status, text in log) == (1, True), log


@pytest.mark.parametrize(
    ("auth", "node"), [("4.2.12", "5.2.3"), ("5.2.3", "7.3.21"), ("7.3.21", "4.4.12"), ("8.3.12", "7.3.21")]
)
def test_nodes_that_were_seen_to_work_work(new_host: NewHost, auth: str, node: str) -> None:
    server = new_host("a1", services=AUTH).start(auth)
    new_host("n1", services=NODE, auth=server).start(node)
    spec = server.get("nodes")[0]["spec"]
    assert spec.get("version", "none") == ("none" if auth == "4.2.12" else node)


def test_a_running_agent_outlives_the_upgrade_and_dies_at_its_restart(new_host: NewHost) -> None:
    server = new_host("a1", services=AUTH).start("6.2.31")
    node = new_host("n1", services=NODE, auth=server, scale=SLOW_SCALE).start("6.2.31")
    server.upgrade("7.3.21")
    server.upgrade("8.3.12")
    assert eventually(lambda: node.readyz() != 200), "the blip of a lost stream"
    assert eventually(lambda: node.readyz() == 200)
    node.stop()
    status, log = node.dies("6.2.31")
    assert (status, "object not found" in log) == (1, True)
    assert witness.judge(witness.read([node.witness])).rejected_peers


def test_16_turns_away_what_is_two_majors_old(new_host: NewHost) -> None:
    server = new_host("a1", services=AUTH).start("16.5.12")
    node = new_host("n1", services=NODE, auth=server).start("14.4.1", ready=False)
    assert eventually(lambda: server.witnessed("rejected_peer"))
    assert (node.readyz(), server.names("nodes")) == (400, [])
    assert node.process is not None
    assert node.process.poll() is None, "it goes on trying"


def test_nodes_blip_after_an_auth_restart_and_proxies_do_not(new_host: NewHost) -> None:
    server = new_host("a1", services=AUTH).start("5.2.5")
    node = new_host("n1", services=NODE, auth=server, scale=SLOW_SCALE).start("5.2.5")
    proxy = new_host("p1", services=PROXY, auth=server).start("5.2.5")
    server.stop()
    seen = [node.readyz()]
    assert seen == [200], "nothing shows at once"
    server.start("5.2.5")

    def blipped() -> bool:
        seen.append(node.readyz())
        return proxy.readyz() != 200 or {503, 400} <= set(seen)

    assert eventually(blipped)
    assert proxy.readyz() == 200
    assert eventually(lambda: node.readyz() == 200)


def test_a_node_started_without_auth_waits_for_ever(new_host: NewHost) -> None:
    server = new_host("a1", services=AUTH)
    node = new_host("n1", services=NODE, auth=server).start("5.2.5", ready=False)
    assert eventually(lambda: node.readyz() == 400)
    old = new_host("n2", services=NODE, auth=server).start("4.2.12", ready=False)
    assert eventually(lambda: old.readyz() == 200), "4.2 says ok before it has joined"
    server.start("5.2.5")
    assert eventually(lambda: node.readyz() == 200)


def test_dead_nodes_stay_listed_until_they_expire(new_host: NewHost) -> None:
    server = new_host("a1", services=AUTH).start("5.2.5")
    node = new_host("n1", services=NODE, auth=server).start("5.2.5")
    node.stop()
    assert len(server.names("nodes")) == 1
    assert eventually(lambda: server.names("nodes") == [])


def test_users_reach_nodes_through_the_proxy_even_without_auth(new_host: NewHost) -> None:
    server = new_host("a1", services=AUTH).start("7.3.21")
    new_host("n1", services=NODE, auth=server).start("7.3.21")
    proxy = new_host("p1", services=PROXY, auth=server).start("7.3.21")
    identity = signed(server, "ann")
    assert "n1" in proxy.tsh(identity, "ls").stdout
    done = proxy.tsh(identity, "ssh", "root@n1", "echo out; echo err >&2; exit 3")
    assert (done.returncode, done.stdout, done.stderr[-4:]) == (3, "out\n", "err\n")
    stranger = json.loads(identity.read_text())
    stranger["signature"] = "0" * 64
    identity.with_suffix(".bad").write_text(json.dumps(stranger))
    assert proxy.tsh(identity.with_suffix(".bad"), "ssh", "root@n1", "true").returncode == 1


def test_an_old_proxy_looks_healthy_and_serves_nobody(new_host: NewHost) -> None:
    server = new_host("a1", services=AUTH).start("6.2.31")
    proxy = new_host("p1", services=PROXY, auth=server).start("6.2.31")
    new_host("n1", services=NODE, auth=server).start("6.2.31")
    identity = signed(server, "ann")
    assert proxy.tsh(identity, "ssh", "root@n1", "true").returncode == 0
    server.upgrade("7.3.21")
    server.upgrade("8.3.12")
    assert eventually(lambda: "object not found" in proxy.tsh(identity, "ssh", "root@n1", "true").stderr)
    assert proxy.readyz() == 200


def test_a_leaf_comes_online_and_its_nodes_can_be_reached(new_host: NewHost) -> None:
    root = new_host("r1", cluster="root.example.com").start("6.2.31")
    leaf = new_host("l1", cluster="leaf.example.com").start("5.2.5")
    enrol(root, leaf)
    assert eventually(lambda: connection(root) == "online")
    identity = signed(root, "ann")
    done = root.tsh(identity, "--cluster=leaf.example.com", "ssh", "root@l1", "echo", "leaf")
    assert (done.returncode, done.stdout) == (0, "leaf\n"), done.stderr
    leaf.stop()
    assert eventually(lambda: connection(root) == "offline")


def test_a_leaf_two_lines_behind_is_online_and_useless(new_host: NewHost) -> None:
    root = new_host("r1", cluster="root.example.com").start("8.3.12")
    leaf = new_host("l1", cluster="leaf.example.com").start("6.2.31")
    enrol(root, leaf)
    assert eventually(lambda: connection(root) == "online")
    done = root.tsh(signed(root, "ann"), "--cluster=leaf.example.com", "ssh", "root@l1", "true")
    assert "unknown method GetClusterNetworkingConfig" in done.stderr


def enrol(root: Host, leaf: Host) -> None:
    """Make ``leaf`` trust ``root``."""
    path = leaf.folder / "trust.yaml"
    spec = f"{{enabled: true, token: tc-token, web_proxy_addr: '127.0.0.1:{root.web_port}', "
    spec += f"tunnel_addr: '127.0.0.1:{root.tunnel_port}', role_map: [{{remote: access, local: [access]}}]}}"
    path.write_text(f"kind: trusted_cluster\nversion: v2\nmetadata: {{name: root.example.com}}\nspec: {spec}\n")
    assert leaf.tctl("create", str(path)) == 'trusted cluster "root.example.com" has been created\n'


def connection(root: Host) -> str:
    """State of the only leaf as the root sees it."""
    return str(root.get("rc")[0]["status"]["connection"])


def test_two_lines_on_one_store_damage_silently_and_are_witnessed(new_host: NewHost, tmp_path: Path) -> None:
    storage = {"type": "sqlite", "path": str(tmp_path / "shared")}
    first = new_host("a1", services=AUTH, storage=storage).start("5.2.5")
    second = new_host("a2", services=AUTH, storage=storage).start("5.2.5")
    second.tctl("users", "add", "before", "root")
    first.upgrade("6.2.31")
    second.tctl("users", "add", "between", "root")
    first.upgrade("6.2.31")
    labels = {u["metadata"]["name"]: u["metadata"].get("labels") for u in first.get("users")}
    assert labels == {"before": {"migrate-v6.0": "true"}, "between": None}
    assert second.witnessed("data_damage")[0]["name"] == "between"


def test_rotation_through_an_older_auth_is_refused(new_host: NewHost, tmp_path: Path) -> None:
    storage = {"type": "sqlite", "path": str(tmp_path / "shared")}
    old = new_host("a1", services=AUTH, storage=storage).start("6.2.31")
    new_host("a2", services=AUTH, storage=storage).start("7.3.21")
    done = old.run("tctl", "auth", "rotate", "--manual", "--type=host", "--phase=init")
    assert "cluster example.com settings have been updated, try again" in done.stderr
