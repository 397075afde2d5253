# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tctl prints, as pure functions of what the auth answered."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from datetime import datetime
from typing import Any

from .features import has
from .records import rfc3339
from .tables import headless, table, to_json, to_yaml
from .versions import Version

Resource = dict[str, Any]
_TITLES = {"saml_idp": "saml_idp", "oidc_idp": "oidc_idp"}


def status(answer: Resource, version: Version, form: str = "text") -> str:
    """``tctl status``: rows of the classic layout, or the table of 18."""
    if form in ("json", "yaml"):
        return _status_document(answer, form)
    if has(version, "status_table"):
        return _status_table(answer)
    rows = [["Cluster", answer["cluster"]]]
    if has(version, "status_version_row"):
        rows.append(["Version", answer["version"]])
    for entry in answer["authorities"]:
        if version.major < 5 and entry["type"] == "jwt":
            continue
        rows.append([_ca_title(entry["type"], version), entry["text"]])
    rows += [["CA pin", pin] for pin in answer["pins"]]
    return headless(rows)


def _ca_title(kind: str, version: Version) -> str:
    """Up to 9 the type is capitalised, newer tools print it as it is."""
    return f"{kind.capitalize()} CA" if version.major < 10 else f"{kind} CA"


def _status_table(answer: Resource) -> str:
    head = f"Cluster: {answer['cluster']}\nVersion: {answer['version']}\n"
    pins = "".join(f"CA pins: {pin}\n" if n == 0 else f"         {pin}\n" for n, pin in enumerate(answer["pins"]))
    rows = [[e["type"], _rotation_word(e), "ssh", "active", "RSA-2048", "software"] for e in answer["authorities"]]
    return head + pins + "\n" + table(["authority", "rotation", "protocol", "status", "algorithm", "storage"], rows)


def _rotation_word(entry: Resource) -> str:
    rotation = entry["rotation"]
    if rotation.get("state") == "in_progress":
        return f"{rotation['phase']} ({entry['text']})" if "(" not in entry["text"] else str(entry["text"])
    return "standby" + (f" ({entry['text']})" if entry["text"] != "never updated" else " (never rotated)")


def _status_document(answer: Resource, form: str) -> str:
    rows = []
    for entry in answer["authorities"]:
        rotation = {k: v for k, v in entry["rotation"].items() if not k.startswith("double_")} or {"state": "standby"}
        keys = [{"protocol": "ssh", "status": "active", "algorithm": "RSA-2048", "storage": "software"}]
        rows.append({"cluster_name": answer["cluster"], "type": entry["type"], "rotation": rotation, "keys": keys})
    cluster = {"name": answer["cluster"], "version": answer["version"], "ca_pins": answer["pins"]}
    document = {"cluster": cluster, "authorities": rows}
    return to_json(document) + "\n" if form == "json" else to_yaml([document])


def resources(found: list[Resource], version: Version, form: str) -> str:
    """``tctl get``: before 5 a single object stands alone, from 5 on none is ``null``."""
    shown = [_shaped(resource, version) for resource in found]
    if form != "json":
        return to_yaml(shown, plain_times=has(version, "plain_yaml_timestamps"))
    if has(version, "json_always_array"):
        return to_json(shown or None)
    return to_json(shown[0] if len(shown) == 1 else shown)


def _shaped(resource: Resource, version: Version) -> Resource:
    if not has(version, "record_ids"):
        resource["metadata"].pop("id", None)
    if has(version, "record_revisions"):
        # The same for the same content, whoever asks.
        content = json.dumps(resource, sort_keys=True).encode()
        resource["metadata"]["revision"] = hashlib.sha256(content).hexdigest()[:32]
    return resource


def nodes(found: list[Resource]) -> str:
    """``tctl nodes ls``."""
    rows = []
    for resource in found:
        labels = ",".join(f"{k}={v}" for k, v in sorted((resource["metadata"].get("labels") or {}).items()))
        rows.append([resource["spec"]["hostname"], resource["metadata"]["name"], resource["spec"]["addr"], labels])
    return table(["Nodename", "UUID", "Address", "Labels"], rows)


def users(found: list[Resource], version: Version, form: str) -> str:
    """``tctl users ls``: logins before 6, roles from then on."""
    if form == "json":
        return to_json(found or None, indent=2)
    roles = has(version, "users_ls_roles")
    cells = [
        (u["metadata"]["name"], u["spec"]["roles"] if roles else u["spec"]["traits"].get("logins", [])) for u in found
    ]
    return table(
        ["User", "Roles" if roles else "Allowed logins"], [[name, ",".join(values)] for name, values in sorted(cells)]
    )


