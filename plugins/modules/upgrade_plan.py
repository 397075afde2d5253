# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of C(lockstep.teleport.upgrade_plan); the work is done by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_plan
short_description: Plan the upgrade of Teleport clusters
version_added: 0.1.0
description:
  - Turns what runs and what is wanted into a plan, a total order of changes that never breaks Teleport's compatibility
    rules, or into the complete list of what speaks against it.
  - Every plan is replayed step by step by a second piece of code before it is returned.
  - Pure. Works on plain data alone, so a plan can be computed for hosts that cannot be reached from here.
author:
  - Lockstep maintainers (@lockstep)
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.read_only
  - lockstep.teleport.attributes.action
  - lockstep.teleport.attributes.controller
options:
  target_version:
    description:
      - The version to reach, in full.
    type: str
    required: true
  instances:
    description:
      - What runs, one entry for each host. Keys that are not listed here are ignored.
    type: list
    elements: dict
    required: true
    suboptions:
      host:
        description: Name of the host, in the inventory.
        type: str
        required: true
      cluster:
        description: The cluster it belongs to.
        type: str
        default: main
      services:
        description: What the instance runs. The earliest in the order of the choices decides when it is upgraded.
        type: list
        elements: str
        choices: [auth, proxy, agent, client]
        required: true
      version:
        description: The version that runs. Leave it out, or null, when it is not known.
        type: str
      edition:
        description: The edition installed.
        type: str
        choices: [community, enterprise, fips]
        default: community
      state:
        description: Whether the instance runs, is stopped, or cannot be reached.
        type: str
        choices: [running, stopped, unreachable]
        default: running
      interrupted:
        description:
          - Whether a hold, a mark or a killed upgrade of an earlier run lies on the host. Its last step is then taken
            again.
        type: bool
        default: false
      unfinished:
        description:
          - Whether an earlier upgrade of the instance was killed. Of an auth group it goes first, because it may have
            begun to migrate the backend.
        type: bool
        default: false
      pinned_versions:
        description:
          - Versions for which the digest of an artefact is pinned that this host can use. Any other is refused then.
            Without the option nothing is pinned.
        type: list
        elements: str
      concerns:
        description: Preflight rules that the host offends, as M(lockstep.teleport.instance_info) returns them.
        type: list
        elements: dict
        default: []
        suboptions:
          rule:
            description: Identifier of the rule.
            type: str
            required: true
          found:
            description: What was found on the host.
            type: str
            default: ""
          change:
            description: What a change of the configuration that cures it would be, to be told with the finding.
            type: list
            elements: str
            default: []
      config_edits:
        description:
          - Changes of the configuration that the plan is to make, in their order, as
            M(lockstep.teleport.instance_info) returns them. A rule that one of them cures no longer blocks.
        type: list
        elements: dict
        default: []
  unmanaged:
    description:
      - Instances that the clusters report and the inventory lacks. They never move; the plan refuses to cut them off.
      - Same keys as in O(instances).
    type: list
    elements: dict
    default: []
  clusters:
    description:
      - Which root each leaf cluster trusts, as a dictionary of cluster names with the key C(root) in each. Clusters
        without an entry are root clusters.
    type: dict
    default: {}
  cluster_concerns:
    description:
      - Preflight rules that the clusters themselves offend, as a dictionary of cluster names with a list of C(rule) and
        C(found) in each.
    type: dict
    default: {}
  hop_versions:
    description:
      - 'Intermediate versions pinned by release line, for example V({"4.4": "4.4.12", "6": "6.2.31"}).'
      - Lines without a pin take the newest good patch of the release catalogue.
    type: dict
    default: {}
  releases:
    description:
      - Rows that are added to the release catalogue or override it. Either a list of lines, or a mapping with the keys
        C(lines), C(known_bad) and C(bad_pairs).
    type: raw
  waivers:
    description:
      - Codes of blockers that are accepted. They stay in the plan with the severity V(waived).
      - A waived C(unreachable) or C(version-unknown) leaves the instance as it is.
    type: list
    elements: str
    default: []
  findings:
    description:
      - What was found before, with the keys of RV(findings). It becomes part of the plan; blockers among it refuse the
        plan unless they are waived.
    type: list
    elements: dict
    default: []
  auth_strategy:
    description:
      - V(shrink) upgrades one auth server while all its peers are stopped. V(rolling) leaves the peers running.
      - V(rolling) is refused where Teleport does not allow it, that is for hops between lines below 17.
    type: str
    choices: [shrink, rolling]
    default: shrink
  batches:
    description:
      - Sizes of the batches of agents and of client tools, counts or percentages of the hosts of the phase, as in
        C(serial). The last one repeats.
    type: list
    elements: raw
    default: [1, 10%, 25%]
  proxy_batches:
    description:
      - The same for proxies.
    type: list
    elements: raw
    default: [1, 10%, 25%]
  allow_prerelease:
    description:
      - Pre-releases that may be installed.
    type: list
    elements: str
    default: []
  edition:
    description:
      - The edition that is expected everywhere. By default whatever is installed stays.
    type: str
    choices: [community, enterprise, fips]
  forks:
    description: How many hosts the controller works on at the same time; what RV(estimates) counts with.
    type: int
    default: 5
  measured:
    description:
      - Seconds that one host of a phase took in an earlier run, by phase (V(auth), V(proxy), V(agent), V(client)), and
        that a V(gate) took; RV(estimates) counts with them instead of defaults.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Plan from plain data
  lockstep.teleport.upgrade_plan:
    target_version: 6.2.31
    instances:
      - {host: auth1, cluster: main, services: [auth], version: 4.4.12}
      - {host: auth2, cluster: main, services: [auth], version: 4.4.12}
      - {host: proxy1, cluster: main, services: [proxy], version: 4.4.12}
      - {host: node1, cluster: main, services: [agent], version: 4.3.10}
      - {host: leaf1, cluster: leaf, services: [auth, proxy], version: 4.4.12}
    clusters:
      leaf:
        root: main
  register: outcome

