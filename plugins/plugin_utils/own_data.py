# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data that comes with the collection, as YAML files beside the code that reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

# Ten times as fast, where PyYAML was built with libyaml.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(name: str) -> Any:
    """Return what the file *name* of this folder holds."""
    return _Loader(Path(__file__).with_name(name).read_text(encoding="utf-8")).get_single_data()
