# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration is changed at one place and stays the same, to the byte, everywhere else."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.lockstep.teleport.plugins.plugin_utils import config_edit
from ansible_collections.lockstep.teleport.plugins.plugin_utils.config_edit import Edit, Edited

SUITES = Edit("drop", (("teleport", "ciphersuites"),), ("bad-a", "bad-b"), frozenset(("bad-a", "bad-b")))
SIGNATURE = Edit("set", (("teleport", "ca_signature_algo"),), ("rsa-sha2-512",), frozenset(("ssh-rsa",)))
STORAGE = Edit("set", (("teleport", "storage", "type"),), ("bolt",))
ASSIST = Edit("remove", (("auth_service", "assist"), ("proxy_service", "assist")))

CASES = {
    "block list": (
        SUITES,
        "teleport:\n  ciphersuites: # ours\n    - good # kept\n    - bad-a # why\n    # between\n    - 'BAD-B'\nx:\n",
        "teleport:\n  ciphersuites: # ours\n    - good # kept\n    # between\nx:\n",
    ),
    "list at the indentation of its key": (
        SUITES,
        "teleport:\n  ciphersuites:\n  - bad-a\n  - good\n",
        "teleport:\n  ciphersuites:\n  - good\n",
    ),
    "nothing left": (SUITES, "teleport:\n  ciphersuites:\n    - bad-a\n", "teleport:\n  ciphersuites:\n"),
    "no line break at the end": (
        SUITES,
        "teleport:\n  ciphersuites:\n    - good\n    - bad-b",
        "teleport:\n  ciphersuites:\n    - good\n",
    ),
    "carriage returns": (
        SUITES,
        "teleport:\r\n  ciphersuites:\r\n    - bad-a\r\n    - good\r\n",
        "teleport:\r\n  ciphersuites:\r\n    - good\r\n",
    ),
    "flow list, first": (SUITES, "teleport: {ciphersuites: [bad-a, good]}\n", "teleport: {ciphersuites: [good]}\n"),
    "flow list, last": (SUITES, "teleport: {ciphersuites: [good, bad-a]}\n", "teleport: {ciphersuites: [good]}\n"),
    "flow list, a run": (
        SUITES,
        'teleport:\n  ciphersuites: [ good, bad-a,  "bad-b", best ] # 1\n',
        "teleport:\n  ciphersuites: [ good, best ] # 1\n",
    ),
    "flow list, all": (SUITES, "teleport: {ciphersuites: [bad-a, bad-b]}\n", "teleport: {ciphersuites: []}\n"),
    "a key is put first in its section, behind the section's own line": (
        SIGNATURE,
        "# top\nteleport: # here\n  # a comment on the name\n  nodename: n\n",
        "# top\nteleport: # here\n  ca_signature_algo: rsa-sha2-512\n  # a comment on the name\n  nodename: n\n",
    ),
    "deep indentation": (
        SIGNATURE,
        "teleport:\n      nodename: n\n",
        "teleport:\n      ca_signature_algo: rsa-sha2-512\n      nodename: n\n",
    ),
    "a section in one line": (
        SIGNATURE,
        "teleport: {nodename: n}\n",
        "teleport: {ca_signature_algo: rsa-sha2-512, nodename: n}\n",
    ),
    "no section": (
        STORAGE,
        "auth_service:\n  enabled: yes",
        "auth_service:\n  enabled: yes\nteleport:\n  storage:\n    type: bolt\n",
    ),
    "half of the sections": (
        STORAGE,
        "teleport:\n  nodename: é\nauth_service: {}\n",
        "teleport:\n  storage:\n    type: bolt\n  nodename: é\nauth_service: {}\n",
    ),
    "a nested section in one line": (
        STORAGE,
        "teleport: {nodename: n}\n",
        "teleport: {storage: {type: bolt}, nodename: n}\n",
    ),
    "a value is replaced, its comment stays": (
        SIGNATURE,
        "teleport:\n  ca_signature_algo: 'ssh-rsa'  # old\n  nodename: n\n",
        "teleport:\n  ca_signature_algo: rsa-sha2-512  # old\n  nodename: n\n",
    ),
    "a key without a value": (
        SIGNATURE,
        "teleport:\n  ca_signature_algo:\n  nodename: n\n",
        "teleport:\n  ca_signature_algo: rsa-sha2-512\n  nodename: n\n",
    ),
    "sections are removed, the comments of their neighbours stay": (
        ASSIST,
        "auth_service:\n  assist: # no\n    o:\n      p: /t # x\n\n  # on\n  a: b\nproxy_service: {assist: {}, c: d}\n",
        "auth_service:\n\n  # on\n  a: b\nproxy_service: {c: d}\n",
    ),
    "the last section, with a text of several lines": (
        ASSIST,
        "auth_service:\n  enabled: yes\n  assist:\n    note: |\n      one\n      two\nssh_service: {}\n",
        "auth_service:\n  enabled: yes\nssh_service: {}\n",
    ),
    "the only key": (ASSIST, "auth_service:\n  assist: {}\n# end\n", "auth_service:\n# end\n"),
}

