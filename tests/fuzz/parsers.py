# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table: every parser of foreign text, what it is fed, and the only errors it may raise."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    archive,
    artifact,
    backup_manifest,
    cluster_query,
    cluster_view,
    config_hints,
    evidence,
    foreign_file,
    installation,
    journal,
    lock_decision,
    lock_store,
    observation,
    order,
    plain_text,
    process,
    readiness,
    service,
    status_text,
    tctl,
    transaction,
    trees,
    version,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends import (
    dynamodb_backups,
    dynamodb_items,
    etcd,
    etcd_client,
    postgresql_uri,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.plugin_utils import (
    approval,
    gate_expectation,
    instance,
    planner_batches,
    planner_input,
    releases,
    releases_ranges,
    render,
    safe_yaml,
    teleport_config,
)
from ansible_collections.lockstep.teleport.tests.fuzz import parsers_of_sources, seeds
from ansible_collections.lockstep.teleport.tests.fuzz.inputs import changed, json_text, tampered, tampered_bytes, values
from ansible_collections.lockstep.teleport.tests.fuzz.parser import Parser


def in_folder(name: str, call: Callable[[str], Any]) -> Callable[[bytes], Any]:
    """Call with a folder in which the input is the file *name*."""

    def with_file(content: bytes) -> Any:
        with tempfile.TemporaryDirectory(prefix="lockstep-fuzz-") as folder:
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            return call(folder)

    return with_file


def ask_cluster(text: str) -> Any:
    """Let ``tctl`` print the same to every question, except a good status."""

    def run(command: list[str], **_options: Any) -> tuple[int, str, str]:
        return 0, seeds.STATUS[0] if "status" in command else text, ""

    host = Host(run_command=run, sleep=lambda _seconds: None)
    return cluster_query.ask(tctl.Tctl(host, *TCTL))


TCTL: tuple[Any, ...] = ("tctl", "/etc/teleport.yaml")


def ask_etcd(body: bytes) -> Any:
    """Let an etcd give the same answer to every request."""
    client = etcd_client.EtcdClient(etcd_client.Access(["http://127.0.0.1:2379"]), sleep=lambda _seconds: None)
    answers: Any = client
    answers._exchange = lambda *_request: (200, etcd_client._parsed(body))
    client.version, client._base = "3.4.23", "/v3"
    return [client.revision(b"k"), client.count(b"a", b"b"), client.time_to_live(7), client.grant(9),
            next(client.pages(b"a", b"b", 1), None)]  # fmt: skip


def sealed_manifest(data: Any) -> bytes:
    """Give a manifest the digest that belongs to it, as an attacker would."""
    if isinstance(data, dict):
        bare = {key: value for key, value in data.items() if key != "digest"}
        data = {**bare, "digest": hashlib.sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()}
    return json.dumps(data).encode()


def read_manifest(folder: str) -> Any:
    found = backup_manifest.read(folder, "main")
    return backup_manifest.parts(found), backup_manifest.stored_parts(found)


def read_lock(content: bytes) -> Any:
    with tempfile.TemporaryDirectory(prefix="lockstep-fuzz-") as folder:
        store = lock_store.LockStore(folder, "main")
        Path(store.path).write_bytes(content)
        return store.read()


def unpack(content: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="lockstep-fuzz-") as folder:
        source = Path(folder, "a.tgz")
        source.write_bytes(content)
        archive.unpack(str(source), os.path.join(folder, "out"), 1 << 20)


def tarball(members: list[tuple[str, bytes]]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as made:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return target.getvalue()


@st.composite
def tampered_tar(draw: st.DrawFn) -> bytes:
    """A tar file in which a few bytes, mostly of the heads, are something else."""
    content = bytearray(
        tarball([("teleport/teleport", b"x" * 600), ("teleport/" + "n" * 120, b"y"), ("teleport/d/e", b"")])
    )
    for _edit in range(draw(st.integers(0, 6))):
        place = draw(st.one_of(st.integers(0, len(content) - 1), st.integers(100, 160), st.integers(1636, 1696)))
        content[place : place + 1] = draw(st.binary(min_size=1, max_size=12))
    return bytes(content[: draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))])


def observe_process(text: bytes) -> Any:
    with tempfile.TemporaryDirectory(prefix="lockstep-fuzz-") as proc:
        Path(proc, "7").mkdir()
        for name in ("cmdline", "cgroup", "comm", "environ"):
            Path(proc, "7", name).write_bytes(text)
        host = Host(run_command=lambda *_arguments, **_options: (0, "", ""), proc=proc)
        return process.options(process.command_line(host, 7)), service.is_member(host, "7", "/system.slice")


