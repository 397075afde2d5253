# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks against a rotation, or should be known before it. Every check looks for itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.lockstep.teleport.plugins.module_utils import rotation
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings import Finding, finding
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings_codes import WARNING
from ansible_collections.lockstep.teleport.plugins.plugin_utils.rotation_input import Scene, Survey, Wishes

if TYPE_CHECKING:
    from ansible_collections.lockstep.teleport.plugins.plugin_utils.rotation_plan import Course

#: A shorter grace period ends before instances with the lowest resolution of polling have looked twice.
SHORTEST_GRACE = 1800.0
_CUT_OFF = "rotation-offline"
_BLIND = "rotation-blind"
_SHOWN = 10


def judge_wishes(wanted: Wishes, inventory: Mapping[str, Any]) -> Iterator[Finding]:
    """Return what is wrong with what was asked for."""
    known = {instance["cluster"] for instance in inventory["instances"]}
    for name in wanted.clusters:
        if name not in known:
            message = f"teleport_rotate_clusters names {name}; the inventory has {', '.join(sorted(known))}."
            yield finding("rotation-cluster-unknown", message)
    if wanted.grace < SHORTEST_GRACE:
        yield finding("rotation-grace", f"teleport_rotate_grace_period is {wanted.grace_period}.")


def judge(scene: Scene, wanted: Wishes, course: Course) -> Iterator[Finding]:
    """Return everything about one cluster."""
    if scene.survey is None:
        yield finding("rotation-silent", f"No Auth Service of {scene.cluster} answers.", cluster=scene.cluster)
        return
    yield from _authorities(scene, scene.survey, wanted)
    yield from _standing(scene, wanted, course)
    if not course.steps:
        return
    yield from _upgrade(scene, scene.survey)
    yield from _missing(scene, wanted)
    yield from _trust(scene)
    if rotation.HOST in wanted.types and scene.pinned():
        message = f"These hosts name a CA pin in teleport.yaml that will not fit afterwards: {_names(scene.pinned())}."
        yield finding("rotation-pins", message, cluster=scene.cluster)


def accepted(scene: Scene, wanted: Wishes) -> list[str]:
    """Return the names of instances that may be cut off, because their finding was waived."""
    hosts = {entry["host"] for entry, code in _absent(scene, wanted) if code in wanted.waivers}
    return sorted({name for host in hosts for name in [host, *scene.names.get(host, [])] if name})


def needs_settling(scene: Scene, course: Course) -> bool:
    """Whether something takes part whose phase no heartbeat shows, so that there is nothing but time to wait for."""
    if scene.survey is None or not course.steps:
        return False
    unseen = any(entry["code"] == "blind" for entry in scene.survey.missing)
    untold = any(peer["host"] is None for peer in scene.peers)
    return unseen or untold or any(rotation.REPORTED not in step["types"] for step in course.steps)


def _authorities(scene: Scene, survey: Survey, wanted: Wishes) -> Iterator[Finding]:
    known = {authority["type"]: authority for authority in survey.authorities}
    for kind in wanted.types:
        if kind not in known:
            message = f"{scene.cluster} has no {kind} authority; it has {', '.join(sorted(known))}."
            yield finding("rotation-type-unknown", message, cluster=scene.cluster)
    for kind, authority in sorted(known.items()):
        if authority["phase"] == rotation.STANDBY:
            continue
        if authority["mode"] != rotation.MANUAL:
            message = f"The {kind} authority is in {authority['phase']} of an automatic rotation."
            yield finding("rotation-automatic", message, cluster=scene.cluster)
        elif kind not in wanted.types:
            message = f"The {kind} authority is in {authority['phase']}, and is not among those to be rotated."
            yield finding("rotation-other", message, cluster=scene.cluster)


def _standing(scene: Scene, wanted: Wishes, course: Course) -> Iterator[Finding]:
    place = {"cluster": scene.cluster}
    if course.past:
        message = f"{_names(course.past)}: past {wanted.until} already."
        yield finding("rotation-past", message, **place)
    if course.rolling_back:
        yield finding("rotation-rolling-back", f"{_names(course.rolling_back)}: being rolled back.", **place)
    if course.recent:
        message = f"{_names(course.recent)}: rotated, or rolled back, less than {wanted.min_age:g} s ago."
        yield finding("rotation-recent", message, **place)


def _upgrade(scene: Scene, survey: Survey) -> Iterator[Finding]:
    if len(survey.auth_versions) > 1:
        message = f"The Auth Services run {_names(survey.auth_versions)}."
        yield finding("rotation-upgrade", message, cluster=scene.cluster)
    for member in scene.members:
        if member.get("interrupted"):
            message = f"{member['host']} carries the mark of an unfinished upgrade, or is held."
            yield finding("rotation-upgrade", message, cluster=scene.cluster, host=member["host"])


def _absent(scene: Scene, wanted: Wishes) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield who has not reported the present phase, with the code of the finding.

    While a rotation is on its way, whoever lags behind is waited for; only whoever is gone cannot be.
    """
    if scene.survey is None or rotation.HOST not in wanted.types:
        return
    host = next((one for one in scene.survey.authorities if one["type"] == rotation.HOST), None)
    resting = host is None or host["phase"] == rotation.STANDBY
    named = {entry["host"] for entry in scene.survey.missing}
    for member in scene.members:
        # Its cluster may list the dead for ten minutes.
        if member["state"] == "stopped" and member["host"] not in named:
            yield {"host": member["host"], "message": "its unit does not run"}, _CUT_OFF
    for entry in scene.survey.missing:
        lagging = "rotation-behind" if entry["code"] == "behind" and not resting else _CUT_OFF
        yield entry, _BLIND if entry["code"] == "blind" else lagging


def _missing(scene: Scene, wanted: Wishes) -> Iterator[Finding]:
    # The way back must be open at once; its second step waits for everybody all the same.
    severity = WARNING if wanted.until == rotation.ROLLBACK else None
    for entry, code in _absent(scene, wanted):
        place = {"cluster": scene.cluster, "host": str(entry["host"])}
        yield finding(
            code, f"{entry['host']}: {entry['message']}.", severity=severity if code == _CUT_OFF else None, **place
        )


def _trust(scene: Scene) -> Iterator[Finding]:
    for peer in scene.peers:
        if peer["connection"] != "online":
            message = f"Leaf {peer['cluster']} is {peer['connection']}, so it cannot learn of new keys."
            yield finding("rotation-leaf-offline", message, cluster=scene.cluster)
        elif peer["host"] is None:
            message = f"{peer['cluster']} is in trust with {scene.cluster}, and the inventory has no auth host of it."
            yield finding("rotation-trust-unseen", message, cluster=scene.cluster)


def _names(found: list[Any]) -> str:
    shown = ", ".join(str(name) for name in found[:_SHOWN])
    return f"{shown} and {len(found) - _SHOWN} more" if len(found) > _SHOWN else shown
