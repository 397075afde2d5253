# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A moto server in a process of its own, and the table that a Teleport would have made there.

What moto is good for here: a backup is a copy of the table at one moment, a restored table has its items and none of
its tags, expiry, stream, protection and point-in-time recovery, as with AWS. What it does not show: backup and restore
take no time (nothing is ever ``CREATING``), expired items are never removed, rights are not checked, and the size of a
backup is always 123 bytes. Tests of those use answers put in between, see ``Between``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3

REGION = "eu-central-1"
_READY_SECONDS = 60.0

#: What a test answers instead of moto: status, and the name and text of AWS' error.
Answer = tuple[int, str, str]


class Moto:
    """One moto server."""

    def __init__(self, home: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._log = (home / "moto.log").open("wb")
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)

    def await_ready(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + _READY_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"moto does not start: {Path(self._log.name).read_text()}")
            time.sleep(0.1)

    def reset(self) -> None:
        """Forget everything."""
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/moto-api/reset", method="POST"), timeout=10):
            pass

    def client(self, service: str = "dynamodb") -> Any:
        """Return a client of boto3 of its own, not the one that is tested."""
        return boto3.client(  # type: ignore[no-untyped-call]
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="of-the-test",
            aws_secret_access_key="of-the-test",
        )

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/moto-api/", timeout=1):
                return True
        except OSError:
            return False


class Between:
    """A server between a client and moto that answers some calls itself.

    *answer* is asked for every call with its name (``DescribeTable``) and arguments; ``None`` lets moto answer.
    """

    def __init__(self, behind: str, port: int, answer: Callable[[str, dict[str, Any]], Answer | None]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.calls: list[str] = []
        between = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                name = self.headers["X-Amz-Target"].rpartition(".")[2]
                between.calls.append(name)
                refused = answer(name, json.loads(body))
                status, content = (
                    (refused[0], json.dumps({"__type": refused[1], "message": refused[2]}).encode())
                    if refused
                    else _forward(behind, body, dict(self.headers))
                )
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()


def _forward(behind: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    kept = {key: value for key, value in headers.items() if key.lower() not in ("host", "content-length")}
    request = urllib.request.Request(behind, data=body, headers=kept, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def make_table(client: Any, name: str = "teleport.state", items: int = 40) -> str:
    """Make a table as Teleport does, with everything a restore loses, and return its ARN."""
    made = client.create_table(
        TableName=name,
        AttributeDefinitions=[
            {"AttributeName": "HashKey", "AttributeType": "S"},
            {"AttributeName": "FullPath", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "HashKey", "KeyType": "HASH"},
            {"AttributeName": "FullPath", "KeyType": "RANGE"},
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        Tags=[{"Key": "team", "Value": "access"}, {"Key": "cost-centre", "Value": "42"}],
        DeletionProtectionEnabled=True,
    )["TableDescription"]
    on = {"Enabled": True, "AttributeName": "Expires"}
    client.update_time_to_live(TableName=name, TimeToLiveSpecification=on)
    client.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    for number in range(items):
        put(client, name, f"teleport/users/user-{number:04}", number % 4 == 0)
    return str(made["TableArn"])


def put(client: Any, table: str, path: str, expires: bool = False, value: bytes = b"\x00value") -> None:
    """Write one record as Teleport does."""
    item: dict[str, Any] = {"HashKey": {"S": "teleport"}, "FullPath": {"S": path}, "Value": {"B": value}}
    item["Timestamp"] = {"N": "1767225600"}
    if expires:
        item["Expires"] = {"N": str(int(time.time()) + 3600)}
    client.put_item(TableName=table, Item=item)


def paths(client: Any, table: str) -> set[str]:
    """Return the paths of all records."""
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return {item["FullPath"]["S"] for page in pages for item in page["Items"]}
