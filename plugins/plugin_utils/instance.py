# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts an instance together from what its host observed and what its ``teleport.yaml`` says. Pure."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.lockstep.teleport.plugins.module_utils.backends import kinds
from ansible_collections.lockstep.teleport.plugins.module_utils.config_hints import LARGEST_CONFIG
from ansible_collections.lockstep.teleport.plugins.module_utils.plain_text import printable_values
from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils import config_cures, preflight, teleport_config

Finding = dict[str, str]

#: Seconds by which a host's clock may differ from the controller's. Teleport dates certificates back by one minute.
CLOCK_TOLERANCE = 60.0

_ABSENT_CONFIG: dict[str, Any] = {
    "version": None,
    "data_dir": None,
    "diag_addr": None,
    "pid_file": None,
    "nodename": None,
    "ciphersuites": [],
    "auth_servers": [],
    "ca_pins": [],
    "cluster_name": None,
    "auth_listen_addr": None,
    "proxy_web_addr": None,
    "proxy_public_addr": [],
    "storage": {},
}

_OBJECT_STORES = ("s3:", "gs:", "azblob")
_NOT_SHOWN = ("roles_enabled", "checked")


class Parsed(NamedTuple):
    """Outcome of reading a configuration file: its summary, or why there is none."""

    summary: dict[str, Any] | None
    error: str | None


def parse_config(observed: Mapping[str, Any]) -> Parsed:
    """Read the configuration that came with an observation."""
    found = observed["config_file"]
    if found["error"] or not found["content"]:
        return Parsed(None, found["error"])
    try:
        text = unpack_content(found["content"])
    except UnicodeDecodeError:
        return Parsed(None, "is not UTF-8 text")
    except ValueError as problem:
        return Parsed(None, str(problem))
    try:
        return Parsed(teleport_config.summarize(text, observed["options"]), None)
    except teleport_config.ConfigRefused as problem:
        return Parsed(None, str(problem))


def unpack_content(content: str) -> str:
    """Return the configuration in what a host sent (zlib, base64). A host that lies must not fill the controller.

    :raises ValueError: when it is something else, or more than a host may send.
    """
    try:
        expander = zlib.decompressobj()
        found = expander.decompress(base64.b64decode(content, validate=True), LARGEST_CONFIG + 1)
    except (zlib.error, binascii.Error) as problem:
        raise ValueError(f"came over damaged ({problem})") from None
    if len(found) > LARGEST_CONFIG or not expander.eof:
        raise ValueError(f"is larger than {LARGEST_CONFIG} bytes, or came over damaged")
    return found.decode("utf-8")


def corrections(observed: Mapping[str, Any], parsed: Parsed, diag_addr: str | None) -> dict[str, str]:
    """Name what the host guessed wrong, and so must be looked at again; empty in the common case."""
    if parsed.summary is None:
        return {}
    right = {"data_dir": parsed.summary["data_dir"], "diag_addr": diag_addr or parsed.summary["diag_addr"] or ""}
    used = observed["used"]
    wrong = {key: value for key, value in right.items() if value and value != used[key]}
    return {**right, **wrong} if wrong else {}