def plan_from(data: Any) -> Any:
    """Hand over what the argument specification of the module lets through: the kind of each option is right."""
    given = data if isinstance(data, dict) else {"instances": [data], "releases": data}
    right = {key: value for key, value in given.items() if isinstance(value, type(seeds.REQUEST.get(key, value)))}
    right["findings"] = [item for item in right.get("findings", []) if isinstance(item, dict)]
    return planner_input.read_request(right)


def views(resources: list[Any]) -> Any:
    found = tctl.as_list(resources)
    seen = cluster_view.from_heartbeats("agent", found), cluster_view.from_inventory(found)
    return cluster_view.merge(*seen), cluster_view.remote_clusters(found), cluster_view.trusted_clusters(found)


NAME = "teleport-v6.2.31-linux-amd64-bin.tar.gz"

#: By module and function. Those that are no functions of their own in the plugins say what they call.
PARSERS: dict[str, Parser] = {
    **parsers_of_sources.PARSERS,
    "version.parse": Parser(
        version.Version.parse, st.one_of(tampered(seeds.VERSIONS), values()), (version.VersionError,)
    ),
    "version.parse_version_output": Parser(
        version.parse_version_output, tampered(seeds.VERSION_OUTPUTS), (version.VersionError,)
    ),
    "service.parse_unit": Parser(lambda text: service.parse_unit("a.service", text), tampered(seeds.UNITS)),
    "service.unit_name": Parser(service.unit_name, tampered(["teleport"]), (HostError,)),
    "status_text.parse": Parser(
        status_text.parse, st.one_of(tampered(seeds.STATUS), json_text(seeds.STATUS_JSON)), (status_text.StatusError,)
    ),
    "readiness.parse_answer": Parser(
        lambda body: readiness.parse_answer("diag", 200, body), tampered_bytes(['{"status": "ok"}', "starting"])
    ),
    "readiness.split_address": Parser(
        readiness.split_address, tampered(["0.0.0.0:3025", "[::]:3025", "tcp://a:1"]), (ValueError,)
    ),
    "artifact.parse_checksum": Parser(
        lambda text: artifact.parse_checksum(text, NAME), tampered([f"{'a' * 64}  {NAME}\n"]), (ValueError,)
    ),
    "artifact.parse_length": Parser(artifact.parse_length, st.one_of(tampered(["100"]), values())),
    "artifact.pinned": Parser(
        lambda data: artifact.pinned(data if isinstance(data, dict) else {"6.2.31": data}, NAME, "6.2.31", "amd64"),
        changed({"6.2.31": {"amd64": "a" * 64}, NAME: "b" * 64}),
        (ValueError,),
    ),
    "archive.unpack": Parser(lambda tar: unpack(gzip.compress(tar)), tampered_tar(), (HostError,)),
    "archive.unpack, not gzip": Parser(unpack, st.binary(max_size=400), (HostError,)),
    "trees.content": Parser(
        in_folder("a.tar", lambda folder: trees.content(os.path.join(folder, "a.tar"))), tampered_tar(), (BackupError,)
    ),
    "foreign_file.parse_json": Parser(foreign_file.parse_json, tampered_bytes(['{"a": [1]}']), (ValueError,)),
    "foreign_file.read": Parser(
        in_folder("f", lambda folder: foreign_file.read(os.path.join(folder, "f"), 100)), st.binary(max_size=300)
    ),
    "journal.read": Parser(
        in_folder(".transaction.json", journal.read), json_text(seeds.JOURNAL).map(str.encode), (HostError,)
    ),
    "journal.collect_result": Parser(
        in_folder(".result.json", lambda folder: journal.collect_result(folder, "r")),
        json_text({"run_id": "r", "result": {"changed": True}}).map(str.encode),
    ),
    "transaction.read_entry": Parser(transaction.read_entry, changed(seeds.JOURNAL), (HostError,)),
    "installation.manifest": Parser(
        in_folder(installation.MANIFEST, installation.damaged), json_text(seeds.RELEASE_MANIFEST).map(str.encode)
    ),
    "backup_manifest.read": Parser(
        in_folder(backup_manifest.NAME, read_manifest),
        st.one_of(
            changed(seeds.BACKUP_MANIFEST).map(sealed_manifest), json_text(seeds.BACKUP_MANIFEST).map(str.encode)
        ),
        (BackupError,),
    ),
    "lock_decision.parse": Parser(lock_decision.parse, changed(seeds.LOCK), (ValueError,)),
    "lock_store.read": Parser(read_lock, json_text(seeds.LOCK).map(str.encode), (HostError,)),
    "etcd.read_entries": Parser(
        in_folder("e", lambda folder: list(etcd.read_entries(os.path.join(folder, "e")))),
        tampered_bytes(seeds.ETCD_LINES),
        (BackupError,),
    ),
    "dynamodb_backups.read_note": Parser(
        in_folder("n", lambda folder: dynamodb_backups.read_note(os.path.join(folder, "n"))),
        json_text({"name": "n", "backups": {"table": "arn:aws:dynamodb:x"}}).map(str.encode),
        (BackupError,),
    ),
    "dynamodb_items.read": Parser(
        in_folder(dynamodb_items.PART, dynamodb_items.read), json_text(["k", "d", 1.5]).map(str.encode), (BackupError,)
    ),
    "postgresql_uri.parse": Parser(postgresql_uri.parse, tampered(seeds.POSTGRESQL), (BackupError,)),
    "etcd_client answers": Parser(ask_etcd, json_text(seeds.ETCD_ANSWER).map(str.encode), (BackupError,)),
    "observation.read_config": Parser(
        in_folder("c", lambda folder: observation.read_config(os.path.join(folder, "c"))), tampered_bytes(seeds.CONFIGS)
    ),
    "observation.read_host_uuid": Parser(in_folder("host_uuid", observation.read_host_uuid), st.binary(max_size=300)),
    "config_hints.guess": Parser(config_hints.guess, tampered(seeds.CONFIGS)),
    "evidence.secrets_in": Parser(evidence.secrets_in, tampered(seeds.CONFIGS)),
    "evidence.redact": Parser(
        lambda text: evidence.redact(text.splitlines(), ["hunter22"]), tampered(["token: abc", "Bearer x", "a=b"])
    ),
    "process and /proc": Parser(observe_process, tampered_bytes(seeds.PROC)),
    "process.ask_version": Parser(
        lambda text: process.ask_version(parsers_of_sources.printing(text), "/x"), tampered(seeds.VERSION_OUTPUTS)
    ),
    "cluster_query.ask": Parser(ask_cluster, json_text(seeds.RESOURCES), (tctl.TctlError,)),
    "cluster_view": Parser(views, changed(seeds.RESOURCES), (tctl.TctlError,)),
    "plain_text.name": Parser(plain_text.name, values()),
    "order.from_parameters": Parser(
        lambda data: order.from_parameters({**seeds.PARAMETERS, "instance": data if isinstance(data, dict) else {}}),
        changed(seeds.INSTANCE),
        (HostError,),
    ),
    "safe_yaml.load": Parser(safe_yaml.load, tampered(seeds.CONFIGS), (safe_yaml.YamlRefused,)),
    "teleport_config.summarize": Parser(
        lambda text: teleport_config.summarize(text, {}), tampered(seeds.CONFIGS), (teleport_config.ConfigRefused,)
    ),
    "instance.unpack_content": Parser(
        instance.unpack_content, st.one_of(tampered(["eJxLBAAAYgBi"]), values().map(str)), (ValueError,)
    ),
    "instance.parse_config": Parser(
        lambda text: instance.parse_config({"config_file": {"error": None, "content": text}, "options": {}}),
        tampered(["eJxLBAAAYgBi", "AAAA"]),
    ),
    "approval.parse_approved": Parser(
        approval.parse_approved, json_text(seeds.PLAN).map(str.encode), (approval.ApprovalError,)
    ),
    "planner_input.read_request": Parser(plan_from, changed(seeds.REQUEST)),
    "planner_batches.read_sizes": Parser(planner_batches.read_sizes, values(), (planner_batches.BatchError,)),
    "releases.load": Parser(releases.Catalogue.load, changed(seeds.RELEASES), (releases.CatalogueError,)),
    "releases.read_pins": Parser(releases.read_pins, changed({"4.4": "4.4.12"}), (releases.CatalogueError,)),
    "releases_ranges.parse": Parser(
        releases_ranges.VersionRange.parse, st.one_of(tampered([">=1.0.0,<2.0.0"]), values()), (version.VersionError,)
    ),
    "gate_expectation.read": Parser(
        lambda data: gate_expectation.read(data if isinstance(data, dict) else {"before": data}),
        changed(seeds.EXPECTATION),
        (gate_expectation.ExpectationError,),
    ),
    "render._escape": Parser(render._escape, values()),
}

#: Functions that are called like parsers and take no foreign text, and why.
EXEMPT = {
    "releases_values.read": "a word of a list, made by one_of; the catalogue rows that use it are in the table",
    "backup_resources.read_resources": "keeps what tctl prints as it is and parses nothing",
    "cluster_facts.read_backend": "asks a backend; of_migration and of_keys, which read the answers, are in the table",
    "config_place.read": "finds one word at a given byte of a file by one expression",
    "dynamodb_table.read": "asks AWS through boto3, which judges the answers by its own model of them",
    "own_data.read": "reads files of the collection itself, each of which is read by tests",
    "postgresql_client.load": "loads a library of the system",
    "rotation_input.read": "takes the inputs of a role, checked by its specification, and what own modules returned",
    "rollback_input.read": "takes what own modules returned, in the types of its module's argument specification",
    "tctl.parse": "the inventory plugin; what it parses is what cluster_query.ask returns",
}
