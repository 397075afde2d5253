# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Surveys of AWX out of argument specifications, so that both ask for the same. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

_PREFIX = "teleport_"
_SET_WITH_RE = re.compile(r" *Set it with C\((\w+)\)\.")
_TYPES = {"str": "text", "path": "text", "raw": "text", "list": "text", "int": "integer", "float": "float"}
_LONGEST = 1024  # characters of an answer, the most that AWX stores by itself
_LARGEST = 1_000_000_000


def build(
    variables: Iterable[str], specifications: Iterable[Mapping[str, Any]], required: Collection[str] = ()
) -> dict[str, Any]:
    """Return the survey that asks for *variables*, in this order.

    *specifications* are those of roles, as in ``meta/argument_specs.yml``; the option that a variable sets says in its
    description "Set it with C(variable)", and the first role that says so counts. Those in *required* have to be
    answered whatever the role says.

    :raises ValueError: for a variable that no role takes, or of a type that no survey can ask for.
    """
    wanted = list(variables)
    options: dict[str, Mapping[str, Any]] = {}
    for variable, option in _by_variable(specifications):
        options.setdefault(variable, option)
    unknown = [name for name in wanted if name not in options]
    if unknown:
        raise ValueError(f"no role takes {', '.join(unknown)}; known are {', '.join(sorted(options))}")
    asked = [_question(name, options[name], name in required) for name in wanted]
    return {"name": "", "description": "", "spec": asked}


def _by_variable(specifications: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for specification in specifications:
        for entry in specification["argument_specs"].values():
            for option in (entry.get("options") or {}).values():
                for variable in _SET_WITH_RE.findall(_told(option)):
                    yield variable, option


def _told(option: Mapping[str, Any]) -> str:
    description = option["description"]
    return description if isinstance(description, str) else " ".join(description)


def _question(variable: str, option: Mapping[str, Any], needed: bool) -> dict[str, Any]:
    kind = option.get("type", "str")
    choices = [str(choice) for choice in option.get("choices", [])] or (["true", "false"] if kind == "bool" else [])
    if not choices and kind not in _TYPES:
        raise ValueError(f"{variable} is a {kind}, which no survey can ask for; set it in the inventory")
    needed = needed or bool(option.get("required"))
    lowest, highest = (0, _LARGEST) if kind in {"int", "float"} else (int(needed), _LONGEST)
    return {
        "question_name": variable.removeprefix(_PREFIX).replace("_", " ").capitalize(),
        "question_description": _plain(option) + (" Several are separated by commas." if kind == "list" else ""),
        "required": needed,
        "type": "multiplechoice" if choices else _TYPES[kind],
        "variable": variable,
        "min": lowest,
        "max": highest,
        "default": _default(option, kind),
        "choices": "\n".join(choices),
        "new_question": True,
    }


def _default(option: Mapping[str, Any], kind: str) -> Any:
    default = option.get("default", "")
    if kind in {"int", "float"}:
        return default
    if isinstance(default, list):
        return ",".join(str(item) for item in default)
    return str(default).lower() if isinstance(default, bool) else str(default)


def _plain(option: Mapping[str, Any]) -> str:
    return re.sub(r"\b[A-Z]+\(([^)]*)\)", r"\1", _SET_WITH_RE.sub("", _told(option))).strip()
