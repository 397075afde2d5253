# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and certificates of a lab: ssh identities of its hosts and the TLS of etcd."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .shell import run

DAYS = "3650"
CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def ssh_identities(state: Path, addresses: Mapping[str, str]) -> None:
    """One client key for the lab, one host key per host in ``hosts/NAME/``, and ``known_hosts`` with all of them."""
    client = state / "id_ed25519"
    _ssh_key(client)
    known = []
    for host, address in addresses.items():
        folder = state / "hosts" / host
        folder.mkdir(parents=True, exist_ok=True)
        _ssh_key(folder / "ssh_host_ed25519_key")
        (folder / "authorized_keys").write_bytes(client.with_suffix(".pub").read_bytes())
        public = (folder / "ssh_host_ed25519_key.pub").read_text(encoding="utf-8").split()[:2]
        known.append(f"{address},{host} {' '.join(public)}\n")
    (state / "known_hosts").write_text("".join(known), encoding="utf-8")


def _ssh_key(path: Path) -> None:
    path.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(path)])


def etcd_tls(folder: Path, host: str, address: str) -> None:
    """A CA, a certificate for the etcd server and one for its clients, as PEM files in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    authority, key = folder / "ca.crt", folder / "ca.key"
    run(
        [
            "openssl",
            "req",
            "-x509",
            *CURVE,
            "-days",
            DAYS,
            "-subj",
            "/CN=lab etcd CA",
            "-keyout",
            str(key),
            "-out",
            str(authority),
        ]
    )
    names = f"subjectAltName=DNS:{host},DNS:localhost,IP:{address},IP:127.0.0.1"
    _certificate(folder, "server", host, f"extendedKeyUsage=serverAuth,clientAuth\n{names}\n")
    _certificate(folder, "client", "teleport", "extendedKeyUsage=clientAuth\n")


def _certificate(folder: Path, name: str, subject: str, extensions: str) -> None:
    request, config = folder / f"{name}.csr", folder / f"{name}.ext"
    config.write_text(extensions, encoding="utf-8")
    run(
        [
            "openssl",
            "req",
            *CURVE,
            "-subj",
            f"/CN={subject}",
            "-keyout",
            str(folder / f"{name}.key"),
            "-out",
            str(request),
        ]
    )
    run(
        [
            "openssl",
            "x509",
            "-req",
            "-in",
            str(request),
            "-CA",
            str(folder / "ca.crt"),
            "-CAkey",
            str(folder / "ca.key"),
            "-CAcreateserial",
            "-days",
            DAYS,
            "-extfile",
            str(config),
            "-out",
            str(folder / f"{name}.crt"),
        ]
    )
