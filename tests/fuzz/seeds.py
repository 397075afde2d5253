# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Good input of every kind, for the fuzzers to tamper with."""

# ruff: noqa: E501, ISC004 - lines as they are printed

from __future__ import annotations

from typing import Any

VERSIONS = ["17.7.20", "v4.4.12", "18.0.0-rc.1+build.5", "3.2.18-gravity"]
VERSION_OUTPUTS = [
    "Teleport v17.7.20 git:v17.7.20-0-gabc go1.23.4\n",
    "Teleport Enterprise v6.2.31git:v6.2.31-0-g1 go1.17\n",
    "Teleport Enterprise v16.5.18 git:v16.5.18-0-g1 go1.22 X:boringcrypto\nProxy version: 16.5.18\n",
    "17.7.20\n",
    "Teleport v3.2.18-gravity git:v3.2.17-0-gabc go1.12\n",
]
UNITS = [
    "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\nMainPID=812\nNRestarts=0\nResult=success\n"
    "ExecMainStartTimestamp=Sun 2026-11-22 10:00:00 UTC\nFragmentPath=/etc/systemd/system/teleport.service\nType=simple\n"
    "ControlGroup=/system.slice/teleport.service\nNeedDaemonReload=no\nExecStart={ path=/usr/local/bin/teleport ; "
    "argv[]=/usr/local/bin/teleport start --config /etc/teleport.yaml ; ignore_errors=no ; start_time=[n/a] ; pid=0 }\n"
]
STATUS = [
    "Cluster  main.example\nVersion  17.7.20\nhost CA  never updated\nuser CA  rotated Nov 20 2026\n"
    "jwt CA   initialized (mode: manual, started: Nov 20, ending: Nov 22)\nCA pin   sha256:" + "a" * 64 + "\n",
    "Cluster: main.example\nVersion: 18.1.0\nCA pins: sha256:" + "b" * 64 + "\n\n"
    "authority rotation      protocol status algorithm storage\n--------- ------------- -------- ------ --------- --------\n"
    "host      standby       SSH      active Ed25519   software\n                        TLS      active ECDSA     software\n",
]
STATUS_JSON = {
    "cluster": {"name": "main", "version": "18.2.0", "ca_pins": ["sha256:a"]},
    "authorities": [{"type": "host", "rotation": {"state": "standby", "phase": "standby"}}],
}
JOURNAL: dict[str, Any] = {
    "to": {"folder": "17.7.20", "version": "17.7.20"},
    "back": {"folder": "16.5.18-ent", "version": "16.5.18"},
    "restart": True,
    "was_running": True,
    "held": False,
    "phase": "switched",
    "backup": "/var/lib/teleport-backups/main/x",
}
LOCK: dict[str, Any] = {
    "format": 1,
    "run_id": "r1",
    "cluster": "main",
    "owner": {"user": "ops", "host": "controller"},
    "playbook": "upgrade",
    "target": "17.7.20",
    "since": 1767225600.0,
    "ttl": 600.0,
    "renewed": {"wall": 1767225600.0, "boot": "b", "uptime": 5.0},
    "released": None,
}
RELEASE_MANIFEST = {
    "format": 1,
    "version": "17.7.20",
    "files": {"teleport": {"size": 3, "sha256": "a" * 64}, ".manifest.json": {"size": 3, "sha256": "b" * 64}},
}
_PART = {"name": "sqlite.db", "size": 1, "sha256": "a" * 64, "source": "/b/sqlite.db", "mode": 384, "uid": 0, "gid": 0}
BACKUP_MANIFEST = {
    "kind": "lockstep.teleport backup",
    "format": 1,
    "cluster": "main",
    "version": "17.7.20",
    "edition": "community",
    "created": "2026-11-22T10:00:00Z",
    "host_uuid": "0e3a",
    "backend": {
        "kind": "sqlite",
        "location": "/b/sqlite.db",
        "counts": {"kv": 1},
        "details": {},
        "storage": {},
        "data_dir": "/b",
    },
    "parts": [_PART],
    "digest": "",
}
ETCD_LINES = ['{"k": "L2E=", "v": "eA=="}\n{"k": "L2I=", "v": "eQ==", "l": 7, "x": 1767225600.5}\n']
ETCD_ANSWER = {
    "header": {"revision": "12"},
    "kvs": [{"key": "L2E=", "value": "eA==", "lease": "7"}],
    "count": "1",
    "TTL": "30",
    "ID": "99",
    "more": False,
}
POSTGRESQL = [
    "postgresql://teleport:hunter22@db.example:5432/teleport?sslmode=verify-full#change_feed_batch_size=10",
    "host=db.example user=teleport dbname=teleport password='a b'",
]
CONFIGS = [
    "teleport:\n  nodename: node1\n  data_dir: /var/lib/teleport\n  auth_token: hunter22hunter\n  auth_servers: [10.0.0.1:3025]\n"
    "  diag_addr: 127.0.0.1:3000\n  storage:\n    type: etcd\n    peers: ['https://u:p@10.0.0.2:2379']\n    prefix: /teleport\n"
    "auth_service:\n  enabled: yes\n  cluster_name: main\n  tokens:\n  - node:secrettoken\nssh_service: {enabled: no}\n",
    "version: v3\nteleport: &t\n  proxy_server: p.example:443\n  join_params: {token_name: abcdef, method: token}\nother: *t\n"
    "proxy_service:\n  <<: {enabled: 'yes'}\n  public_addr: [a:443, b:443]\n",
]
PROC = [
    "/usr/local/bin/teleport\0start\0--config=/etc/teleport.yaml\0--diag-addr\0127.0.0.1:3000\0",
    "12:pids:/system.slice/teleport.service\n1:name=systemd:/system.slice/teleport.service\n0::/system.slice/teleport.service\n",
]
RESOURCES = [
    {
        "kind": "node",
        "metadata": {"name": "0e3a", "expires": "2026-11-22T10:10:00Z"},
        "spec": {"addr": "10.0.0.7:3022", "hostname": "node1", "version": "v17.7.20", "services": ["Node", "App"]},
        "status": {"connection": "online", "last_heartbeat": "2026-11-22T10:00:00Z"},
    }
]
INSTANCE: dict[str, Any] = {
    "services": ["auth", "proxy"],
    "unit": {"name": "teleport"},
    "config": {"path": "/etc/teleport.yaml", "auth_listen_addr": "0.0.0.0:3025", "data_dir": "/d", "diag_addr": None},
    "architecture": "amd64",
    "bin_dir": "/usr/local/bin",
    "versions_dir": "/opt/v",
    "edition": "community",
}
PARAMETERS: dict[str, Any] = {
    "version": "6.2.31", "artifact_url": "https://example.org/a", "edition": None, "checksum": None, "checksums": {},
    "versions_dir": None, "keep": 2, "expect_version": None, "ready_timeout": 300.0, "stable_for": 5.0, "stop_timeout": 330.0,
    "on_failure": "restore", "backup": None, "artifact_file": None, "artifact_size": 0, "detached": False,
}  # fmt: skip
PLAN: dict[str, Any] = {
    "digest": "a" * 64,
    "target_version": "17.7.20",
    "hops": [{"index": 0, "to": "17.7.20"}],
    "stages": [],
    "findings": [],
}
REQUEST: dict[str, Any] = {
    "target_version": "17.7.20",
    "instances": [
        {
            "host": "a1",
            "cluster": "main",
            "services": ["auth"],
            "version": "16.5.18",
            "edition": "community",
            "state": "running",
        },
        {"host": "n1", "cluster": "leaf", "services": ["agent"], "version": "16.5.18"},
    ],
    "unmanaged": [{"host": "x", "services": ["agent"], "version": "15.0.0"}],
    "clusters": {"leaf": {"root": "main"}},
    "hop_versions": {"4.4": "4.4.12"},
    "releases": [{"line": "19", "newest": "19.2.0"}],
    "waivers": ["unreachable"],
    "findings": [{"code": "x", "severity": "warning", "message": "m", "hint": "h", "cluster": "main", "host": "a1"}],
    "auth_strategy": "shrink",
    "batches": [1, "10%"],
    "proxy_batches": [1],
    "allow_prerelease": ["18.0.0-rc.1"],
}
RELEASES = {
    "lines": [
        {
            "line": "19",
            "newest": "19.2.0",
            "minimum_safe": "19.0.1",
            "released": "2026-08",
            "notes": "n",
            "sources": ["s"],
        }
    ],
    "known_bad": [
        {"versions": ">=18.7.6,<18.8.2", "affects": ["agent"], "severity": "warning", "reason": "r", "cure": "c"}
    ],
    "bad_pairs": [{"server": "11.1.4", "client": "11.1.2", "between": "root-leaf", "reason": "r"}],
}
EXPECTATION = {
    "version": "17.7.20",
    "cluster": "main",
    "instances": [{"host": "n1", "version": "17.7.20", "services": ["agent"]}],
    "proven": ["n1"],
    "ca_pins": ["sha256:a"],
    "agents_at_least": 1,
    "before": {
        "ca_pins": [],
        "authorities": [{"type": "host"}],
        "remote_clusters": [{"name": "leaf", "connection": "online"}],
    },
}
