# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of a plan and of a report in a real browser: they load nothing, fit the screen, and can be read."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from ansible_collections.lockstep.teleport.plugins.plugin_utils import page
from ansible_collections.lockstep.teleport.tests.pages.samples import CLUSTERS, plan, refused_plan, report

PAGES = {
    "plan": page.plan_page(plan(), CLUSTERS),
    "refused": page.plan_page(refused_plan(), CLUSTERS, refused=True),
    "report": page.report_page(report(), CLUSTERS),
}
SCREENS = {"phone": (390, 844), "desktop": (1440, 900)}
#: WCAG 2.2, success criterion 1.4.3, for text of ordinary size.
MINIMUM_CONTRAST = 4.5

#: Every text that is seen, with its colour and that of the nearest surface below it.
COLOURS = """
() => {
  const opaque = (colour) => !/^rgba\\(.*, 0\\)$/.test(colour) && colour !== "transparent";
  const surface = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const own = getComputedStyle(at).backgroundColor;
      if (opaque(own)) return own;
    }
    return getComputedStyle(document.body).backgroundColor;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = [];
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const text = texts.currentNode.textContent.trim();
    if (!text || element.closest("title, style") || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const drawn = element.closest("svg") && element.tagName.toLowerCase() === "text";
    seen.push([text.slice(0, 40), drawn ? style.fill : style.color, surface(element)]);
  }
  return seen;
}
"""


class Visit(NamedTuple):
    """A page as it was opened, and what it asked for besides itself or complained about."""

    page: Page
    asked: list[str]
    complaints: list[str]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Debian's own where there is one; Ubuntu has none outside of snaps, so setup fetches Playwright's there.
        found = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module", params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=list(SCREENS))
def screen(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=list(PAGES))
def visit(
    request: pytest.FixtureRequest, browser: Browser, scheme: str, screen: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Visit]:
    file = tmp_path_factory.mktemp("pages") / "page.html"
    file.write_text(PAGES[request.param], encoding="utf-8")
    width, height = SCREENS[screen]
    shown = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    asked: list[str] = []
    complaints: list[str] = []
    shown.on("request", lambda sent: asked.append(sent.url))
    shown.on("console", lambda message: complaints.append(message.text))
    shown.on("pageerror", lambda error: complaints.append(str(error)))
    shown.goto(file.as_uri())
    shown.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    yield Visit(shown, [url for url in asked if url != file.as_uri()], complaints)
    shown.close()


def luminance(colour: str) -> float:
    """Return the relative luminance of ``rgb(r, g, b)``, 0 to 1, as WCAG defines it."""
    channels = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def test_it_is_one_file_that_asks_for_nothing_and_fits_and_can_be_read(visit: Visit, scheme: str) -> None:
    assert visit.asked == []
    assert visit.complaints == []
    assert visit.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    colours = visit.page.evaluate(COLOURS)
    assert len(colours) > 20
    faint = [(text, ink, paper) for text, ink, paper in colours if contrast(ink, paper) < MINIMUM_CONTRAST]
    assert faint == []
    paper = luminance(visit.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert paper > 0.8 if scheme == "light" else paper < 0.1


def test_what_is_wide_can_be_scrolled_to(visit: Visit) -> None:
    hidden = visit.page.evaluate(
        """() => [...document.querySelectorAll("table, svg")].filter((wide) => {
             const box = wide.closest(".wide");
             const scrolls = box && getComputedStyle(box).overflowX === "auto";
             return wide.getBoundingClientRect().right > innerWidth && !scrolls;
           }).length"""
    )
    assert hidden == 0


def test_no_drawn_text_leaves_its_drawing(visit: Visit) -> None:
    outside = visit.page.evaluate(
        """() => [...document.querySelectorAll("svg text")].filter((text) => {
             const own = text.getBBox(), drawing = text.ownerSVGElement.viewBox.baseVal;
             const at = text.getCTM(), root = text.ownerSVGElement.getCTM() || new DOMMatrix();
             const left = own.x + (at.e - root.e) / at.a;
             return left < -1 || left + own.width > drawing.width + 1;
           }).map((text) => text.textContent)"""
    )
    assert outside == []
