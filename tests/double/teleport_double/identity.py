# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who this binary is: tool, version and edition, read from ``identity.json`` beside the code."""

from __future__ import annotations

import json
from typing import NamedTuple

from .versions import Version


class Identity(NamedTuple):
    """What the build stamped into one binary."""

    tool: str
    version: Version
    edition: str = "community"
    git: str = ""
    go: str = "go1.15.15"
    reported: str = ""

    @classmethod
    def from_json(cls, raw: str | bytes) -> Identity:
        """Read the stamp; raises KeyError or ValueError when it is not one."""
        fields = json.loads(raw)
        return cls(
            tool=fields["tool"],
            version=Version.parse(fields["version"]),
            edition=fields.get("edition", "community"),
            git=fields.get("git", ""),
            go=fields.get("go", "go1.15.15"),
            reported=fields.get("reported", ""),
        )

    @property
    def shown_version(self) -> str:
        """The version the binary claims; one upstream tag claims another than its own."""
        return self.reported or str(self.version)

    @property
    def version_line(self) -> str:
        """The line ``teleport version`` prints."""
        product = "Teleport" if self.edition == "community" else "Teleport Enterprise"
        go = f"{self.go} X:boringcrypto" if self.edition == "fips" else self.go
        return f"{product} v{self.shown_version} git:{self.git} {go}"
