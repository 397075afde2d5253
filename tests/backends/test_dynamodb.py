# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB through boto3 against moto's server: saved, read back, restored into another table, switched to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import botocore.client
import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import backup, backup_drill
from ansible_collections.lockstep.teleport.plugins.module_utils.backends import dynamodb_client, dynamodb_names
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.plugin_utils import teleport_config
from ansible_collections.lockstep.teleport.tests.backends.conftest import free_port
from ansible_collections.lockstep.teleport.tests.backends.moto import (
    REGION,
    Answer,
    Between,
    Moto,
    make_table,
    paths,
    put,
)

TABLE = "teleport.state"
EVENTS = "teleport.events"
CONFIG = f"""\
# our cluster; do not edit by hand
teleport:
  storage:
    type: dynamodb   # since 2021
    region: {REGION}
    table_name: '{TABLE}'  # the state
    audit_events_uri: ['dynamodb://{EVENTS}', 'stdout://']
    audit_sessions_uri: s3://recordings/of-the-cluster
    continuous_backups: true
auth_service: {{enabled: "yes", cluster_name: example.com}}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """A running moto."""
    moto = Moto(tmp_path_factory.mktemp("moto"), free_port())
    moto.await_ready()
    yield moto
    moto.stop()


@pytest.fixture
def aws(server: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """An empty AWS with the two tables, and a host that finds its way there."""
    server.reset()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in environment(server.url, tmp_path).items():
        monkeypatch.setenv(name, value)
    client = server.client()
    make_table(client)
    make_table(client, EVENTS, 3)
    return client


def environment(url: str, home: Path) -> dict[str, str]:
    """Return the variables of a host with rights."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "of-the-host",
        "AWS_SECRET_ACCESS_KEY": "hidden-of-the-host",
        "AWS_CONFIG_FILE": str(home / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "no-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture
def spec(aws: Any, tmp_path: Path) -> backup.BackupSpec:
    """An Auth Service on this host that is stopped."""
    del aws
    return spec_in(tmp_path)


def spec_in(home: Path, config: str = CONFIG) -> backup.BackupSpec:
    """Lay an Auth Service out in *home* and return whose backup is meant."""
    (home / "data" / "proc").mkdir(parents=True, exist_ok=True)
    (home / "data" / "host_uuid").write_text("4d5c0a3e-0000-4000-8000-000000000001\n")
    (home / "teleport.yaml").write_text(config)
    summary = teleport_config.summarize(config, {})
    return backup.BackupSpec(
        directory=str(home / "backups"),
        cluster="example.com",
        version="16.5.13",
        edition="community",
        storage=summary["storage"],
        data_dir=str(home / "data"),
        config_path=str(home / "teleport.yaml"),
    )


def table_in(spec: backup.BackupSpec) -> str:
    """Return the table that the configuration names now."""
    text = Path(spec.config_path).read_text()
    return str(teleport_config.summarize(text, {})["storage"]["table_name"])


def restored(spec: backup.BackupSpec, path: str) -> backup.Restored:
    """Restore, and return what that did."""
    return backup.restore_backup(path, spec)


def aws_backups(client: Any) -> list[str]:
    """Return the names of all backups that AWS keeps."""
    return sorted(one["BackupName"] for one in client.list_backups()["BackupSummaries"])


def test_a_backup_names_what_aws_keeps_and_holds_no_secret(aws: Any, spec: backup.BackupSpec) -> None:
    taken = backup.take_backup(spec)
    details = taken.manifest["backend"]["details"]
    assert taken.manifest["backend"]["counts"] == {"items": 40}
    assert details["backup"]["arn"].startswith(details["table"]["arn"] + "/backup/")
    assert details["settings"]["stream"] == "NEW_IMAGE"
    assert details["settings"]["ttl"] == "Expires"
    assert details["settings"]["tags"] == {"team": "access", "cost-centre": "42"}
    assert [one["table"]["name"] for one in details["events"]] == [EVENTS]
    assert any("s3://recordings/of-the-cluster" in note for note in details["notes"])
    assert len(aws_backups(aws)) == 2
    assert "hidden" not in json.dumps(taken.manifest)
    assert backup.verify_backup(taken.path, "example.com").manifest == taken.manifest


def test_restored_into_a_table_of_its_own_with_all_settings(aws: Any, spec: backup.BackupSpec) -> None:
    saved = paths(aws, TABLE)
    taken = backup.take_backup(spec)
    put(aws, TABLE, "teleport/migrations/current")
    aws.delete_item(TableName=TABLE, Key={"HashKey": {"S": "teleport"}, "FullPath": {"S": "teleport/users/user-0001"}})
    done = restored(spec, taken.path)
    name = table_in(spec)
    assert done.changed
    assert done.config_change is not None
    assert (done.config_change.old, done.config_change.new) == (TABLE, name)
    assert name.startswith(f"{TABLE}-lockstep-")
    assert paths(aws, name) == saved
    table = aws.describe_table(TableName=name)["Table"]
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    assert table["DeletionProtectionEnabled"] is True
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    ttl = aws.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "Expires")
    continuous = aws.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert continuous["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    tags = {tag["Key"]: tag["Value"] for tag in aws.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]}
    assert tags["team"] == "access"
    # What failed stays as evidence, and so do the events.
    assert "teleport/migrations/current" in paths(aws, TABLE)
    assert done.evidence is not None
    assert Path(done.evidence, "teleport.yaml").read_text() == CONFIG
    assert len(aws.list_tables()["TableNames"]) == 3


def test_only_the_name_changes_in_the_file(aws: Any, spec: backup.BackupSpec) -> None:
    Path(spec.config_path).chmod(0o640)
    taken = backup.take_backup(spec)
    put(aws, TABLE, "teleport/new")
    restored(spec, taken.path)
    name = table_in(spec)
    assert Path(spec.config_path).read_text() == CONFIG.replace(f"'{TABLE}'", f"'{name}'")
    assert Path(spec.config_path).stat().st_mode & 0o777 == 0o640


def test_a_second_restore_changes_nothing(aws: Any, spec: backup.BackupSpec) -> None:
    taken = backup.take_backup(spec)
    put(aws, TABLE, "teleport/new")
    restored(spec, taken.path)
    tables, text = aws.list_tables()["TableNames"], Path(spec.config_path).read_text()
    again = restored(spec, taken.path)
    assert not again.changed
    assert (aws.list_tables()["TableNames"], Path(spec.config_path).read_text()) == (tables, text)
    # Also when the host is observed anew, with the other table in its configuration.
    observed = replace(spec, storage=teleport_config.summarize(text, {})["storage"])
    assert not restored(observed, taken.path).changed


def test_nothing_is_restored_when_nothing_was_written(aws: Any, spec: backup.BackupSpec) -> None:
    taken = backup.take_backup(spec)
    assert not restored(spec, taken.path).changed
    assert table_in(spec) == TABLE
    assert len(aws.list_tables()["TableNames"]) == 2


def test_a_restored_table_that_was_used_since_is_left_alone(aws: Any, spec: backup.BackupSpec) -> None:
    saved = paths(aws, TABLE)
    taken = backup.take_backup(spec)
    put(aws, TABLE, "teleport/new")
    restored(spec, taken.path)
    first = table_in(spec)
    put(aws, first, "teleport/newer")
    restored(spec, taken.path)
    second = table_in(spec)
    assert second == f"{first}.2"
    assert paths(aws, second) == saved
    assert "teleport/newer" in paths(aws, first)


def test_a_backup_of_a_restored_table_goes_back_as_well(aws: Any, spec: backup.BackupSpec) -> None:
    taken = backup.take_backup(spec)
    put(aws, TABLE, "teleport/new")
    restored(spec, taken.path)
    first = table_in(spec)
    later = backup.take_backup(spec, now=lambda: 4102444800.0)
    put(aws, first, "teleport/newer")
    restored(spec, later.path)
    assert table_in(spec) not in (TABLE, first)
    assert table_in(spec).count("-lockstep-") == 1
    assert "teleport/newer" not in paths(aws, table_in(spec))


def test_taken_while_writes_go_on(aws: Any, spec: backup.BackupSpec) -> None:
    end, written = threading.Event(), 0

    def write() -> None:
        nonlocal written
        while not end.is_set():
            put(aws, TABLE, f"teleport/nodes/{written}")
            written += 1

    writer = threading.Thread(target=write)
    before = paths(aws, TABLE)
    writer.start()
    try:
        taken = backup.take_backup(spec, serving=True)
    finally:
        end.set()
        writer.join()
    assert written > 0
    assert taken.manifest["consistency"] == "online"
    assert any("not as one transaction" in note for note in taken.manifest["backend"]["details"]["notes"])
    assert restored(spec, taken.path).changed
    found = paths(aws, table_in(spec))
    assert before <= found
    # What is there of the writes is a beginning of them: each came after the one before.
    numbers = sorted(int(path.rpartition("/")[2]) for path in found - before)
    assert numbers == list(range(len(numbers)))
    assert not restored(spec, taken.path).changed


def test_refused_when_somebody_writes_to_a_stopped_cluster(
    aws: Any, server: Moto, spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(name: str, _body: dict[str, Any]) -> Answer | None:
        if name == "CreateBackup":
            put(aws, TABLE, "teleport/foreign")
        return None

    with between(server, monkeypatch, write), pytest.raises(BackupError, match="written to while its backup was taken"):
        backup.take_backup(spec)
    assert backup.list_backups(spec.directory, spec.cluster) == []


def test_a_rehearsal_asks_for_the_rights_of_a_restore_and_leaves_nothing(
    aws: Any, server: Moto, spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    with between(server, monkeypatch, lambda _name, _body: None) as way:
        backup.rehearse_backup(spec)
    assert "RestoreTableFromBackup" in way.calls
    assert aws_backups(aws) == []
    assert sorted(aws.list_tables()["TableNames"]) == [EVENTS, TABLE]
    assert [name for name in os.listdir(spec.home) if name != ".lock"] == []


@pytest.mark.parametrize("call", ["RestoreTableFromBackup", "DescribeTable"])
def test_a_rehearsal_finds_rights_that_only_a_restore_needs(
    call: str, aws: Any, server: Moto, spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(name: str, body: dict[str, Any]) -> Answer | None:
        own = body.get("TableName", "") in (TABLE, EVENTS)
        return (400, "AccessDeniedException", "not authorized") if name == call and not own else None

    with between(server, monkeypatch, deny), pytest.raises(BackupError, match=f"Allow {call} to the role of"):
        backup.rehearse_backup(spec)
    assert aws_backups(aws) == []


def test_pruning_removes_what_aws_keeps(aws: Any, spec: backup.BackupSpec) -> None:
    for second in range(3):
        backup.take_backup(spec, now=lambda second=second: 1767225600.0 + second)  # type: ignore[misc]
    assert len(aws_backups(aws)) == 6
    backup.prune_backups(spec, 1)
    assert len(aws_backups(aws)) == 2
    assert backup.verify_backup(backup.choose_backup(spec)).manifest["created"].endswith("02Z")


@pytest.mark.parametrize("change", ["vanished", "foreign table", "tampered", "another cluster's table"])
def test_refused(change: str, aws: Any, spec: backup.BackupSpec) -> None:
    taken = backup.take_backup(spec)
    put(aws, TABLE, "teleport/new")
    told = REFUSED[change](aws, spec, taken)
    with pytest.raises(BackupError, match=told):
        restored(spec, taken.path)
    assert table_in(spec) in (TABLE, "other.state")
    assert len([name for name in aws.list_tables()["TableNames"] if "lockstep" in name]) == 0


def _vanish(client: Any, _spec: backup.BackupSpec, taken: backup.Backup) -> str:
    client.delete_backup(BackupArn=taken.manifest["backend"]["details"]["backup"]["arn"])
    return "AWS calls this backup DELETED"


def _foreign(client: Any, _spec: backup.BackupSpec, taken: backup.Backup) -> str:
    make_table(client, "other.state", 1)
    other = client.create_backup(TableName="other.state", BackupName="of-others")["BackupDetails"]["BackupArn"]
    _rewrite(taken, "arn", other)
    return "is no backup of"


def _tamper(_client: Any, _spec: backup.BackupSpec, taken: backup.Backup) -> str:
    listed = Path(taken.path, "dynamodb-items.jsonl")
    listed.write_text("\n".join(listed.read_text().splitlines()[1:]) + "\n")
    return "dynamodb-items.jsonl: .* were saved. The backup is damaged"


def _another(_client: Any, spec: backup.BackupSpec, _taken: backup.Backup) -> str:
    other = CONFIG.replace(TABLE, "other.state")
    Path(spec.config_path).write_text(other)
    object.__setattr__(spec, "storage", teleport_config.summarize(other, {})["storage"])
    return "Put the storage section of that time back"


REFUSED: dict[str, Callable[[Any, backup.BackupSpec, backup.Backup], str]] = {
    "vanished": _vanish,
    "foreign table": _foreign,
    "tampered": _tamper,
    "another cluster's table": _another,
}


def _rewrite(taken: backup.Backup, key: str, value: str) -> None:
    """Forge a backup as somebody would who knows how: manifest, digest and all."""
    from ansible_collections.lockstep.teleport.plugins.module_utils import backup_manifest, durable

    manifest = json.loads(Path(taken.path, "manifest.json").read_text())
    details = manifest["backend"]["details"]
    note = json.loads(Path(taken.path, "dynamodb.json").read_text())
    details["backup"][key] = value
    note["backups"][TABLE] = value
    durable.write_json(os.path.join(taken.path, "dynamodb.json"), note)
    copied = durable.hash_file(os.path.join(taken.path, "dynamodb.json"))
    for part in manifest["parts"]:
        if part["name"] == "dynamodb.json":
            part.update(size=copied.size, sha256=copied.sha256)
    backup_manifest.write(taken.path, {key: value for key, value in manifest.items() if key != "digest"})


class between:  # noqa: N801 - reads as a word at its use
    """Answer some calls of the host instead of moto, for as long as the block runs."""

    def __init__(
        self, server: Moto, monkeypatch: pytest.MonkeyPatch, answer: Callable[[str, dict[str, Any]], Answer | None]
    ) -> None:
        self._way = Between(server.url, free_port(), answer)
        self._monkeypatch = monkeypatch
        self._behind = server.url

    def __enter__(self) -> Between:
        self._monkeypatch.setenv("AWS_ENDPOINT_URL", self._way.url)
        return self._way

    def __exit__(self, *_problem: object) -> None:
        self._monkeypatch.setenv("AWS_ENDPOINT_URL", self._behind)
        self._way.stop()


PROBLEMS = {
    "throttled": ((400, "ThrottlingException", "Rate exceeded"), "throttled it .* times in a row; raise the table's"),
    "denied": ((400, "AccessDeniedException", "no"), "Allow DescribeTable to the role of"),
    "expired": ((400, "ExpiredTokenException", "old"), "credentials of this host are wrong or have expired; renew"),
}


@pytest.mark.parametrize("problem", sorted(PROBLEMS))
def test_what_aws_refuses_is_told_with_what_to_do(
    problem: str, server: Moto, spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, told = PROBLEMS[problem]
    monkeypatch.setattr(dynamodb_client, "_ATTEMPTS", 2)
    with between(server, monkeypatch, lambda _name, _body: answer), pytest.raises(BackupError, match=told) as caught:
        backup.take_backup(spec)
    assert "\n" not in str(caught.value)


def test_no_credentials(spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(BackupError, match="there are no AWS credentials on .* instance role"):
        backup.check(spec, serving=True)


def test_nobody_answers(spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynamodb_client, "_ATTEMPTS", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(BackupError, match="DescribeTable got no answer from AWS.* Check network and endpoint"):
        backup.check(spec, serving=True)


def test_without_boto3_the_message_names_the_package(spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(BackupError, match=r"(?s)required Python library \(boto3\).*python3-boto3"):
        backup.check(spec, serving=True)


def test_keys_in_the_configuration_are_used_but_not_shown(
    server: Moto, aws: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del aws
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    keys = f'    access_key: AKIAEXAMPLE\n    secret_key: "hidden/of+the=file"\n    region: {REGION}\n'
    spec = spec_in(tmp_path / "inline", CONFIG.replace(f"    region: {REGION}\n", keys))
    del server
    taken = backup.take_backup(spec)
    assert backup.verify_backup(taken.path, means=spec.means).manifest["backend"]["counts"] == {"items": 40}
    assert "hidden" not in json.dumps([taken.manifest, dict(spec.storage)])


def test_a_name_that_cannot_be_replaced_is_found_before_anything_is_done(aws: Any, tmp_path: Path) -> None:
    config = CONFIG.replace(f"'{TABLE}'  # the state", "*name").replace("teleport:", f"x: &name {TABLE}\nteleport:", 1)
    spec = spec_in(tmp_path / "alias", config)
    with pytest.raises(BackupError, match="table_name cannot be replaced"):
        backup.check(spec, serving=True)
    assert aws_backups(aws) == []


# -- drills


def test_a_drill_restores_into_a_table_that_is_gone_afterwards(aws: Any, spec: backup.BackupSpec, host: Host) -> None:
    path = backup.take_backup(spec).path
    tables = aws.list_tables()["TableNames"]
    asked = backup_drill.drill(path, spec.cluster, spec.home, host)
    assert not asked.restored
    assert "teleport_drill_scratch_table" in " ".join(asked.proven)
    put(aws, TABLE, "teleport/written/since")
    drilled = backup_drill.drill(path, spec.cluster, spec.home, host, scratch_table=True)
    assert (drilled.restored, drilled.counts) == (True, {"items": 40})
    assert aws.list_tables()["TableNames"] == tables
    assert table_in(spec) == TABLE


def test_a_drill_takes_over_what_a_killed_one_left_and_nothing_else(
    aws: Any, spec: backup.BackupSpec, host: Host
) -> None:
    taken = backup.take_backup(spec)
    details = taken.manifest["backend"]["details"]
    name = dynamodb_names.drill_name(TABLE, details["stamp"])
    aws.restore_table_from_backup(TargetTableName=name, BackupArn=details["backup"]["arn"])
    put(aws, name, "teleport/not/saved")
    with pytest.raises(BackupError, match="what AWS restored is not what was saved"):
        backup_drill.drill(taken.path, spec.cluster, spec.home, host, scratch_table=True)
    assert name not in aws.list_tables()["TableNames"]
    make_table(aws, name, 1)
    with pytest.raises(BackupError, match="no drill made"):
        backup_drill.drill(taken.path, spec.cluster, spec.home, host, scratch_table=True)
    assert name in aws.list_tables()["TableNames"]


# -- killed at every call


def spec_of_run(home: Path) -> backup.BackupSpec:
    """Return the spec of the Auth Service in *home*, observed now."""
    return spec_in(home, (home / "teleport.yaml").read_text())


def run_and_kill(home: Path, what: str, after: int) -> int:
    """Run a backup or restore in a process that is killed after so many calls (0: never); return how it ended."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _kill_this_process(after)
            spec = spec_of_run(home)
            backup.take_backup(spec) if what == "backup" else restored(spec, backup.choose_backup(spec))
            status = 0
        finally:
            os._exit(status)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended in (0, -signal.SIGKILL)
    return ended


def _kill_this_process(after: int) -> None:
    left, real = after, botocore.client.BaseClient._make_api_call

    def counted(self: Any, *arguments: Any) -> Any:
        nonlocal left
        answer = real(self, *arguments)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    botocore.client.BaseClient._make_api_call = counted  # type: ignore[method-assign]


def test_a_restore_killed_after_any_call_is_finished_by_the_next(
    aws: Any, spec: backup.BackupSpec, tmp_path: Path
) -> None:
    saved = paths(aws, TABLE)
    taken = backup.take_backup(spec)
    put(aws, TABLE, "teleport/migrations/current")
    killed = 0
    for after in range(1, 200):
        ended = run_and_kill(tmp_path, "restore", after)
        if ended == 0:
            break
        killed += 1
        assert table_in(spec) == TABLE or paths(aws, table_in(spec)) == saved
        if after % 3 == 0:
            # Not always on what the one before left: begin anew.
            _forget_restored(aws, spec)
    assert killed > 20
    assert run_and_kill(tmp_path, "restore", 0) == 0
    assert paths(aws, table_in(spec)) == saved
    assert not restored(spec_of_run(tmp_path), taken.path).changed
    assert len([name for name in aws.list_tables()["TableNames"] if "lockstep" in name]) == 1
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".lockstep-")]


def _forget_restored(client: Any, spec: backup.BackupSpec) -> None:
    for name in client.list_tables()["TableNames"]:
        if "lockstep" in name:
            client.update_table(TableName=name, DeletionProtectionEnabled=False)
            client.delete_table(TableName=name)
    Path(spec.config_path).write_text(CONFIG)


def test_a_backup_killed_after_any_call_leaves_nothing_behind_at_aws(
    aws: Any, spec: backup.BackupSpec, tmp_path: Path
) -> None:
    for after in range(1, 60):
        if run_and_kill(tmp_path, "backup", after) == 0:
            break
    assert after > 10
    complete = backup.list_backups(spec.directory, spec.cluster)
    assert len(complete) == 1
    assert set(aws_backups(aws)) == {complete[0].manifest["backend"]["details"]["backup_name"]}
    shutil.rmtree(complete[0].path)
