# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which phases a rotation still has to go through, from what was observed alone. Pure.

Nothing is remembered between runs: a rotation that an earlier run began, or somebody by hand, goes on where it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils import rotation
from ansible_collections.lockstep.teleport.plugins.plugin_utils import rotation_checks, rotation_render
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings import (
    apply_waivers,
    blockers,
    in_order,
)
from ansible_collections.lockstep.teleport.plugins.plugin_utils.rotation_input import Scene, Survey, Wishes, scenes

Step = dict[str, Any]
_ENDED = len(rotation.FORWARD)


@dataclass
class Course:
    """The steps of one cluster, in order, and what is to be known about them."""

    steps: list[Step] = field(default_factory=list)
    recent: list[str] = field(default_factory=list)
    rolling_back: list[str] = field(default_factory=list)
    past: list[str] = field(default_factory=list)


def build(
    inventory: Mapping[str, Any], hostvars: Mapping[str, Mapping[str, Any]], wishes: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the plan of a rotation: ``clusters`` with their steps, ``findings``, and whether it is ``refused``.

    *inventory* is what ``observed.collect`` returned, *hostvars* hold ``rotation_seen`` of each auth host that was
    asked, *wishes* are the variables of the role. Raises ``ValueError`` for a wish that cannot be read.
    """
    wanted = Wishes.read(wishes)
    found = list(rotation_checks.judge_wishes(wanted, inventory))
    clusters = []
    for scene in scenes(inventory, hostvars, wanted):
        course = course_of(scene.survey, wanted) if scene.survey else Course()
        found.extend(rotation_checks.judge(scene, wanted, course))
        clusters.append(_cluster(scene, course, wanted))
    findings = in_order(apply_waivers(found, wanted.waivers))
    refused = bool(blockers(findings))
    planned = {
        "until": wanted.until,
        "types": list(wanted.types),
        "grace_period": wanted.grace_period,
        "clusters": clusters,
        "findings": [finding.as_dict() for finding in findings],
        "refused": refused,
        "hosts": [] if refused else [cluster["host"] for cluster in clusters if cluster["steps"]],
        "locked": [] if refused else sorted({host for one in clusters if one["steps"] for host in one["auths"]}),
    }
    return {**planned, "markdown": rotation_render.plan(planned)}


def course_of(survey: Survey, wanted: Wishes) -> Course:
    """Return what is left to do for the authorities of one cluster."""
    known = {authority["type"]: authority for authority in survey.authorities}
    standing = {kind: known[kind] for kind in wanted.types if kind in known}
    if wanted.until == rotation.ROLLBACK:
        return _back(standing)
    return _forward(standing, wanted, survey.observed_at)


def _back(standing: Mapping[str, Mapping[str, Any]]) -> Course:
    moving = [kind for kind, authority in standing.items() if authority["phase"] != rotation.STANDBY]
    turning = [kind for kind in moving if standing[kind]["phase"] != rotation.ROLLBACK]
    steps = [_step(rotation.ROLLBACK, turning)] if turning else []
    return Course(steps + ([_step(rotation.STANDBY, moving)] if moving else []))


def _forward(standing: Mapping[str, Mapping[str, Any]], wanted: Wishes, now: str) -> Course:
    course = Course()
    goal = rotation.FORWARD.index(wanted.until) + 1
    places = {kind: _place(authority, wanted.min_age, now) for kind, authority in standing.items()}
    for kind, place in places.items():
        phase = standing[kind]["phase"]
        if phase == rotation.STANDBY:
            course.recent.extend([kind] if place == _ENDED else [])
        elif place > goal or (phase == rotation.ROLLBACK and goal < _ENDED):
            course.past.append(kind)
        elif phase == rotation.ROLLBACK:
            course.rolling_back.append(kind)
    for number, phase in enumerate(rotation.FORWARD[:goal], 1):
        moving = [kind for kind, place in places.items() if place < number]
        if moving:
            course.steps.append(_step(phase, moving))
    return course


def _place(authority: Mapping[str, Any], min_age: float, now: str) -> int:
    """Return how many phases lie behind an authority: none before a rotation, all after a recent one.

    One that is rolled back can only be ended; whether to begin anew is for the next run to be told.
    """
    if authority["phase"] == rotation.ROLLBACK:
        return _ENDED - 1
    if authority["phase"] != rotation.STANDBY:
        return rotation.FORWARD.index(authority["phase"]) + 1
    rotated = authority.get("last_rotated")
    return _ENDED if rotated and _moment(now) - _moment(rotated) < min_age else 0


def _moment(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time in UTC, whatever its fraction."""
    return datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()


def _step(phase: str, types: Iterable[str]) -> Step:
    return {"phase": phase, "types": list(types), "meaning": rotation.BY_NAME[phase].meaning}


def replay(phases: Mapping[str, str], steps: Sequence[Step]) -> dict[str, str]:
    """Take the steps one authority after the other, as Teleport would, and return where they end.

    *phases* are those of the beginning, by type. Raises ``ValueError`` for a step that Teleport would refuse.
    """
    now = dict(phases)
    for step in steps:
        for kind in step["types"]:
            if now[kind] not in rotation.BY_NAME[step["phase"]].sources:
                raise ValueError(f"{kind} cannot enter {step['phase']} from {now[kind]}")
            now[kind] = step["phase"]
    return now


def _cluster(scene: Scene, course: Course, wanted: Wishes) -> dict[str, Any]:
    survey = scene.survey
    seen = {} if survey is None else {entry["type"]: entry["phase"] for entry in survey.authorities}
    if survey is not None:
        replay(seen, course.steps)
    return {
        "cluster": scene.cluster,
        "host": scene.host,
        "auths": scene.auths,
        "phases": {kind: seen[kind] for kind in wanted.types if kind in seen},
        "ca_pins": [] if survey is None else survey.ca_pins,
        "missing": [] if survey is None else [dict(entry) for entry in survey.missing],
        "reported": 0 if survey is None else survey.reported,
        "steps": course.steps,
        "expected": scene.expected(),
        "ignored": rotation_checks.accepted(scene, wanted),
        "peers": [peer for peer in scene.peers if peer["host"]],
        "settle": rotation_checks.needs_settling(scene, course),
        "pinned": scene.pinned(),
    }
