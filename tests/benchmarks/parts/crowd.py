# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many agents on few hosts of a lab: each has a root of its own, a unit, and a name in the inventory.

An agent's root holds its ``teleport.yaml``, data, tools and versions folder. Its host is a lab host that runs an agent
already, whose configuration, unit and tools are copied. The collection finds all of it by its ordinary variables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ROOT = "/srv/agents"
FIRST_PORT = 20000  # of the diagnostics; Teleport's SSH listens 10000 above it
#: Runs on a host. Arguments: root, first port, names. Returns when every agent says that it is ready.
POPULATE = """\
set -eu
root=$1 port=$2 units=/etc/systemd/system
shift 2
for name in "$@"; do
    home=$root/$name
    mkdir -p "$home/bin" "$home/data"
    cp /usr/local/bin/teleport /usr/local/bin/tctl /usr/local/bin/tsh /usr/local/bin/tbot "$home/bin/"
    sed -e "s|nodename: .*|nodename: $name|" -e "s|data_dir: .*|data_dir: $home/data|" \
        -e "s|diag_addr: .*|diag_addr: 127.0.0.1:$port|" -e "s|0.0.0.0:3022|0.0.0.0:$((port + 10000))|" \
        /etc/teleport.yaml > "$home/teleport.yaml"
    sed -e "s|/usr/local/bin/teleport start|$home/bin/teleport start --config=$home/teleport.yaml|" \
        -e "s|/run/teleport.pid|/run/$name.pid|" "$units/teleport.service" > "$units/$name.service"
    port=$((port + 1))
done
systemctl daemon-reload
systemctl enable --quiet --now "$@"
for name in "$@"; do
    address=$(sed -n 's/.*diag_addr: //p' "$root/$name/teleport.yaml")
    polls=600
    until curl --silent --fail --max-time 2 --output /dev/null "http://$address/readyz"; do
        polls=$((polls - 1))
        [ "$polls" -gt 0 ] || { echo "$name does not get ready" >&2; exit 1; }
        sleep 0.2
    done
done
"""


def names(host: str, count: int) -> list[str]:
    """Return the names of so many agents on a host. In order of names, in which plans have them, hosts take turns."""
    return [f"agent{number:04}-{host}" for number in range(count)]


def populate(host: str, count: int) -> list[str]:
    """Return the command that puts so many agents on a host and starts them."""
    return ["sh", "-c", POPULATE, "populate", ROOT, str(FIRST_PORT), *names(host, count)]


def inventory(group: str, hosts: Mapping[str, Mapping[str, Any]], counts: Mapping[str, int]) -> dict[str, Any]:
    """Return an inventory that has the agents of each host in *counts* in *group*, reached as *hosts* says.

    Neighbours in it are on different hosts, as many as there are: one sshd takes few newcomers at once.
    """
    everybody = sorted((name, host) for host, count in counts.items() for name in names(host, count))
    members = {
        name: {
            **hosts[host],
            "teleport_config_path": f"{ROOT}/{name}/teleport.yaml",
            "teleport_service": name,
            "teleport_bin_dir": f"{ROOT}/{name}/bin",
            "teleport_versions_dir": f"{ROOT}/{name}/versions",
        }
        for name, host in everybody
    }
    agents: dict[str, Any] = {name: {} for name in members}
    return {"all": {"children": {group: {"hosts": members}, "lab_agent": {"hosts": agents}}}}


def spread(agents: int, hosts: Sequence[str]) -> dict[str, int]:
    """Return how many agents each host gets beside the one it has, so that there are *agents* of them in all."""
    more, rest = divmod(max(agents - len(hosts), 0), len(hosts))
    return {host: more + (index < rest) for index, host in enumerate(hosts)}
