#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serves release tarballs from one host to the others of its site."""

from __future__ import annotations

DOCUMENTATION = r"""
module: artifact_share
short_description: Serve release tarballs from one host to the others of its site
version_added: 0.1.0
description:
  - Fetches tarballs into a folder of the host, compares each with its SHA-256, and serves the folder over HTTP, so that
    the other hosts of a site need not fetch them from afar.
  - The server is that of Python's standard library. It runs as C(nobody), in a transient unit of systemd that ends by
    itself after O(serve_for). It listens on all addresses of the host.
  - Whoever fetches from it names it in O(lockstep.teleport.instance_stage#module:tarball_url), and need not trust it.
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.linux
attributes:
  check_mode:
    support: full
    details:
      - Makes sure that every tarball can be had and finds room. Nothing is served.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  state:
    description:
      - With V(present) the tarballs are on the host and served. Others that an earlier share left are removed.
      - With V(stopped) nothing is served, and the tarballs stay.
      - With V(absent) the tarballs are removed as well. What else is in the folder stays.
    type: str
    choices: [present, stopped, absent]
    default: present
  files:
    description: File names of the tarballs to serve. Needed with O(state=present).
    type: list
    elements: str
  artifact_url:
    description: Base URL from which this host fetches the tarballs, and the same with C(.sha256) behind each.
    type: str
    default: https://cdn.teleport.dev
  checksums:
    description: SHA-256 digests that are pinned, as in M(lockstep.teleport.instance_upgrade).
    type: dict
    default: {}
  ca_path:
    description: File on the host with the certificate authorities that O(artifact_url) is verified with.
    type: path
  directory:
    description: Folder for the tarballs. It is made, and nobody but root may be able to change it or those above it.
    type: path
    default: /var/cache/lockstep-teleport
  address:
    description: Name or address under which other hosts reach this one. Needed with O(state=present).
    type: str
  port:
    description: Port to serve on.
    type: int
    default: 3090
  rate:
    description: Bytes per second that this host fetches at most, on average. V(0) is as fast as it goes.
    type: int
    default: 0
  serve_for:
    description: Seconds after which the server ends by itself.
    type: int
    default: 21600
seealso:
  - module: lockstep.teleport.instance_stage
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Let the first host of the site fetch for all
  lockstep.teleport.artifact_share:
    files: [teleport-v17.7.20-linux-amd64-bin.tar.gz]
    address: agent1.berlin.example.com
  delegate_to: agent1
  run_once: true
  register: share

- name: Bring the release to the others
  lockstep.teleport.instance_stage:
    instance: "{{ observed.instance }}"
    versions: [17.7.20]
    tarball_url: "{{ share.url }}"
    artifact_size: "{{ share.largest_bytes }}"

- name: Serve no more, and keep nothing
  lockstep.teleport.artifact_share:
    state: absent
  delegate_to: agent1
  run_once: true
"""

RETURN = r"""
url:
  description: Base URL for the other hosts.
  returned: when O(state=present)
  type: str
  sample: http://agent1.berlin.example.com:3090
largest_bytes:
  description: Size of the largest of the tarballs; 0 when the server does not tell.
  returned: when O(state=present)
  type: int
  sample: 170000000
fetched_bytes:
  description: Bytes that the host fetched.
  returned: success
  type: int
  sample: 170000000
served:
  description: Whether the folder is served now.
  returned: success
  type: bool
msg:
  description: What was done, in words.
  returned: always
  type: str
  sample: 1 tarball was fetched. All are served on port 3090.
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.sharing import Share, Sharing
from ansible_collections.lockstep.teleport.plugins.module_utils.url_opener import url_opener


def share_of(parameters: Dict[str, Any]) -> Share:
    """Return what is asked for. Raises :class:`HostError` when a number cannot be used."""
    wrong = [name for name in ("port", "serve_for") if parameters[name] < 1]
    wrong += [name for name in ("rate",) if parameters[name] < 0]
    if wrong:
        raise HostError(f"{', '.join(wrong)}: too small.")
    return Share(
        directory=parameters["directory"],
        address=parameters["address"] or "",
        port=parameters["port"],
        names=parameters["files"] or (),
        base_url=parameters["artifact_url"],
        checksums=parameters["checksums"],
        seconds=parameters["serve_for"],
        rate=parameters["rate"],
    )


def present(sharing: Sharing, share: Share, check_mode: bool) -> Dict[str, Any]:
    """Return the module's result after everything is here and served. Raises :class:`HostError`."""
    offers = sharing.offers()
    missing = sharing.missing(offers)
    if check_mode:
        sharing.check_room(offers, missing)
        fetched, begun = 0, not sharing.is_served()
    else:
        fetched, begun = sharing.fetch(offers, missing), sharing.serve()
    verb = "would be" if check_mode else "were"
    return {
        "changed": bool(missing) or begun,
        "url": share.url,
        "largest_bytes": max((offer.size for offer in offers.values()), default=0),
        "fetched_bytes": fetched,
        "served": sharing.is_served(),
        "msg": f"{len(missing)} of {len(offers)} tarballs {verb} fetched, all {verb} served on port {share.port}.",
    }


def ended(sharing: Sharing, keep: bool, check_mode: bool) -> Dict[str, Any]:
    """Return the module's result after nothing is served any more. Raises :class:`HostError`."""
    left = [] if keep else sharing.tarballs()
    changed = sharing.is_served() or bool(left)
    if not check_mode:
        changed = sharing.stop()
        changed = (not keep and sharing.remove()) or changed
    told = "The tarballs stay." if keep else f"{len(left)} tarballs are removed."
    return {"changed": changed, "fetched_bytes": 0, "served": False, "msg": f"Nothing is served. {told}"}


def main() -> None:
    """Translate between Ansible and the share."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "stopped", "absent"], "default": "present"},
            "files": {"type": "list", "elements": "str"},
            "artifact_url": {"type": "str", "default": "https://cdn.teleport.dev"},
            "checksums": {"type": "dict", "default": {}},
            "ca_path": {"type": "path"},
            "directory": {"type": "path", "default": "/var/cache/lockstep-teleport"},
            "address": {"type": "str"},
            "port": {"type": "int", "default": 3090},
            "rate": {"type": "int", "default": 0},
            "serve_for": {"type": "int", "default": 21600},
        },
        required_if=[("state", "present", ("files", "address"))],
        supports_check_mode=True,
    )
    state = module.params["state"]
    try:
        share = share_of(module.params)
        sharing = Sharing(Host(), share, url_opener(module.params["ca_path"]))
        if state == "present":
            result = present(sharing, share, module.check_mode)
        else:
            result = ended(sharing, state == "stopped", module.check_mode)
    except HostError as problem:
        module.fail_json(msg=str(problem))
    else:
        module.exit_json(**result)


if __name__ == "__main__":
    main()