def assemble(host: str, observed: Mapping[str, Any], parsed: Parsed, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contract's ``instance``.

    :param request: the options ``bin_dir``, ``versions_dir``, ``diag_addr`` that the host was asked with.
    """
    programs = observed["programs"]
    unit = observed["unit"]
    running = bool(unit["main_pid"])
    client = _is_client(observed)
    summary = parsed.summary or {**_ABSENT_CONFIG, "roles_enabled": []}
    roles = [] if client else summary["roles_enabled"]
    now = _effective(programs, client)
    config = {key: value for key, value in summary.items() if key not in _NOT_SHOWN}
    services = ["client"] if client else teleport_config.services(roles)
    concerns = preflight.concerns_of_host(_facts(observed, summary, now), services)
    found = {
        "host": host,
        "cluster": summary["cluster_name"] if "auth_service" in roles else None,
        "services": services,
        "roles_enabled": roles,
        "version": now["version"],
        "running_version": (programs["running"] or {}).get("version"),
        "installed_version": now["version"] if client else (programs["installed"] or {}).get("version"),
        "edition": _edition(observed, now),
        "state": "running" if running or client else "stopped",
        "held": observed["held"],
        "marks": observed.get("marks") or [],
        "unfinished": observed["unfinished"],
        "interrupted": observed["held"] or observed["unfinished"] or bool(observed.get("marks")),
        "unit": observed["unit"],
        "exe": programs["exe"],
        "install_method": observed["install_method"],
        "package": observed.get("package"),
        "updater": observed.get("updater"),
        "bin_dir": request["bin_dir"],
        "versions_dir": request["versions_dir"],
        "kept_versions": observed["kept_versions"],
        "architecture": observed["architecture"],
        "hostname": observed["hostname"],
        "host_uuid": observed["host_uuid"],
        "config": {
            **config,
            "path": observed["config_file"]["path"],
            "found": observed["config_file"]["found"],
            "error": parsed.error,
            "sha256": observed["config_file"]["sha256"],
            "diag_addr": request.get("diag_addr") or config["diag_addr"] or observed["options"].get("diag_addr"),
        },
        "free_bytes": observed["free_bytes"],
        "session_inside_unit": observed["session_inside_unit"],
        "ready": observed["ready"],
        "concerns": concerns,
        **_cures(observed, parsed, concerns, now["version"], request.get("config_cures") or []),
        "findings": findings(observed, parsed),
    }
    # What a host says ends up on the terminal and in reports.
    shown: dict[str, Any] = printable_values(found)
    return shown


def _facts(observed: Mapping[str, Any], summary: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that preflight rules may look at; what is not known is left out."""
    return {
        **observed["surroundings"],
        **summary.get("checked", {}),
        "edition": _edition(observed, now),
        "host_uuid": observed["host_uuid"],
        "nodename": summary["nodename"] or observed["hostname"],
        "serves_ssh": "ssh_service" in summary["roles_enabled"],
    }


def _cures(
    observed: Mapping[str, Any],
    parsed: Parsed,
    concerns: Sequence[dict[str, Any]],
    version: str | None,
    wanted: Collection[str],
) -> dict[str, Any]:
    """The changes of the configuration that are wanted; each concern that has another one is told what it would be."""
    offended = [concern["rule"] for concern in concerns]
    curable = {rule.id for rule in config_cures.curable(offended, version)}
    # A backup reads values of the storage section where they stood when the host was observed.
    if not curable or parsed.summary is None or parsed.summary["storage"].get("places"):
        return {}
    text = unpack_content(observed["config_file"]["content"])
    edits = config_cures.chain(text, offended, version, wanted)
    curable -= {edit["rule"] for edit in edits}
    for concern in concerns:
        offered = config_cures.offer(text, concern["rule"]) if concern["rule"] in curable else []
        if offered:
            concern["change"] = offered
    return {"config_edits": edits} if edits else {}


def _edition(observed: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """The edition. Not every FIPS build says that it is one: its package does, and the flag it is started with."""
    package = observed.get("package") or {}
    flagged = "fips" if now["edition"] == "enterprise" and observed["options"].get("fips") else None
    found: str | None = package.get("edition") or flagged or now["edition"]
    return found


def _is_client(observed: Mapping[str, Any]) -> bool:
    """Whether the host has client tools and nothing that could be a service."""
    unit = observed["unit"]
    return (
        bool(observed["programs"]["clients"])
        and unit["load_state"] != "loaded"
        and not observed["config_file"]["found"]
    )


def _effective(programs: Mapping[str, Any], client: bool) -> Mapping[str, Any]:
    """The program whose version counts: what runs, else what is installed; of client tools the oldest."""
    unknown: Mapping[str, Any] = {"version": None, "edition": None}
    if client:
        known: list[Mapping[str, Any]] = [answer for answer in programs["clients"].values() if answer["version"]]
        return min(known, key=lambda answer: Version.parse(answer["version"]), default=unknown)
    answers: list[Mapping[str, Any] | None] = [programs["running"], programs["installed"]]
    return next((answer for answer in answers if answer and answer["version"]), unknown)


def findings(observed: Mapping[str, Any], parsed: Parsed) -> list[Finding]:
    """Say what stands in the way of an upgrade, or should be known, in the order in which one would look."""
    if _is_client(observed):
        return _host_findings(observed) + _install_findings(observed) + _updater_findings(observed, ("client",))
    checks = (
        _host_findings(observed),
        _unit_findings(observed),
        _config_findings(observed, parsed),
        _storage_findings(observed, parsed),
        _install_findings(observed),
        _updater_findings(observed, teleport_config.services((parsed.summary or {}).get("roles_enabled", []))),
        _version_findings(observed),
    )
    return [finding for found in checks for finding in found]


def _finding(code: str, severity: str, message: str, hint: str) -> Finding:
    return {"code": code, "severity": severity, "message": message, "hint": hint}


def _host_findings(observed: Mapping[str, Any]) -> list[Finding]:
    found = []
    if observed["busy"]:
        message = "another upgrade is at work on this host (the lock of its versions folder is held)"
        found.append(_finding("busy", "blocker", message, "Wait until it has ended and run again."))
    off = observed["clock_off"]
    if abs(off) > CLOCK_TOLERANCE:
        message = f"its clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the controller's"
        hint = "Set the clock right (NTP): Teleport refuses certificates that are not valid yet, or no longer."
        found.append(_finding("clock-off", "blocker", message, hint))
    return found


def clock_off(wall: float, asked_at: float, answered_at: float) -> float:
    """Return by how many seconds a host's clock, read between the two moments, is ahead (or, below 0, behind)."""
    return wall - asked_at if wall < asked_at else max(0.0, wall - answered_at)


def _unit_findings(observed: Mapping[str, Any]) -> list[Finding]:
    if not observed["systemd"]:
        hint = "This collection restarts instances through systemd only; upgrade this host by hand."
        return [_finding("not-systemd", "blocker", "systemd does not run on this host", hint)]
    if observed["unit_error"]:
        return [_finding("unit-unreadable", "blocker", observed["unit_error"], "Find out why systemd does not answer.")]
    unit = observed["unit"]
    hint = "Name the unit of the instance in teleport_service, or take the host out of the group."
    if unit["load_state"] == "masked":
        message = f"the unit {unit['name']} is masked"
        return [_finding("unit-masked", "blocker", message, f"Run systemctl unmask {unit['name']}.")]
    if unit.get("n_restarts"):
        message = f"systemd restarted it {unit['n_restarts']} times since it was last started"
        return [
            _finding("restarting", "warning", message, "Read its journal: it dies, and may not outlive an upgrade.")
        ]
    if unit["load_state"] != "loaded":
        return [
            _finding("unit-missing", "blocker", f"there is no usable unit {unit['name']} ({unit['load_state']})", hint)
        ]
    return []


def _config_findings(observed: Mapping[str, Any], parsed: Parsed) -> list[Finding]:
    path = observed["config_file"]["path"]
    if parsed.error:
        hint = "Correct the file (teleport configure --test, where the version has it), then run again."
        return [_finding("config-unparsable", "blocker", f"{path}: {parsed.error}", hint)]
    if parsed.summary is None:
        hint = "Name the instance's configuration in teleport_config_path."
        return [_finding("config-missing", "blocker", f"there is no {path}", hint)]
    return []


def _storage_findings(observed: Mapping[str, Any], parsed: Parsed) -> list[Finding]:
    """What a backup of this Auth Service will lack, or lacks the means for."""
    summary = parsed.summary or _ABSENT_CONFIG
    if "auth_service" not in summary.get("roles_enabled", ()):
        return []
    storage, found = summary["storage"], []
    if storage.get("type") == "dynamodb" and not observed["surroundings"].get("boto3"):
        message = "the backend is DynamoDB, and this host's Python has no boto3, without which it cannot be saved"
        hint = "Install python3-boto3 for the Python that Ansible uses there, or set commands of your own for backups."
        found.append(_finding("boto-missing", "warning", message, hint))
    elsewhere = [uri for uri in storage.get("audit_sessions_uri") or [] if uri.startswith(_OBJECT_STORES)]
    if elsewhere:
        message = f"session recordings lie in {', '.join(elsewhere)} and are not part of backups"
        hint = "Give the bucket versions; an upgrade only adds to it."
        found.append(_finding("recordings-not-saved", "info", message, hint))
    audits = [uri.partition("?")[0] for uri in kinds.unsaved_audit(storage)]
    if audits:
        message = f"the audit log lies in {', '.join(audits)} and is not part of backups"
        hint = "Save it by the means of that store; a newer version may change its tables."
        found.append(_finding("audit-not-saved", "warning", message, hint))
    return found


def _install_findings(observed: Mapping[str, Any]) -> list[Finding]:
    method = observed["install_method"]
    elsewhere = observed["programs"].get("elsewhere") or {}
    if elsewhere:
        seen = ", ".join(f"{path} ({version or 'version not asked'})" for path, version in sorted(elsewhere.items()))
        hint = "Name the folder that counts in teleport_bin_dir; see that the others are not newer than the servers."
        found = [_finding("tools-elsewhere", "info", f"client tools that are not upgraded: {seen}", hint)]
        return found + _method_findings(observed, method)
    return _method_findings(observed, method)


def _method_findings(observed: Mapping[str, Any], method: str) -> list[Finding]:
    if method == "none":
        hint = "Name the folder of teleport, tctl and tsh in teleport_bin_dir, or take the host out of the group."
        return [_finding("nothing-installed", "blocker", "no Teleport program was found", hint)]
    if method == "package":
        return _package_findings(observed["package"])
    return []


def _updater_findings(observed: Mapping[str, Any], services: Collection[str]) -> list[Finding]:
    """What the host's own updaters mean for a run: they are paused, and of agents teleport-update does the work."""
    found = observed.get("updater")
    managed = observed["install_method"] == "managed_updates"
    if managed and not (found and found["enabled"] and set(services) <= {"agent", "client"}):
        message = "teleport-update installed this host's version, and is disabled or the host is no agent"
        hint = "Uninstall it and install the tarball or the package, or, on an agent, enable it."
        return [_finding("managed-updates", "blocker", message, hint)]
    if found and found["paused"]:
        message = "a run has paused this host's updater and has not put it back"
        return [_finding("updater-paused", "warning", message, "The next run that changes anything puts it back.")]
    if found and found["enabled"] and not found["pinned"]:
        message = f"{found['kind']} is enabled, and may change the version by itself"
        return [_finding("updater-enabled", "info", message, "It is paused while the run changes something.")]
    return []


def _package_findings(package: Mapping[str, Any]) -> list[Finding]:
    if package["problem"]:
        hint = "Mend that, or move this host to the tarball; docs/install_methods.md says what is needed."
        return [_finding("package-managed", "blocker", str(package["problem"]), hint)]
    if package["held"]:
        message = f"the package {package['name']} is held"
        return [_finding("package-held", "info", message, "It is upgraded all the same, and held again afterwards.")]
    return []


def _version_findings(observed: Mapping[str, Any]) -> list[Finding]:
    programs = observed["programs"]
    running, installed = programs["running"], programs["installed"]
    for answer in (running, installed):
        if answer and answer["error"]:
            hint = "Find out why the program does not tell its version."
            return [_finding("version-unreadable", "blocker", answer["error"], hint)]
    if running and installed and running["version"] != installed["version"]:
        message = f"{running['version']} runs while {installed['version']} is installed"
        return [_finding("restart-pending", "info", message, "The version that runs is the one that counts.")]
    return []
