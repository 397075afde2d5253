# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that an administrator writes: teleport.yaml, its unit, the settings of the services; pure functions.

What is written is accepted by every Teleport from 3.2 to the newest, so that a lab can be taken through many lines
without anybody editing it on the way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote

from . import moto
from .record import Lab
from .topology import Cluster, Host

JOIN_TOKEN = "lab-join-token"
TRUST_TOKEN = "lab-trust-token"
DIAG_ADDRESS = "127.0.0.1:3000"
# `diag_addr` in teleport.yaml is an unknown key to anything older.
DIAG_IN_CONFIG_SINCE = (4, 3)
KNOBS = "/etc/teleport-double.json"
ETCD_CERTIFICATES = "/etc/teleport-etcd"
POSTGRESQL_PASSWORD = "p%40ss/of:the-lab"
PROXY_PORTS = (3023, 3024, 3080)
# A host of the lab may not make mount namespaces, which the distribution's unit wants for its log socket.
#: As lib/events/pgevents of Teleport makes them; the double has no audit log, so one record stands for it.
AUDIT_TABLES = """\
CREATE TABLE audit_version (version integer PRIMARY KEY CHECK (version > 0),
  created timestamptz NOT NULL DEFAULT now());
CREATE TABLE events (event_time timestamptz NOT NULL, event_id uuid NOT NULL, event_type text NOT NULL,
  session_id uuid NOT NULL, event_data json NOT NULL, creation_time timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT events_pkey PRIMARY KEY (event_time, event_id));
CREATE INDEX events_creation_time_idx ON events USING brin (creation_time);
INSERT INTO audit_version (version) VALUES (1);
INSERT INTO events SELECT now(), gen_random_uuid(), 'user.create', gen_random_uuid(), '{}';
"""
NO_NAMESPACE = b"[Service]\nBindReadOnlyPaths=\n"


@dataclass(frozen=True)
class FileSpec:
    """A file to be put on a host."""

    path: str
    content: bytes
    mode: int = 0o644


def teleport_files(lab: Lab, host: Host, unit: str, etcd_files: dict[str, bytes]) -> list[FileSpec]:
    """All files that a Teleport host gets beside the release; ``unit`` is the text of the release's example unit."""
    files = [
        FileSpec("/etc/teleport.yaml", teleport_config(lab, host).encode(), 0o600),
        FileSpec("/etc/systemd/system/teleport.service", teleport_unit(unit, host.version).encode()),
    ]
    if lab.topology.knobs:
        files.append(FileSpec(KNOBS, json.dumps(lab.topology.knobs).encode()))
    if "auth" in host.services and lab.topology.clusters[host.cluster].backend == "etcd":
        names = {"client.crt": 0o644, "client.key": 0o600, "ca.crt": 0o644}
        files += [FileSpec(f"{ETCD_CERTIFICATES}/{name}", etcd_files[name], mode) for name, mode in names.items()]
    return files


def teleport_unit(example: str, version: str) -> str:
    """The release's example unit, with the diagnostics address as a flag where teleport.yaml cannot hold it."""
    if version_pair(version) >= DIAG_IN_CONFIG_SINCE:
        return example
    return example.replace("teleport start ", f"teleport start --diag-addr={DIAG_ADDRESS} ", 1)


def version_pair(version: str) -> tuple[int, int]:
    """Major and minor of X.Y.Z."""
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def teleport_config(lab: Lab, host: Host) -> str:
    """teleport.yaml of a host."""
    cluster = lab.topology.clusters[host.cluster]
    sections = [
        _teleport_section(lab, host, cluster),
        _auth_section(host, cluster) if "auth" in host.services else "auth_service:\n  enabled: no\n",
        _proxy_section(lab, host) if "proxy" in host.services else "proxy_service:\n  enabled: no\n",
        _ssh_section(host) if "agent" in host.services else "ssh_service:\n  enabled: no\n",
    ]
    return "".join(sections)


def _teleport_section(lab: Lab, host: Host, cluster: Cluster) -> str:
    auths = lab.topology.of_cluster(cluster.name, "auth")
    lines = [
        "teleport:",
        f"  nodename: {host.name}",
        "  data_dir: /var/lib/teleport",
        f"  advertise_ip: {lab.address(host.name)}",
    ]
    if "auth" not in host.services:
        lines += [f"  auth_token: {JOIN_TOKEN}"]
    lines += ["  auth_servers:", *(f"    - {auth.name}:3025" for auth in auths)]
    if version_pair(host.version) >= DIAG_IN_CONFIG_SINCE:
        lines += [f"  diag_addr: {DIAG_ADDRESS}"]
    lines += ["  log:", "    output: stderr", "    severity: INFO"]
    if "auth" in host.services:
        lines += _storage(lab, cluster)
    return "\n".join(lines) + "\n"


