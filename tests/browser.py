"""Opens pages in Chromium, as a reader would, and tells what went wrong there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from conftest import ROOT, missing, need

WIDTHS = (360, 1280)
SCHEMES = ("light", "dark")

_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
_OPEN_ALL = "document.querySelectorAll('details').forEach(each => { each.open = true })"
_WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
# Every rule that is on, best practices too, and the one of WCAG 2.2 that is off unless asked for.
_AXE = """async () => {
    const found = await axe.run(document, { rules: { 'target-size': { enabled: true } } });
    return found.violations.flatMap(
        each => each.nodes.map(node => `${each.id}: ${each.help}: ${node.html.slice(0, 200)}`));
}"""


@dataclass(frozen=True)
class Visit:
    """What a browser found in a page: nothing of it should be there.

    ``messages`` of the console and errors of the page, ``requests`` for anything but the page,
    ``overflow`` in pixels by which the page is wider than the window, with all folded blocks
    open, and then axe-core's ``violations``.
    """

    messages: tuple[str, ...]
    requests: tuple[str, ...]
    overflow: int
    violations: tuple[str, ...]


NOTHING = Visit((), (), 0, ())


def axe() -> Path:
    """Find axe-core, which ``npm install axe-core`` brings."""
    beside = ROOT / ".venv/axe/node_modules/axe-core/axe.min.js"
    path = Path(os.environ.get("EDGEPACK_AXE", beside))
    return path if path.is_file() else missing("axe-core (npm; EDGEPACK_AXE names its axe.min.js)")


@contextmanager
def opened() -> Iterator[Any]:
    """Open a browser, Playwright's ``Browser``."""
    chromium = need("chromium")
    if not find_spec("playwright"):
        missing("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_ARGUMENTS))
        yield browser
        browser.close()


def visit(browser: Any, page_path: Path, *, width: int, scheme: str) -> Visit:
    """Open a page in a window of that width, in light or in dark."""
    rules = axe().read_text()
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    messages: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(page_path.as_uri())
    page.evaluate(_OPEN_ALL)
    wide, room = page.evaluate(_WIDTHS)
    asked = [url for url in requests if url != page.url and not url.startswith("data:")]
    told = tuple(messages)
    page.evaluate(rules)  # what a tool evaluates, the page's policy lets through
    violations = page.evaluate(_AXE)
    page.close()
    return Visit(told, tuple(asked), max(wide - room, 0), tuple(violations))
