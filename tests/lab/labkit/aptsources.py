# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which package sources the hosts' images are built from: the ones this machine's own apt uses.

apt itself is asked (``apt-get indextargets``), so deb822 files, one-line files and mirrors of every kind are read the
way apt reads them.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import LabError

INDEX_FORMAT = "$(REPO_URI)|$(CODENAME)|$(COMPONENT)|$(ORIGIN)"
INDEX_COMMAND = ("apt-get", "indextargets", "Created-By: Packages", "--format", INDEX_FORMAT)
DISTRIBUTIONS = ("Debian", "Ubuntu")


@dataclass(frozen=True)
class AptSource:
    """One archive of the machine's own distribution: what a ``deb`` line says."""

    uri: str
    suite: str
    components: tuple[str, ...]

    @property
    def line(self) -> str:
        return f"deb {self.uri} {self.suite} {' '.join(self.components)}"


def own_sources(index_targets: str, codename: str) -> list[AptSource]:
    """The archives of the distribution ``codename`` in the answer of INDEX_COMMAND, in apt's order.

    Third-party archives and other suites (a pinned testing, say) are left out: an image holds the machine's own suite
    with its updates and security fixes only. Raises LabError when the suite itself is not among apt's sources.
    """
    components: dict[tuple[str, str], list[str]] = {}
    for line in index_targets.splitlines():
        fields = line.split("|")
        if len(fields) != 4:
            continue
        uri, suite, component, origin = fields
        if origin in DISTRIBUTIONS and suite.split("-")[0] == codename and not suite.endswith("-backports"):
            known = components.setdefault((uri.rstrip("/"), suite), [])
            if component not in known:
                known.append(component)
    sources = [AptSource(uri, suite, tuple(names)) for (uri, suite), names in components.items()]
    if not any(source.suite == codename for source in sources):
        raise LabError(
            f"apt: no package source of Debian or Ubuntu '{codename}' is configured on this machine; "
            "add one below /etc/apt and run `apt-get update`, then `lab.py image` again"
        )
    return sources


def codename(os_release: str) -> str:
    """VERSION_CODENAME of an os-release file's text. Raises LabError when there is none (not Debian or Ubuntu)."""
    for line in os_release.splitlines():
        key, value = line.partition("=")[::2]
        if key == "VERSION_CODENAME" and value.strip("\"'"):
            return value.strip("\"'")
    raise LabError("/etc/os-release: no VERSION_CODENAME; the lab runs on Debian and Ubuntu machines only")