def _storage(lab: Lab, cluster: Cluster) -> list[str]:
    if cluster.backend == "sqlite":
        return ["  storage:", "    type: sqlite"]
    if cluster.backend == "dynamodb":
        return [
            "  storage:",
            "    type: dynamodb  # made by the lab",
            f"    region: {moto.REGION}",
            f"    table_name: {dynamodb_table(cluster)}  # made by Teleport",
            "    audit_sessions_uri: s3://recordings.example/sessions",
        ]
    if cluster.backend == "postgresql":
        return [
            "  storage:",
            "    type: postgresql",
            f'    conn_string: "{postgresql_uri(lab, cluster, "state")}"',
            f'    audit_events_uri: ["{postgresql_uri(lab, cluster, "audit")}"]',
        ]
    etcd = lab.topology.with_extra("etcd")
    name = etcd.name if etcd else ""
    audit = (
        [f'    audit_events_uri: ["{postgresql_uri(lab, cluster, "audit")}"]']
        if has_audit_database(lab, cluster)
        else []
    )
    return [
        "  storage:",
        "    type: etcd",
        f'    peers: ["https://{name}:2379"]',
        f"    tls_cert_file: {ETCD_CERTIFICATES}/client.crt",
        f"    tls_key_file: {ETCD_CERTIFICATES}/client.key",
        f"    tls_ca_file: {ETCD_CERTIFICATES}/ca.crt",
        f"    prefix: {etcd_prefix(cluster)}",
        "    audit_sessions_uri: file:///var/lib/teleport/log",
        *audit,
    ]


def dynamodb_table(cluster: Cluster) -> str:
    """Where a cluster keeps its records in DynamoDB."""
    return f"{cluster.name}.state"


def has_audit_database(lab: Lab, cluster: Cluster) -> bool:
    """Whether a cluster keeps its audit log in PostgreSQL; one on etcd does where there is a PostgreSQL as well."""
    return cluster.backend in ("etcd", "postgresql") and lab.topology.with_extra("postgresql") is not None


def postgresql_database(cluster: Cluster, what: str) -> str:
    """The name of a cluster's database for its ``state`` or its ``audit`` log."""
    return f"{cluster.name.replace('.', '_').replace('-', '_')}_{what}"


def postgresql_uri(lab: Lab, cluster: Cluster, what: str) -> str:
    """The connection string of one of a cluster's databases, with the password in it, as Teleport is given one."""
    server = lab.topology.with_extra("postgresql")
    login = f"teleport:{quote(POSTGRESQL_PASSWORD, safe='')}"
    return f"postgresql://{login}@{server.name if server else ''}/{postgresql_database(cluster, what)}?sslmode=require"


def postgresql_statements(lab: Lab) -> str:
    """What makes the server's databases of all clusters anew, empty but for the tables of the audit log."""
    lines = [
        "DO $$ BEGIN CREATE ROLE teleport LOGIN REPLICATION; EXCEPTION WHEN duplicate_object THEN NULL; END $$;",
        f"ALTER ROLE teleport PASSWORD '{POSTGRESQL_PASSWORD}';",
    ]
    for cluster in lab.topology.clusters.values():
        if not has_audit_database(lab, cluster):
            continue
        for name in (postgresql_database(cluster, what) for what in ("state", "audit")):
            lines.append(f"DROP DATABASE IF EXISTS {name} WITH (FORCE);")
            lines.append(f"CREATE DATABASE {name} OWNER teleport ENCODING 'UTF8' TEMPLATE template0;")
        lines += [
            f"\\connect {postgresql_database(cluster, 'audit')}",
            "SET ROLE teleport;",
            AUDIT_TABLES,
            "RESET ROLE;",
        ]
    return "\n".join(lines) + "\n"


def aws_environment(url: str) -> str:
    """What an administrator puts into the unit's environment, so that Teleport finds AWS and its rights there."""
    settings = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "of-the-lab",
        "AWS_SECRET_ACCESS_KEY": "hidden-of-the-lab",
    }
    return "".join(f'{key}="{value}"\n' for key, value in settings.items())


def etcd_prefix(cluster: Cluster) -> str:
    """Where a cluster keeps its records in etcd; clusters that share an etcd must not share this."""
    return f"/{cluster.name}/"


