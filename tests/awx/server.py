# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the API of AWX on the loopback: keeps objects in memory and holds them to the rules of ``rules.py``."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ansible_collections.lockstep.teleport.tests.awx import rules

TOKEN = "a-token"
ROOT = "/api/v2/"
TEMPLATES = ("job_templates", "workflow_job_templates", "workflow_approval_templates")
ASSOCIATIONS = {
    "credentials": "credentials",
    "notification_templates_success": "notification_templates",
    "notification_templates_error": "notification_templates",
    "notification_templates_started": "notification_templates",
    "notification_templates_approvals": "notification_templates",
    "success_nodes": "workflow_job_template_nodes",
    "failure_nodes": "workflow_job_template_nodes",
    "always_nodes": "workflow_job_template_nodes",
}
NODE_WAYS = ("success_nodes", "failure_nodes", "always_nodes")
Answer = tuple[int, Any]


class Store:
    """All objects by kind and id, as AWX would hand them out. ``playbooks`` are those in every project."""

    def __init__(self, playbooks: list[str]) -> None:
        self.playbooks = playbooks
        self.rows: dict[str, dict[int, dict[str, Any]]] = {kind: {} for kind in (*rules.REQUIRED, *TEMPLATES)}
        self.requests: list[tuple[str, str]] = []
        self._last = 0
        self.add("organizations", {"name": "Default"})
        machine = self.add("credential_types", {"name": "Machine", "kind": "ssh"})
        self.add("credentials", {"name": "ssh", "credential_type": machine["id"]})

    def find(self, kind: str, number: int) -> dict[str, Any] | None:
        """Look an object up; a unified job template is any of three kinds."""
        kinds = TEMPLATES if kind == "unified_job_templates" else (kind,)
        return next((self.rows[one][number] for one in kinds if number in self.rows[one]), None)

    def named(self, kind: str, name: str) -> dict[str, Any]:
        """Return the only object of a kind with this name or identifier."""
        (row,) = [row for row in self.rows[kind].values() if name in (row.get("name"), row.get("identifier"))]
        return row

    def linked(self, kind: str, name: str, way: str) -> list[str]:
        """Return the names of what an object is associated with."""
        row = self.named(kind, name)
        found = (self.find(ASSOCIATIONS[way], number) or {} for number in row["links"].get(way, []))
        return sorted(one.get("identifier") or one["name"] for one in found)

    def add(self, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Keep a new object."""
        self._last += 1
        url = f"{ROOT}{kind}/{self._last}/"
        row = {**fields, "id": self._last, "type": kind.removesuffix("s"), "url": url, "links": {}, "survey": {}}
        row["related"] = {"survey_spec": f"{url}survey_spec/"} if kind in TEMPLATES else {}
        row["summary_fields"] = {}
        if kind == "projects":
            row |= {"playbooks": self.playbooks, "scm_revision": "0" * 40, "status": "successful"}
        self.rows[kind][self._last] = row
        return row


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return an object as it is handed out: what was once secret is never told again."""
    hidden = dict.fromkeys(row.get("inputs") or {}, rules.SECRET) if row["type"] == "credential" else None
    listed = {key: value for key, value in row.items() if key not in ("links", "survey", "playbooks")}
    return {**listed, "inputs": hidden} if hidden is not None else listed


class Api:
    """What each request does."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def answer(self, method: str, path: str, query: dict[str, str], data: Any) -> Answer:
        """Return the status and the content of the answer."""
        kind, *rest = path.removeprefix(ROOT).strip("/").split("/")
        if kind == "tokens":
            return (201, {"id": 1, "token": TOKEN}) if method == "POST" else (204, None)
        if not rest:
            return self._create(kind, data) if method == "POST" else (200, self._page(kind, query))
        row = self.store.find(kind, int(rest[0]))
        if row is None:
            return 404, {"detail": "Not found."}
        return self._of_one(kind, row, method, rest[1], data) if rest[1:] else self._one(kind, row, method, data)

    def _page(self, kind: str, query: dict[str, str]) -> dict[str, Any]:
        kinds = TEMPLATES if kind == "unified_job_templates" else (kind,)
        rows = [row for one in kinds for row in self.store.rows[one].values()]
        wanted = {key: value for key, value in query.items() if not key.startswith(("or__", "page", "order"))}
        found = [row for row in rows if all(str(row.get(key)) == value for key, value in wanted.items())]
        return {"count": len(found), "next": None, "results": [shown(row) for row in found]}

    def _create(self, kind: str, data: dict[str, Any]) -> Answer:
        complaints = rules.judge(kind, data, self.store.find)
        key = "identifier" if kind == "workflow_job_template_nodes" else "name"
        scope = "workflow_job_template" if kind == "workflow_job_template_nodes" else "organization"
        for row in self.store.rows[kind].values():
            if (row.get(key), row.get(scope)) == (data.get(key), data.get(scope)):
                complaints = {"__all__": [f"{kind} with this {key} already exists."]}
        return (400, complaints) if complaints else (201, shown(self.store.add(kind, data)))

    def _one(self, kind: str, row: dict[str, Any], method: str, data: Any) -> Answer:
        if method == "PATCH":
            complaints = rules.judge(kind, {**row, **data}, self.store.find) if kind in rules.REQUIRED else {}
            if complaints:
                return 400, complaints
            row.update(data)
        return 200, shown(row)

    def _of_one(self, kind: str, row: dict[str, Any], method: str, what: str, data: Any) -> Answer:
        if what in ASSOCIATIONS:
            return self._associate(row, what, data) if method == "POST" else (200, self._associated(row, what))
        own = {"survey_spec": self._survey, "create_approval_template": self._approval, "launch": self._launch}
        return own[what](row, method, data)

    def _associated(self, row: dict[str, Any], what: str) -> dict[str, Any]:
        found = [self.store.find(ASSOCIATIONS[what], number) or {} for number in row["links"].get(what, [])]
        return {"count": len(found), "next": None, "results": [shown(one) for one in found]}

    def _associate(self, row: dict[str, Any], what: str, data: Any) -> Answer:
        links = row["links"].setdefault(what, [])
        if data.get("disassociate"):
            links.remove(data["id"])
            return 204, None
        if self.store.find(ASSOCIATIONS[what], data["id"]) is None:
            return 400, {"detail": "Object does not exist."}
        if what in NODE_WAYS and self._leads_to(data["id"], row["id"]):
            return 400, {"Error": "Cycle detected."}
        links.append(data["id"])
        return 204, None

    def _leads_to(self, start: int, goal: int) -> bool:
        links = (self.store.find("workflow_job_template_nodes", start) or {"links": {}})["links"]
        return start == goal or any(self._leads_to(one, goal) for way in NODE_WAYS for one in links.get(way, []))

    def _survey(self, row: dict[str, Any], method: str, data: Any) -> Answer:
        if method == "POST":
            error = rules.survey_error(data)
            if error:
                return 400, {"error": error}
            row["survey"] = data
        if method == "DELETE":
            row["survey"] = {}
        return 200, row["survey"] if method == "GET" else {}

    def _approval(self, row: dict[str, Any], _method: str, data: Any) -> Answer:
        template = self.store.add("workflow_approval_templates", data)
        row["unified_job_template"] = template["id"]
        row["related"]["unified_job_template"] = template["url"]
        return 201, shown(template)

    def _launch(self, row: dict[str, Any], _method: str, data: Any) -> Answer:
        complaints = rules.launch_errors(row, data.get("extra_vars") or {}, data.get("limit", ""))
        return (400, complaints) if complaints else (201, {"id": 1})


def _handler(store: Store) -> type[BaseHTTPRequestHandler]:
    api = Api(store)
    alone = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            data = json.loads(self.rfile.read(length) or b"null")
            with alone:
                store.requests.append((self.command, url.path))
                status, content = 401, {"detail": "Authentication credentials were not provided."}
                if self.headers.get("Authorization") == f"Bearer {TOKEN}":
                    status, content = api.answer(self.command, url.path, dict(parse_qsl(url.query)), data)
            body = b"" if status == 204 else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("X-API-Product-Name", "AWX")
            self.send_header("X-API-Product-Version", "24.6.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815 - http.server calls them so

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base class calls it
            """Say nothing."""

    return Handler


@contextmanager
def serving(playbooks: list[str]) -> Iterator[tuple[str, Store]]:
    """Run the API on a free port; yields its address and its store."""
    store = Store(playbooks)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(store))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", store
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
