# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the planner has to answer, as tables: fleets and the findings or the stages that follow from them.

A fleet is written one instance a line, ``host cluster services version [state] [interrupted | unfinished] [edition]``,
with services joined by ``+``, an unknown version as ``?``. Stages are written ``kind level version: batches``,
the batches of a stage separated by ``|``, with ``=`` before a host whose interrupted upgrade is only finished and ``*``
before the one that migrates its backend.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner import Outcome, plan_upgrade

SAFE = ["below-minimum-safe", "known-bad", "known-bad-pair"]


def fleet(text: str) -> list[dict[str, Any]]:
    """Read instances from their short form."""
    return [_instance(line.split()) for line in text.strip().splitlines()]


def _instance(words: list[str]) -> dict[str, Any]:
    host, cluster, services, version, *marks = words
    row: dict[str, Any] = {"host": host, "cluster": cluster, "services": services.split("+")}
    row["version"] = None if version == "?" else version
    for mark in marks:
        if mark in ("interrupted", "unfinished"):
            row.update({"interrupted": True, mark: True})
        elif mark in ("stopped", "unreachable", "running"):
            row["state"] = mark
        elif mark.startswith("pinned="):
            row["pinned_versions"] = mark.partition("=")[2].split(",")
        else:
            row["edition"] = mark
    return row


def stages(plan: Mapping[str, Any]) -> str:
    """Write the stages of a plan in their short form."""
    return "\n".join(_stage(stage) for stage in plan["stages"])


def _stage(stage: Mapping[str, Any]) -> str:
    batches: dict[int, list[str]] = {}
    for step in stage["steps"]:
        mark = ("=" if step["from"] == step["to"] else "") + ("*" if step.get("migrates") else "")
        batches.setdefault(step["batch"], []).append(mark + step["host"])
    return (
        f"{stage['kind']} {stage['level']} {stage['to']}: {' | '.join(' '.join(names) for names in batches.values())}"
    )


def lines(text: str) -> str:
    """Take the indentation away that a table adds."""
    return "\n".join(line.strip() for line in text.strip().splitlines())


@dataclass(frozen=True)
class Case:
    """One question to the planner. ``options`` are further options of ``upgrade_plan``."""

    name: str
    target: str
    fleet: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def ask(self) -> Outcome:
        """Let the planner answer."""
        return plan_upgrade({"target_version": self.target, "instances": fleet(self.fleet), **self.options})

    def holds(self) -> bool:
        """Whether the answer is the expected one."""
        raise NotImplementedError


@dataclass(frozen=True)
class FindingCase(Case):
    """Expects a finding, ``severity code [cluster] [host]``, and for a blocker a refusal."""

    expected: str = ""

    def holds(self) -> bool:
        """Whether the finding is there, and blocks if it should."""
        outcome = self.ask()
        found = {
            " ".join(item[key] for key in ("severity", "code", "cluster", "host") if item[key])
            for item in outcome.plan["findings"]
        }
        return self.expected in found and outcome.refused == any(text.startswith("blocker") for text in found)


@dataclass(frozen=True)
class StageCase(Case):
    """Expects exactly these stages."""

    expected: str = ""

    def holds(self) -> bool:
        """Whether the plan has these stages and no others."""
        outcome = self.ask()
        return not outcome.refused and stages(outcome.plan) == lines(self.expected)


LEAF = {"clusters": {"leaf": {"root": "main"}}}