def _auth_section(host: Host, cluster: Cluster) -> str:
    return (
        "auth_service:\n"
        "  enabled: yes\n"
        "  listen_addr: 0.0.0.0:3025\n"
        f"  cluster_name: {cluster.name}\n"
        f'  public_addr: ["{host.name}:3025"]\n'
        "  tokens:\n"
        f'    - "proxy,node:{JOIN_TOKEN}"\n'
        f'    - "trusted_cluster:{TRUST_TOKEN}"\n'
        "  authentication:\n"
        "    type: local\n"
        '    second_factor: "otp"\n'
    )


def _proxy_section(lab: Lab, host: Host) -> str:
    web, tunnel = (proxy_address(lab, host, port) for port in (3080, 3024))
    return (
        "proxy_service:\n"
        "  enabled: yes\n"
        "  listen_addr: 0.0.0.0:3023\n"
        "  web_listen_addr: 0.0.0.0:3080\n"
        "  tunnel_listen_addr: 0.0.0.0:3024\n"
        f'  public_addr: ["{web}", "{host.name}:3080"]\n'
        f'  tunnel_public_addr: ["{tunnel}"]\n'
    )


def _ssh_section(host: Host) -> str:
    return f'ssh_service:\n  enabled: yes\n  listen_addr: 0.0.0.0:3022\n  labels:\n    host: "{host.name}"\n'


def proxy_address(lab: Lab, host: Host, port: int) -> str:
    """Where users and leaf clusters find a cluster's proxies: at the balancer when it serves them, else on the host."""
    balancer = lab.topology.with_extra("balancer")
    if balancer and host.cluster == balanced_cluster(lab):
        return f"{balancer.name}:{port}"
    return f"{host.name}:{port}"


def balanced_cluster(lab: Lab) -> str:
    """The cluster that the balancer is for: the first one with more than one proxy ('' when there is none)."""
    names = lab.topology.clusters
    return next((name for name in names if len(lab.topology.of_cluster(name, "proxy")) > 1), "")


def service_files(lab: Lab, host: Host, etcd_files: dict[str, bytes]) -> list[FileSpec]:
    """Files of a host with etcd or a balancer."""
    files = []
    if "etcd" in host.extras:
        files.append(FileSpec("/etc/default/etcd", etcd_environment(lab, host).encode()))
        files += [
            FileSpec(f"/etc/etcd-tls/{name}", etcd_files[name], 0o600)
            for name in ("ca.crt", "server.crt", "server.key")
        ]
    if "balancer" in host.extras:
        files.append(FileSpec("/etc/haproxy/haproxy.cfg", haproxy_config(lab).encode()))
        files.append(FileSpec("/etc/systemd/system/haproxy.service.d/lab.conf", NO_NAMESPACE))
    return files


def etcd_environment(lab: Lab, host: Host) -> str:
    """Settings of Debian's etcd unit: one member, TLS, nobody without a certificate of the lab's CA."""
    settings = {
        "ETCD_LISTEN_CLIENT_URLS": "https://0.0.0.0:2379",
        "ETCD_ADVERTISE_CLIENT_URLS": f"https://{lab.address(host.name)}:2379",
        "ETCD_CERT_FILE": "/etc/etcd-tls/server.crt",
        "ETCD_KEY_FILE": "/etc/etcd-tls/server.key",
        "ETCD_TRUSTED_CA_FILE": "/etc/etcd-tls/ca.crt",
        "ETCD_CLIENT_CERT_AUTH": "true",
    }
    return "".join(f'{key}="{value}"\n' for key, value in settings.items())


def haproxy_config(lab: Lab) -> str:
    """A TCP balancer over the proxies of the balanced cluster; a proxy that does not accept connections gets none."""
    proxies = lab.topology.of_cluster(balanced_cluster(lab), "proxy")
    parts = [
        "global\n  maxconn 2000\n  user haproxy\n  group haproxy\n",
        "  stats socket /run/haproxy/admin.sock mode 660 level admin\n",
        "defaults\n  mode tcp\n  timeout connect 2s\n  timeout client 1h\n  timeout server 1h\n",
        "  default-server check inter 500ms\n",
    ]
    for port in PROXY_PORTS:
        servers = "".join(f"  server {proxy.name} {lab.address(proxy.name)}:{port}\n" for proxy in proxies)
        parts.append(f"listen port{port}\n  bind :{port}\n  balance roundrobin\n{servers}")
    return "".join(parts)
