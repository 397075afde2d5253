# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""However a configuration is written: a cure takes its rule away, keeps all else, and never raises."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lockstep.teleport.plugins.plugin_utils import config_cures, preflight, safe_yaml
from ansible_collections.lockstep.teleport.plugins.plugin_utils.preflight_config import settings
from ansible_collections.lockstep.teleport.plugins.plugin_utils.preflight_rules import rules

BAD = sorted(rules()["ciphersuites-removed"].edit.values)  # type: ignore[union-attr]
WORDS = st.text("abc-_.é ü#:'\"{}[],&*|>%@", min_size=1, max_size=12)
VALUES = st.recursive(
    WORDS | st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3)
)
SUITES = st.lists(st.sampled_from([*BAD, "tls-ecdhe-rsa-with-aes-128-gcm-sha256"]), min_size=1, max_size=5)


@st.composite
def written(draw: st.DrawFn) -> str:
    """A configuration in one of the ways in which YAML may be written."""
    teleport = {"nodename": draw(WORDS), "ciphersuites": draw(SUITES), draw(WORDS): draw(VALUES)}
    auth = {"enabled": "yes", "assist": draw(VALUES), draw(WORDS): draw(VALUES)}
    sections = draw(st.permutations([("teleport", teleport), ("auth_service", auth), ("x", draw(VALUES))]))
    text: str = yaml.dump(
        dict(sections),
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=draw(st.sampled_from([True, False, None])),
        indent=draw(st.integers(2, 6)),
        width=draw(st.sampled_from([20, 80, 1000])),
        line_break=draw(st.sampled_from(["\n", "\r\n"])),
    )
    lines = [
        line for row in text.splitlines(keepends=True) for line in draw(st.sampled_from([[row], ["# why\n", row]]))
    ]
    return "".join(lines) if draw(st.booleans()) else text


def offended(text: str) -> set[str]:
    return {entry["rule"] for entry in preflight.concerns_of_host(settings(safe_yaml.load(text)), ("auth",))}


@given(written())
def test_a_cure_takes_its_rule_away_and_nothing_else(text: str) -> None:
    try:
        before = offended(text)
    except safe_yaml.YamlRefused:
        return
    content = text.encode()
    made = config_cures.chain(text, sorted(before), "15.5.4", ["all"])
    for edit in made:
        for at, length, new in reversed(edit["spans"]):
            content = content[:at] + new.encode() + content[at + length :]
    after = offended(content.decode())
    # Of 15 the rule of the older lines is no concern any more; it goes with the other.
    assert before - after - {"ciphersuites-http2"} == {edit["rule"] for edit in made}
    assert after <= before
    kept = safe_yaml.load(content.decode())
    assert kept["teleport"]["nodename"] == safe_yaml.load(text)["teleport"]["nodename"]
