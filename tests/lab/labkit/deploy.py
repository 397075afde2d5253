# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Teleport on the hosts of a lab: installed as its own install script does, started, joined, filled with records."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from . import artifacts, faults, moto, podman
from .configs import FileSpec, aws_environment, postgresql_statements, service_files, teleport_files
from .errors import LabError
from .etcd import empty_etcd
from .hosts import write_ansible_files
from .identities import etcd_tls
from .parallel import on_each
from .record import Lab
from .records import create_records, joined, trust, trusted
from .settings import Settings
from .topology import Cluster, Host
from .waiting import wait_until

UNITS = {"etcd": "etcd.service", "postgresql": "postgresql.service", "balancer": "haproxy.service"}
EXAMPLE_UNIT = "examples/systemd/teleport.service"
READY_SECONDS = 120


def deploy(settings: Settings, lab: Lab) -> None:
    """Deploy everything on bare hosts; returns when all instances are ready and listed and all trust is online.

    Raises LabError when a tarball is missing or anything does not get ready in two minutes.
    """
    topology = lab.topology
    tarballs = artifacts.ensure_tarballs(settings, topology.versions, topology.edition)
    write_ansible_files(settings, lab, f"{artifacts.serve(settings, lab.gateway)}/{tarballs.name}")
    etcd_files = _etcd_files(settings, lab)
    _prepare_dynamodb(settings, lab)
    on_each(lambda host: _install(settings, lab, host, tarballs, etcd_files), topology.hosts)
    first = [topology.of_cluster(cluster, "auth")[0] for cluster in topology.clusters]
    others = [host for host in topology.hosts if host.runs_teleport and host not in first]
    on_each(lambda host: start_teleport(settings, host.name), first)
    on_each(lambda host: start_teleport(settings, host.name), others)
    clusters = topology.by_depth()
    on_each(lambda cluster: _fill(settings, lab, cluster), clusters)
    for cluster in clusters:
        if cluster.root:
            _establish_trust(settings, lab, cluster)


def _establish_trust(settings: Settings, lab: Lab, leaf: Cluster) -> None:
    trust(settings, lab, leaf)
    wait_until(lambda: trusted(settings, lab, leaf), READY_SECONDS, f"{leaf.name}: trust of {leaf.root}")


def reset(settings: Settings, lab: Lab) -> None:
    """Take running hosts back to bare ones and deploy afresh; hosts that are cut or switched off come back first."""
    wipe(settings, lab)
    deploy(settings, lab)


def wipe(settings: Settings, lab: Lab) -> None:
    """Remove all that was deployed and all that runs against the lab left behind; undo every fault.

    etcd, PostgreSQL and the balancer go on running, emptied, when they do run.
    """
    states = podman.states(settings)
    dead = [host for host in lab.topology.hosts if not states.get(host.name, "").startswith("Up")]
    on_each(lambda host: faults.start(settings, lab, host.name), dead)
    faults.heal_all(settings, list(lab.addresses))
    on_each(lambda host: _wipe_host(settings, lab, host), lab.topology.hosts)
    moto.empty(settings)


def start_teleport(settings: Settings, host: str) -> None:
    """Start the unit of a host; returns when it is ready. Raises LabError with the end of its journal otherwise."""
    podman.run_script(settings, host, "start_teleport.sh", [str(READY_SECONDS)], timeout=READY_SECONDS * 3)


def _install(settings: Settings, lab: Lab, host: Host, tarballs: Path, etcd_files: dict[str, bytes]) -> None:
    if host.extras:
        if not _services_run(settings, host):
            units = [UNITS[extra] for extra in host.extras]
            files = service_files(lab, host, etcd_files)
            podman.run_script(settings, host.name, "start_services.sh", units, stdin=pack(files))
        if "postgresql" in host.extras:
            _make_databases(settings, lab, host)
        return
    tarball = artifacts.tarball_name(host.version, lab.topology.edition)
    files = []
    if host.runs_teleport:
        unit = example_unit(tarballs / tarball)
        files = teleport_files(lab, host, unit, etcd_files)
    role = "server" if host.runs_teleport else "client"
    podman.run_script(settings, host.name, "install.sh", [f"{tarballs.name}/{tarball}", role], stdin=pack(files))


def _make_databases(settings: Settings, lab: Lab, host: Host) -> None:
    psql = ["runuser", "-u", "postgres", "--", "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"]
    podman.execute(settings, host.name, psql, stdin=postgresql_statements(lab).encode())


def pack(files: Sequence[FileSpec]) -> bytes:
    """The files as a tar archive, with paths relative to /."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in files:
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            entry.size, entry.mode = len(file.content), file.mode
            archive.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()


def example_unit(tarball: Path) -> str:
    """The systemd unit that a release ships as an example. Raises LabError when it has none."""
    with tarfile.open(tarball) as archive:
        for entry in archive:
            if entry.name.endswith(f"/{EXAMPLE_UNIT}"):
                content = archive.extractfile(entry)
                if content is not None:
                    return content.read().decode("utf-8")
    raise LabError(f"{tarball}: holds no {EXAMPLE_UNIT}")


def _prepare_dynamodb(settings: Settings, lab: Lab) -> None:
    clusters = [cluster.name for cluster in lab.topology.clusters.values() if cluster.backend == "dynamodb"]
    if not clusters:
        return
    environment = FileSpec("/etc/default/teleport", aws_environment(moto.serve(settings, lab.gateway)).encode(), 0o600)
    archives = (moto.boto3_archive(settings), pack([environment]))
    for host in (host for cluster in clusters for host in lab.topology.of_cluster(cluster, "auth")):
        for archive in archives:
            command = ["tar", "-xf", "-", "-C", "/", "--no-same-owner"]
            podman.execute(settings, host.name, command, stdin=archive)


def _etcd_files(settings: Settings, lab: Lab) -> dict[str, bytes]:
    etcd = lab.topology.with_extra("etcd")
    if etcd is None:
        return {}
    folder = settings.state / "etcd-tls"
    if not (folder / "client.crt").exists():
        etcd_tls(folder, etcd.name, lab.address(etcd.name))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _fill(settings: Settings, lab: Lab, cluster: Cluster) -> None:
    create_records(settings, lab, cluster)
    wait_until(lambda: joined(settings, lab, cluster), READY_SECONDS, f"{cluster.name}: all agents and proxies listed")


def _wipe_host(settings: Settings, lab: Lab, host: Host) -> None:
    if host.extras and _services_run(settings, host):
        if "etcd" in host.extras:
            empty_etcd(lab.address(host.name), settings.state / "etcd-tls")
        return
    podman.run_script(settings, host.name, "wipe.sh", [], timeout=60)


def _services_run(settings: Settings, host: Host) -> bool:
    units = [UNITS[extra] for extra in host.extras]
    return (
        podman.execute(settings, host.name, ["systemctl", "is-active", "--quiet", *units], check=False).returncode == 0
    )
