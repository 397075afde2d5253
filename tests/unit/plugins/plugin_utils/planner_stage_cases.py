# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets and the exact stages that the planner makes of them; see ``planner_cases`` for how both are written."""

from __future__ import annotations

from ansible_collections.lockstep.teleport.tests.unit.plugins.plugin_utils.planner_cases import LEAF, StageCase

STAGES = [
    StageCase("at the target", "6.2.31", "a main auth 6.2.31\nn main agent 6.2.31", expected=""),
    StageCase(
        "one hop, all phases",
        "6.2.31",
        """c main client 5.2.5
        n main agent 5.2.5
        b main auth 5.2.5
        a main auth 5.2.5
        p main proxy+agent 5.2.5""",
        expected="hop 0 6.2.31: *a | b | p | n | c",
    ),
    StageCase(
        "line by line across 5.0",
        "6.2.31",
        "a main auth 4.3.10\nn main agent 4.3.10",
        expected="""hop 0 4.4.12: *a | n
        hop 0 5.2.5: *a | n
        hop 0 6.2.31: *a | n""",
    ),
    StageCase(
        "pinned intermediate version",
        "6.2.31",
        "a main auth 4.4.12",
        {"hop_versions": {5: "5.0.2"}},
        expected="hop 0 5.0.2: *a\nhop 0 6.2.31: *a",
    ),
    StageCase(
        "a patch is a hop, too",
        "17.7.20",
        "a main auth 17.5.2\nn main agent 17.7.20\nm main agent 17.5.2",
        expected="hop 0 17.7.20: *a | m",
    ),
    StageCase(
        "root before leaf in every hop",
        "6.2.31",
        "a main auth 4.4.12\nn main agent 4.4.12\nb leaf auth 4.4.12",
        LEAF,
        expected="""hop 0 5.2.5: *a | n
        hop 1 5.2.5: *b
        hop 0 6.2.31: *a | n
        hop 1 6.2.31: *b""",
    ),
    StageCase(
        "three levels of trust",
        "6.2.31",
        "a main auth 5.2.5\nb leaf auth 5.2.5\nc twig auth 5.2.5",
        {"clusters": {"twig": {"root": "leaf"}, "leaf": {"root": "main"}}},
        expected="hop 0 6.2.31: *a\nhop 1 6.2.31: *b\nhop 2 6.2.31: *c",
    ),
    StageCase(
        "leaf one line behind catches up first",
        "7.3.26",
        "a main auth 6.2.31\nb leaf auth 5.2.5",
        LEAF,
        expected="hop 1 6.2.31: *b\nhop 0 7.3.26: *a\nhop 1 7.3.26: *b",
    ),
    StageCase(
        "two root clusters hop together",
        "6.2.31",
        "a one auth 5.2.5\nb two auth 4.4.12",
        expected="hop 0 5.2.5: *b\nhop 0 6.2.31: *a | *b",
    ),
    StageCase(
        "laggards first, over several lines, not past auth",
        "6.2.31",
        """a main auth 5.0.2
        p main proxy 4.3.10
        n main agent 4.2.12
        m main agent 5.2.5
        c main client 4.4.12""",
        expected="laggards 0 5.0.2: p | n | c\nhop 0 6.2.31: *a | p | m | n | c",
    ),
    StageCase(
        "auth at the target, agents move with the hop",
        "6.2.31",
        "a main auth 6.2.31\nn main agent 4.4.12",
        expected="hop 0 6.2.31: n",
    ),
    StageCase(
        "laggards of a patch hop stay behind a proxy that waits",
        "17.7.20",
        "a main auth 17.5.2\np main proxy 16.5.12\nn main agent 15.5.3",
        expected="laggards 0 16.5.12: n\nhop 0 17.7.20: *a | p | n",
    ),
    StageCase(
        "half-finished group: no second migration",
        "6.2.31",
        "a main auth 6.2.31\nb main auth 5.2.5 stopped interrupted\nn main agent 5.2.5",
        expected="hop 0 6.2.31: b | n",
    ),
    StageCase(
        "half-finished group on the way: peers come up before the next hop",
        "7.3.26",
        "a main auth 6.2.31\nb main auth 5.2.5 stopped interrupted\nn main agent 5.2.5",
        expected="laggards 0 6.2.31: b | n\nhop 0 7.3.26: *a | b | n",
    ),
    StageCase(
        "peers of a half-finished group wait for those they serve",
        "7.3.26",
        "a main auth 6.2.31\nb main auth 5.2.5\nn main agent 4.4.12",
        expected="laggards 0 5.2.5: n\nlaggards 0 6.2.31: b | n\nhop 0 7.3.26: *a | b | n",
    ),
    StageCase(
        "agents of a half-finished group never pass its slowest peer",
        "6.2.31",
        "a main auth 6.2.31\nb main auth 5.2.5\nn main agent 4.4.12",
        expected="laggards 0 5.2.5: n\nhop 0 6.2.31: b | n",
    ),
    StageCase(
        "root finishes its way before the leaf follows",
        "7.3.26",
        "a main auth 6.2.31\nb main auth 5.2.5\nc leaf auth 5.2.5",
        LEAF,
        expected="""laggards 0 6.2.31: b
        hop 1 6.2.31: *c
        hop 0 7.3.26: *a | b
        hop 1 7.3.26: *c""",
    ),
    StageCase(
        "half-finished leaf waits for its root",
        "7.3.26",
        "a main auth 5.2.5\nb leaf auth 6.2.31\nc leaf auth 5.2.5",
        LEAF,
        expected="""hop 0 6.2.31: *a
        laggards 1 6.2.31: c
        hop 0 7.3.26: *a
        hop 1 7.3.26: *b | c""",
    ),
    StageCase(
        "interrupted agent at the target is finished",
        "6.2.31",
        "a main auth 6.2.31\nn main agent 6.2.31 interrupted",
        expected="hop 0 6.2.31: =n",
    ),
    StageCase(
        "interrupted primary at the target goes first",
        "6.2.31",
        "a main auth 5.2.5 stopped interrupted\nb main auth 6.2.31 stopped interrupted",
        expected="hop 0 6.2.31: =*b | a",
    ),
    StageCase(
        "interrupted primary goes before a peer that still runs the old version",
        "6.2.31",
        "a main auth 5.2.5\nb main auth 6.2.31 stopped interrupted",
        expected="hop 0 6.2.31: =*b | a",
    ),
    StageCase(
        "killed primary goes before a peer of the same version, which runs or is held",
        "6.2.31",
        "a main auth 5.2.5\nb main auth 5.2.5 stopped unfinished\nc main auth 5.2.5 stopped interrupted",
        expected="hop 0 6.2.31: *b | a | c",
    ),
    StageCase(
        "interrupted auth must prove its line before the next",
        "7.3.26",
        "a main auth 6.2.31 stopped interrupted",
        expected="laggards 0 6.2.31: =*a\nhop 0 7.3.26: *a",
    ),
    StageCase(
        "interrupted auth on the way proves its line before its leaf follows",
        "7.3.26",
        "a main auth 6.2.31 stopped interrupted\nb leaf auth 5.2.5",
        LEAF,
        expected="laggards 0 6.2.31: =*a\nhop 1 6.2.31: *b\nhop 0 7.3.26: *a\nhop 1 7.3.26: *b",
    ),
    StageCase(
        "held peers need no proof while one auth runs",
        "6.2.31",
        "a main auth 5.2.5\nb main auth 5.2.5 stopped interrupted",
        expected="hop 0 6.2.31: *a | b",
    ),
    StageCase(
        "the primary is who runs, then the newest, then by name",
        "6.2.31",
        """a main auth 5.2.5 stopped
        d main auth 5.0.2
        c main auth 5.2.5
        b main auth 5.2.5""",
        expected="hop 0 6.2.31: *b | c | d | a",
    ),
    StageCase(
        "agent newer than auth stays until auth has passed it",
        "7.3.26",
        "a main auth 5.2.5\nn main agent 6.1.2",
        expected="hop 0 6.2.31: *a\nhop 0 7.3.26: *a | n",
    ),
    StageCase(
        "waived unreachable agent stays",
        "6.2.31",
        "a main auth 5.2.5\nn main agent 5.2.5 unreachable\nm main agent 5.2.5",
        {"waivers": ["unreachable"]},
        expected="hop 0 6.2.31: *a | m",
    ),
    StageCase(
        "batches are cut as Ansible cuts plays",
        "6.2.31",
        "a main auth 5.2.5\n" + "\n".join(f"n{number} main agent 5.2.5" for number in range(9)),
        {"batches": [1, "25%"]},
        expected="hop 0 6.2.31: *a | n0 | n1 n2 | n3 n4 | n5 n6 | n7 n8",
    ),
    StageCase(
        "proxies of a cluster are spread over the batches",
        "6.2.31",
        """a one auth 5.2.5
        b two auth 5.2.5
        p1 one proxy 5.2.5
        p2 one proxy 5.2.5
        p3 one proxy 5.2.5
        p4 one proxy 5.2.5
        q1 two proxy 5.2.5
        q2 two proxy 5.2.5""",
        {"proxy_batches": [3]},
        expected="hop 0 6.2.31: *a | *b | p1 q1 p2 | p3 q2 p4",
    ),
    StageCase(
        "rolling inside a line",
        "17.7.20",
        "a main auth 17.5.2\nb main auth 17.5.2",
        {"auth_strategy": "rolling"},
        expected="hop 0 17.7.20: *a | b",
    ),
    StageCase(
        "rolling to 17",
        "17.7.20",
        "a main auth 16.5.12\nb main auth 16.5.12",
        {"auth_strategy": "rolling"},
        expected="hop 0 17.7.20: *a | b",
    ),
    StageCase(
        "pre-release allowed by name",
        "19.0.0-rc.1",
        "a main auth 18.10.1",
        {"allow_prerelease": ["19.0.0-rc.1"]},
        expected="hop 0 19.0.0-rc.1: *a",
    ),
    StageCase(
        "line added to the catalogue",
        "20.0.0",
        "a main auth 18.10.1",
        {"releases": [{"line": "19", "newest": "19.4.2"}]},
        expected="hop 0 19.4.2: *a\nhop 0 20.0.0: *a",
    ),
]
