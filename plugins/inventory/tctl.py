# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory from what a cluster itself knows."""

from __future__ import annotations

DOCUMENTATION = r"""
name: tctl
short_description: Hosts of a Teleport cluster, from its own view
version_added: 0.1.0
description:
  - Asks the Auth Service of a cluster through C(tctl) who is connected, and makes hosts and groups of the answer, so
    that nobody writes a list by hand.
  - Every host is in the group C(teleport), on which the playbooks of this collection work, and in
    C(teleport_cluster_NAME), C(teleport_service_auth), C(teleport_service_proxy) or C(teleport_service_agent), and
    C(teleport_line_LINE), for example C(teleport_line_17).
  - Every host has the variables C(teleport_cluster) and C(teleport_seen), a dictionary of C(id), C(hostname),
    C(services), C(version), C(address) and C(expires).
  - A cluster lists only what is connected. An instance that is down is missing, and so is every host with nothing but
    client tools; add them to the group C(teleport) in an inventory file beside this one. Before 4.3 no version is told.
  - Use one source for each cluster. Which root a leaf cluster trusts is not read from here; set C(teleport_clusters).
author:
  - Lockstep maintainers (@lockstep)
extends_documentation_fragment:
  - constructed
  - inventory_cache
options:
  plugin:
    description: Names this plugin.
    type: str
    required: true
    choices: [lockstep.teleport.tctl]
  command:
    description:
      - The C(tctl) to call, as a list. The first elements may lead to an auth host, where C(tctl) needs no identity,
        for example V([ssh, root@auth1, tctl]).
      - No shell is involved on the controller; C(ssh) hands the words to one on the auth host.
    type: list
    elements: str
    default: [tctl]
  config_path:
    description: The C(teleport.yaml) that C(tctl) is to read. Leave it out when O(identity) is used.
    type: str
  auth_server:
    description: Address of the Auth Service or of a proxy, for example V(teleport.example.com:443). Needs O(identity).
    type: str
    env:
      - name: LOCKSTEP_TELEPORT_AUTH_SERVER
        version_added: 0.1.0
  identity:
    description: Path of an identity file on the controller that may list the instances of the cluster.
    type: path
    env:
      - name: LOCKSTEP_TELEPORT_IDENTITY
        version_added: 0.1.0
  timeout:
    description: Seconds after which a call of C(tctl) is given up.
    type: int
    default: 30
  cluster:
    description: Name of the cluster as the rest of the inventory calls it. Default is what it calls itself.
    type: str
    default: ""
  services:
    description: Only instances that run one of these.
    type: list
    elements: str
    choices: [auth, proxy, agent]
    default: [auth, proxy, agent]
  connect:
    description:
      - How hosts are reached. With V(ssh) by the address that they announce, where it leads anywhere, else by name.
      - With V(teleport) through Teleport itself, under the names that C(tsh config) or C(tbot) write into
        O(ssh_config).
    type: str
    choices: [ssh, teleport]
    default: ssh
  ssh_config:
    description: The file that C(tsh config) or C(tbot) wrote. Only for O(connect=teleport).
    type: path
    default: ""
"""

EXAMPLES = r"""
# main.tctl.yml: on a controller with an identity file
plugin: lockstep.teleport.tctl
auth_server: teleport.example.com:443
identity: /etc/lockstep/identity
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/ansible/teleport
keyed_groups:
  - key: teleport_seen.version
    prefix: version

# Through an auth host, instead of auth_server and identity:
# command: [ssh, root@auth1.example.com, tctl]
# config_path: /etc/teleport.yaml

# For hosts that can be reached through Teleport only, besides:
# connect: teleport
# ssh_config: /etc/lockstep/ssh_config
"""

from typing import Any

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.lockstep.teleport.plugins.module_utils import cluster_query
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.tctl import Tctl, TctlError
from ansible_collections.lockstep.teleport.plugins.plugin_utils.inventory_hosts import (
    InventoryHost,
    Wish,
    hosts_of,
    shared_names,
)

_ENDINGS = ("tctl.yml", "tctl.yaml", "teleport.yml", "teleport.yaml")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Translates between an inventory source and the view of a cluster."""

    NAME = "lockstep.teleport.tctl"

    def verify_file(self, path: str) -> bool:
        """Whether *path* is a source of this plugin; told by its ending, as other plugins read YAML too."""
        return bool(super().verify_file(path)) and path.endswith(_ENDINGS)

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Add hosts and groups.

        :raises AnsibleParserError: when the cluster does not answer; the message says which one, and why.
        """
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        view = self._view(path, use_cache=cache)
        wish = Wish(
            services=self.get_option("services"),
            cluster=self.get_option("cluster"),
            through_teleport=self.get_option("connect") == "teleport",
            ssh_config=self.get_option("ssh_config"),
        )
        hosts = hosts_of(view, wish)
        for name in shared_names(hosts):
            self.display.warning(f"{path}: several instances call themselves {name}; each is named with its UUID.")
        for host in hosts:
            self._add(inventory, host)

    def _view(self, path: str, *, use_cache: bool) -> dict[str, Any]:
        key = self.get_cache_key(path)
        wanted = self.get_option("cache")
        if wanted and use_cache:
            try:
                found: dict[str, Any] = self._cache[key]
            except KeyError:
                pass
            else:
                return found
        view = self._ask(path)
        if wanted:
            self._cache[key] = view
        return view

    def _ask(self, path: str) -> dict[str, Any]:
        seconds = self.get_option("timeout")
        try:
            return cluster_query.ask(Tctl(Host(), self._command(path), seconds=seconds))
        except TctlError as error:
            raise AnsibleParserError(f"{path}: the cluster gives no inventory: {error}") from error

    def _command(self, path: str) -> list[str]:
        command = [str(word) for word in self.get_option("command")]
        identity, server = self.get_option("identity"), self.get_option("auth_server")
        if not command or bool(identity) != bool(server):
            raise AnsibleError(f"{path}: name a command, and identity and auth_server together or none of them.")
        config = self.get_option("config_path")
        return [
            *command,
            *(["--config", config] if config else []),
            *(["--auth-server", server, "--identity", identity] if identity else []),
        ]

    def _add(self, inventory: Any, host: InventoryHost) -> None:
        inventory.add_host(host.name)
        for group in host.groups:
            inventory.add_group(group)
            inventory.add_child(group, host.name)
        # Names and versions come from hosts: none of them may be taken for a template.
        for name, value in host.variables.items():
            inventory.set_variable(host.name, name, wrap_var(value))
        # With inventory_hostname, and what other sources said of the host.
        variables = inventory.get_host(host.name).get_vars()
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, host.name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host.name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host.name, strict=strict)
