# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of C(lockstep.teleport.controller_files); the work is done by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: controller_files
short_description: Write plans, reports and evidence on the controller
version_added: 0.1.0
description:
  - Writes any number of files on the controller in one task, each of them in one atomic step.
  - M(ansible.builtin.copy) runs two modules for each file, which takes longer than planning the upgrade of ten thousand
    hosts.
author:
  - Lockstep maintainers (@lockstep)
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.action
  - lockstep.teleport.attributes.controller
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  files:
    description:
      - What to write.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where to. A relative path is one below O(folder).
        type: path
        required: true
      content:
        description: The text to write. Either this or O(files[].document) is needed.
        type: str
      document:
        description: A value to write as JSON, indented and with sorted keys.
        type: raw
  folder:
    description:
      - Folder of the files with relative paths. It is created with everything missing above and below it, for its owner
        alone.
    type: path
  mode:
    description: Permissions of the files.
    type: str
    choices: ["0600", "0640"]
    default: "0640"
"""

EXAMPLES = r"""
- name: Keep a plan and its Markdown
  lockstep.teleport.controller_files:
    files:
      - path: /var/lib/plans/plan.json
        document: "{{ planned.plan }}"
      - path: /var/lib/plans/plan.md
        content: "{{ planned.markdown }}"
"""

RETURN = r"""
paths:
  description: The files that were written, or would be in check mode, because they did not have this content yet.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/plans/plan.json]
"""
