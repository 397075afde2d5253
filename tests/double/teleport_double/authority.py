# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate authorities: creation, stored forms, pins and the signatures made with them.

Signatures are keyed digests: they tell the right CA from a wrong one, they are no security.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from itertools import zip_longest

from .features import has
from .records import Resource
from .versions import Version

ORDER_BEFORE_5 = ("user", "host")
ORDER = ("host", "user", "jwt", "db", "openssh", "saml_idp", "oidc_idp", "db_client", "spiffe", "windows")
COPIED_FROM = {"db": "host", "db_client": "db", "windows": "user"}


def types_of(version: Version) -> list[str]:
    """CA types this version has, in the order its tools print them."""
    order = ORDER if has(version, "status_host_first") else ORDER_BEFORE_5
    return [kind for kind in order if has(version, f"ca_{kind}")]


def new_key() -> dict[str, str]:
    """A fresh key pair; the certificate is derived from the public half."""
    private = secrets.token_hex(32)
    public = hashlib.sha256(private.encode()).hexdigest()
    return {"private": _b64(f"-----BEGIN PRIVATE KEY-----\n{private}\n"), "public": _b64(f"ssh-rsa {public}\n")}


def create(kind: str, cluster: str, version: Version, key: dict[str, str] | None = None) -> Resource:
    """A new CA resource in the stored form of ``version``."""
    resource: Resource = {
        "kind": "cert_authority",
        "version": "v2",
        "metadata": {"name": cluster},
        "spec": {"type": kind, "cluster_name": cluster},
    }
    if has(version, "ca_active_keys"):
        resource["sub_kind"] = kind
    set_keys(resource, [key or new_key()], [], version)
    return resource


def set_keys(ca: Resource, active: list[dict[str, str]], trusted: list[dict[str, str]], version: Version) -> None:
    """Store key pairs in the old fields, and from 7 on in ``active_keys`` as well."""
    spec = ca["spec"]
    every = active + trusted
    if spec["type"] == "jwt":
        spec["jwt_key_pairs"] = [{"public_key": k["public"], "private_key": k["private"]} for k in every]
    else:
        spec["checking_keys"] = [k["public"] for k in every]
        spec["signing_keys"] = [k["private"] for k in every]
        spec["tls_key_pairs"] = [{"cert": certificate(k), "key": k["private"]} for k in every]
    if has(version, "ca_active_keys"):
        spec["active_keys"] = _key_set(spec["type"], active)
        spec["additional_trusted_keys"] = _key_set(spec["type"], trusted)


def _key_set(kind: str, keys: list[dict[str, str]]) -> Resource:
    if not keys:
        return {}
    if kind == "jwt":
        return {"jwt": [{"public_key": k["public"], "private_key": k["private"]} for k in keys]}
    return {
        "ssh": [{"public_key": k["public"], "private_key": k["private"]} for k in keys],
        "tls": [{"cert": certificate(k), "key": k["private"]} for k in keys],
    }


def certificate(key: dict[str, str]) -> str:
    """The self-signed certificate of a key (a text that depends on it alone)."""
    return _b64(f"-----BEGIN CERTIFICATE-----\n{hashlib.sha256(key['public'].encode()).hexdigest()}\n")


def keys_of(ca: Resource) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """``(active, additionally trusted)`` key pairs of a stored CA, whichever form it has."""
    spec = ca["spec"]
    if spec.get("active_keys"):
        return _from_set(spec["active_keys"]), _from_set(spec.get("additional_trusted_keys") or {})
    if spec["type"] == "jwt":
        return [_jwt(pair) for pair in spec.get("jwt_key_pairs", [])], []
    pairs = zip_longest(spec.get("checking_keys", []), spec.get("signing_keys", []), fillvalue="")
    every = [{"public": public, "private": private} for public, private in pairs]
    return every[:1], every[1:]


def _from_set(keys: Resource) -> list[dict[str, str]]:
    if "jwt" in keys:
        return [_jwt(pair) for pair in keys["jwt"]]
    return [{"public": pair["public_key"], "private": pair.get("private_key", "")} for pair in keys.get("ssh", [])]


def _jwt(pair: dict[str, str]) -> dict[str, str]:
    return {"public": pair["public_key"], "private": pair.get("private_key", "")}


def pins(host_ca: Resource, version: Version) -> list[str]:
    """CA pins as this version shows them: one, or during a rotation two."""
    active, trusted = keys_of(host_ca)
    shown = active + trusted if has(version, "two_ca_pins_in_rotation") else active
    return ["sha256:" + hashlib.sha256(certificate(key).encode()).hexdigest() for key in shown]


def fingerprints(ca: Resource) -> list[str]:
    """Short names of all keys of a CA that are trusted."""
    active, trusted = keys_of(ca)
    return [fingerprint(key["public"]) for key in active + trusted]


def fingerprint(public: str) -> str:
    """Short name of a public key."""
    return hashlib.sha256(public.encode()).hexdigest()[:32]


def sign(ca: Resource, claims: Resource) -> Resource:
    """Claims signed by the active key of a CA."""
    public = keys_of(ca)[0][0]["public"]
    return {"claims": claims, "key": fingerprint(public), "signature": _digest(public, claims)}


def verified(token: Resource | None, checking_keys: list[str]) -> bool:
    """True when one of the public keys made the signature and the claims have not expired."""
    for public in checking_keys:
        if token and token.get("key") == fingerprint(public):
            genuine = hmac.compare_digest(str(token.get("signature")), _digest(public, token["claims"]))
            return genuine and float(token["claims"].get("expires") or 2**40) > time.time()
    return False


def checking_keys(ca: Resource) -> list[str]:
    """Public keys with which signatures of a CA are checked."""
    active, trusted = keys_of(ca)
    return [key["public"] for key in active + trusted]


def _digest(public: str, claims: Resource) -> str:
    return hmac.new(public.encode(), json.dumps(claims, sort_keys=True).encode(), hashlib.sha256).hexdigest()


def without_secrets(ca: Resource) -> Resource:
    """The CA as ``tctl get cas`` shows it."""
    copy: Resource = json.loads(json.dumps(ca))
    spec = copy["spec"]
    spec.pop("signing_keys", None)
    for pair in spec.get("tls_key_pairs", []):
        pair.pop("key", None)
    for pair in spec.get("jwt_key_pairs", []):
        pair.pop("private_key", None)
    for name in ("active_keys", "additional_trusted_keys"):
        for pairs in (spec.get(name) or {}).values():
            for pair in pairs:
                pair.pop("private_key", None)
                pair.pop("key", None)
    return copy


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