FINDINGS = [
    FindingCase("nobody there", "17.7.20", "", expected="blocker no-instances"),
    FindingCase(
        "two hosts of one name", "6.2.31", "a main auth 5.2.5\na main agent 5.2.5", expected="blocker duplicate-host a"
    ),
    FindingCase("no auth", "6.2.31", "n main agent 5.2.5", expected="blocker no-auth main"),
    FindingCase(
        "trust in a circle",
        "6.2.31",
        "a main auth 5.2.5\nb leaf auth 5.2.5",
        {"clusters": {"main": {"root": "leaf"}, "leaf": {"root": "main"}}},
        expected="blocker trust-cycle",
    ),
    FindingCase("root nobody knows", "6.2.31", "b leaf auth 5.2.5", LEAF, expected="blocker root-unknown leaf"),
    FindingCase(
        "root without instances",
        "6.2.31",
        "b leaf auth 5.2.5",
        {"clusters": {"leaf": {"root": "main"}, "main": None}},
        expected="blocker root-unseen leaf",
    ),
    FindingCase(
        "root without instances, waived",
        "6.2.31",
        "b leaf auth 5.2.5",
        {"clusters": {"leaf": {"root": "main"}, "main": None}, "waivers": ["root-unseen"]},
        expected="waived root-unseen leaf",
    ),
    FindingCase(
        "declared and empty",
        "6.2.31",
        "a main auth 5.2.5",
        {"clusters": {"mian": {}}},
        expected="warning cluster-empty mian",
    ),
    FindingCase(
        "version of an agent unknown",
        "6.2.31",
        "a main auth 5.2.5\nn main agent ?",
        expected="blocker version-unknown main n",
    ),
    FindingCase(
        "version of an agent unknown, waived",
        "6.2.31",
        "a main auth 5.2.5\nn main agent ?",
        {"waivers": ["version-unknown"]},
        expected="waived version-unknown main n",
    ),
    FindingCase(
        "version of auth unknown, not to be waived",
        "6.2.31",
        "a main auth ?",
        {"waivers": ["version-unknown", "auth-version-unknown"]},
        expected="blocker auth-version-unknown main a",
    ),
    FindingCase(
        "version of auth unknown, for a reason that was waived",
        "6.2.31",
        "a main auth ?",
        {
            "findings": [{"code": "nothing-installed", "severity": "blocker", "host": "a"}],
            "waivers": ["nothing-installed"],
        },
        expected="blocker auth-version-unknown main a",
    ),
    FindingCase(
        "version of an agent unknown, with a remark",
        "6.2.31",
        "a main auth 5.2.5\nn main agent ?",
        {"findings": [{"code": "remark", "severity": "info", "host": "n"}]},
        expected="blocker version-unknown main n",
    ),
    FindingCase(
        "agent unreachable",
        "6.2.31",
        "a main auth 5.2.5\nn main agent 5.2.5 unreachable",
        expected="blocker unreachable main n",
    ),
    FindingCase(
        "auth unreachable, not to be waived",
        "6.2.31",
        "a main auth 5.2.5 unreachable",
        {"waivers": ["unreachable", "auth-unreachable"]},
        expected="blocker auth-unreachable main a",
    ),
    FindingCase(
        "unreachable agent left behind",
        "6.2.31",
        "a main auth 4.4.12\nn main agent 4.4.12 unreachable",
        {"waivers": ["unreachable", "left-behind"]},
        expected="blocker left-behind main n",
    ),
    FindingCase(
        "unreachable proxy left behind its agents",
        "6.2.31",
        "a main auth 5.2.5\np main proxy 5.2.5 unreachable\nn main agent 5.2.5",
        {"waivers": ["unreachable"]},
        expected="blocker left-behind main p",
    ),
    FindingCase(
        "unreachable agent still served",
        "6.2.31",
        "a main auth 5.2.5\nn main agent 5.2.5 unreachable",
        {"waivers": ["unreachable"]},
        expected="waived unreachable main n",
    ),
    FindingCase(
        "auth servers two lines apart",
        "6.2.31",
        "a main auth 5.2.5\nb main auth 4.3.10",
        expected="blocker auth-group-split main",
    ),
    FindingCase("no auth runs", "6.2.31", "a main auth 5.2.5 stopped", expected="warning auth-stopped main"),
    FindingCase(
        "editions mixed",
        "6.2.31",
        "a main auth 5.2.5 enterprise\nn main agent 5.2.5 community",
        expected="blocker edition-mixed main",
    ),
    FindingCase(
        "edition asked for is another",
        "6.2.31",
        "a main auth 5.2.5",
        {"edition": "enterprise", "waivers": ["edition-change"]},
        expected="blocker edition-change main a",
    ),
    FindingCase(
        "edition of an unreachable instance is nobody's guess",
        "6.2.31",
        "a main auth 5.2.5 enterprise\nn main agent 5.2.5 unreachable",
        {"edition": "enterprise", "waivers": ["unreachable"]},
        expected="waived unreachable main n",
    ),
    FindingCase("pre-release runs", "17.7.20", "a main auth 17.6.0-rc.1", expected="warning prerelease-running main a"),
    FindingCase("line that never was", "6.2.31", "a main auth 4.7.1", expected="blocker line-unknown a"),
    FindingCase(
        "instance newer by a patch",
        "17.7.20",
        "a main auth 17.7.20\nn main agent 17.7.21",
        expected="blocker downgrade main n",
    ),
    FindingCase("cluster newer", "6.2.31", "a main auth 7.3.26", expected="blocker target-older-than-cluster main"),
    FindingCase(
        "newer than auth, cured",
        "6.2.31",
        "a main auth 5.2.5\nn main agent 6.1.2",
        expected="warning newer-than-auth main n",
    ),
    FindingCase(
        "newer than auth, not cured",
        "6.2.31",
        "a main auth 5.2.5\nn main agent 7.3.26",
        expected="blocker newer-than-auth main n",
    ),
    FindingCase(
        "behind auth", "6.2.31", "a main auth 6.2.31\nn main agent 4.4.12", expected="warning behind-auth main n"
    ),
    FindingCase(
        "newer than a proxy",
        "6.2.31",
        "a main auth 6.2.31\np main proxy 5.2.5\nn main agent 6.2.31",
        expected="warning newer-than-proxy main n",
    ),
    FindingCase(
        "leaf newer", "6.2.31", "a main auth 5.2.5\nb leaf auth 6.2.31", LEAF, expected="warning leaf-newer leaf"
    ),
    FindingCase(
        "leaf behind", "6.2.31", "a main auth 6.2.31\nb leaf auth 4.4.12", LEAF, expected="warning leaf-behind leaf"
    ),
    FindingCase(
        "unmanaged and served",
        "6.2.31",
        "a main auth 5.2.5",
        {"unmanaged": fleet("x main agent 5.2.5")},
        expected="warning unmanaged main x",
    ),
    FindingCase(
        "unmanaged of unknown version",
        "6.2.31",
        "a main auth 5.2.5",
        {"unmanaged": fleet("x main agent ?")},
        expected="warning unmanaged-version-unknown main x",
    ),
    FindingCase(
        "unmanaged and left behind",
        "6.2.31",
        "a main auth 4.4.12",
        {"unmanaged": fleet("x main agent 4.4.12")},
        expected="blocker unmanaged-left-behind main x",
    ),
    FindingCase(
        "unmanaged and behind already",
        "6.2.31",
        "a main auth 6.2.31",
        {"unmanaged": fleet("x main agent 4.4.12")},
        expected="blocker unmanaged-left-behind main x",
    ),
    FindingCase(
        "unmanaged and left behind, waived",
        "6.2.31",
        "a main auth 4.4.12",
        {"unmanaged": fleet("x main agent 4.4.12"), "waivers": ["unmanaged-left-behind"]},
        expected="waived unmanaged-left-behind main x",
    ),
    FindingCase(
        "unmanaged auth",
        "6.2.31",
        "a main auth 5.2.5",
        {"unmanaged": fleet("x main auth 5.2.5")},
        expected="blocker unmanaged-auth main x",
    ),
    FindingCase("target is no version", "17.7", "a main auth 17.5.2", expected="blocker target-invalid"),
    FindingCase("target of no line", "4.9.1", "a main auth 4.4.12", expected="blocker target-invalid"),
    FindingCase("target unfinished", "18.9.0-rc.2", "a main auth 17.7.20", expected="blocker prerelease"),
    FindingCase(
        "pinned version unfinished",
        "7.3.26",
        "a main auth 5.2.5",
        {"hop_versions": {"6": "6.2.31-beta.1"}, "waivers": ["prerelease"]},
        expected="blocker prerelease",
    ),
    FindingCase(
        "laggards brought to a pre-release",
        "18.10.1",
        "a main auth 17.6.0-rc.1\nn main agent 15.5.3",
        expected="blocker prerelease",
    ),
    FindingCase(
        "laggards brought to a pre-release, allowed by name",
        "18.10.1",
        "a main auth 17.6.0-rc.1\nn main agent 15.5.3",
        {"allow_prerelease": ["17.6.0-rc.1"]},
        expected="warning prerelease-running main a",
    ),
    FindingCase(
        "laggards brought to an unsafe version",
        "18.10.1",
        "a main auth 17.5.1\nn main agent 15.5.3",
        expected="warning below-minimum-safe",
    ),
    FindingCase(
        "laggards brought to a bad version",
        "18.10.1",
        "a main auth 18.8.1\nn main agent 16.5.12",
        expected="warning known-bad",
    ),
    FindingCase(
        "pre-release in place already", "18.9.0-rc.2", "a main auth 18.9.0-rc.2", expected="warning prerelease"
    ),
    FindingCase("line between unknown", "51.0.0", "a main auth 49.1.0", expected="blocker hop-version-missing"),
    FindingCase("target line unknown", "50.0.0", "a main auth 49.1.0", expected="warning target-line-unknown"),
    FindingCase(
        "pin of another line",
        "7.3.26",
        "a main auth 5.2.5",
        {"hop_versions": {"6": "7.0.0"}},
        expected="blocker pin-invalid",
    ),
    FindingCase(
        "pin off the path",
        "6.2.31",
        "a main auth 5.2.5",
        {"hop_versions": {"4.4": "4.4.12"}},
        expected="info pin-unused",
    ),
    FindingCase("unsafe target", "17.5.1", "a main auth 16.5.12", expected="blocker below-minimum-safe"),
    FindingCase(
        "unsafe target, waived",
        "17.5.1",
        "a main auth 16.5.12",
        {"waivers": ["below-minimum-safe"]},
        expected="waived below-minimum-safe",
    ),
    FindingCase(
        "unsafe target in place already", "17.5.1", "a main auth 17.5.1", expected="warning below-minimum-safe"
    ),
    FindingCase("line without a safe patch", "6.2.31", "a main auth 5.2.5", expected="warning line-never-safe"),
    FindingCase("known to be bad", "11.1.4", "a main auth 10.3.16", expected="blocker known-bad"),
    FindingCase("known to be bad for some", "17.5.5", "a main auth 17.5.2", expected="blocker known-bad"),
    FindingCase("known to be awkward", "17.7.27", "a main auth 17.7.20", expected="warning known-bad"),
    FindingCase(
        "pair known to be bad",
        "10.3.16",
        "a main auth 9.3.26\nb leaf auth 9.3.26",
        LEAF,
        expected="warning known-bad-pair main",
    ),
    FindingCase(
        "pair refused",
        "11.1.4",
        "a main auth 11.1.2\nn main agent 11.1.2",
        {"waivers": ["known-bad"]},
        expected="blocker known-bad-pair main",
    ),
    FindingCase(
        "rolling across old lines",
        "6.2.31",
        "a main auth 5.2.5\nb main auth 5.2.5",
        {"auth_strategy": "rolling"},
        expected="blocker rolling-not-allowed main",
    ),
    FindingCase(
        "rolling where it is allowed",
        "17.7.20",
        "a main auth 16.5.12\nb main auth 16.5.12",
        {"auth_strategy": "rolling"},
        expected="info auth-rolls",
    ),
    FindingCase(
        "a version on the way is not pinned",
        "6.2.31",
        "a main auth 4.4.12 pinned=6.2.31",
        expected="blocker artifact-unpinned main",
    ),
    FindingCase(
        "waiver misspelt",
        "6.2.31",
        "a main auth 5.2.5",
        {"waivers": ["unreachabel"]},
        expected="warning waiver-unknown",
    ),
    FindingCase(
        "waiver without effect",
        "6.2.31",
        "a main auth 7.3.26",
        {"waivers": ["downgrade"]},
        expected="warning waiver-refused",
    ),
    FindingCase(
        "services unknown", "6.2.31", "a main auth 5.2.5\nn main kube 5.2.5", expected="blocker input-invalid n"
    ),
    FindingCase("edition unknown", "6.2.31", "a main auth 5.2.5 oss", expected="blocker input-invalid a"),
    FindingCase(
        "catalogue row wrong",
        "6.2.31",
        "a main auth 5.2.5",
        {"releases": [{"line": "6", "newest": "7.0.0"}]},
        expected="blocker releases-invalid",
    ),
    FindingCase(
        "found by somebody else",
        "6.2.31",
        "a main auth 5.2.5",
        {"findings": [{"code": "limited", "severity": "blocker", "host": "n", "message": "m", "hint": "h"}]},
        expected="blocker limited n",
    ),
    FindingCase(
        "found by somebody else, waived",
        "6.2.31",
        "a main auth 5.2.5",
        {"findings": [{"code": "own", "severity": "blocker", "host": "n"}], "waivers": ["own"]},
        expected="waived own n",
    ),
]
