# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of AWX out of the rows that name them, in the shape that infra.aap_configuration takes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from ansible_collections.lockstep.teleport.plugins.plugin_utils import survey

Row = Mapping[str, Any]


def templates(
    jobs: Iterable[Row],
    own: Mapping[str, Any],
    defaults: Mapping[str, Any],
    specifications: Iterable[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Return a job template for each row.

    A row has ``name``, ``playbook``, ``told``, ``asks`` (the variables of its survey), and where it differs ``needs``,
    ``job_type`` and ``slices``. *own* has ``name``, with which all names begin, ``playbook_dir``, ``slices``, into how
    many a job is cut that may be, and ``notified``, the notifications of what went well.

    :raises ValueError: when a survey cannot be made.
    """
    known = list(specifications)
    return [_template(job, own, defaults, known) for job in jobs]


def _template(
    job: Row, own: Mapping[str, Any], defaults: Mapping[str, Any], specifications: list[Mapping[str, Any]]
) -> dict[str, Any]:
    may_slice = bool(job.get("slices"))
    return {
        "name": f"{own['name']}: {job['name']}",
        "description": job["told"],
        "job_type": job.get("job_type", "run"),
        "playbook": "/".join(filter(None, [own["playbook_dir"].strip("/"), f"{job['playbook']}.yml"])),
        **defaults,
        "ask_job_slice_count_on_launch": may_slice,
        "job_slice_count": own["slices"] if may_slice else 1,
        "notification_templates_success": list(own["notified"]),
        "survey_enabled": bool(job["asks"]),
        "survey_spec": survey.build(job["asks"], specifications, job.get("needs", ())) if job["asks"] else {},
    }


def nodes(rows: Iterable[Row], name: str, organization: str, timeout: int = 0) -> list[dict[str, Any]]:
    """Return a workflow node for each row.

    A row has ``name`` and, where they lead on, ``success``, ``failure`` and ``always``, names of other rows. One with
    ``approval``, what the approver is told, waits for a person, at most *timeout* seconds (0: for ever).

    :raises ValueError: when a row leads to one that there is none of.
    """
    listed = list(rows)
    known = {row["name"] for row in listed}
    for row in listed:
        for goal in _goals(row):
            if goal not in known:
                raise ValueError(f"node {row['name']!r} leads to {goal!r}; known are {', '.join(sorted(known))}")
    return [_node(row, name, organization, timeout) for row in listed]


def _node(row: Row, name: str, organization: str, timeout: int) -> dict[str, Any]:
    asked = {"type": "workflow_approval", "description": row.get("approval"), "timeout": timeout}
    run = {"type": "job_template", "organization": {"name": organization}}
    return {
        "identifier": _identifier(row["name"]),
        "all_parents_must_converge": False,
        "unified_job_template": {"name": f"{name}: {row['name']}", **(asked if row.get("approval") else run)},
        "related": {
            f"{way}_nodes": [{"identifier": _identifier(goal)} for goal in row.get(way, [])]
            for way in ("success", "failure", "always")
        },
    }


def _goals(row: Row) -> list[str]:
    return [goal for way in ("success", "failure", "always") for goal in row.get(way, [])]


def _identifier(name: str) -> str:
    return name.replace(" ", "-")


class _Unsafe(str):
    """Text that a tool which reads the file must not take for a template of its own."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - a reader of the file wants no references
        return True


_Dumper.add_representer(_Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text)))


def dump(data: Mapping[str, Any]) -> str:
    """Return plain data as YAML for Ansible; what has braces in it is marked as no template."""
    return yaml.dump(_marked(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _marked(value: Any) -> Any:
    """Return the data without what Ansible adds to texts and numbers, of which no dumper knows."""
    if isinstance(value, Mapping):
        return {str.__str__(key): _marked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(item) for item in value]
    if isinstance(value, str):
        text = str.__str__(value)
        return _Unsafe(text) if "{{" in text or "{%" in text else text
    if isinstance(value, bool) or value is None:
        return value
    return float(value) if isinstance(value, float) else int(value)
