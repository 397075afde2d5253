# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches a lab from outside while something happens to it, and tells who was away for how long.

``probe.py record --out FILE`` polls until SIGTERM, SIGINT or ``--seconds``; ``probe.py summary FILE`` prints outages,
as a table or (``--json``) as labkit.outages.summarise returns them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import TextIO

from labkit.errors import LabError
from labkit.outages import read_polls, summarise
from labkit.record import load_lab
from labkit.settings import Settings, read_settings
from labkit.targets import Target, command_target, groups, poll, targets


def main(argv: list[str]) -> int:
    """Run one command; returns the exit status. Problems go to stderr as one message."""
    arguments = _parser().parse_args(argv)
    try:
        settings = read_settings()
        return record(settings, arguments) if arguments.command == "record" else summary(settings, arguments)
    except (LabError, OSError) as error:
        print(f"probe: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="probe.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    polling = commands.add_parser("record", help="poll until told to stop")
    polling.add_argument("--out", type=Path, required=True, help="JSON-lines file, begun afresh")
    polling.add_argument("--interval-ms", type=int, default=200)
    polling.add_argument("--seconds", type=float, help="stop after this time")
    polling.add_argument(
        "--command",
        dest="commands",
        action="append",
        default=[],
        metavar="NAME=HOST:CMD",
        help="poll a command on a host too",
    )
    reading = commands.add_parser("summary", help="outages of a recording")
    reading.add_argument("file", type=Path)
    reading.add_argument("--json", action="store_true")
    return parser


def record(settings: Settings, arguments: argparse.Namespace) -> int:
    """Poll every target in a thread of its own, each answer written at once."""
    watched = targets(load_lab(settings)) + [_parse_command(settings, text) for text in arguments.commands]
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    lock = threading.Lock()
    with arguments.out.open("w", encoding="utf-8") as out:
        threads = [
            threading.Thread(target=_watch, args=(one, arguments.interval_ms / 1000.0, stop, out, lock))
            for one in watched
        ]
        for thread in threads:
            thread.start()
        stop.wait(arguments.seconds)
        stop.set()
        for thread in threads:
            thread.join()
    return 0


def _watch(target: Target, interval: float, stop: threading.Event, out: TextIO, lock: threading.Lock) -> None:
    while not stop.is_set():
        line = json.dumps(dataclasses.asdict(poll(target))) + "\n"
        with lock:
            out.write(line)
            out.flush()
        stop.wait(interval)


def _parse_command(settings: Settings, text: str) -> Target:
    name, rest = text.partition("=")[::2]
    host, command = rest.partition(":")[::2]
    if not (name and host and command):
        raise LabError(f"--command '{text}': allowed is NAME=HOST:COMMAND")
    load_lab(settings).topology.host(host)
    return command_target(settings, name, host, shlex.split(command))


def summary(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print who was away when."""
    with arguments.file.open(encoding="utf-8") as lines:
        found = summarise(read_polls(lines), groups(load_lab(settings)))
    if arguments.json:
        print(json.dumps(found, indent=2))
        return 0
    for name, one in found.items():
        lengths = ", ".join(f"{outage['seconds']:.2f}{'+' if outage['open'] else ''}" for outage in one["outages"])
        print(f"{name:24} {one['polls']:6} polls  {len(one['outages']):3} outages  {one['total']:8.2f} s  {lengths}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
