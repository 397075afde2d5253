# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``upgrade_path``."""

from __future__ import annotations

DOCUMENTATION = r"""
name: upgrade_path
short_description: The Teleport versions to go through on the way to a target
version_added: 0.1.0
author:
  - Lockstep maintainers (@lockstep)
description:
  - Teleport can only be upgraded one release line at a time. A release line is a minor below 5.0 (4.2, 4.3, 4.4) and a
    major from 5.0 on (5, 6, 17); 3.2 and 4.0 are neighbours, and so are 4.4 and 5.
  - This filter names one version for each release line after the current one, the last one being the target.
  - Versions between come from the release catalogue of this collection, which names the newest good patch of each line.
positional: target
options:
  _input:
    description: The version to start from.
    type: str
    required: true
  target:
    description: The version to arrive at.
    type: str
    required: true
  hop_versions:
    description:
      - Versions to take for lines between, by release line, instead of those of the catalogue.
      - Lines that are not between are ignored.
    type: dict
    default: {}
  releases:
    description:
      - Rows to add to the release catalogue, or to override it with.
      - Either a list of release lines, or a dictionary with the keys C(lines), C(known_bad) and C(bad_pairs).
      - A release line has the keys C(line) and C(newest), and where wanted C(minimum_safe), C(floor), C(why),
        C(released), C(end_of_life), C(notes), and C(sources).
    type: raw
notes:
  - The filter answers which way leads there, and not whether the versions on it are safe. The plan checks that.
seealso:
  - plugin: lockstep.teleport.serves
    plugin_type: test
"""

EXAMPLES = r"""
- name: Show the way from 4.1.3 to 6.2.31
  ansible.builtin.debug:
    msg: "{{ '4.1.3' | lockstep.teleport.upgrade_path('6.2.31') }}"
    # => ["4.2.12", "4.3.10", "4.4.12", "5.2.5", "6.2.31"]

- name: Stop over at other patches
  ansible.builtin.debug:
    msg: "{{ '4.3.10' | lockstep.teleport.upgrade_path('6.2.31', hop_versions={'4.4': '4.4.10', '5': '5.2.3'}) }}"
    # => ["4.4.10", "5.2.3", "6.2.31"]

- name: Teach the filter a release line that is newer than this collection
  ansible.builtin.debug:
    msg: "{{ '18.10.1' | lockstep.teleport.upgrade_path('20.0.1', releases=[{'line': '19', 'newest': '19.2.0'}]) }}"
    # => ["19.2.0", "20.0.1"]
"""

RETURN = r"""
_value:
  description:
    - The versions after the current one, in order, one for each release line, without a leading V(v).
    - Only the target when it is of the same line. Empty when it is the same version.
  type: list
  elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue, read_pins


def upgrade_path(start: object, target: object, hop_versions: object = None, releases: object = None) -> list[str]:
    """Return the versions from ``start``, excluded, to ``target``.

    :raises AnsibleFilterError: for a downgrade, for anything that is no version, and for lines nobody knows.
    """
    try:
        pins = read_pins(hop_versions)
        path = Catalogue.load(releases).path(Version.parse(start), Version.parse(target), pins)
    except ValueError as error:
        raise AnsibleFilterError(f"lockstep.teleport.upgrade_path: {error}") from error
    return [str(version) for version in path]


class FilterModule:
    """Hands the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"upgrade_path": upgrade_path}
