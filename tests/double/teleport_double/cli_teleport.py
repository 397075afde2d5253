# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``teleport`` command: start, status, configure, version, help."""

from __future__ import annotations

import atexit
import os
import socket
import sys

from .errors import CommandError, RawText
from .features import has
from .flags import Command, Parsed, Parser
from .identity import Identity
from .logs import Log
from .settings import fault

_START_VALUED = frozenset(
    [
        "config",
        "diag-addr",
        "pid-file",
        "bootstrap",
        "roles",
        "token",
        "auth-server",
        "nodename",
        "labels",
        "ca-pin",
        "advertise-ip",
        "listen-ip",
        "config-string",
    ]
)
_START_SWITCHES = frozenset(("insecure", "debug", "permit-user-env", "insecure-no-tls", "skip-version-check", "fips"))
COMMANDS = (
    Command(("start",), "Starts the Teleport service.", _START_VALUED, _START_SWITCHES),
    Command(("status",), "Print the status of the current SSH session.", frozenset(), frozenset(("debug",))),
    Command(("configure",), "Print the sample config file into stdout.", frozenset(("test", "output")), frozenset()),
    Command(("version",), "Print the version.", frozenset(), frozenset(("raw",))),
    Command(
        ("backend", "clone"),
        "Clones data from a source to a destination backend.",
        frozenset(("config",)),
        since="backend_commands",
        hidden=True,
    ),
    Command(
        ("backend", "rm"),
        "Removes a backend item.",
        frozenset(("config",)),
        since="backend_commands",
        hidden=True,
        operands=1,
    ),
    Command(("help",), "Show help.", operands=-1),
)


def main(argv: list[str], identity: Identity) -> int:
    """Run the command; the exit status."""
    parsed = Parser("teleport", identity.version, COMMANDS, {"c": "config", "d": "debug"}).parse(argv[1:])
    _refuse_future_flags(parsed, identity)
    name = parsed.command.words[0]
    if name == "version":
        print(identity.shown_version if parsed.given("raw") else identity.version_line)
        return 0
    if name == "status":
        print("You are not inside of a Teleport SSH session")
        return 0
    if name == "backend":
        # only here: the other commands must stay quick
        from . import cli_backend

        run = cli_backend.clone if parsed.command.words[1] == "clone" else cli_backend.remove
        return run(parsed, identity)
    if name == "configure":
        return _configure(parsed, identity)
    return _start(argv, parsed, identity)


def _refuse_future_flags(parsed: Parsed, identity: Identity) -> None:
    """Flags that a later version brought do not exist yet."""
    for flag, feature in (
        ("raw", "raw_version"),
        ("test", "configure_test"),
        ("skip-version-check", "refuses_older_auth"),
    ):
        if parsed.given(flag) and not has(identity.version, feature):
            raise CommandError(f"unknown long flag '--{flag}'")


def _configure(parsed: Parsed, identity: Identity) -> int:
    if has(identity.version, "configure_needs_data_dir") and not os.path.isdir("/var/lib/teleport"):
        raise CommandError("path '/var/lib/teleport' does not exist")
    if not parsed.given("test"):
        print(_sample())
        return 0
    from .config import load

    path = parsed.last("test")
    try:
        if fault(identity.version, "fail_configure_test"):
            raise CommandError("failed parsing the config file: this version was told to refuse it")
        load(path, identity.version)
    except CommandError:
        sys.stderr.write(f"FAIL {path}\n")
        raise
    sys.stderr.write(f"OK {path}\n")
    return 0


def _sample() -> str:
    return (
        "#\n# A Sample Teleport configuration file.\n#\nteleport:\n"
        f"  nodename: {socket.gethostname()}\n  data_dir: /var/lib/teleport\n  log:\n    output: stderr\n"
        'auth_service:\n  enabled: "yes"\n  listen_addr: 0.0.0.0:3025\n'
        'ssh_service:\n  enabled: "yes"\nproxy_service:\n  enabled: "yes"\n'
    )


def _start(argv: list[str], parsed: Parsed, identity: Identity) -> int:
    # only here: the other commands must stay quick
    from .config import DEFAULT_PATH, load
    from .process import Options, Process
    from .supervisor import run

    if parsed.given("bootstrap"):
        raise CommandError("the double does not bootstrap: restore the backend instead")
    for flag in ("roles", "token", "auth-server", "config-string"):
        if parsed.given(flag):
            raise RawText(f"the double reads --{flag} from the configuration file only\n")
    path = parsed.last("config", os.environ.get("TELEPORT_CONFIG_FILE", DEFAULT_PATH))
    config = load(path, identity.version)
    options = Options(
        config_path=path,
        diag_addr=parsed.last("diag-addr"),
        pid_file=parsed.last("pid-file"),
        skip_version_check=parsed.given("skip-version-check"),
    )
    status = run(Process(config, identity, options, Log(identity.version)), argv)
    atexit._run_exitfuncs()
    os._exit(status)  # service threads never end by themselves