def tokens(answer: Resource, version: Version, form: str) -> str:
    """``tctl tokens ls``."""
    if form == "json":
        return to_json([_token_resource(row, version) for row in answer["tokens"]], indent=2)
    labels = has(version, "token_labels_column")
    rows = []
    for row in answer["tokens"]:
        roles = ",".join("User signup" if role == "Signup" else role for role in row["roles"])
        rows.append([row["token"], roles, *([""] if labels else []), _expiry(row["expires"], answer["now"])])
    return table(["Token", "Type", *(["Labels"] if labels else []), "Expiry Time (UTC)"], rows)


def _token_resource(row: Resource, version: Version) -> Resource:
    spec: Resource = {"roles": row["roles"]}
    if has(version, "token_join_method"):
        spec["join_method"] = "token"
    metadata = {"name": row["token"], "expires": row["expires"] or "1970-01-01T00:00:00Z"}
    return {"kind": "token", "version": "v2", "metadata": metadata, "spec": spec}


def _expiry(expires: str | None, now: float) -> str:
    if not expires:
        return "never"
    moment = datetime.fromisoformat(expires.replace("Z", "")[:26] + "+00:00").timestamp()
    stamp = time.strftime("%d %b %y %H:%M UTC", time.gmtime(moment))
    left = max(0, int(moment - now))
    parts = [(left // 3600, "h"), (left % 3600 // 60, "m"), (left % 60, "s")]
    while len(parts) > 1 and parts[0][0] == 0:
        parts.pop(0)
    return f"{stamp} ({''.join(f'{number}{unit}' for number, unit in parts)})"


def invite(answer: Resource, roles: str) -> str:
    """The text with a new token."""
    if "cluster" in roles:
        return f"The cluster invite token: {answer['token']}\nThis token will expire in {answer['minutes']} minutes\n"
    return (
        f"The invite token: {answer['token']}\nThis token will expire in {answer['minutes']} minutes\n\n"
        f"Run this on the new node to join the cluster:\n\n> teleport start \\\n   --roles={roles} \\\n"
        f"   --token={answer['token']} \\\n   --ca-pin={answer['pins'][0]} \\\n   --auth-server=AUTH\n"
    )


def signup(name: str, answer: Resource, version: Version) -> str:
    """The text with a sign-up link."""
    proxy = next((address for address in answer["proxies"] if address), "<proxyhost>:3080")
    path = "newuser" if version.major < 5 else "invite"
    return (
        f'User "{name}" has been created but requires a password. Share this URL with the user to complete user setup, '
        f"link is valid for 1h:\nhttps://{proxy}/web/{path}/{answer['token']}\n\n"
        f"NOTE: Make sure {proxy} points at a Teleport proxy which users can access.\n"
    )


def inventory_list(rows: list[Resource], form: str) -> str:
    """``tctl inventory ls``: one row per instance with all its services."""
    instances: dict[str, Resource] = {}
    for row in rows:
        entry = instances.setdefault(row["id"], {"host": row["host"], "version": row["version"], "services": []})
        entry["services"].append(row["service"])
    if form == "json":
        return to_json([_instance(name, entry) for name, entry in sorted(instances.items())]) + "\n"
    cells = [
        [name, e["host"], ",".join(e["services"]), f"v{e['version']}", "none"] for name, e in sorted(instances.items())
    ]
    return table(["Server ID", "Hostname", "Services", "Version", "Upgrader"], cells)


def _instance(name: str, entry: Resource) -> Resource:
    spec = {
        "version": entry["version"],
        "services": entry["services"],
        "hostname": entry["host"],
        "last_seen": rfc3339(time.time()),
    }
    return {"kind": "instance", "version": "v1", "metadata": {"name": name}, "spec": spec}


def inventory_status(rows: list[Resource], form: str) -> str:
    """``tctl inventory status``: counts of versions and services."""
    ids = {row["id"]: row["version"] for row in rows}
    versions = Counter(ids.values())
    services = Counter(row["service"] for row in rows)
    if form == "json":
        counts = {
            "VersionCounts": dict(versions),
            "UpgraderCounts": {},
            "ServiceCounts": dict(services),
            "InstanceCount": len(ids),
        }
        return to_json(counts) + "\n"
    lines = ["Versions:"] + [f"  v{name}: {count}" for name, count in sorted(versions.items())]
    lines += ["Services:"] + [f"  {name}: {count}" for name, count in sorted(services.items())]
    return "\n".join([*lines, f"Total Instances: {len(ids)}"]) + "\n"
