# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB through boto3, with the rights of the host and with errors that say what to do."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import platform
import sys
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError

#: Seconds to connect and to wait for an answer; attempts, with growing pauses in between, until a call is given up.
_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 60
_ATTEMPTS = 6

_DENIED = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")
_UNKNOWN_KEYS = (
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
)
_THROTTLED = ("ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded", "Throttling")


class DynamoError(BackupError):
    """A call that AWS, or the way to it, refused. ``code`` is AWS' own name of the reason, ``""`` without an answer."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Access(NamedTuple):
    """How Teleport itself reaches AWS. ``environment`` are the ``AWS_…`` variables of its unit, maybe secrets."""

    region: Optional[str] = None
    access_key: Optional[str] = None
    secret_key: Optional[str] = None
    endpoint: Optional[str] = None
    environment: Mapping[str, str] = {}


def boto3_version() -> str:
    """Return the version of boto3. Raises :class:`BackupError` when this Python has none."""
    return str(_boto3().__version__)


class Aws:
    """The two services that a table depends on. Nothing is contacted before the first call."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._clients: Dict[str, Any] = {}

    def table(self, operation: str, **arguments: Any) -> Dict[str, Any]:
        """Call DynamoDB. Raises :class:`DynamoError`."""
        return self._call("dynamodb", operation, arguments)

    def scaling(self, operation: str, **arguments: Any) -> Dict[str, Any]:
        """Call Application Auto Scaling. Raises :class:`DynamoError`."""
        return self._call("application-autoscaling", operation, arguments)

    def knows(self, operation: str, argument: str) -> bool:
        """Return whether the installed botocore knows *argument* of a DynamoDB operation, e.g. ``UpdateTable``."""
        model = self._client("dynamodb").meta.service_model.operation_model(operation)
        return argument in model.input_shape.members

    def pages(self, operation: str, result: str, **arguments: Any) -> Iterator[List[Dict[str, Any]]]:
        """Yield the list *result* of every page of a DynamoDB operation. Raises :class:`DynamoError`."""
        with _told("dynamodb", operation, arguments):
            for page in self._client("dynamodb").get_paginator(operation).paginate(**arguments):
                yield page.get(result) or []

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            # Clients have close() since botocore 1.21.
            getattr(client, "close", lambda: None)()

    def _call(self, service: str, operation: str, arguments: Dict[str, Any]) -> Dict[str, Any]:
        with _told(service, operation, arguments):
            answer: Dict[str, Any] = getattr(self._client(service), operation)(**arguments)
            return answer

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            with _told(service, "connect", {}):
                self._clients[service] = self._connect(service)
        return self._clients[service]

    def _connect(self, service: str) -> Any:
        config = importlib.import_module("botocore.config") if _boto3() else None
        access = self._access
        # Teleport finds its rights in its unit's environment, and this process has another one.
        os.environ.update(access.environment)
        region = access.region or os.environ.get("AWS_REGION") or ""
        surroundings = tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_")))
        session = _session(access.access_key or "", access.secret_key or "", region, surroundings)
        settings = config.Config(  # type: ignore[union-attr]
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_ANSWER_SECONDS,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        )
        return session.client(service, endpoint_url=access.endpoint or _endpoint(service), config=settings)


@functools.lru_cache(maxsize=8)
def _session(access_key: str, secret_key: str, region: str, surroundings: Tuple[Tuple[str, str], ...]) -> Any:
    """Return a session for one set of rights. Most of the time it takes goes into reading AWS' descriptions, once."""
    del surroundings
    return _boto3().session.Session(
        aws_access_key_id=access_key or None, aws_secret_access_key=secret_key or None, region_name=region or None
    )


class Table(NamedTuple):
    """A table and the way to it."""

    name: str
    aws: Aws


def _boto3() -> Any:
    try:
        return importlib.import_module("boto3")
    except ImportError as error:
        raise BackupError(
            f"{platform.node()}: the backend is DynamoDB, and the required Python library (boto3) cannot be imported "
            f"by {sys.executable}. Install it there; the package of Debian, Ubuntu and Red Hat is python3-boto3."
        ) from error


def _endpoint(service: str) -> Optional[str]:
    """Return another endpoint than AWS' own, as newer SDKs find it; boto3 before 1.28 does not."""
    if os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    own = "AWS_ENDPOINT_URL_" + service.upper().replace("-", "_").replace(
        "APPLICATION_AUTOSCALING", "APPLICATION_AUTO_SCALING"
    )
    return os.environ.get(own) or os.environ.get("AWS_ENDPOINT_URL") or None


@contextlib.contextmanager
def _told(service: str, operation: str, arguments: Mapping[str, Any]) -> Iterator[None]:
    """Translate botocore's errors. Its own texts hold no secret, but an ARN where rights are missing."""
    exceptions = importlib.import_module("botocore.exceptions") if _boto3() else None
    where = str(arguments.get("TableName") or arguments.get("TargetTableName") or arguments.get("BackupArn") or service)
    try:
        yield
    except exceptions.ClientError as error:  # type: ignore[union-attr]
        raise _refused(where, operation, error.response.get("Error") or {}) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:  # type: ignore[union-attr]
        raise DynamoError(
            f"{where}: there are no AWS credentials on {platform.node()}. Give the host an instance role, or put them "
            "where Teleport itself reads them: the unit's environment, or ~/.aws of root."
        ) from error
    except exceptions.NoRegionError as error:  # type: ignore[union-attr]
        raise DynamoError(f"{where}: no AWS region is known. Set storage.region in teleport.yaml.") from error
    except exceptions.BotoCoreError as error:  # type: ignore[union-attr]
        raise DynamoError(
            f"{where}: {_name(operation)} got no answer from AWS: {error}. Check network and endpoint."
        ) from error


def _refused(where: str, operation: str, answer: Mapping[str, Any]) -> DynamoError:
    code, said = str(answer.get("Code") or ""), str(answer.get("Message") or "")
    if code in _DENIED:
        advice = (
            f"Allow {_name(operation)} to the role of {platform.node()}; the module's documentation lists all it needs"
        )
    elif code in _UNKNOWN_KEYS:
        advice = "The credentials of this host are wrong or have expired; renew them"
    elif code in _THROTTLED:
        advice = (
            f"AWS throttled it {_ATTEMPTS} times in a row; raise the table's capacity, or try again when it is quieter"
        )
    else:
        advice = "See AWS' documentation of this error"
    return DynamoError(f"{where}: AWS refuses {_name(operation)} with {code}: {said} {advice}.", code)


def _name(operation: str) -> str:
    """Turn ``create_backup`` into AWS' own ``CreateBackup``, the name that policies use."""
    return "".join(word.capitalize() for word in operation.split("_"))


def when_missing(call: Callable[[], Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """Return the answer of *call*, ``None`` when the table or backup it asks for does not exist."""
    try:
        return call()
    except DynamoError as error:
        if error.code in ("ResourceNotFoundException", "TableNotFoundException", "BackupNotFoundException"):
            return None
        raise
