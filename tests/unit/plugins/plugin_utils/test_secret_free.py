# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every place of a ``teleport.yaml`` that may hold a secret holds one here; none may be in what is kept of the file."""

from __future__ import annotations

import json

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import evidence
from ansible_collections.lockstep.teleport.plugins.plugin_utils.teleport_config import ConfigRefused, summarize

CONFIG = """
version: v3
teleport:
  auth_token: CANARY-join
  join_params: {token_name: CANARY-token, method: token}
  ca_pin: sha256:0
  storage:
    type: etcd
    peers: ['https://user:CANARY-peer@etcd.example:2379']
    password: CANARY-password
    access_key: CANARY-access
    secret_key: CANARY-secret
    conn_string: postgresql://teleport:CANARY-conn@db.example:5432/teleport
    change_feed_conn_string: 'host=db user=teleport password=CANARY-feed'
    audit_events_uri: ['postgresql://teleport:CANARY-audit@db.example/audit']
auth_service:
  tokens: ['node,proxy:CANARY-static']
  cluster_name: main
  ca_key_params: {pkcs11: {pin: CANARY-pin}}
  authentication: {u2f: {app_id: x}}
proxy_service:
  acme: {email: a@example.org}
  https_keypairs: [{key_file: /k, cert_file: /c}]
jamf_service: {enabled: true, username: u, password: CANARY-jamf, client_secret: CANARY-client}
windows_desktop_service: {ldap: {username: CANARY}}
"""


def test_no_secret_is_in_what_is_kept_of_a_configuration() -> None:
    kept = json.dumps(summarize(CONFIG, {}))
    assert "main" in kept
    assert "CANARY" not in kept


@pytest.mark.parametrize("damage", ["a: [", "teleport: x\n", "\t- x", "x: 1\nx: 2"])
def test_no_secret_is_in_the_message_about_a_damaged_one(damage: str) -> None:
    with pytest.raises(ConfigRefused) as caught:
        summarize(CONFIG + damage, {})
    assert "CANARY" not in str(caught.value)


def test_logs_that_repeat_the_secrets_of_a_configuration_are_masked() -> None:
    secrets = evidence.secrets_in(CONFIG)
    lines = evidence.redact([f"failed with {secret}" for secret in secrets] + ["joined with CANARY-join"], secrets)
    assert len(secrets) > 5
    assert "CANARY" not in "".join(lines)
