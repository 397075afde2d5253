# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things stand in the drawings of a page, in pixels: clusters with their trust, and what happened when. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

_BOX_WIDTH = 280
_NAME_SHOWN = 34
_GAP_X, _GAP_Y = 26, 44
_MARGIN = 14
_HEAD, _ROW = 32, 18

_LINE_HEIGHT = 20
_TIMELINE_WIDTH = 500
_NAMES_WIDTH = 130
_TIMES_WIDTH = 80
_LEAST_WIDTH = 3


def draw_clusters(
    names: Iterable[str], roots: Mapping[str, str | None], rows: Mapping[str, list[str]]
) -> dict[str, Any]:
    """Lay clusters out by trust level, roots on top. *rows* are the lines of text in each box.

    Returns ``width``, ``height``, ``boxes`` (``x``, ``y``, ``width``, ``height``, ``name``, ``shown``, ``rows``),
    ``lines`` (paths from each leaf to its root) and ``label``, what the drawing shows in words.
    """
    clusters = list(names)
    levels: dict[int, list[str]] = defaultdict(list)
    for name in clusters:
        levels[_level(name, roots)].append(name)
    height = _HEAD + _ROW * max((len(rows.get(name, [])) for name in clusters), default=0)
    places = {
        name: (_MARGIN + column * (_BOX_WIDTH + _GAP_X), _MARGIN + row * (height + _GAP_Y))
        for row, level in enumerate(sorted(levels))
        for column, name in enumerate(levels[level])
    }
    widest = max((len(members) for members in levels.values()), default=0)
    return {
        "width": 2 * _MARGIN + widest * (_BOX_WIDTH + _GAP_X) - _GAP_X,
        "height": 2 * _MARGIN + len(levels) * (height + _GAP_Y) - _GAP_Y,
        "boxes": [_box(name, places[name], height, rows.get(name, [])) for name in clusters],
        "lines": [_line(places[leaf], places[root], height) for leaf, root in _trust(clusters, roots)],
        "label": _label(clusters, roots),
    }


def draw_timeline(events: Iterable[Mapping[str, Any]], outage: Mapping[str, Any] | None) -> dict[str, Any]:
    """Lay out what happened on one host: one bar an event, from the event before it to its own time.

    *events* are ``{event, at}`` with ``at`` in seconds since the epoch. Bars inside *outage* (``stopped_at``,
    ``ready_at``) are of kind ``away``, others of kind ``bar``.
    """
    known = sorted(events, key=lambda event: float(event["at"]))
    begin, end = (float(known[0]["at"]), float(known[-1]["at"])) if known else (0.0, 0.0)
    scale = (_TIMELINE_WIDTH - _NAMES_WIDTH - _TIMES_WIDTH) / (end - begin or 1.0)
    drawn = []
    before = begin
    for row, event in enumerate(known):
        at = float(event["at"])
        drawn.append(
            {
                "name": str(event["event"]).replace("_", " "),
                "at": f"+{at - begin:.1f} s",
                "kind": "away" if _is_away(before, at, outage) else "bar",
                "x": round(_NAMES_WIDTH + (before - begin) * scale, 1),
                "y": _MARGIN // 2 + row * _LINE_HEIGHT,
                "width": round(max(_LEAST_WIDTH, (at - before) * scale), 1),
            }
        )
        before = at
    return {"width": _TIMELINE_WIDTH, "height": _MARGIN + len(drawn) * _LINE_HEIGHT, "events": drawn}


def _is_away(begin: float, end: float, outage: Mapping[str, Any] | None) -> bool:
    stopped, ready = (outage or {}).get("stopped_at"), (outage or {}).get("ready_at")
    return stopped is not None and ready is not None and stopped <= begin and end <= ready


def _level(name: str, roots: Mapping[str, str | None]) -> int:
    seen = {name}
    level = 0
    root = roots.get(name)
    while root and root not in seen:
        seen.add(root)
        level += 1
        root = roots.get(root)
    return level


def _trust(clusters: list[str], roots: Mapping[str, str | None]) -> list[tuple[str, str]]:
    return [(name, root) for name in clusters for root in (roots.get(name),) if root in clusters and root]


def _box(name: str, place: tuple[int, int], height: int, rows: list[str]) -> dict[str, Any]:
    shown = name if len(name) <= _NAME_SHOWN else f"{name[: _NAME_SHOWN - 1]}…"
    return {
        "x": place[0],
        "y": place[1],
        "width": _BOX_WIDTH,
        "height": height,
        "name": name,
        "shown": shown,
        "rows": rows,
    }


def _line(leaf: tuple[int, int], root: tuple[int, int], height: int) -> str:
    start_x, start_y = root[0] + _BOX_WIDTH // 2, root[1] + height
    end_x, end_y = leaf[0] + _BOX_WIDTH // 2, leaf[1]
    middle = (start_y + end_y) // 2
    return f"M{start_x} {start_y}V{middle}H{end_x}V{end_y}"


def _label(clusters: list[str], roots: Mapping[str, str | None]) -> str:
    told = [f"{name} trusts {roots[name]}" if roots.get(name) else f"{name} is a root cluster" for name in clusters]
    return "; ".join(told)
