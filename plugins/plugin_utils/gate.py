# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of a gate: does a cluster show what it was to show? Pure, from values to findings.

What a cluster's lists are worth: an instance that died stays listed until ``expires``, up to ten minutes; a listed
entry is a sign of life only when its version is new or its ``expires`` has moved. Before 4.3 no list has versions at
all. What cannot be seen is a finding, never a pass, unless the instance was proven on its own host.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings import Finding
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings_codes import BLOCKER
from ansible_collections.lockstep.teleport.plugins.plugin_utils.gate_expectation import Expectation, ExpectedInstance

View = Mapping[str, Any]
Entry = Mapping[str, Any]

#: Waiting cures none of these, so a gate that found one has nothing to wait for.
LASTING = frozenset({"gate-wrong-cluster", "gate-ca-pins", "gate-authority", "gate-rotation", "gate-blind"})

#: Agents and leaves that have lost their cluster come back by themselves, in tunnel mode after five minutes (Teleport
#: issue 21944). Where nothing else is missing it pays to wait for them for longer.
RECONNECTING = frozenset({"gate-lost", "gate-agents", "gate-not-listed", "gate-instance", "gate-leaf"})

#: Instances announce themselves at least every six minutes and are listed for ten. One with less than this left had
#: stopped announcing itself before anything was upgraded, so that it vanishes is nobody's loss.
_SURE_OF_LIFE = timedelta(minutes=3, seconds=30)

_NAMES_SHOWN = 10


def judge(expect: Expectation, view: View) -> list[Finding]:
    """Return everything that *view* lacks of what *expect* asks for; an empty list is a pass."""
    found: list[Finding] = []
    for rule in (_cluster, _version, _rotation, _pins, _authorities, _instances, _second_auth, _agents, _leaves):
        found.extend(rule(expect, view))
    return found


def is_lasting(findings: Iterable[Finding]) -> bool:
    """Return whether any of *findings* is one that waiting cannot cure."""
    return any(finding.code in LASTING for finding in findings)


def is_reconnecting(findings: Iterable[Finding]) -> bool:
    """Return whether nothing is missing but instances and leaves that may only be slow to come back."""
    return all(finding.code in RECONNECTING for finding in findings)


def silent(cluster: str | None, message: str) -> Finding:
    """Return the finding for a cluster that did not answer at all."""
    return _finding("gate-silent", cluster, message, "Look at the Auth Service's unit and log on the host asked.")


def summary(view: View) -> dict[str, Any]:
    """Return the few numbers of *view* that a result should show."""
    versions: dict[str, int] = {}
    for entry in view["instances"]:
        versions[entry["version"] or "unknown"] = versions.get(entry["version"] or "unknown", 0) + 1
    return {
        "cluster": view["cluster"],
        "version": view["version"],
        "instances": len(view["instances"]),
        "versions": dict(sorted(versions.items())),
        "leaves_online": sum(entry["connection"] == "online" for entry in view.get("remote_clusters") or ()),
    }


def _cluster(expect: Expectation, view: View) -> Iterator[Finding]:
    if expect.cluster and view["cluster"] != expect.cluster:
        message = f"The Auth Service asked belongs to cluster {view['cluster']}, not {expect.cluster}."
        yield _finding("gate-wrong-cluster", expect.cluster, message, "Check teleport_cluster of this host.")


def _version(expect: Expectation, view: View) -> Iterator[Finding]:
    if not expect.version or view["version"] == expect.version:
        return
    if view["version"] is None:
        # Up to 4.1 tctl status has no such row; the process was asked on its own host then.
        if not any(_is_named(entry, expect.proven) for entry in _with_service(view, "auth")):
            message = f"The cluster does not tell the version of its Auth Service; expected is {expect.version}."
            yield _finding("gate-blind", view["cluster"], message, "Prove the version on the auth host.")
        return
    message = f"The Auth Service asked runs {view['version']}, expected is {expect.version}."
    yield _finding("gate-version", view["cluster"], message, "Look at the unit on the auth host; did it restart?")


def _rotation(expect: Expectation, view: View) -> Iterator[Finding]:
    del expect
    for authority in view["authorities"]:
        if authority["rotation"] != "idle":
            message = f"The {authority['type']} CA is being rotated: {authority['text']}."
            yield _finding("gate-rotation", view["cluster"], message, "Finish the rotation, then run again.")


def _pins(expect: Expectation, view: View) -> Iterator[Finding]:
    if expect.ca_pins and sorted(expect.ca_pins) != sorted(view["ca_pins"]):
        message = f"The CA pin was {_names(expect.ca_pins)} and is {_names(view['ca_pins'])}; an upgrade keeps it."
        hint = "Stop: agents with the old pin cannot join. Compare the backend with the backup."
        yield _finding("gate-ca-pins", view["cluster"], message, hint)


def _authorities(expect: Expectation, view: View) -> Iterator[Finding]:
    lost = sorted(set(expect.authorities) - {authority["type"] for authority in view["authorities"]})
    if lost:
        message = f"Certificate authorities are gone: {_names(lost)}."
        yield _finding("gate-authority", view["cluster"], message, "Stop: compare the backend with the backup.")


def _instances(expect: Expectation, view: View) -> Iterator[Finding]:
    entries = _by_name(view)
    for expected in expect.instances:
        candidates = [entry for name in expected.names for entry in entries.get(name, ())]
        yield from _instance(expected, candidates, expect, view["cluster"])