- name: Show the plan
  ansible.builtin.debug:
    msg: "{{ outcome.markdown.splitlines() }}"

- name: Refuse to go on with a plan that nobody approved
  ansible.builtin.assert:
    that: outcome.plan.digest == approved_digest
"""

RETURN = r"""
estimates:
  description: How long the plan will take. It is no part of what the digest seals.
  returned: always
  type: dict
  contains:
    seconds:
      description: The whole.
      type: int
      returned: always
    stages:
      description: C(index) and C(seconds) of each stage, and its seconds by phase as C(phases).
      type: list
      elements: dict
      returned: always
    measured:
      description: Phases whose figures were measured and not guessed.
      type: list
      elements: str
      returned: always
plan:
  description:
    - The plan. The steps of all stages, read in order, are the total order of changes.
    - When the upgrade is refused it has findings, but neither hops nor stages.
  returned: always
  type: dict
  contains:
    digest:
      description: SHA-256 of the content. The same input in whatever order has the same digest.
      type: str
      returned: always
    target_version:
      description: The version that everything ends at.
      type: str
      returned: always
    hops:
      description: The versions on the way, each one release line after the one before.
      type: list
      elements: dict
      returned: always
      contains:
        index:
          description: Number of the hop, from 0 on.
          type: int
          returned: always
        to:
          description: Its version.
          type: str
          returned: always
    stages:
      description: The stages in order.
      type: list
      elements: dict
      returned: always
      contains:
        index:
          description: Number of the stage, from 0 on.
          type: int
          returned: always
        hop:
          description: Index of the hop that the stage belongs to, or comes before.
          type: int
          returned: always
        kind:
          description: V(hop), or V(laggards) for a stage that brings up what the hop would cut off.
          type: str
          returned: always
        level:
          description: Trust level of the clusters in it. 0 for root clusters, 1 for their leaves, and so on.
          type: int
          returned: always
        to:
          description: The version that all steps of the stage lead to.
          type: str
          returned: always
        steps:
          description: The changes in order. Those of one batch may be carried out together.
          type: list
          elements: dict
          returned: always
          contains:
            phase:
              description: One of V(auth), V(proxy), V(agent) and V(client), in this order.
              type: str
              returned: always
            cluster:
              description: The cluster of the host.
              type: str
              returned: always
            host:
              description: The host.
              type: str
              returned: always
            from:
              description: The version before. Equal to C(to) only where an interrupted upgrade is finished.
              type: str
              returned: always
            to:
              description: The version after.
              type: str
              returned: always
            batch:
              description: Number of the batch within the stage, from 0 on.
              type: int
              returned: always
            migrates:
              description: Whether this auth server takes the cluster's backend to the version.
              type: bool
              returned: for steps of the phase V(auth)
        config_edits:
          description:
            - How steps of the stage change C(teleport.yaml), as a dictionary of hosts with C(rules), the SHA-256 of the
              file C(before) and C(after), and C(lines) to show.
          type: dict
          returned: where any does
    findings:
      description: The same as RV(findings).
      type: list
      elements: dict
      returned: always
findings:
  description: All there is to know before the upgrade, the gravest first.
  returned: always
  type: list
  elements: dict
  contains:
    code:
      description: What kind of finding it is. Blockers of some codes can be waived by it.
      type: str
      returned: always
    severity:
      description: One of V(blocker), V(waived), V(warning) and V(info).
      type: str
      returned: always
    cluster:
      description: The cluster that it is about, or null.
      type: str
      returned: always
    host:
      description: The host that it is about, or null.
      type: str
      returned: always
    message:
      description: What was found.
      type: str
      returned: always
    hint:
      description: What to do about it.
      type: str
      returned: always
markdown:
  description: The plan or the refusal for people to read.
  returned: always
  type: str
msg:
  description: A summary of the plan, or every blocker.
  returned: always
  type: str
"""
