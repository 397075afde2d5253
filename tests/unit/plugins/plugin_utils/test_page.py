# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages are whole, load nothing, show what plan and report say, and let no text become markup."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import page
from ansible_collections.lockstep.teleport.plugins.plugin_utils.drawing import draw_clusters, draw_timeline
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner import plan_upgrade
from ansible_collections.lockstep.teleport.plugins.plugin_utils.report import build_report

VOID = {"meta", "link", "br", "hr", "img", "input", "rect", "path", "line"}
CLUSTERS = {"root.example": {}, "leaf.example": {"root": "root.example"}}
INSTANCES = [
    {"host": "auth1", "cluster": "root.example", "services": ["auth"], "version": "15.5.4"},
    {"host": "node1", "cluster": "root.example", "services": ["agent"], "version": "15.5.4"},
    {"host": "leaf1", "cluster": "leaf.example", "services": ["auth", "proxy"], "version": "15.5.4"},
]


class Page(HTMLParser):
    """What a page holds: its text, its attributes, and tags that were never closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] != "style":
            self.text += data


def plan(**more: Any) -> Any:
    return plan_upgrade({"target_version": "17.7.20", "instances": INSTANCES, "clusters": CLUSTERS, **more})


def report(**more: Any) -> dict[str, Any]:
    made = plan().plan
    events = [("stop", 10.0), ("stopped", 10.4), ("backed_up", 11.0), ("ready", 12.5), ("stable", 17.5)]
    auth = {"timeline": [{"event": name, "at": at} for name, at in events], "outage": 2.5, "backup": "/b"}
    steps = [
        {**step, "stage": stage["index"], "outcome": "done", **(auth if step["phase"] == "auth" else {})}
        for stage in made["stages"]
        for step in stage["steps"]
    ]
    return {**build_report(made, INSTANCES, steps), **more}


@pytest.mark.parametrize(
    "html",
    [
        page.plan_page(plan().plan, CLUSTERS),
        page.plan_page(plan(target_version="14.0.0").plan, CLUSTERS, refused=True),
        page.plan_page(plan(instances=[{**row, "version": "17.7.20"} for row in INSTANCES]).plan),
        page.report_page(report(), CLUSTERS),
        page.report_page(report(state="stopped", reason="auth1 did not start.", failed=["auth1"]), CLUSTERS),
        page.report_page(report(dry_run=True, steps=[])),
    ],
)
def test_a_page_is_whole_and_loads_nothing(html: str) -> None:
    shown = Page(html)
    assert not {"script", "img", "link", "iframe", "object"} & set(shown.tags)
    assert not [
        entry for entry in shown.attributes if entry[1] in ("src", "href", "action") or entry[1].startswith("on")
    ]
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html.replace("&#39;", "'")


def test_a_plan_shows_its_clusters_hops_and_hosts() -> None:
    text = Page(page.plan_page(plan().plan, CLUSTERS)).text
    for wanted in (
        "16.5.12 → 17.7.20",
        "root.example",
        "1 × Auth Service: 15.5.4 → 17.7.20",
        "node1",
        plan().plan["digest"],
    ):
        assert wanted in text


def test_a_refused_plan_shows_its_blockers() -> None:
    refused = plan(target_version="14.0.0")
    text = Page(page.plan_page(refused.plan, refused=True)).text
    assert "refused" in text
    assert "target-older-than-cluster" in text


def test_a_report_shows_outage_timeline_and_outcome() -> None:
    text = Page(page.report_page(report(), CLUSTERS)).text
    for wanted in ("completed", "2.5 s", "backed up", "+7.5 s", "1 done"):
        assert wanted in text


def test_a_run_that_stopped_says_why_and_what_failed() -> None:
    text = Page(page.report_page(report(state="stopped", reason="auth1 did not start.", failed=["auth1"]))).text
    assert "stopped" in text
    assert "auth1 did not start." in text


def test_who_and_when_are_shown() -> None:
    text = Page(page.report_page(report(run={"by": "ops@controller", "ended": "2026-11-23 02:00 UTC"}))).text
    assert "ops@controller" in text


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}"])
def test_no_text_becomes_markup(text: str) -> None:
    instances = [{**row, "host": f"{row['host']}{text}", "cluster": text} for row in INSTANCES]
    made = plan(instances=instances, clusters={text: {}}).plan
    html = page.report_page({**report(), "plan": made, "reason": text, "state": "stopped"}, {text: {}})
    shown = Page(html)
    assert "script" not in shown.tags
    assert "img" not in shown.tags
    assert text in shown.text
    assert Page(page.plan_page(made, {text: {}})).tags.count("script") == 0


def test_long_lists_are_cut() -> None:
    crowd = [{**INSTANCES[1], "host": f"node{number}"} for number in range(page.MOST_HOSTS + 30)]
    many = {**report(), "hosts": build_report(plan().plan, crowd, [])["hosts"]}
    text = Page(page.report_page(many)).text
    assert "and 30 more hosts" in text


def test_leaves_stand_below_their_roots() -> None:
    drawn = draw_clusters(["a", "b", "c"], {"b": "a", "c": "b"}, {"a": ["1"], "b": ["1", "2"]})
    heights = {box["name"]: box["y"] for box in drawn["boxes"]}
    assert heights["a"] < heights["b"] < heights["c"]
    assert len(drawn["lines"]) == 2
    assert drawn["label"] == "a is a root cluster; b trusts a; c trusts b"
    assert all(box["y"] + box["height"] <= drawn["height"] for box in drawn["boxes"])


def test_clusters_that_trust_each_other_are_drawn_all_the_same() -> None:
    assert len(draw_clusters(["a", "b"], {"a": "b", "b": "a"}, {})["boxes"]) == 2


def test_bars_of_a_timeline_lie_within_it() -> None:
    events = [{"event": "stop", "at": 1.0}, {"event": "ready", "at": 3.0}, {"event": "stable", "at": 8.0}]
    drawn = draw_timeline(events, {"stopped_at": 1.0, "ready_at": 3.0})
    assert [event["kind"] for event in drawn["events"]] == ["away", "away", "bar"]
    assert all(event["x"] + event["width"] <= drawn["width"] for event in drawn["events"])
    assert draw_timeline([], None)["events"] == []
