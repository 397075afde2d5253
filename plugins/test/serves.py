# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test ``serves``."""

from __future__ import annotations

DOCUMENTATION = r"""
name: serves
short_description: Whether a Teleport server of one version serves a client of another
version_added: 0.1.0
author:
  - Lockstep maintainers (@lockstep)
description:
  - A server serves clients of its own release line and of the line before, and no others. A release line is a minor
    below 5.0 (4.2, 4.3, 4.4) and a major from 5.0 on (5, 6, 17); 3.2 and 4.0 are neighbours, and so are 4.4 and 5.
  - Server and client are Auth Service and Proxy Service, Auth Service and agent, Proxy Service and agent, Auth Service
    or Proxy Service and C(tsh) or C(tctl), root cluster and leaf cluster.
  - Pairs that the release catalogue of this collection knows to be broken are not served.
positional: client
options:
  _input:
    description: The version of the server.
    type: str
    required: true
  client:
    description: The version of the client.
    type: str
    required: true
  releases:
    description:
      - Rows to add to the release catalogue, or to override it with.
      - Either a list of release lines, or a dictionary with the keys C(lines), C(known_bad) and C(bad_pairs).
    type: raw
seealso:
  - plugin: lockstep.teleport.upgrade_path
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Make sure that agents stay connected when auth moves on
  ansible.builtin.assert:
    that:
      - "'6.0.0' is lockstep.teleport.serves('5.2.1')"
      - "'5.2.1' is not lockstep.teleport.serves('6.0.0')"
      - "'5.2.1' is lockstep.teleport.serves('4.4.12')"
      - "'6.0.0' is not lockstep.teleport.serves('4.4.12')"
"""

RETURN = r"""
_value:
  description: Whether the server serves the client.
  type: bool
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue


def serves(server: object, client: object, releases: object = None) -> bool:
    """Return whether ``server`` serves ``client``.

    :raises AnsibleFilterError: for anything that is no version of a release line.
    """
    try:
        return Catalogue.load(releases).serves(Version.parse(server), Version.parse(client))
    except ValueError as error:
        raise AnsibleFilterError(f"lockstep.teleport.serves: {error}") from error


class TestModule:
    """Hands the test to Ansible."""

    def tests(self) -> dict[str, Callable[..., Any]]:
        """Return the tests of this file by name."""
        return {"serves": serves}
