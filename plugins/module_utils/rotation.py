# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rotation of certificate authorities: the phases as data, and judgements over values of who has reported which.

Sources: Teleport's ``lib/auth/rotate.go`` (which step is taken from where), ``lib/service/connect.go`` (what an
instance does when it sees a phase), and the output of real clusters from 4.2 to 8.3.
"""

from __future__ import annotations

import hashlib
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils.cluster_view import part
from ansible_collections.lockstep.teleport.plugins.module_utils.plain_text import name

INIT = "init"
UPDATE_CLIENTS = "update_clients"
UPDATE_SERVERS = "update_servers"
STANDBY = "standby"
ROLLBACK = "rollback"
MANUAL = "manual"
HOST = "host"
USER = "user"


class Phase(NamedTuple):
    """One phase, those from which Teleport enters it, and what it means. ``standby`` is also where it all begins."""

    name: str
    sources: Tuple[str, ...]
    meaning: str


PHASES = (
    Phase(INIT, (STANDBY,), "a new key is made and trusted beside the old one; nothing uses it yet"),
    Phase(UPDATE_CLIENTS, (INIT,), "the new key signs; instances reload with new client certificates"),
    Phase(UPDATE_SERVERS, (UPDATE_CLIENTS,), "instances reload and serve with certificates of the new key"),
    Phase(STANDBY, (UPDATE_SERVERS, ROLLBACK), "the other key is trusted no more; what still needs it is cut off"),
    Phase(ROLLBACK, (INIT, UPDATE_CLIENTS, UPDATE_SERVERS), "the old key signs again; instances reload with it"),
)
BY_NAME = {phase.name: phase for phase in PHASES}
#: A rotation from its beginning to its end.
FORWARD = (INIT, UPDATE_CLIENTS, UPDATE_SERVERS, STANDBY)

#: Only this authority's phases are reported by instances, in their heartbeats.
REPORTED = HOST
#: What clusters in trust keep copies of: a leaf those of its root, a root the host authority of its leaf.
TRUSTED_BY_LEAF = (HOST, USER)
TRUSTED_BY_ROOT = (HOST,)


class Authority(NamedTuple):
    """An authority as ``tctl get cas`` shows it; ``keys`` are fingerprints of all keys that are trusted."""

    cluster: str
    type: str
    phase: str
    mode: str
    current_id: str
    started: Optional[str]
    grace_period: str
    last_rotated: Optional[str]
    keys: List[str]

    def facts(self) -> Dict[str, Any]:
        """Return it as plain data."""
        return dict(self._asdict())


class Report(NamedTuple):
    """What one service of an instance says in its heartbeat."""

    id: str
    host: str
    service: str
    phase: str
    current_id: str
    expires: str
    version: str


class Expected(NamedTuple):
    """An instance that must take part, and all names under which its cluster may list it."""

    host: str
    names: FrozenSet[str]


class Missing(NamedTuple):
    """An instance that is not where it should be. ``code`` is ``offline``, ``blind`` or ``behind``."""

    host: str
    code: str
    message: str


def authorities(resources: Iterable[Mapping[str, Any]]) -> List[Authority]:
    """Read the answer of ``tctl get cas``: the authorities of the cluster, and its copies of those in trust."""
    return [_authority(resource) for resource in resources]


def _authority(resource: Mapping[str, Any]) -> Authority:
    spec = part(resource, "spec")
    rotation = part(spec, "rotation")
    return Authority(
        cluster=name(spec.get("cluster_name") or part(resource, "metadata").get("name")),
        type=name(spec.get("type")),
        phase=_phase(rotation),
        mode=name(rotation.get("mode")),
        current_id=name(rotation.get("current_id")),
        started=_moment(rotation.get("started")),
        grace_period=name(rotation.get("grace_period")),
        last_rotated=_moment(rotation.get("last_rotated")),
        keys=_fingerprints(spec),
    )


def _phase(rotation: Mapping[str, Any]) -> str:
    return name(rotation.get("phase")) or STANDBY if rotation.get("state") == "in_progress" else STANDBY


def _moment(value: Any) -> Optional[str]:
    text = name(value)
    return text if text and not text.startswith("0001-") else None


def _fingerprints(spec: Mapping[str, Any]) -> List[str]:
    """Name the public keys, in the form up to 6 and in that from 7 on; in between both are there and say the same."""
    keys = [str(key) for key in _list(spec.get("checking_keys"))]
    keys += [str(pair.get("cert")) for pair in _pairs(spec.get("tls_key_pairs"))]
    keys += [str(pair.get("public_key")) for pair in _pairs(spec.get("jwt_key_pairs"))]
    for keys_of in ("active_keys", "additional_trusted_keys"):
        for pairs in part(spec, keys_of).values():
            keys += [str(pair.get("cert") or pair.get("public_key")) for pair in _pairs(pairs)]
    return sorted({hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:32] for key in keys})


def reports(service: str, resources: Iterable[Mapping[str, Any]]) -> List[Report]:
    """Read heartbeats of one kind."""
    found = []
    for resource in resources:
        spec, metadata = part(resource, "spec"), part(resource, "metadata")
        rotation = part(spec, "rotation")
        found.append(
            Report(
                id=name(spec.get("host_id") or metadata.get("name")),
                host=name(spec.get("hostname")),
                service=service,
                phase=_phase(rotation),
                current_id=name(rotation.get("current_id")),
                expires=name(metadata.get("expires")),
                version=name(spec.get("version")),
            )
        )
    return found


def missing(
    authority: Authority,
    reported: Sequence[Report],
    expected: Iterable[Expected],
    listed: Iterable[str] = (),
    ignored: Iterable[str] = (),
    completed: bool = False,
) -> List[Missing]:
    """Return the instances that have not reported the phase of *authority*, the host authority; empty when all have.

    Whoever is listed must have reported, whether it is expected or not: an instance that the inventory lacks is cut off
    like any other.

    :param listed: ids and names of instances that the cluster knows by other means, such as its inventory.
    :param ignored: names of instances that are accepted to be cut off.
    :param completed: that ``standby`` is the end of this rotation; else it is where one is about to begin.
    """
    passed_over = set(ignored)
    known = set(listed)
    seen = {text for report in reported for text in (report.id, report.host) if text}
    found = []
    for one in expected:
        if one.names & seen or one.names & passed_over:
            continue
        found.append(_unseen(one.host, bool(one.names & known)))
    for report in reported:
        behind = not _is_at(report, authority, completed)
        if behind and not {report.id, report.host} & passed_over:
            message = f"its {report.service} service reports {report.phase}, the cluster is in {authority.phase}"
            found.append(Missing(report.host or report.id, "behind", message))
    return sorted(set(found))


def _unseen(host: str, is_known: bool) -> Missing:
    if is_known:
        return Missing(host, "blind", "the cluster knows it, but shows no service of it that reports a phase")
    return Missing(host, "offline", "its cluster does not list it")


def _is_at(report: Report, authority: Authority, completed: bool) -> bool:
    same = report.phase == authority.phase
    needs_id = completed or authority.phase != STANDBY
    return same and (not needs_id or report.current_id == authority.current_id)


class Decision(NamedTuple):
    """Which authorities are to be moved now, or why that cannot be."""

    types: List[str]
    refusal: str = ""


def decide(own: Iterable[Authority], types: Sequence[str], phase: str) -> Decision:
    """Return which of *types* enter *phase* now: those that stand just before it; those that are in it stay."""
    by_type = {authority.type: authority for authority in own}
    moving = []
    for kind in types:
        authority = by_type.get(kind)
        if authority is None:
            known = ", ".join(sorted(by_type)) or "none"
            return Decision([], f"there is no {kind} authority; there are {known}")
        if authority.phase != STANDBY and authority.mode != MANUAL:
            return Decision([], f"the {kind} authority is in {authority.phase} of an automatic rotation")
        if authority.phase == phase:
            continue
        if authority.phase not in BY_NAME[phase].sources:
            allowed = " or ".join(BY_NAME[phase].sources)
            return Decision([], f"the {kind} authority is in {authority.phase}; {phase} follows {allowed}")
        moving.append(kind)
    return Decision(moving)


def lacking(copies: Iterable[Authority], wanted: Mapping[str, Iterable[str]], cluster: str) -> List[str]:
    """Return the types of which the copies of *cluster* lack a key of *wanted* (fingerprints by type)."""
    held = {authority.type: set(authority.keys) for authority in copies if authority.cluster == cluster}
    return sorted(kind for kind, keys in wanted.items() if not set(keys) <= held.get(kind, set()))


def _list(value: Any) -> List[Any]:
    return value if isinstance(value, list) else []


def _pairs(value: Any) -> List[Mapping[str, Any]]:
    return [pair for pair in _list(value) if isinstance(pair, dict)]
