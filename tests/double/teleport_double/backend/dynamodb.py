# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The DynamoDB store: one table, all records in one partition, spoken to over AWS' JSON protocol, without a signature.

``AWS_ENDPOINT_URL_DYNAMODB`` or ``AWS_ENDPOINT_URL`` says where a stand-in for AWS listens; AWS itself is never called.
"""

from __future__ import annotations

import base64
import http.client
import json
import math
import os
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from .base import Backend, BackendError, Item

_TIMEOUT = 10.0
_PARTITION = "teleport"
_MISSING = "ResourceNotFoundException"


class _Refused(Exception):
    """An error that the service answered with; its text is the service's name for it."""


class DynamoBackend(Backend):
    """Makes its table when there is none, with a stream and an expiry, as the real one does."""

    def __init__(self, storage: dict[str, Any]) -> None:
        self._table = str(storage.get("table_name") or "")
        if not self._table:
            raise BackendError("DynamoDB: table_name is not specified")
        self._region = str(storage.get("region") or os.environ.get("AWS_REGION") or "us-east-1")
        endpoint = os.environ.get("AWS_ENDPOINT_URL_DYNAMODB") or os.environ.get("AWS_ENDPOINT_URL") or ""
        if not endpoint:
            raise BackendError("dynamodb: AWS_ENDPOINT_URL is not set, and the double does not call AWS")
        self._url = urlsplit(endpoint)
        self._local = threading.local()
        self.location = f"dynamodb:{endpoint}/{self._region}/{self._table}"
        self._configure()

    def get(self, key: str) -> Item | None:
        found = self._call("GetItem", {"Key": self._key(key), "ConsistentRead": True}).get("Item")
        item = _item(found) if found else None
        return item if item and item.alive() else None

    def put(self, key: str, value: str, expires: float | None = None) -> None:
        self._call("PutItem", {"Item": self._record(key, value, expires)})

    def delete(self, key: str) -> bool:
        gone = self._call("DeleteItem", {"Key": self._key(key), "ReturnValues": "ALL_OLD"}).get("Attributes")
        return bool(gone)

    def scan(self, prefix: str) -> list[Item]:
        query = {
            "KeyConditionExpression": "HashKey = :partition AND begins_with(FullPath, :prefix)",
            "ExpressionAttributeValues": {":partition": {"S": _PARTITION}, ":prefix": {"S": _PARTITION + prefix}},
            "ConsistentRead": True,
        }
        found: list[dict[str, Any]] = []
        answer: dict[str, Any] = {}
        while not answer or answer.get("LastEvaluatedKey"):
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]} if answer else {}
            answer = self._call("Query", {**query, **start})
            found += answer["Items"]
        return [item for item in map(_item, found) if item.alive()]

    def swap(self, key: str, expected: str, value: str) -> bool:
        current = self.get(key)
        if current is None:
            return False
        condition = {
            "ConditionExpression": "#value = :expected",
            "ExpressionAttributeNames": {"#value": "Value"},
            "ExpressionAttributeValues": {":expected": {"B": _encode(expected)}},
        }
        try:
            self._ask("PutItem", {"Item": self._record(key, value, current.expires), **condition})
        except _Refused as error:
            if str(error) == "ConditionalCheckFailedException":
                return False
            raise BackendError(f"dynamodb: PutItem: {error}") from None
        return True

    def close(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()

    def _configure(self) -> None:
        try:
            table = self._ask("DescribeTable", {})["Table"]
        except _Refused as error:
            if str(error) != _MISSING:
                raise BackendError(f"dynamodb: DescribeTable: {error}") from None
            self._create()
            return
        if not (table.get("StreamSpecification") or {}).get("StreamEnabled"):
            stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
            self._call("UpdateTable", {"StreamSpecification": stream})

    def _create(self) -> None:
        names = ("HashKey", "FullPath")
        self._call(
            "CreateTable",
            {
                "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in names],
                "KeySchema": [
                    {"AttributeName": name, "KeyType": kind}
                    for name, kind in zip(names, ("HASH", "RANGE"), strict=True)
                ],
                "BillingMode": "PAY_PER_REQUEST",
                "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
            },
        )
        self._call("UpdateTimeToLive", {"TimeToLiveSpecification": {"Enabled": True, "AttributeName": "Expires"}})

    def _key(self, key: str) -> dict[str, Any]:
        return {"HashKey": {"S": _PARTITION}, "FullPath": {"S": _PARTITION + key}}

    def _record(self, key: str, value: str, expires: float | None) -> dict[str, Any]:
        record = {**self._key(key), "Value": {"B": _encode(value)}, "Timestamp": {"N": str(int(time.time()))}}
        if expires is not None:
            # The service knows whole seconds only; the exact moment is kept beside.
            record.update(Expires={"N": str(math.ceil(expires))}, Until={"N": f"{expires:.6f}"})
        return record

    def _call(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._ask(operation, body)
        except _Refused as error:
            raise BackendError(f"dynamodb: {operation}: {error}") from None

    def _ask(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        problem: Exception | None = None
        for _attempt in (1, 2):  # a kept connection may have been closed by the other side
            try:
                return self._exchange(operation, {"TableName": self._table, **body})
            except (OSError, http.client.HTTPException) as error:
                self.close()
                self._local.connection = None
                problem = error
        raise BackendError(f"dynamodb: {operation}: {problem}")

    def _exchange(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
            connection = self._local.connection = kind(self._url.hostname or "", self._url.port, timeout=_TIMEOUT)
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            # Only the place in it is read by a stand-in.
            "Authorization": f"AWS4-HMAC-SHA256 Credential=double/20260101/{self._region}/dynamodb/aws4_request",
        }
        connection.request("POST", "/", json.dumps(body), headers)
        response = connection.getresponse()
        answer = json.loads(response.read() or b"{}")
        if response.status != http.client.OK:
            raise _Refused(str(answer.get("__type", response.status)).rpartition("#")[2])
        return dict(answer)


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _item(record: dict[str, Any]) -> Item:
    until = record.get("Until")
    value = base64.b64decode(record["Value"]["B"]).decode()
    return Item(record["FullPath"]["S"][len(_PARTITION) :], value, float(until["N"]) if until else None)
