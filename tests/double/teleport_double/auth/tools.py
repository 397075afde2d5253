# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tctl asks an auth for."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import authority, rotation
from ..features import has
from ..records import Resource, rfc3339
from ..settings import fault, scaled
from ..wire import Message, Refusal
from . import presets, trust

if TYPE_CHECKING:
    from .service import AuthService, Peer

TOKEN_SECONDS = 3600
_DOCUMENTS = {
    "cluster_auth_preference": "/authentication/preference/general",
    "cluster_networking_config": "/cluster_configuration/networking",
    "session_recording_config": "/cluster_configuration/session_recording",
}


class ToolOperations:
    """Requests of the administrator's tool; only an identity of role Admin may make them."""

    def __init__(self, service: AuthService) -> None:
        self._service = service
        self._records = service.records
        self._version = service.version
        self._operations: dict[str, Callable[[Message], Message]] = {
            "status": self._status,
            "get": self._get,
            "create": self._create,
            "remove": self._remove,
            "users_add": self._users_add,
            "tokens_add": self._tokens_add,
            "tokens_ls": self._tokens_ls,
            "rotate": self._rotate,
            "sign": self._sign,
            "inventory": self._inventory,
        }

    def answer(self, operation: str, request: Message, peer: Peer) -> Message:
        """Answer one request; raises Refusal."""
        if peer.role != "Admin":
            raise Refusal(f'access denied to perform action "{operation}"', "access_denied")
        if operation not in self._operations:
            raise Refusal(f"unknown method {operation} for service proto.AuthService")
        hang = fault(self._version, "hang_tctl")
        if hang:
            time.sleep(3600 if hang is True else float(hang))
        return self._operations[operation](request)

    # --- reading -----------------------------------------------------------------------------------------

    def _status(self, _request: Message) -> Message:
        rows = []
        for kind in authority.types_of(self._version):
            ca = self._records.get("cert_authority", f"{kind}/{self._service.cluster}")
            if ca is not None:
                rows.append({"type": kind, "text": rotation.text(ca), "rotation": ca["spec"].get("rotation", {})})
        pins = authority.pins(self._service.ca("host"), self._version)
        return {"cluster": self._service.cluster, "version": str(self._version), "authorities": rows, "pins": pins}

    def _get(self, request: Message) -> Message:
        kind, name = str(request["kind"]), request.get("name")
        if kind == "all":
            kinds = ("user", "cert_authority", "github")
            found = [r for one in kinds for r in self._resources(one, True)]
        else:
            found = self._resources(kind, bool(request.get("secrets")))
        if name:
            found = [r for r in found if r["metadata"]["name"] == name]
            if not found:
                raise Refusal(f"{kind} {name} is not found", "not_found")
        return {"resources": found}

    def _resources(self, kind: str, with_secrets: bool) -> list[Resource]:
        if kind in _DOCUMENTS:
            document = self._records.document(_DOCUMENTS[kind])
            return [document] if document else []
        if kind in ("semaphore", "kube_service", "app", "db", "saml", "oidc", "reversetunnel", "lock"):
            return []
        found = [_public(resource) for resource in self._records.list(kind)]
        if kind == "cert_authority":
            order = authority.types_of(self._version)
            found.sort(key=lambda ca: order.index(ca["spec"]["type"]) if ca["spec"]["type"] in order else 99)
            return found if with_secrets else [authority.without_secrets(ca) for ca in found]
        if kind == "github" and not with_secrets:
            for connector in found:
                connector["spec"]["client_secret"] = ""
        return found

    def _tokens_ls(self, _request: Message) -> Message:
        static = self._records.document("/cluster_configuration/static_tokens") or {}
        entries = static.get("spec", {}).get("static_tokens", [])
        rows = [{"token": e["token"], "roles": e["roles"], "expires": None} for e in entries]
        rows += self._invites()
        for resource in self._records.list("token"):
            expires = resource["metadata"].get("expires")
            rows.append({"token": resource["metadata"]["name"], "roles": resource["spec"]["roles"], "expires": expires})
        return {"tokens": rows, "now": time.time()}

    def _invites(self) -> list[Message]:
        rows = []
        for item in self._records.backend.scan(self._invite_prefix()):
            token = item.key[len(self._invite_prefix()) :].partition("/")[0]
            role = (
                "Signup"
                if self._version.major < 5 and self._version.line in ("3.2", "4.0", "4.1", "4.2")
                else "Password"
            )
            rows.append({"token": token, "roles": [role], "expires": rfc3339(item.expires or 0.0)})
        return rows

    def _invite_prefix(self) -> str:
        if has(self._version, "usertoken_invites"):
            return "/usertoken/"
        return "/resetpasswordtokens/" if self._version.index >= 4 else "/addusertokens/"

    def _inventory(self, request: Message) -> Message:
        connected = {peer.name: peer for peer in self._service.connected.values()}
        rows = []
        for kind, service in (("auth_server", "Auth"), ("proxy", "Proxy"), ("node", "Node")):
            for resource in self._records.list(kind):
                name = resource["metadata"]["name"]
                if request.get("connected") and kind != "auth_server" and name not in connected:
                    continue
                rows.append(
                    {
                        "id": name,
                        "host": resource["spec"]["hostname"],
                        "service": service,
                        "version": resource["spec"].get("version", ""),
                    }
                )
        return {"instances": rows}

    # --- writing -----------------------------------------------------------------------------------------

    def _create(self, request: Message) -> Message:
        resource: Resource = request["resource"]
        kind, name = str(resource["kind"]), str(resource["metadata"]["name"])
        creatable = ("user", "role", "token", "github", "trusted_cluster", "cluster_auth_preference")
        if kind not in creatable or (kind == "role" and not self._may_create_roles()):
            raise Refusal(f'creating resources of type "{kind}" is not supported')
        if kind == "trusted_cluster":
            trust.establish(self._service, resource)
            return {"message": f'trusted cluster "{name}" has been created'}
        if self._records.get(kind, name) and not request.get("force"):
            raise Refusal(f'{kind} "{name}" already exists', "already_exists")
        self._records.put(kind, name, resource, _expiry(resource))
        quote = '"' if kind == "user" else "'"
        return {"message": f"{kind} {quote}{name}{quote} has been created"}

    def _may_create_roles(self) -> bool:
        return has(self._version, "oss_roles") or bool(self._service.config.section("auth_service").get("license_file"))

    def _remove(self, request: Message) -> Message:
        kind, name = str(request["kind"]), str(request["name"])
        if not self._records.delete(kind, name):
            raise Refusal(f"key {kind}/{name} is not found", "not_found")
        return {"message": f"{kind} {name} has been deleted"}

    def _users_add(self, request: Message) -> Message:
        name = str(request["name"])
        if self._records.get("user", name):
            raise Refusal(f'user "{name}" already exists', "already_exists")
        user = presets.new_user(
            name,
            request["roles"],
            request["logins"],
            f"{self._service.host_uuid}.{self._service.cluster}",
            self._version,
        )
        self._records.put("user", name, user)
        token = secrets.token_hex(16)
        suffix = "" if self._invite_prefix() == "/addusertokens/" else "/params"
        expires = time.time() + scaled(TOKEN_SECONDS)
        self._records.backend.put(f"{self._invite_prefix()}{token}{suffix}", json.dumps({"user": name}), expires)
        return {"token": token, "proxies": [p["spec"].get("public_addr") for p in self._records.list("proxy")]}

    def _tokens_add(self, request: Message) -> Message:
        value = str(request.get("value") or secrets.token_hex(16))
        roles = [role.strip().capitalize() for role in str(request["type"]).split(",")]
        spec: dict[str, Any] = {"roles": roles}
        if has(self._version, "token_join_method"):
            spec["join_method"] = "token"
        resource = {"kind": "token", "version": "v2", "metadata": {"name": value}, "spec": spec}
        ttl = float(request.get("ttl") or TOKEN_SECONDS)
        self._records.put("token", value, resource, time.time() + scaled(ttl))
        return {
            "token": value,
            "minutes": int(ttl // 60),
            "pins": authority.pins(self._service.ca("host"), self._version),
        }

    def _rotate(self, request: Message) -> Message:
        for kind in request["types"]:
            self.advance(str(kind), str(request["phase"]), str(request["mode"]), request.get("grace"))
        self._service.reissue_admin()
        return {}

    def advance(self, kind: str, phase: str, mode: str, grace: float | None = None) -> None:
        """Move one authority of this cluster to a phase; raises Refusal."""
        key = f"/authorities/{kind}/{self._service.cluster}"
        item = self._records.backend.get(key)
        if item is None:
            raise Refusal(f"key {key} is not found", "not_found")
        ca: Resource = json.loads(item.value)
        if ca["spec"].get("active_keys") and not has(self._version, "ca_active_keys"):
            raise Refusal(f"cluster {self._service.cluster} settings have been updated, try again")
        try:
            rotation.advance(ca, phase, self._version, mode, rotation.GRACE_SECONDS if grace is None else grace)
        except ValueError as error:
            raise Refusal(str(error)) from None
        if not self._records.backend.swap(key, item.value, json.dumps(ca)):
            raise Refusal(f"cluster {self._service.cluster} settings have been updated, try again")

    def _sign(self, request: Message) -> Message:
        name = str(request["user"])
        user = self._records.get("user", name)
        if user is None:
            raise Refusal(f"user {name} not found", "not_found")
        claims = {
            "user": name,
            "logins": user["spec"].get("traits", {}).get("logins", []),
            "roles": user["spec"]["roles"],
            "cluster": self._service.cluster,
            "expires": time.time() + float(request["ttl"]),
        }
        hosts = {}
        for ca in self._records.list("cert_authority"):
            if ca["spec"]["type"] == "host":
                hosts[ca["spec"]["cluster_name"]] = authority.fingerprints(ca)
        return {"identity": {**authority.sign(self._service.ca("user"), claims), "hosts": hosts}}


def _public(resource: Resource) -> Resource:
    """Drop the bookkeeping of rotations from what is shown."""
    found = resource.get("spec", {}).get("rotation")
    if found:
        resource["spec"]["rotation"] = rotation.public(found)
    return resource


def _expiry(resource: Resource) -> float | None:
    expires = resource["metadata"].get("expires")
    if not expires or str(expires).startswith("0001"):
        return None
    from datetime import datetime

    return datetime.fromisoformat(str(expires).replace("Z", "+00:00")[:26].rstrip("+") + "+00:00").timestamp()
