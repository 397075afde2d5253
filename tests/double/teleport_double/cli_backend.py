# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``teleport backend``: the store read and written without an Auth Service (tool/teleport/common/backend.go)."""

from __future__ import annotations

import sys
from typing import Any

import yaml

from .backend.base import Backend, BackendError
from .backend.opening import open_backend
from .config import DEFAULT_PATH, load
from .errors import CommandError
from .flags import Parsed
from .identity import Identity
from .logs import Log


def clone(parsed: Parsed, identity: Identity) -> int:
    """Copy every item of ``src`` to ``dst``; what else is in ``dst`` stays."""
    path = parsed.last("config")
    if not path:
        raise CommandError("required flag --config/-c not provided")
    try:
        with open(path, encoding="utf-8") as stream:
            order = yaml.safe_load(stream)
    except OSError as error:
        raise CommandError(f"open {path}: {str(error.strerror).lower()}") from None
    source = _open(order.get("src"), "source", identity)
    target = _open(order.get("dst"), "destination", identity)
    if not order.get("force") and target.scan("/"):
        raise CommandError(
            "unable to clone data to destination with existing data; "
            "this may be overridden by configuring 'force: true'"
        )
    items = source.scan("/")
    for item in items:
        target.put(item.key, item.value, item.expires)
    source.close()
    target.close()
    Log(identity.version).info("CLONE", f"Backend clone still in progress items_copied:{len(items)}")
    return 0


def remove(parsed: Parsed, identity: Identity) -> int:
    """Remove one item, after asking."""
    key = parsed.operands[0] if parsed.operands else ""
    if not key:
        raise CommandError("required argument 'key' not provided")
    config = load(parsed.last("config", DEFAULT_PATH), identity.version)
    sys.stdout.write(f"Are you sure you want to delete {key} [y/N]: ")
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandError("Operation canceled by user request.")
    store = _open(config.storage, "", identity)
    if not store.delete(key):
        raise CommandError(f"deleting item\n\tkey {key!r} does not exist")
    print(f'item "{key}" has been deleted')
    return 0


def _open(storage: Any, which: str, identity: Identity) -> Backend:
    try:
        return open_backend(storage, identity.version, Log(identity.version))
    except (BackendError, KeyError, TypeError) as error:
        raise CommandError(f"failed to create {which} backend\n\t{error}") from None
