# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything a host can tell about its instance, read in one go and without changing anything.

What is returned here is raw: the controller parses ``teleport.yaml`` and puts the instance together.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import zlib
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    client_tools,
    config_hints,
    durable,
    foreign_file,
    installation,
    journal,
    marks,
    process,
    readiness,
    service,
    shield,
    surroundings,
    updater,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.hold import hold_file
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError

_LONGEST_UUID = 200
_UUID_RE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Request(NamedTuple):
    """Where to look. *data_dir* and *diag_addr* are guessed when they are empty.

    :param busy_timeout: seconds to wait while another upgrade is at work on the host.
    """

    config_path: str
    service: str
    bin_dir: str
    versions_dir: str
    diag_addr: str = ""
    data_dir: str = ""
    busy_timeout: float = 0.0

    @property
    def layout(self) -> installation.Layout:
        """Where programs lie."""
        return installation.Layout(self.versions_dir, self.bin_dir)


def observe(host: Host, request: Request) -> Dict[str, Any]:
    """Read everything. Only what the host refuses to tell is missing; nothing is raised for a broken instance.

    The content of the configuration file is in ``config_file.content`` (zlib, base64): it holds secrets, so the caller
    must drop it before anything is shown.
    """
    # A run whose controller died goes on by itself; what could be seen in the middle of it is of no use.
    at_rest = host.wait_until(lambda: not journal.is_busy(request.versions_dir), request.busy_timeout, 1.0)
    unit, problem = _unit(host, service.unit_name(request.service))
    arguments = _arguments(host, unit)
    given = process.options(arguments)
    config_path = given.get("config", request.config_path)
    config_file, text = read_config(config_path)
    guesses = config_hints.guess(text)
    data_dir = request.data_dir or guesses["data_dir"]
    method = installation.install_method(host, request.layout)
    diag_addr = request.diag_addr or given.get("diag_addr") or guesses.get("diag_addr", "")
    return {
        "systemd": not (problem and problem.details.get("not_systemd")),
        "unit_error": str(problem) if problem else None,
        "unit": unit.facts(),
        "busy": not at_rest,
        "session_inside_unit": shield.is_inside(host, unit.control_group),
        "wall": host.wall(),
        "exec_path": unit.exec_path,
        "options": given,
        "programs": _programs(host, unit, request.layout),
        "install_method": method,
        "updater": updater.facts(host, request.versions_dir),
        "package": _package(host, request.layout) if method == installation.PACKAGE else None,
        "kept_versions": installation.kept_versions(request.layout),
        "architecture": installation.architecture(os.uname().machine),
        "hostname": os.uname().nodename,
        "config_file": config_file,
        "held": os.path.exists(hold_file(host, service.unit_name(request.service))),
        "marks": marks.found(request.versions_dir),
        "unfinished": os.path.exists(journal.journal_path(request.versions_dir)),
        "free_bytes": {
            "versions_dir": durable.free_bytes(request.versions_dir),
            "data_dir": durable.free_bytes(data_dir),
        },
        "used": {"data_dir": data_dir, "diag_addr": diag_addr or None},
        "host_uuid": read_host_uuid(data_dir),
        "ready": _ready(unit, diag_addr, data_dir),
        "surroundings": surroundings.surroundings(host, unit.main_pid, _licence_path(guesses, data_dir)),
    }


def _unit(host: Host, name: str) -> Tuple[service.Unit, Optional[HostError]]:
    try:
        return service.show(host, name), None
    except HostError as problem:
        return service.parse_unit(name, ""), problem


def _package(host: Host, layout: installation.Layout) -> Dict[str, Any]:
    # Compiled by each host in each run, and few have packages.
    from ansible_collections.lockstep.teleport.plugins.module_utils import package_tools

    return package_tools.facts(host, layout)


def _arguments(host: Host, unit: service.Unit) -> List[str]:
    """Arguments the process runs with; those the unit would start it with when none runs."""
    running = process.command_line(host, unit.main_pid) if unit.main_pid else []
    return running or unit.arguments


def read_config(path: str) -> Tuple[Dict[str, Any], str]:
    """Read ``teleport.yaml``: facts for the result, and its text for guesses."""
    facts: Dict[str, Any] = {"path": path, "found": False, "error": None, "sha256": None, "content": None}
    try:
        content = foreign_file.read(path, config_hints.LARGEST_CONFIG + 1)
    except FileNotFoundError:
        return facts, ""
    except OSError as problem:
        facts["error"] = f"cannot be read: {problem.strerror}"
        return facts, ""
    facts["found"] = True
    if len(content) > config_hints.LARGEST_CONFIG:
        facts["error"] = f"is larger than {config_hints.LARGEST_CONFIG} bytes"
        return facts, ""
    facts["sha256"] = hashlib.sha256(content).hexdigest()
    facts["content"] = base64.b64encode(zlib.compress(content)).decode("ascii")
    return facts, content.decode("utf-8", "replace")


def _programs(host: Host, unit: service.Unit, layout: installation.Layout) -> Dict[str, Any]:
    """Ask the running and the installed programs for their versions, each distinct file once."""
    pid = unit.main_pid
    exe = process.executable(host, pid) if pid else None
    link = process.executable_link(host, pid)
    running = process.ask_version(host, link) if exe else None
    path = layout.program()
    installed: Optional[process.Program] = None
    if os.path.exists(path):
        same = running is not None and process.same_file(link, path)
        installed = running if same else process.ask_version(host, path)
    clients: Dict[str, Any] = {}
    elsewhere: Dict[str, Optional[str]] = {}
    if not unit.exists:
        clients = {name: _answer(answer) for name, answer in client_tools.ask(host, layout).items()}
        elsewhere = client_tools.elsewhere(host, layout)
    return {
        "exe": exe,
        "running": _answer(running),
        "installed": _answer(installed),
        "clients": clients,
        "elsewhere": elsewhere,
    }


def _answer(program: Optional[process.Program]) -> Optional[Dict[str, Optional[str]]]:
    if program is None:
        return None
    if program.output is None:
        return {"version": None, "edition": None, "error": program.error}
    return {"version": str(program.output.release), "edition": program.output.edition, "error": None}


def _ready(unit: service.Unit, diag_addr: str, data_dir: str) -> Optional[Dict[str, Any]]:
    if not unit.main_pid:
        return None
    answer = readiness.probe(diag_addr, data_dir)
    return answer.facts() if answer else None


def _licence_path(guesses: Dict[str, str], data_dir: str) -> str:
    return os.path.join(data_dir, guesses.get("license_file", "license.pem"))


def read_host_uuid(data_dir: str) -> Optional[str]:
    """Return the identifier of the instance in *data_dir*; None when there is none.

    The folder may belong to the user that Teleport runs as, who must not be able to show other files by this name.
    """
    try:
        content = foreign_file.read(os.path.join(data_dir, "host_uuid"), _LONGEST_UUID, follow=False)
    except (OSError, ValueError):
        return None
    found = content.decode("ascii", "replace").strip()
    return found if _UUID_RE.fullmatch(found) else None
