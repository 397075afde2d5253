# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWX refuses, as far as it concerns the objects of this collection. Pure: rows in, complaints out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jinja2
import jinja2.sandbox

Fields = Mapping[str, Any]
Complaints = dict[str, Any]

#: Fields of each kind of object that have to be given, and those that name another object, with its kind.
REQUIRED = {
    "organizations": ["name"],
    "execution_environments": ["name", "image"],
    "credential_types": ["name", "kind"],
    "credentials": ["name", "credential_type"],
    "projects": ["name", "organization"],
    "inventories": ["name", "organization"],
    "inventory_sources": ["name", "inventory", "source"],
    "notification_templates": ["name", "organization", "notification_type"],
    "job_templates": ["name", "playbook", "project"],
    "workflow_job_templates": ["name"],
    "workflow_job_template_nodes": ["workflow_job_template", "identifier"],
    "schedules": ["name", "unified_job_template", "rrule"],
}
KEYS = {
    "organization": "organizations",
    "project": "projects",
    "source_project": "projects",
    "inventory": "inventories",
    "credential": "credentials",
    "credential_type": "credential_types",
    "execution_environment": "execution_environments",
    "workflow_job_template": "workflow_job_templates",
    "unified_job_template": "unified_job_templates",
}
SCM_TYPES = {"", "git", "svn", "insights", "archive"}
NOTIFICATION_TYPES = {"email", "slack", "webhook", "mattermost", "pagerduty", "irc", "grafana", "rocketchat", "twilio"}
QUESTION_TYPES = {"text", "textarea", "password", "integer", "float", "multiplechoice", "multiselect"}
SECRET = "$encrypted$"


def judge(kind: str, fields: Fields, find: Callable[[str, int], Fields | None]) -> Complaints:
    """Return what speaks against an object; *find* looks others up by kind and id."""
    missing: Complaints = {
        name: ["This field is required."] for name in REQUIRED[kind] if fields.get(name) in (None, "")
    }
    for name, other in KEYS.items():
        if fields.get(name) is not None and find(other, fields[name]) is None:
            missing[name] = [f'Invalid pk "{fields[name]}" - object does not exist.']
    return missing or (_OWN[kind](fields, find) if kind in _OWN else {})


def _project(fields: Fields, _find: Any) -> Complaints:
    if fields.get("scm_type", "") not in SCM_TYPES:
        return {"scm_type": [f'"{fields["scm_type"]}" is not a valid choice.']}
    return {} if not fields.get("scm_type") or fields.get("scm_url") else {"scm_url": ["SCM URL is required."]}


def _source(fields: Fields, find: Any) -> Complaints:
    if fields["source"] == "scm" and not fields.get("source_project"):
        return {"source_project": ["Project required for scm type sources."]}
    if fields.get("credential"):
        kind = find("credential_types", find("credentials", fields["credential"])["credential_type"])["kind"]
        if kind in {"ssh", "scm", "vault", "insights"}:
            return {"credential": [f"Credentials of type {kind} are disallowed for scm inventory sources."]}
    return {}


def _template(fields: Fields, find: Any) -> Complaints:
    project = find("projects", fields["project"])
    if fields["playbook"] not in project["playbooks"]:
        return {"playbook": ["Playbook not found for project."]}
    if not fields.get("inventory") and not fields.get("ask_inventory_on_launch"):
        return {"inventory": ["Job Template must provide 'inventory' or allow prompting for it."]}
    return {}


def _notification(fields: Fields, _find: Any) -> Complaints:
    if fields["notification_type"] not in NOTIFICATION_TYPES:
        return {"notification_type": [f'"{fields["notification_type"]}" is not a valid choice.']}
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.DebugUndefined)
    for text in _texts(fields.get("messages") or {}):
        try:
            environment.from_string(text).render(job={"artifacts": {}}, url="")
        except jinja2.TemplateError as problem:
            return {"messages": [f"Unable to render message: {problem}"]}
    return {}


