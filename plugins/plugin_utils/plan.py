# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as plain data: making it from drafts of stages, and its digest."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings import Finding
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_batches import cut
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_hops import Hop
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_stages import Draft, Move
from ansible_collections.lockstep.teleport.plugins.plugin_utils.preflight_rules import rules
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases_values import line_key
from ansible_collections.lockstep.teleport.plugins.plugin_utils.topology import AGENT, AUTH, PHASES, PROXY

Plan = dict[str, Any]
Sizes = Mapping[str, Sequence[int | str]]

#: Stages that one run of the upgrade playbook can carry out.
STAGES_PER_RUN = 32


def make_plan(
    target: str, hops: Iterable[Hop], drafts: Iterable[Draft], sizes: Sizes, findings: Iterable[Finding]
) -> Plan:
    """Return the plan. *sizes* are the batch sizes of proxies and agents; client tools are cut like agents."""
    return sealed(
        {
            "target_version": target,
            "hops": [{"index": hop.index, "to": str(hop.to)} for hop in hops],
            "stages": [_stage(index, draft, sizes) for index, draft in enumerate(drafts)],
            "findings": [item.as_dict() for item in findings],
        }
    )


def sealed(content: Mapping[str, Any]) -> Plan:
    """Return the content with its digest: SHA-256 over the content as JSON with sorted keys and without blanks."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return {"digest": hashlib.sha256(text.encode()).hexdigest(), **content}


def digest_of(plan: Mapping[str, Any]) -> str:
    """Return the digest that the content of a plan has, whatever digest it carries. Estimates are no part of it."""
    return str(sealed({key: value for key, value in plan.items() if key not in ("digest", "estimates")})["digest"])


def _stage(index: int, draft: Draft, sizes: Sizes) -> dict[str, Any]:
    edits = {move.instance.host: edits_due(move, draft.to) for move in draft.moves}
    stage = {
        "index": index,
        "hop": draft.hop,
        "kind": draft.kind,
        "level": draft.level,
        "to": str(draft.to),
        "steps": list(_steps(draft, sizes)),
    }
    made = {host: due for host, due in sorted(edits.items()) if due}
    return {**stage, "config_edits": made} if made else stage


def edits_due(move: Move, to: Version) -> dict[str, Any]:
    """Return how a move changes ``teleport.yaml``: all that the lines it enters need. Nothing when they need none."""
    old, new = line_key(move.old.line), line_key(to.line)
    if new <= old or not move.instance.config_edits or move.instance.version is None:
        return {}
    began = line_key(move.instance.version.line)
    needed = [(max(line_key(rules()[edit.rule].first), began), edit) for edit in move.instance.config_edits]
    # What the next line needs, of whatever line on the rule is, belongs to the first move.
    due = [edit for line, edit in needed if line <= new and (line > old or line == began == old)]
    if not due:
        return {}
    lines = [line for edit in due for line in edit.lines]
    return {"rules": [edit.rule for edit in due], "before": due[0].before, "after": due[-1].after, "lines": lines}


def _steps(draft: Draft, sizes: Sizes) -> Iterator[dict[str, Any]]:
    to = str(draft.to)
    first = 0
    for phase in PHASES:
        moves = [move for move in draft.moves if move.instance.phase == phase]
        if not moves:
            continue
        batches = _batch_numbers(phase, len(moves), sizes)
        number = 0
        for move, number in zip(_play_order(phase, moves), batches, strict=True):
            yield _step(move, to, first + number)
        first += number + 1


def _batch_numbers(phase: str, total: int, sizes: Sizes) -> Iterator[int]:
    # Auth servers go one at a time, under either strategy.
    cuts = [1] if phase == AUTH else sizes[PROXY if phase == PROXY else AGENT]
    for number, size in enumerate(cut(total, cuts)):
        yield from [number] * size


def _step(move: Move, to: str, batch: int) -> dict[str, Any]:
    step = {
        "phase": move.instance.phase,
        "cluster": move.instance.cluster,
        "host": move.instance.host,
        "from": str(move.old),
        "to": to,
        "batch": batch,
    }
    if move.instance.is_auth:
        step["migrates"] = move.migrates
    return step


def _play_order(phase: str, moves: list[Move]) -> list[Move]:
    """Put the hosts of a phase in the order of the play: auth groups as they are, the rest by cluster and name.

    The proxies of a cluster are spread evenly, so that a batch takes as few of them at once as it can.
    """
    if phase == AUTH:
        return moves
    ordered = sorted(moves, key=lambda move: (move.instance.cluster, move.instance.host))
    if phase != PROXY:
        return ordered
    total = Counter(move.instance.cluster for move in ordered)
    seen: dict[str, int] = defaultdict(int)
    places: dict[str, float] = {}
    for move in ordered:
        name = move.instance.cluster
        places[move.instance.host] = (seen[name] + 0.5) / total[name]
        seen[name] += 1
    return sorted(ordered, key=lambda move: places[move.instance.host])
