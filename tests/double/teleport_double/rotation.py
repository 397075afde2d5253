# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rotation of an authority: its phases at the auth, and how a service follows them or falls out of step.

Taken from what real processes printed and from ``lib/auth/rotate.go`` and ``lib/service/connect.go``.
"""

from __future__ import annotations

import time
import uuid
from typing import NamedTuple

from . import authority
from .features import has
from .records import Resource, rfc3339
from .settings import scaled
from .versions import Version

ZERO_TIME = "0001-01-01T00:00:00Z"
GRACE_SECONDS = 30 * 3600.0
MANUAL, AUTO = "manual", "auto"
#: How long a watcher of the real thing takes at most to notice a change, and what reloading takes the auth.
NOTICE_SECONDS, RELOAD_SECONDS = 10.0, 10.0
SCHEDULED = ("update_clients", "update_servers", "standby")
RELOADING = (*SCHEDULED, "rollback")
_SHOWN = {
    "init": "initialized",
    "update_clients": "rotating clients",
    "update_servers": "rotating servers",
    "rollback": "rolling back",
}
_FROM = {"update_clients": ("init",), "update_servers": ("update_clients",)}
_ROLLED_BACK = ("init", "update_clients", "update_servers")
_COMPLETED = ("update_servers", "rollback")


def interval() -> float:
    """Seconds between two looks at the authority; never so few that the looks become a load."""
    return max(0.3, scaled(NOTICE_SECONDS))


def in_rotation(ca: Resource) -> bool:
    """True while a rotation has not reached standby."""
    return bool(ca["spec"].get("rotation", {}).get("state") == "in_progress")


def text(ca: Resource) -> str:
    """The cell ``tctl status`` shows for the CA."""
    rotation = ca["spec"].get("rotation") or {}
    if rotation.get("state") == "in_progress":
        started, ending = rotation["double_started"], rotation["double_started"] + rotation["double_grace"]
        mode = f"mode: {rotation['mode']}, started: {_human(started)}, ending: {_human(ending)}"
        return f"{_SHOWN[rotation['phase']]} ({mode})"
    if rotation.get("double_rotated"):
        return f"rotated {_human(rotation['double_rotated'])}"
    return "never updated"


def public(rotation: Resource) -> Resource:
    """A rotation without the double's own bookkeeping."""
    return {key: value for key, value in rotation.items() if not key.startswith("double_")}


def shown(rotation: Resource | None, version: Version) -> Resource:
    """``spec.rotation`` of a server resource."""
    found: Resource = {"current_id": "", "started": ZERO_TIME}
    if has(version, "idle_grace_period_shown"):
        found["grace_period"] = "0s"
    schedule = dict.fromkeys(SCHEDULED, ZERO_TIME)
    found.update({"last_rotated": ZERO_TIME, "schedule": schedule})
    return {**found, **public(rotation or {})}


# --- at the auth -------------------------------------------------------------------------------------------


def advance(ca: Resource, phase: str, version: Version, mode: str = MANUAL, grace: float = GRACE_SECONDS) -> None:
    """Move the rotation of an authority to ``phase``; raises ValueError when that step is not allowed."""
    rotation = ca["spec"].get("rotation") or {}
    current = str(rotation.get("phase") or "")
    _check(phase, current, str(rotation.get("state") or ""))
    active, trusted = authority.keys_of(ca)
    if phase == "init":
        trusted = [authority.new_key()]
    elif phase == "update_clients" or (phase == "rollback" and current != "init"):
        active, trusted = trusted[:1], active
    elif phase == "standby":
        active, trusted = active[:1], []
    if phase == "init" and not grace:
        active, trusted = trusted, []
    authority.set_keys(ca, active, trusted, version)
    ca["spec"]["rotation"] = _next(rotation, phase, mode, grace)


def _check(phase: str, current: str, state: str) -> None:
    if phase == "init":
        if state == "in_progress":
            raise ValueError("can not initiate rotation while another is in progress")
    elif phase in _FROM:
        if current not in _FROM[phase]:
            raise ValueError(f"can only switch to phase {phase} from {_FROM[phase][0]}, current phase is {current}")
    elif phase not in ("standby", "rollback"):
        raise ValueError(f'unsupported phase: "{phase}"')
    elif current not in (_COMPLETED if phase == "standby" else _ROLLED_BACK):
        raise ValueError(f'can not transition to phase "{phase}" from "{current}" phase.')


