# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend whose audit log lies in another kind of store, which is saved and put back together with it."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import (
    Backend,
    ConfigChange,
    Drilled,
    Part,
    Saved,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host

#: Which store a share of a manifest's ``details`` belongs to.
_STATE = "state"
_AUDIT = "audit"


class BesideBackend(Backend):
    """The store of the *state*, and beside it that of its *audit* log; each has its own share of the manifest.

    What the collection does with a backend goes by its state. A state that moves at a restore takes no audit along.
    """

    def __init__(self, state: Backend, audit: Backend) -> None:
        self._state = state
        self._audit = audit
        self.kind = state.kind
        self.location = f"{state.location}, {audit.location}"
        self.online = state.online
        self.shared = state.shared

    def accepts(self, saved: Mapping[str, Any]) -> bool:
        """Return whether both stores would take their share."""
        shares = saved["details"]
        return (
            {_STATE, _AUDIT} <= set(shares)
            and self._state.accepts(_share(saved, _STATE))
            and self._audit.accepts(_share(saved, _AUDIT))
        )

    def size_bytes(self) -> int:
        """Add up both."""
        return self._state.size_bytes() + self._audit.size_bytes()

    def save(self, folder: str, serving: bool) -> Saved:
        """Save both into one folder."""
        state, audit = self._state.save(folder, serving), self._audit.save(folder, serving)
        shares = {_STATE: _entry(self._state, state), _AUDIT: _entry(self._audit, audit)}
        return Saved([*state.parts, *audit.parts], {**state.counts, **audit.counts}, shares)

    def verify(self, folder: str, saved: Mapping[str, Any]) -> None:
        """Read both back."""
        self._state.verify(folder, _share(saved, _STATE))
        self._audit.verify(folder, _share(saved, _AUDIT))

    def matches(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> Optional[bool]:
        """Return whether both are as saved; unknown only when nothing speaks against it."""
        found = self._state.matches(folder, _share(saved, _STATE), parts)
        return found and (self._audit.matches(folder, _share(saved, _AUDIT), parts) and found)

    def stage(self, folder: str, parts: Mapping[str, Part]) -> None:
        """Stage both."""
        self._state.stage(folder, parts)
        self._audit.stage(folder, parts)

    def preserve(self, folder: str) -> None:
        """Keep both as they are found."""
        self._state.preserve(folder)
        self._audit.preserve(folder)

    def restore(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> None:
        """Put both back; the audit log first, because a state that moves to another place is done with its move."""
        self._audit.restore(folder, _share(saved, _AUDIT), parts)
        self._state.restore(folder, _share(saved, _STATE), parts)
        self.config_change = self._state.config_change

    def settled_change(self, saved: Mapping[str, Any]) -> Optional[ConfigChange]:
        """Ask the state."""
        return self._state.settled_change(_share(saved, _STATE))

    def planned_change(
        self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]
    ) -> Optional[ConfigChange]:
        """Ask the state."""
        return self._state.planned_change(folder, _share(saved, _STATE), parts)

    def rehearse(self, saved: Mapping[str, Any]) -> None:
        """Rehearse both."""
        self._state.rehearse(_share(saved, _STATE))
        self._audit.rehearse(_share(saved, _AUDIT))

    def discard(self, folder: str, saved: Mapping[str, Any]) -> None:
        """Discard both."""
        self._state.discard(folder, _share(saved, _STATE))
        self._audit.discard(folder, _share(saved, _AUDIT))

    def drill(
        self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part], scratch: str, host: Host
    ) -> Drilled:
        """Drill both, and say of both what was proven."""
        state = self._state.drill(folder, _share(saved, _STATE), parts, scratch, host)
        audit = self._audit.drill(folder, _share(saved, _AUDIT), parts, scratch, host)
        proven = f"{state.proven} The audit log: {audit.proven}"
        return Drilled(state.restored, proven, {**state.counts, **audit.counts})

    def peek(self, key: str) -> Optional[bytes]:
        """Ask the state."""
        return self._state.peek(key)

    def names(self, start: str) -> List[str]:
        """Ask the state."""
        return self._state.names(start)

    def tools(self) -> Dict[str, str]:
        """Return the tools of both."""
        return {**self._audit.tools(), **self._state.tools()}

    def close(self) -> None:
        """Close both."""
        self._state.close()
        self._audit.close()


def _entry(backend: Backend, saved: Saved) -> Dict[str, Any]:
    return {"kind": backend.kind, "location": backend.location, "counts": saved.counts, "details": saved.details}


def _share(saved: Mapping[str, Any], name: str) -> Dict[str, Any]:
    return {**saved, **saved["details"][name]}