def _texts(node: Any) -> list[str]:
    if isinstance(node, Mapping):
        return [text for item in node.values() for text in _texts(item)]
    return [node] if isinstance(node, str) else []


def _schedule(fields: Fields, find: Any) -> Complaints:
    return launch_errors(find("unified_job_templates", fields["unified_job_template"]), fields.get("extra_data") or {})


_OWN: dict[str, Callable[..., Complaints]] = {
    "projects": _project,
    "inventory_sources": _source,
    "job_templates": _template,
    "notification_templates": _notification,
    "schedules": _schedule,
}


def survey_error(survey: Any) -> str:
    """Return the first thing that AWX holds against a survey, empty when it takes it."""
    for name in ("name", "description", "spec"):
        if name not in survey:
            return f"'{name}' missing from survey spec."
    if not survey["spec"]:
        return "'spec' doesn't contain any items."
    seen: set[str] = set()
    for place, question in enumerate(survey["spec"]):
        told = next(_question_errors(question, place, seen), "")
        if told:
            return told
        seen.add(question["variable"])
    return ""


def _question_errors(question: Fields, place: int, seen: set[str]) -> Iterator[str]:
    for name in ("type", "question_name", "variable", "required"):
        if name not in question:
            yield f"'{name}' missing from survey question {place}."
    if question["type"] not in QUESTION_TYPES:
        yield f"'{question['type']}' in survey question {place} is not one of the allowed types."
    if question["variable"] in seen:
        yield f"'variable' '{question['variable']}' duplicated in survey question {place}."
    for name in ("min", "max"):
        if question.get(name) is not None and not isinstance(question[name], int):
            yield f"The {name} limit in survey question {place} expected to be integer."
    choices = _choices(question)
    if question["type"].startswith("multi") and not choices:
        yield f"Survey question {place} of type {question['type']} must specify choices."
    if question.get("default") not in (None, ""):
        yield _answer_error(question, question["default"])


def _choices(question: Fields) -> list[str]:
    choices = question.get("choices") or []
    return choices.splitlines() if isinstance(choices, str) else list(choices)


def launch_errors(template: Fields, extra: Fields, limit: str = "") -> Complaints:
    """Return why a template is not launched with these variables, by field; empty when it is."""
    questions = {q["variable"]: q for q in (template.get("survey") or {}).get("spec", [])}
    asked = questions if template.get("survey_enabled") else {}
    told = [
        f"'{n}' value missing" for n, q in asked.items() if q["required"] and n not in extra and not q.get("default")
    ]
    told += [text for name, value in extra.items() if name in asked and (text := _answer_error(asked[name], value))]
    if told:
        return {"variables_needed_to_start": told}
    strangers = sorted(set(extra) - set(asked))
    if strangers and not template.get("ask_variables_on_launch"):
        return {"extra_vars": [f"Variables {', '.join(strangers)} are not allowed on launch."]}
    if limit and not template.get("ask_limit_on_launch"):
        return {"limit": ["Field is not configured to prompt on launch."]}
    return {}


def _answer_error(question: Fields, value: Any) -> str:
    name, low, high = question["variable"], question.get("min"), question.get("max")
    if question["type"] == "integer":
        if not isinstance(value, int):
            return f"Value {value!r} for '{name}' expected to be an integer."
        return "" if (low is None or low <= value) and (high is None or value <= high) else f"'{name}' is out of range."
    if question["type"] == "multiplechoice":
        return (
            ""
            if value in _choices(question)
            else f"Value {value} for '{name}' expected to be one of {_choices(question)}."
        )
    if not isinstance(value, str):
        return f"Value {value!r} for '{name}' expected to be a string."
    if low and len(value) < low:
        return f"'{name}' value {value} is too small (length is {len(value)} must be at least {low})."
    return f"'{name}' value is too large." if high and len(value) > high else ""