def _next(rotation: Resource, phase: str, mode: str, grace: float) -> Resource:
    now = time.time()
    if phase == "init":
        started = now
        rotation = {"current_id": str(uuid.uuid4()), "grace_period": _go_duration(grace), "double_grace": grace}
        if not grace:
            return {**rotation, "state": "standby", "phase": "standby", "last_rotated": ZERO_TIME}
    if phase == "standby":
        kept = {key: rotation[key] for key in ("current_id", "grace_period")}
        return {**kept, "state": phase, "phase": phase, "last_rotated": rfc3339(now), "double_rotated": now}
    started = now if phase == "init" else rotation["double_started"]
    third = rotation["double_grace"] / 3
    schedule = {name: rfc3339(started + third * (number + 1)) for number, name in enumerate(SCHEDULED)}
    return {
        "state": "in_progress",
        "phase": phase,
        "mode": MANUAL if phase == "rollback" else mode,
        "current_id": rotation["current_id"],
        "started": rfc3339(started),
        "grace_period": rotation["grace_period"],
        "last_rotated": ZERO_TIME,
        "schedule": schedule,
        "double_started": started,
        "double_grace": rotation["double_grace"],
    }


def due(ca: Resource) -> str:
    """The phase that an automatic rotation is to enter now; empty for none."""
    rotation = ca["spec"].get("rotation") or {}
    order = ("init", *SCHEDULED)
    if not in_rotation(ca) or rotation["mode"] != AUTO or rotation["phase"] not in order[:-1]:
        return ""
    number = order.index(rotation["phase"]) + 1
    reached = time.time() >= rotation["double_started"] + rotation["double_grace"] / 3 * number
    return order[number] if reached else ""


def serving_key(ca: Resource) -> str:
    """Fingerprint of the key that signed what the auth shows to those who dial it: the old one up to update_clients."""
    active, trusted = authority.keys_of(ca)
    old_still = (ca["spec"].get("rotation") or {}).get("phase") == "update_clients" and trusted
    return authority.fingerprint((trusted if old_still else active)[0]["public"])


# --- at a service ------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """What a service does about a change: take it over, with new credentials and a reload, or report a problem."""

    follow: bool = False
    reregister: bool = False
    reload: bool = False
    problem: str = ""


#: By the phase of the cluster: where a service that has not heard of this rotation yet must stand (None: anywhere).
_REACHED_FROM: dict[str, tuple[str, ...] | None] = {
    "init": ("",),
    "update_clients": ("init",),
    "update_servers": ("update_clients",),
    "standby": ("rollback",),
    "rollback": None,
}
_STEPS = {
    "init": Step(follow=True),
    "update_clients": Step(follow=True, reregister=True, reload=True),
    "update_servers": Step(follow=True, reload=True),
    "standby": Step(follow=True, reregister=True, reload=True),
    "rollback": Step(follow=True, reregister=True, reload=True),
}


def local_step(role: str, local: Resource, remote: Resource) -> Step:
    """What a service that knows of ``local`` does once it sees ``remote``."""
    before = str(local.get("phase") or "") if local.get("state") == "in_progress" else ""
    phase = str(remote.get("phase") or "") if remote.get("state") == "in_progress" else "standby"
    if _matches(local, remote) or (phase == "standby" and not before):
        return Step()
    known = phase != "init" and local.get("current_id") == remote.get("current_id")
    sources = _REACHED_FROM[phase]
    if known or sources is None or before in sources:
        return _STEPS[phase]
    problem = (
        f"{role} and cluster rotation state ({_named(remote)}) is out of sync with local ({_named(local)}). "
        f"Clear local state and re-register this {role}."
    )
    return Step(problem=problem)


def _matches(local: Resource, remote: Resource) -> bool:
    keys = ("state", "phase", "current_id")
    return [local.get(key) or "" for key in keys] == [remote.get(key) or "" for key in keys]


def _named(rotation: Resource) -> str:
    if rotation.get("state") != "in_progress":
        return (
            "never updated" if not rotation.get("double_rotated") else f"rotated {_human(rotation['double_rotated'])}"
        )
    return _SHOWN[rotation["phase"]]


def _go_duration(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "m"), (left, "s")]
    while len(parts) > 1 and parts[0][0] == 0:
        parts.pop(0)
    return "".join(f"{number}{unit}" for number, unit in parts)


def _human(moment: float) -> str:
    return time.strftime("%b %d %H:%M:%S UTC", time.gmtime(moment))
