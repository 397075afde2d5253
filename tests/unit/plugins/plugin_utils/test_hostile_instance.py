# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that sends the controller a bomb, and files on a host that lead elsewhere or never end."""

from __future__ import annotations

import base64
import os
import tracemalloc
import zlib
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.observation import read_config, read_host_uuid
from ansible_collections.lockstep.teleport.plugins.plugin_utils.instance import unpack_content
from ansible_collections.lockstep.teleport.plugins.plugin_utils.safe_yaml import YamlRefused, load


def test_a_configuration_that_unpacks_to_gigabytes_is_refused() -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join([*(packer.compress(bytes(1 << 20)) for _mebibyte in range(256)), packer.flush()])
    content = base64.b64encode(bomb).decode()
    tracemalloc.start()
    with pytest.raises(ValueError, match="is larger than 1048576 bytes"):
        unpack_content(content)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


@pytest.mark.parametrize(
    "content", ["?", "AAAA", "eJxLBAAAYgBi" * 2, base64.b64encode(zlib.compress(b"a")[:-2]).decode()]
)
def test_a_configuration_that_came_over_damaged(content: str) -> None:
    if content.startswith("eJx"):
        assert unpack_content(base64.b64encode(zlib.compress(b"a: b")).decode()) == "a: b"
        return
    with pytest.raises(ValueError, match="damaged"):
        unpack_content(content)


def test_yaml_does_not_grow() -> None:
    laughs = "a: &a [ha, ha]\n" + "".join(
        f"{name}: &{name} [*{before}, *{before}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(YamlRefused, match="aliases within anchored values"):
        load(laughs)
    with pytest.raises(YamlRefused, match="nested too deeply"):
        load("[" * 100000)
    wide = "a: &a [" + "x, " * 20000 + "x]\n" + "".join(f"b{number}: *a\n" for number in range(100))
    tracemalloc.start()
    found = load(wide)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(found[f"b{number}"] is found["a"] for number in range(100))
    assert peak < 200 << 20


def test_a_link_cannot_show_another_file_as_the_identifier(tmp_path: Path) -> None:
    (tmp_path / "host_uuid").symlink_to("/etc/passwd")
    assert read_host_uuid(str(tmp_path)) is None


@pytest.mark.parametrize("content", ["root:$6$salt$hash:19000:0:99999:7:::", "a b", "", "{{ x }}", "\x1b[2J", "-x"])
def test_what_is_no_identifier_is_not_shown(tmp_path: Path, content: str) -> None:
    (tmp_path / "host_uuid").write_text(content)
    assert read_host_uuid(str(tmp_path)) is None


def test_an_identifier(tmp_path: Path) -> None:
    (tmp_path / "host_uuid").write_text("0e3a7e0c-8f5d-4c53-9f0e-000000000001\n")
    assert read_host_uuid(str(tmp_path)) == "0e3a7e0c-8f5d-4c53-9f0e-000000000001"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "host_uuid")
    os.mkfifo(tmp_path / "teleport.yaml")
    assert read_host_uuid(str(tmp_path)) is None
    facts, text = read_config(str(tmp_path / "teleport.yaml"))
    assert (facts["error"], text) == ("cannot be read: is no regular file", "")
