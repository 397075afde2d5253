# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of the API of Kubernetes as one deployment takes.

It proves what is asked of Kubernetes, not what Kubernetes does: pods come and go at once, nothing is authorised.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PATH = "/apis/apps/v1/namespaces/access/deployments/teleport-auth"


def _resource(kind: str, plural: str) -> dict[str, Any]:
    verbs = ["get", "list", "patch", "update"]
    return {"name": plural, "singularName": "", "kind": kind, "namespaced": True, "verbs": verbs}


_DISCOVERY: dict[str, Any] = {
    "/version": {"major": "1", "minor": "33", "gitVersion": "v1.33.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [_resource("Pod", "pods")]},
    "/apis": {
        "kind": "APIGroupList",
        "groups": [
            {
                "name": "apps",
                "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
                "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"},
            }
        ],
    },
    "/apis/apps/v1": {
        "kind": "APIResourceList",
        "groupVersion": "apps/v1",
        "resources": [
            _resource("Deployment", "deployments"),
            {**_resource("Scale", "deployments/scale"), "group": "autoscaling", "version": "v1"},
        ],
    },
}


class Kubernetes:
    """A server with the deployment ``access/teleport-auth`` of three replicas; ``changes`` are the patches it took."""

    def __init__(self) -> None:
        self.changes: list[dict[str, Any]] = []
        self.deployment: dict[str, Any] = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "teleport-auth", "namespace": "access", "resourceVersion": "1", "generation": 1},
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": {"app": "teleport", "part": "auth"}},
                "template": {"spec": {"containers": [{"name": "teleport", "image": "example.test/teleport:15.5.4"}]}},
            },
            "status": {},
        }
        kubernetes = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(kubernetes.read(self.path.partition("?")[0].rstrip("/")))

            def do_PATCH(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(kubernetes.patch(self.path.partition("?")[0], body))

            def _answer(self, found: dict[str, Any] | None) -> None:
                content = json.dumps(found or {"kind": "Status", "status": "Failure", "code": 404}).encode()
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()

    def read(self, path: str) -> dict[str, Any] | None:
        """Answer a question."""
        replicas = self.deployment["spec"]["replicas"]
        generation = self.deployment["metadata"]["generation"]
        counts = {"replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas}
        self.deployment["status"] = {**counts, "updatedReplicas": replicas, "observedGeneration": generation}
        if path == _PATH:
            return self.deployment
        if path == f"{_PATH}/scale":
            return {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": replicas}}
        if path == "/api/v1/namespaces/access/pods":
            pods = [{"metadata": {"name": f"auth-{number}"}} for number in range(replicas)]
            return {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": pods}
        return _DISCOVERY.get(path)

    def patch(self, path: str, change: dict[str, Any]) -> dict[str, Any] | None:
        """Take a change."""
        self.changes.append(change)
        self.deployment["metadata"]["generation"] += 1
        annotations = self.deployment["metadata"].setdefault("annotations", {})
        annotations.update((change.get("metadata") or {}).get("annotations") or {})
        for name in [name for name, value in annotations.items() if value is None]:
            del annotations[name]
        spec = change.get("spec") or {}
        self.deployment["spec"]["replicas"] = spec.get("replicas", self.deployment["spec"]["replicas"])
        if "template" in spec:
            self.deployment["spec"]["template"] = spec["template"]
        return self.read(path)
