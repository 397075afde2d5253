# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Teleport's own updaters, which change the version of a host by themselves: finding, pausing and resuming them.

``teleport-update`` (managed updates, version 2) is paused by a pin to the version it has active; ``teleport-upgrade``
(version 1) by stopping its timer. What was changed is written to a mark on the host first, so that whoever comes next
can put it back, whatever has happened to the run.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils import durable, foreign_file, trust
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError

UPDATE = "teleport-update"
UPGRADE = "teleport-upgrade"
#: Where teleport-update keeps versions and settings, one folder per namespace.
ROOT = "/opt/teleport"
_DEFAULT = "default"
_MARK = ".updater-paused.json"
_TIMER = "teleport-upgrade.timer"
_LARGEST = 1 << 20
_SECONDS = 1800.0
_LINE_RE = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z_]+):[ \t]*(?P<value>[^#\n]*)(?:#.*)?")
_NAMESPACE_RE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_VERSION_RE = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?")


class Updater(NamedTuple):
    """An updater that may change the version of this host.

    :param enabled: whether it would do so by itself.
    :param pinned: whether somebody has told it to stay at one version.
    :param active: the version it has installed; None of version 1, which installs packages.
    :param namespace: the one of several installations it is about.
    """

    kind: str
    enabled: bool
    pinned: bool = False
    active: Optional[str] = None
    namespace: str = _DEFAULT

    @property
    def is_loose(self) -> bool:
        """Whether it could change something during a run."""
        return self.enabled and not self.pinned


def find(host: Host, root: str = ROOT) -> Optional[Updater]:
    """Return the updater of this host; None when there is none, or none that was ever enabled."""
    managed = next(_managed(root), None)
    if managed:
        return managed
    done = host.run(["systemctl", "show", "--property=LoadState,ActiveState", _TIMER])
    said = dict(line.split("=", 1) for line in done.output.splitlines() if "=" in line)
    if done.status != 0 or said.get("LoadState") != "loaded":
        return None
    return Updater(UPGRADE, said.get("ActiveState") == "active")


def is_managed(root: str = ROOT) -> bool:
    """Whether teleport-update is enabled here, pinned or not."""
    return any(updater.enabled for updater in _managed(root))


def _managed(root: str) -> Iterator[Updater]:
    try:
        namespaces = sorted(os.listdir(root), key=lambda name: (name != _DEFAULT, name))
    except OSError:
        return
    for namespace in namespaces:
        try:
            text = foreign_file.read(os.path.join(root, namespace, "update.yaml"), _LARGEST).decode("utf-8")
        except (OSError, ValueError):
            continue
        if _NAMESPACE_RE.fullmatch(namespace):
            said = parse(text)
            active = said.get("status.active.version", "")
            yield Updater(
                UPDATE,
                said.get("spec.enabled") == "true",
                said.get("spec.pinned") == "true",
                active if _VERSION_RE.fullmatch(active) else None,
                namespace,
            )


def parse(text: str) -> Dict[str, str]:
    """Read the scalars of an ``update.yaml``, which a program writes: dotted keys and their values."""
    found: Dict[str, str] = {}
    path: List[Tuple[int, str]] = []
    for match in (_LINE_RE.fullmatch(line.rstrip()) for line in text.splitlines()):
        if match is None:
            continue
        indent = len(match.group("indent"))
        path = [part for part in path if part[0] < indent] + [(indent, match.group("key"))]
        value = match.group("value").strip().strip("\"'")
        if value:
            found[".".join(key for _indent, key in path)] = value
    return found


def command(updater: Updater, *words: str) -> List[str]:
    """A command of teleport-update for this installation."""
    suffix = [] if updater.namespace == _DEFAULT else ["--install-suffix", updater.namespace]
    return [UPDATE, *suffix, *words]


def pin(host: Host, updater: Updater, version: str) -> None:
    """Let teleport-update bring the host to *version* and stay there: it fetches, links and restarts.

    :raises HostError: when it fails; it has gone back by itself then.
    """
    done = host.run(command(updater, "pin", "--force-version", version), seconds=_SECONDS)
    if done.status != 0:
        raise HostError(f"teleport-update pin --force-version {version} fails: {done.text[-600:].strip()}")


# -- pausing


def mark_path(versions_dir: str) -> str:
    """Where the mark lies while an updater is paused."""
    return os.path.join(versions_dir, _MARK)


def is_paused(versions_dir: str) -> bool:
    """Whether a run has paused an updater here and nobody has put it back yet."""
    return os.path.exists(mark_path(versions_dir))


def facts(host: Host, versions_dir: str, root: str = ROOT) -> Optional[Dict[str, Any]]:
    """Return what ``instance_info`` shows of an updater; None where there is none."""
    found = find(host, root)
    paused = is_paused(versions_dir)
    if found is None:
        return {"kind": None, "enabled": False, "pinned": False, "active": None, "paused": True} if paused else None
    return {**{name: getattr(found, name) for name in ("kind", "enabled", "pinned", "active")}, "paused": paused}


def pause(host: Host, versions_dir: str, check_mode: bool = False, root: str = ROOT) -> bool:
    """Keep the updater from changing anything until `resume`; say whether something had to be done for it.

    :raises HostError: when it cannot be paused.
    """
    found = find(host, root)
    if found is None or not found.is_loose:
        return False
    if found.kind == UPDATE and not found.active:
        raise HostError("teleport-update is enabled, but has no version active; run teleport-update status, mend it")
    if check_mode:
        return True
    trust.make_folder(versions_dir, "versions_dir")
    if not is_paused(versions_dir):
        durable.write_json(mark_path(versions_dir), {"kind": found.kind, "namespace": found.namespace})
    if found.kind == UPDATE:
        pin(host, found, str(found.active))
    else:
        _timer(host, "stop")
    return True


def resume(host: Host, versions_dir: str, check_mode: bool = False) -> bool:
    """Let the updater go on as it did before `pause`; say whether it was paused.

    :raises HostError: when that fails; the mark stays then, and the next run tries again.
    """
    if not is_paused(versions_dir):
        return False
    if check_mode:
        return True
    paused = _read_mark(versions_dir)
    if paused.kind == UPDATE:
        done = host.run(command(paused, "unpin"), seconds=_SECONDS)
        if done.status != 0:
            raise HostError(f"teleport-update unpin fails: {done.text[-600:].strip()}. Mend it, and run again.")
    else:
        _timer(host, "start")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(mark_path(versions_dir))
    return True


def _read_mark(versions_dir: str) -> Updater:
    path = mark_path(versions_dir)
    try:
        said = foreign_file.parse_json(foreign_file.read(path, _LARGEST))
        kind, namespace = str(said["kind"]), str(said["namespace"])
    except (OSError, ValueError, LookupError, TypeError):
        kind = namespace = ""
    if kind not in (UPDATE, UPGRADE) or not _NAMESPACE_RE.fullmatch(namespace):
        raise HostError(f"{path} is not understood. Look at the updater of this host, resume it, and remove the file.")
    return Updater(kind, True, True, None, namespace)


def _timer(host: Host, verb: str) -> None:
    done = host.run(["systemctl", verb, _TIMER])
    if done.status != 0:
        raise HostError(f"systemctl {verb} {_TIMER} fails: {done.text[-300:].strip()}")
