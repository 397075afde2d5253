# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's etcd, asked over its HTTP gateway."""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path

from .errors import LabError

PORT = 2379
SECONDS = 10.0
# base64 of one zero byte: as a range from here to here it means all keys there are.
EVERYTHING = json.dumps({"key": "AA==", "range_end": "AA=="})


def empty_etcd(address: str, tls: Path) -> None:
    """Delete every key. Raises LabError when etcd does not do it."""
    context = ssl.create_default_context(cafile=str(tls / "ca.crt"))
    context.load_cert_chain(tls / "client.crt", tls / "client.key")
    connection = http.client.HTTPSConnection(address, PORT, timeout=SECONDS, context=context)
    try:
        connection.request("POST", "/v3/kv/deleterange", body=EVERYTHING)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise LabError(f"etcd at {address}:{PORT}: {error}") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise LabError(f"etcd at {address}:{PORT}: status {answer.status}: {text.strip()}")
