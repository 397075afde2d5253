# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of Sphinx for the site that ``make docs`` builds: these pages, and the reference from antsibull-docs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_COLLECTION = yaml.safe_load((Path(__file__).parents[1] / "galaxy.yml").read_text())

project = f"{_COLLECTION['namespace']}.{_COLLECTION['name']}"
author = "Lockstep maintainers"
version = release = _COLLECTION["version"]

extensions = ["myst_parser", "sphinx_antsibull_ext"]
exclude_patterns = ["docsite"]
myst_heading_anchors = 3
# What the reference says of ansible-core lies on another site, which is not asked for its labels.
suppress_warnings = ["ref.ref"]
default_role = "any"
highlight_language = "yaml+jinja"

html_theme = "furo"
html_title = project
html_show_sphinx = False
html_theme_options = {
    "source_repository": _COLLECTION["repository"],
    "source_branch": "main",
    "source_directory": "docs/",
}

_OUTSIDE_RE = re.compile(r"\]\(\.\./")


def link_to_repository(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Let links that leave this folder lead to the repository: the site has only what is in it."""
    source[0] = _OUTSIDE_RE.sub(f"]({_COLLECTION['repository']}/blob/main/", source[0])


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", link_to_repository)
