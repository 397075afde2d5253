# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trusted clusters: a leaf introduces itself at the root's proxy, the root keeps an entry for it."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from .. import authority
from ..records import Resource, rfc3339
from ..rotation import ZERO_TIME
from ..wire import Message, Refusal

if TYPE_CHECKING:
    from .service import AuthService

ROLE = "Trusted_cluster"


def establish(service: AuthService, resource: Resource) -> None:
    """On the leaf: exchange CAs with the root's proxy and keep the trusted cluster."""
    spec = resource["spec"]
    own = [service.ca(kind) for kind in ("host", "user")]
    body = {"token": spec["token"], "cluster": service.cluster, "authorities": own, "version": str(service.version)}
    answer = _post(f"https://{spec['web_proxy_addr']}/webapi/trustedclusters/validate", body)
    for ca in answer["authorities"]:
        name = f"{ca['spec']['type']}/{ca['spec']['cluster_name']}"
        service.records.put("cert_authority", name, ca)
    service.records.put("trusted_cluster", resource["metadata"]["name"], resource)


def _post(url: str, body: Message) -> Message:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=10) as response:
            return dict(json.loads(response.read()))
    except urllib.error.HTTPError as error:
        raise Refusal(json.loads(error.read() or b"{}").get("error", {}).get("message", str(error))) from None
    except OSError as error:
        raise Refusal(f"failed to establish trust with {url}: {error}") from None


def validate_leaf(service: AuthService, request: Message) -> Message:
    """On the root: accept a leaf that brings a valid token."""
    roles = service._token_roles(str(request["token"]))
    if roles is None or ROLE not in roles:
        raise Refusal("the cluster token is not valid", "access_denied")
    leaf = str(request["cluster"])
    for ca in request["authorities"]:
        service.records.put("cert_authority", f"{ca['spec']['type']}/{leaf}", authority.without_secrets(ca))
    entry = {
        "kind": "remote_cluster",
        "version": "v3",
        "metadata": {"name": leaf},
        "status": {"connection": "offline", "last_heartbeat": ZERO_TIME},
    }
    service.records.put("remote_cluster", leaf, entry)
    return export_authorities(service)


def import_authorities(service: AuthService, request: Message) -> Message:
    """Renew what is known of a cluster in trust with what its proxy says now; nothing for one that is not trusted."""
    cluster = str(request["cluster"])
    for ca in request["authorities"]:
        kind = ca["spec"]["type"]
        if service.records.get("cert_authority", f"{kind}/{cluster}") and ca["spec"]["cluster_name"] == cluster:
            service.records.put("cert_authority", f"{kind}/{cluster}", authority.without_secrets(ca))
    return export_authorities(service)


def export_authorities(service: AuthService) -> Message:
    """What this cluster's proxy tells the clusters in trust."""
    return {"authorities": [authority.without_secrets(service.ca(kind)) for kind in ("host", "user")]}


def set_remote_status(service: AuthService, request: Message) -> Message:
    """A proxy tells that a leaf's tunnel came up or went away."""
    name = str(request["cluster"])
    entry = service.records.get("remote_cluster", name)
    if entry is None:
        raise Refusal(f"cluster {name} not found", "not_found")
    entry["status"]["connection"] = request["connection"]
    if request["connection"] == "online":
        entry["status"]["last_heartbeat"] = rfc3339(time.time())
    service.records.put("remote_cluster", name, entry)
    return {}
