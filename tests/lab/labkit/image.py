# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts' images: a bare Debian or Ubuntu as its installer leaves it, and one with the services on top."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .aptsources import INDEX_COMMAND, AptSource, codename, own_sources
from .locking import waiting_lock
from .settings import Settings
from .shell import run, text

RECIPE = Path(__file__).parent.parent / "image"
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "python3",
    "openssh-server",
    "openssl",
    "curl",
    "iproute2",
    "procps",
    "ca-certificates",
    "sudo",
    "netbase",
)
# The interpreter's shared library, whatever version this suite has: the Teleport double embeds it.
PYTHON_LIBRARY = r"?name(^libpython3\.[0-9]+$)"
BUILD_SECONDS = 900.0


@dataclass(frozen=True)
class Images:
    """References of both images and the archive they are cached in."""

    base: str
    services: str
    archive: Path

    def reference(self, kind: str) -> str:
        return self.services if kind == "services" else self.base


def read_sources() -> list[AptSource]:
    """What apt of this machine is configured with. Raises LabError when its suite is missing there."""
    suite = codename(Path("/etc/os-release").read_text(encoding="utf-8"))
    return own_sources(text(INDEX_COMMAND), suite)


def images(settings: Settings, sources: Sequence[AptSource]) -> Images:
    """Names of the images for these sources; they change with everything that goes into an image."""
    recipe = [file.read_text(encoding="utf-8") for file in sorted(RECIPE.iterdir())]
    parts = [platform.machine(), *(source.line for source in sources), *PACKAGES, PYTHON_LIBRARY, *recipe]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    return Images(
        base=f"localhost/lockstep-lab-base:{key}",
        services=f"localhost/lockstep-lab-services:{key}",
        archive=settings.cache / "lab" / f"images-{key}.tar",
    )


def ensure_images(settings: Settings, env: dict[str, str]) -> Images:
    """Both images in podman's storage: found there, loaded from the cache, or built (in this order)."""
    sources = read_sources()
    wanted = images(settings, sources)
    with waiting_lock(wanted.archive.parent / "image.lock"):
        if not _present(wanted, env) and wanted.archive.exists():
            run(["podman", "load", "--quiet", "-i", str(wanted.archive)], env=env, timeout=BUILD_SECONDS)
        if not _present(wanted, env):
            _build(wanted, sources, env)
            _save(wanted, env)
    return wanted


def _present(wanted: Images, env: dict[str, str]) -> bool:
    return all(
        run(["podman", "image", "exists", name], env=env, check=False).returncode == 0
        for name in (wanted.base, wanted.services)
    )


def _build(wanted: Images, sources: Sequence[AptSource], env: dict[str, str]) -> None:
    rootfs = wanted.archive.with_suffix(".rootfs.tar")
    run(
        [
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            f"--include={','.join(PACKAGES)}",
            f"--include={PYTHON_LIBRARY}",
            "--dpkgopt=force-unsafe-io",
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            f'--customize-hook={RECIPE / "customize.sh"} "$1"',
            sources[0].suite.split("-")[0],
            str(rootfs),
            *(source.line for source in sources),
        ],
        timeout=BUILD_SECONDS,
    )
    try:
        changes = ('CMD ["/sbin/init"]', "STOPSIGNAL SIGRTMIN+3")
        run(
            ["podman", "import", "--quiet", *(f"--change={change}" for change in changes), str(rootfs), wanted.base],
            env=env,
            timeout=BUILD_SECONDS,
        )
    finally:
        rootfs.unlink(missing_ok=True)
    run(
        [
            "podman",
            "build",
            "--quiet",
            "--isolation=chroot",
            "--network=host",
            "--pull=never",
            f"--build-arg=BASE={wanted.base}",
            "-t",
            wanted.services,
            "-f",
            str(RECIPE / "Containerfile.services"),
            str(RECIPE),
        ],
        env=env,
        timeout=BUILD_SECONDS,
    )


def _save(wanted: Images, env: dict[str, str]) -> None:
    """Keep the images for machines that start with an empty podman storage but a restored cache."""
    partial = wanted.archive.with_suffix(".part")
    partial.unlink(missing_ok=True)
    run(
        ["podman", "save", "--quiet", "-m", "-o", str(partial), wanted.base, wanted.services],
        env=env,
        timeout=BUILD_SECONDS,
    )
    partial.rename(wanted.archive)