UNFIT = {
    "nothing to drop": (SUITES, "teleport: {ciphersuites: [good]}\n"),
    "no list": (SUITES, "teleport: {ciphersuites: bad-a}\n"),
    "a list that is used twice": (
        SUITES,
        "teleport:\n  ciphersuites: &c\n    - bad-a\n    - good\nssh_service: {c: *c}\n",
    ),
    "a list of elsewhere": (SUITES, "x: &c [bad-a, good]\nteleport: {ciphersuites: *c}\n"),
    "two entries in a line": (SUITES, "teleport: {ciphersuites: [bad-a,,]}\n"),
    "a section that is a text": (SIGNATURE, "teleport: yes\n"),
    "a section that is empty": (SIGNATURE, "teleport:\nauth_service: {}\n"),
    "a section that comes from a merge": (SIGNATURE, "b: &b {nodename: n}\nteleport: *b\n"),
    "a value that is a mapping": (SIGNATURE, "teleport: {ca_signature_algo: {a: b}}\n"),
    "a document that has ended": (STORAGE, "auth_service: {}\n...\n"),
    "nothing at all to remove": (ASSIST, "auth_service: {enabled: yes}\n"),
}


def edited(edit: Edit, text: str) -> Edited | None:
    try:
        return config_edit.apply(text, edit)
    except yaml.YAMLError:
        return None


@pytest.mark.parametrize("name", CASES)
def test_the_edit_is_made_and_nothing_else(name: str) -> None:
    edit, text, wanted = CASES[name]
    found = edited(edit, text)
    assert found is not None
    assert found.text == wanted
    assert edited(edit, wanted) is None or edit.kind == "set"


@pytest.mark.parametrize("name", UNFIT)
def test_what_cannot_be_changed_by_itself_is_left_alone(name: str) -> None:
    edit, text = UNFIT[name]
    assert edited(edit, text) is None


@pytest.mark.parametrize("name", CASES)
def test_a_host_that_counts_bytes_comes_to_the_same(name: str) -> None:
    edit, text, wanted = CASES[name]
    found = edited(edit, text)
    assert found is not None
    content = text.encode()
    for span in reversed(config_edit.in_bytes(text, found.spans)):
        content = content[: span.at] + span.text.encode() + content[span.at + span.length :]
    assert content.decode() == wanted


def test_people_see_what_is_changed_and_no_value_that_may_be_secret() -> None:
    text = "teleport:\n  auth_token: hunter2\n  ca_signature_algo: hunter3\n  ciphersuites: [bad-a, hunter4]\n"
    signature, suites = config_edit.apply(text, SIGNATURE), config_edit.apply(text, SUITES)
    assert signature is not None
    assert suites is not None
    assert signature.lines == (
        "- teleport.ca_signature_algo: … (line 3)",
        "+ teleport.ca_signature_algo: rsa-sha2-512 (line 3)",
    )
    assert suites.lines == ("- teleport.ciphersuites: bad-a (line 4)",)
    assert "hunter" not in str((signature.lines, signature.spans, suites.lines, suites.spans))


@pytest.mark.parametrize("text", ["", "# nothing\n", "--- text\n", "[]\n"])
def test_what_holds_no_sections_is_left_alone(text: str) -> None:
    assert edited(STORAGE, text) is None
