# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file store of the 3.x lines: one JSON file per bucket, its path quoted in the file name."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

from .base import Backend, Item


class DirectoryBackend(Backend):
    """Buckets are files such as ``authorities%2Fhost``; each holds ``{name: {value, expires}}``."""

    def __init__(self, path: str) -> None:
        os.makedirs(path, mode=0o700, exist_ok=True)
        self._path = path
        self._lock = threading.RLock()
        self.location = f"dir:{os.path.realpath(path)}"
        self._guard = open(  # noqa: SIM115 - held as long as the store
            os.path.join(path, ".locks"), "a", encoding="utf-8"
        )

    def get(self, key: str) -> Item | None:
        bucket, name = _split(key)
        entry = self._read(bucket).get(name)
        item = _item(key, entry) if entry else None
        return item if item and item.alive() else None

    def put(self, key: str, value: str, expires: float | None = None) -> None:
        bucket, name = _split(key)
        with self._lock, _Exclusive(self._guard):
            content = self._read(bucket)
            content[name] = {"value": base64.b64encode(value.encode()).decode(), "expires": expires}
            self._write(bucket, content)

    def delete(self, key: str) -> bool:
        bucket, name = _split(key)
        with self._lock, _Exclusive(self._guard):
            content = self._read(bucket)
            found = content.pop(name, None) is not None
            self._write(bucket, content)
        return found

    def scan(self, prefix: str) -> list[Item]:
        return sorted((i for i in self._all() if i.key.startswith(prefix) and i.alive()), key=lambda i: i.key)

    def swap(self, key: str, expected: str, value: str) -> bool:
        with self._lock:
            current = self.get(key)
            if current is None or current.value != expected:
                return False
            self.put(key, value, current.expires)
            return True

    def close(self) -> None:
        self._guard.close()

    def _all(self) -> Iterator[Item]:
        for file_name in os.listdir(self._path):
            if not file_name.startswith((".", "sqlite.db")):
                bucket = "/" + unquote(file_name)
                for name, entry in self._read(bucket).items():
                    yield _item(f"{bucket}/{name}", entry)

    def _file(self, bucket: str) -> str:
        return os.path.join(self._path, quote(bucket.lstrip("/"), safe=""))

    def _read(self, bucket: str) -> dict[str, Any]:
        try:
            with open(self._file(bucket), encoding="utf-8") as stream:
                return dict(json.load(stream))
        except (FileNotFoundError, IsADirectoryError):
            return {}

    def _write(self, bucket: str, content: dict[str, Any]) -> None:
        temporary = os.path.join(self._path, f".{os.getpid()}.{threading.get_ident()}")
        with open(temporary, "w", encoding="utf-8") as stream:
            json.dump(content, stream)
        os.replace(temporary, self._file(bucket))


class _Exclusive:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __enter__(self) -> None:
        fcntl.flock(self._stream, fcntl.LOCK_EX)

    def __exit__(self, *_exc: object) -> None:
        fcntl.flock(self._stream, fcntl.LOCK_UN)


def _split(key: str) -> tuple[str, str]:
    bucket, _slash, name = key.rpartition("/")
    return bucket, name


def _item(key: str, entry: dict[str, Any]) -> Item:
    return Item(key, base64.b64decode(entry["value"]).decode(), entry["expires"])
