# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a run leaves on the controller: what stands in them, and putting them there.

A document is turned into text while it is compared and written: as one text, that of a large fleet would take several
times the memory of the document.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils import durable

#: The bytes of a file, in pieces, from the beginning each time.
Content = Callable[[], Iterable[bytes]]

PIECE = 4096  # tokens of JSON


def contents(files: Iterable[Mapping[str, Any]], folder: str | None) -> dict[str, Content]:
    """Return what each file is to hold by its path: ``content`` as it is, ``document`` as JSON.

    Relative paths are below *folder*. Raises ``ValueError`` for one that has none, or leaves it.
    """
    return {_placed(str(file["path"]), folder): partial(_pieces, file) for file in files}


def stale(wanted: Mapping[str, Content]) -> list[str]:
    """Return the paths whose files are missing or have another content."""
    return [path for path, content in wanted.items() if not _holds(path, content())]


def write(wanted: Mapping[str, Content], paths: Collection[str], mode: int, folder: str | None) -> None:
    """Put the files at *paths* in place, each atomically; what is missing of *folder* is made first.

    Raises ``OSError`` when one cannot be written; those before it are in place then.
    """
    for path in paths:
        if folder and path.startswith(os.path.join(folder, "")):
            durable.private_folder(os.path.dirname(path))
        with durable.replacing(path) as writer:
            os.fchmod(writer.fileno(), mode)
            writer.writelines(wanted[path]())


def _placed(path: str, folder: str | None) -> str:
    if os.path.isabs(path):
        return path
    if not folder:
        raise ValueError(f"{path} is relative; an absolute path is needed, or the folder it lies in.")
    placed = os.path.normpath(os.path.join(folder, path))
    if not placed.startswith(os.path.join(folder, "")):
        raise ValueError(f"{path} leads out of {folder}; name a path below it.")
    return placed


def _pieces(file: Mapping[str, Any]) -> Iterator[bytes]:
    if file.get("content") is not None:
        yield str(file["content"]).encode()
        return
    tokens = json.JSONEncoder(indent=4, sort_keys=True).iterencode(file["document"])
    while piece := "".join(itertools.islice(tokens, PIECE)):
        yield piece.encode()
    yield b"\n"


def _holds(path: str, content: Iterable[bytes]) -> bool:
    try:
        with open(path, "rb") as reader:
            return all(reader.read(len(piece)) == piece for piece in content) and not reader.read(1)
    except FileNotFoundError:
        return False