def _instance(
    expected: ExpectedInstance, candidates: list[Entry], expect: Expectation, cluster: str
) -> Iterator[Finding]:
    # A host that got a new UUID is listed twice for a while; one entry at the right version is proof enough.
    if any(entry["version"] == expected.version for entry in candidates):
        return
    seen = sorted({entry["version"] for entry in candidates if entry["version"]})
    if not candidates:
        message = f"{expected.host} is not listed by the cluster."
        hint = "Look at its log: it cannot reach its Auth Service or proxy, or was refused."
        yield _finding("gate-not-listed", cluster, message, hint, expected.host)
    elif seen:
        message = f"{expected.host} is listed with {_names(seen)}, expected is {expected.version}."
        hint = "It has not announced itself since the upgrade; look at its log."
        yield _finding("gate-instance", cluster, message, hint, expected.host)
    elif not expected.names & expect.proven:
        message = (
            f"{expected.host} is listed without a version, so the cluster cannot tell that it runs {expected.version}."
        )
        yield _finding("gate-blind", cluster, message, "Prove the version on the host itself.", expected.host)


def _second_auth(expect: Expectation, view: View) -> Iterator[Finding]:
    if not expect.version:
        return
    for entry in _with_service(view, "auth"):
        stopped = _is_named(entry, expect.stopped)
        if entry["version"] not in (None, expect.version) and not stopped and not _is_over(entry, view):
            host = entry["host"] or entry["id"]
            message = f"Auth Service {host} is listed with {entry['version']} beside {expect.version} on one backend."
            hint = "Stop it, or prove on its host that it is stopped; the list alone names the dead for ten minutes."
            yield _finding("gate-second-auth", view["cluster"], message, hint, host)


def _agents(expect: Expectation, view: View) -> Iterator[Finding]:
    now = {entry["id"] for entry in view["instances"]}
    names = {entry["host"] for entry in view["instances"]}
    lost = [
        entry["host"] or entry["id"]
        for entry in expect.before.get("instances") or ()
        if entry["id"] not in now and entry["host"] not in names and _counted_on(entry, expect)
    ]
    if lost:
        message = f"{len(lost)} instances were connected before and are gone: {_names(sorted(lost))}."
        hint = "Look at their logs; agents reconnect within seconds, in tunnel mode within five minutes."
        yield _finding("gate-lost", view["cluster"], message, hint)
    connected = sum(not _is_over(entry, view) for entry in _with_service(view, "agent"))
    if expect.agents_at_least is not None and connected < expect.agents_at_least:
        message = f"{connected} agents are connected, at least {expect.agents_at_least} are expected."
        yield _finding("gate-agents", view["cluster"], message, "Look at the logs of those that are missing.")


def _leaves(expect: Expectation, view: View) -> Iterator[Finding]:
    online = {entry["name"] for entry in view.get("remote_clusters") or () if entry["connection"] == "online"}
    for name in sorted(set(expect.remote_clusters) - online):
        message = f"Leaf cluster {name} was connected before and is not any more."
        hint = "Look at the proxies on both sides and at 'tctl get trusted_cluster' on the leaf."
        yield _finding("gate-leaf", view["cluster"], message, hint)
    enabled = {entry["name"] for entry in view.get("trusted_clusters") or () if entry["enabled"]}
    for entry in expect.before.get("trusted_clusters") or ():
        if entry["enabled"] and entry["name"] not in enabled:
            message = f"The trust in root cluster {entry['name']} is gone or switched off."
            yield _finding(
                "gate-trust", view["cluster"], message, "Compare 'tctl get trusted_cluster' with the backup."
            )


def _counted_on(entry: Entry, expect: Expectation) -> bool:
    """Whether an instance of the older view was surely alive then, and was not stopped on purpose since."""
    if _is_named(entry, expect.stopped):
        return False
    expires, observed = _time(entry.get("expires")), _time(expect.before.get("observed_at"))
    return expires is None or observed is None or expires - observed >= _SURE_OF_LIFE


def _is_over(entry: Entry, view: View) -> bool:
    expires, observed = _time(entry.get("expires")), _time(view.get("observed_at"))
    return expires is not None and observed is not None and expires <= observed


def _time(text: Any) -> datetime | None:
    """Read RFC 3339 to the second; Go prints up to nine digits of a second, which no comparison here needs."""
    try:
        found = datetime.strptime(str(text)[:19], "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007 - the zone is set right below
    except ValueError:
        return None
    # Records that do not expire carry Go's zero time.
    return found.replace(tzinfo=timezone.utc) if found.year > 1 else None


def _with_service(view: View, service: str) -> list[Entry]:
    return [entry for entry in view["instances"] if service in entry["services"]]


def _is_named(entry: Entry, names: frozenset[str]) -> bool:
    return entry["id"] in names or entry["host"] in names


def _by_name(view: View) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in view["instances"]:
        for name in {entry["id"], entry["host"]} - {""}:
            found.setdefault(name, []).append(entry)
    return found


def _names(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _NAMES_SHOWN} more" if len(listed) > _NAMES_SHOWN else ""
    return ", ".join(listed[:_NAMES_SHOWN]) + more if listed else "none"


def _finding(code: str, cluster: str | None, message: str, hint: str, host: str | None = None) -> Finding:
    return Finding(code, BLOCKER, message, hint, cluster, host)
