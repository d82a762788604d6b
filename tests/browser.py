"""Opens pages in Chromium, and reports problems there."""

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
# Every rule that is on by default, including best practices, and the one of WCAG 2.2 that is off.
_AXE = """async () => {
    const found = await axe.run(document, { rules: { 'target-size': { enabled: true } } });
    return found.violations.flatMap(
        each => each.nodes.map(node => `${each.id}: ${each.help}: ${node.html.slice(0, 200)}`));
}"""


@dataclass(frozen=True)
class Visit:
    """The problems that a browser found in a page.

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
    """Return the path of axe-core, which ``npm install axe-core`` installs."""
    installed = ROOT / ".venv/axe/node_modules/axe-core/axe.min.js"
    path = Path(os.environ.get("EDGEPACK_AXE", installed))
    return path if path.is_file() else missing("axe-core (npm; EDGEPACK_AXE names its axe.min.js)")


@contextmanager
def opened() -> Iterator[Any]:
    """Open a browser: Playwright's ``Browser``."""
    chromium = need("chromium")
    if not find_spec("playwright"):
        missing("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_ARGUMENTS))
        yield browser
        browser.close()


def visit(browser: Any, page_path: Path, *, width: int, scheme: str) -> Visit:
    """Open a page in a window of that width, with a light or dark color scheme."""
    rules = axe().read_text()
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    messages: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(page_path.as_uri())
    page.evaluate(_OPEN_ALL)
    width_needed, width_visible = page.evaluate(_WIDTHS)
    loaded = [url for url in requests if url != page.url and not url.startswith("data:")]
    seen = tuple(messages)
    page.evaluate(rules)  # Playwright's own scripts bypass the page's policy
    violations = page.evaluate(_AXE)
    page.close()
    return Visit(seen, tuple(loaded), max(width_needed - width_visible, 0), tuple(violations))
