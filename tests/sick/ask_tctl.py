# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that asks ``tctl`` as those of the collection do, but loses its patience sooner."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.tctl import Tctl, TctlError


def main() -> None:
    module = AnsibleModule(argument_spec={"program": {"type": "path", "required": True}})
    try:
        said = Tctl(Host(), module.params["program"], seconds=1, attempts=2, pause=0.1).text(["status"])
    except TctlError as error:
        said = str(error)
    module.exit_json(said=said)


if __name__ == "__main__":
    main()
