# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How modules reach the servers that artefacts come from."""

from __future__ import annotations

import functools
from typing import Any, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils.artifact import Opener


def url_opener(ca_path: Optional[str]) -> Opener:
    """Return ansible-core's opener; with *ca_path* it trusts the certificate authorities in that file and no others."""
    return functools.partial(_open_url, ca_path=ca_path) if ca_path else _open_url


def _open_url(*arguments: Any, **options: Any) -> Any:
    # Compiling it takes a host a tenth of the whole module, and where releases were brought ahead nothing is fetched.
    from ansible.module_utils.urls import open_url

    return open_url(*arguments, **options)
