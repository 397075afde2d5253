#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a server out of HAProxy, and puts it back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_server
short_description: Take a server out of HAProxy, and put it back
version_added: 0.1.0
description:
  - Drains a server of HAProxy through its runtime socket, waits until its sessions have ended, and puts it back once it
    can be reached and HAProxy finds it up.
  - Runs on the host of HAProxy.
  - What is set there lasts until HAProxy is reloaded, which puts every server back.
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.linux
attributes:
  check_mode:
    support: full
    details:
      - Asks HAProxy and judges what it says. Sets nothing and waits for nothing.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  server:
    description: Name of the server in HAProxy's configuration.
    type: str
    required: true
  backends:
    description: Backends, or sections C(listen), from which it is taken. By default all that have the server.
    type: list
    elements: str
    default: []
  state:
    description:
      - With V(draining) it gets no new connections. It is refused for the last server of a backend that has others.
      - With V(drained) the module also waits until its sessions have ended, for O(timeout) seconds at most, and then
        takes it out completely. Sessions that are open then are counted in RV(sessions_left) and go on until the server
        ends them.
      - With V(ready) it gets connections again. The module waits for O(timeout) seconds at most until it can be
        reached, and until HAProxy finds it up.
      - With V(query) nothing is changed.
    type: str
    choices: [draining, drained, ready, query]
    required: true
  socket:
    description: HAProxy's runtime socket, C(stats socket … level admin) in its section C(global).
    type: path
    default: /run/haproxy/admin.sock
  timeout:
    description: Seconds to wait.
    type: float
    default: 60
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Take a proxy out of its load balancer
  lockstep.teleport.haproxy_server:
    server: proxy1
    state: drained
  delegate_to: balancer1

- name: Put it back
  lockstep.teleport.haproxy_server:
    server: proxy1
    state: ready
  delegate_to: balancer1
"""

RETURN = r"""
servers:
  description:
    - The server as each backend sees it now, with C(backend), C(name), C(status) in HAProxy's words, C(sessions), the
      number of open ones, and C(address).
  returned: success
  type: list
  elements: dict
sessions_left:
  description: Number of its sessions that are open.
  returned: success
  type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils import haproxy
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError

_WAITING = {"drained": haproxy.take_out, "ready": haproxy.put_back}


def main() -> None:
    """Translate between Ansible and HAProxy."""
    module = AnsibleModule(
        argument_spec={
            "server": {"type": "str", "required": True},
            "backends": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["draining", "drained", "ready", "query"], "required": True},
            "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
            "timeout": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    state, ask = module.params["state"], haproxy.over(module.params["socket"])
    wish = haproxy.Wish(module.params["server"], module.params["backends"], module.params["timeout"])
    try:
        if state == "query":
            result = haproxy.look(ask, wish)
        elif state == "draining":
            result = haproxy.drain(ask, wish, module.check_mode)
        else:
            result = _WAITING[state](Host(), ask, wish, module.check_mode)
    except HostError as problem:
        module.fail_json(msg=str(problem))
    if state == "drained" and result["sessions_left"] and not module.check_mode:
        module.warn(
            f"{result['sessions_left']} sessions of {wish.server} were still open after {wish.timeout:g} s; "
            "they end when it is stopped."
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
