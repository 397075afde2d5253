# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a lab keeps its things and what it is called; everything comes from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError

NAME_PATTERN = re.compile(r"[a-z][a-z0-9]{0,11}")


@dataclass(frozen=True)
class Settings:
    """``name`` tells labs on one machine apart; ``cache`` holds images, ``state`` everything of this one lab."""

    name: str
    cache: Path
    state: Path
    subnet: str | None

    @property
    def lab_file(self) -> Path:
        return self.state / "lab.json"

    @property
    def lock(self) -> Path:
        """Held while this lab is being changed; outside of ``state``, which comes and goes with the lab."""
        return self.cache / "lab" / f"{self.name}.lock"

    @property
    def containers_conf(self) -> Path:
        return self.state / "containers.conf"

    @property
    def artifacts(self) -> Path:
        """The release tarballs; shared by all labs of this machine."""
        return self.cache / "artifacts"

    def container(self, host: str) -> str:
        """The container that is this host."""
        return f"lockstep-{self.name}-{host}"

    @property
    def network(self) -> str:
        return f"lockstep-{self.name}"


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from LAB_NAME, LAB_SUBNET, LAB_STATE and LOCKSTEP_CACHE (all optional), by default of our environment.

    Raises LabError for a name that cannot be part of container and bridge names.
    """
    environment = os.environ if environment is None else environment
    name = environment.get("LAB_NAME") or "lab"
    if not NAME_PATTERN.fullmatch(name):
        raise LabError(f"LAB_NAME: found '{name}', allowed are 1 to 12 lower-case letters and digits, a letter first")
    default_cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lockstep-teleport"
    cache = Path(environment.get("LOCKSTEP_CACHE") or default_cache).absolute()
    state = Path(environment.get("LAB_STATE") or cache / "labs" / name).absolute()
    return Settings(name=name, cache=cache, state=state, subnet=environment.get("LAB_SUBNET") or None)
