# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module of this collection can be relied on to do, in the words that C(ansible-doc) shows."""

from __future__ import annotations


class ModuleDocFragment:
    """Names the attributes; a module that takes this fragment states its own C(support) for the first three."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    description: Returns details on what has changed, or would change in C(check_mode), when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode with the same arguments, the second run reports no change.
      - This assumes that nothing else changed the host or the cluster in between.
  action_group:
    description: Use C(group/lockstep.teleport.teleport) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - lockstep.teleport.teleport
"""

    READ_ONLY = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - Reads only, so it does the same in check mode.
  diff_mode:
    support: N/A
    details:
      - Changes nothing.
  idempotent:
    support: full
    details:
      - Changes nothing. What it returns follows what it finds.
"""

    LINUX = r"""
options: {}
attributes:
  platform:
    description: Target systems that the module works on.
    support: full
    platforms: linux
    details:
      - Needs systemd and Python 3.7 or newer on the target, nothing else.
"""

    CONTROLLER = r"""
options: {}
attributes:
  connection:
    description: Where the work is done.
    support: none
    details:
      - Runs on the controller and connects to no host.
"""

    ACTION = r"""
options: {}
attributes:
  action:
    description: Has an action plugin that does part of the work on the controller.
    support: full
"""
