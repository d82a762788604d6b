"""Pages: one file that loads no resources, runs no scripts, and shows any text as text."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from browser import NOTHING, SCHEMES, WIDTHS, visit
from example_document import HOSTILE, document

from edgepack.report.document.blocks import (
    Bullets,
    Column,
    Details,
    Document,
    Headline,
    Row,
    Section,
    Table,
    Text,
    Tone,
)
from edgepack.report.document.html import render_html
from edgepack.report.document.markdown import MAX_CHARACTERS, render_markdown

ELEMENTS = {
    *("html", "head", "meta", "title", "link", "style", "body", "header", "nav", "main", "footer"),
    *("a", "h1", "h2", "h3", "p", "ul", "li", "dl", "dt", "dd", "div", "span", "section"),
    *("article", "details", "summary", "figure", "figcaption", "img"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "desc", "path", "rect", "line", "polyline", "circle", "text"),
}
ATTRIBUTES = {
    *("alt", "aria-describedby", "aria-hidden", "aria-label", "aria-labelledby", "charset"),
    *("class", "colspan", "content", "cx", "cy", "d", "fill-opacity", "font-size", "height"),
    *("href", "http-equiv", "id", "lang", "name", "points", "r", "rel", "role", "scope", "src"),
    *("tabindex", "text-anchor", "transform", "viewbox", "width", "x", "x1", "x2", "y", "y1", "y2"),
}
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
NICE = document()
EVIL = document(HOSTILE, HOSTILE * 3)


class Reader(HTMLParser):
    """Collects the elements and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def values(self, *names: str) -> list[str]:
        return [attributes[n] for _, attributes in self.elements for n in names if n in attributes]


@pytest.mark.parametrize("page", [NICE, EVIL], ids=["nice", "evil"])
def test_a_page_is_made_of_harmless_elements_and_refers_to_nothing_outside(page: Document) -> None:
    read = Reader(render_html(page))
    assert {tag for tag, _ in read.elements} <= ELEMENTS
    assert {name for _, attributes in read.elements for name in attributes} <= ATTRIBUTES
    for address in read.values("href", "src"):
        assert re.match(r"#[a-z]|data:,$|data:image/png;base64,[A-Za-z0-9+/=]+$", address)
    assert POLICY in read.values("content")
    (style,) = re.findall(r"<style>(.*?)</style>", render_html(page), re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style


def test_hostile_texts_are_shown_as_they_are() -> None:
    read = Reader(render_html(EVIL))
    assert HOSTILE[0] in read.texts
    assert HOSTILE[1] in read.texts
    assert "nul \\x00, escape \\x1b[31m, half a pair \\ud800" in read.texts
    assert "\\u202egnp.exe \\u2066turned\\u200f" in read.texts
    assert not re.search(r"[^\n -~\u00a0-\ud7ff\ue000-\U0010ffff]", render_html(EVIL))
    render_html(EVIL).encode()


def test_identifiers_and_names_of_regions_occur_once() -> None:
    read = Reader(render_html(EVIL))
    identifiers = read.values("id")
    assert len(identifiers) == len(set(identifiers))
    for reference in read.values("aria-labelledby", "aria-describedby"):
        assert reference in identifiers
    regions = [each["aria-label"] for _, each in read.elements if each.get("role") == "region"]
    assert regions
    assert len(regions) == len(set(regions))


def test_the_same_document_gives_the_same_bytes() -> None:
    for render in (render_html, render_markdown):
        assert render(document()) == render(document())


def test_the_verdict_comes_first_and_a_tone_is_also_a_word() -> None:
    texts = " ".join(Reader(render_html(NICE)).texts)
    assert texts.index("No drop is shown") < texts.index("What it costs")
    assert "good:  No drop is shown" in texts
    bad = Headline(word="Worse", tone=Tone.BAD, sentences=())
    page = Document(title="t", subtitle="", headline=bad, sections=())
    assert "bad: " in Reader(render_html(page)).texts
    assert "❌ Worse" in render_markdown(page)


@pytest.mark.parametrize("page", [NICE, EVIL], ids=["nice", "evil"])
def test_markdown_shows_texts_as_texts_and_keeps_its_tables(page: Document) -> None:
    from markdown_it import MarkdownIt

    written = render_markdown(page)
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    blocks = reader.parse(written)
    tokens = [*blocks, *(each for block in blocks for each in block.children or ())]
    assert {token.type for token in tokens} <= {
        *("paragraph_open", "paragraph_close", "inline", "text", "text_special", "html_block"),
        *("heading_open", "heading_close", "strong_open", "strong_close"),
        *("bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"),
        *("table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close"),
        *("tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close"),
    }
    for token in tokens:
        if token.type == "html_block":
            assert re.fullmatch(
                r"(<details><summary>[^<>]*</summary>|</details>)\n?", token.content
            )
    rows = "".join(
        {"tr_open": "\n", "th_open": "c", "td_open": "c"}.get(t.type, "") for t in tokens
    )
    assert set(rows.split()) == {"ccccc", "cc"}
    shown = html.unescape(reader.render(written))
    assert not re.search(r"@\w|#\w|\bGH-\d|\bwww\.|:\+1:|\w+://|javascript:\w", shown)
    assert written.count("<details>") == written.count("</details>")


def test_markdown_fits_a_comment_of_github() -> None:
    """The longest collapsed blocks are left out first, then the end; other blocks are complete."""
    plots = [block for section in NICE.sections for block in section.blocks]
    folds = tuple(
        Details(summary=f"fold {count}", blocks=(Bullets(items=("word " * 40,) * count),))
        for count in (10, 400, 20)
    )
    last = Text(text="The end.")
    long = replace(
        NICE,
        sections=(Section(id="long", title="Long", lead=None, blocks=(*plots, *folds, last)),),
    )
    written = render_markdown(long)
    assert len(written) <= MAX_CHARACTERS
    assert written.endswith("The end.\n")
    assert written.count("report.html has it") == 1
    assert "<summary>fold 400</summary>\n\n(left out" in written
    endless = replace(long.sections[0], blocks=(last,) * 10_000)
    cut = render_markdown(replace(long, sections=(endless,)))
    assert MAX_CHARACTERS - 200 < len(cut) <= MAX_CHARACTERS
    assert cut.endswith("report.html has it)\n")


def test_what_follows_a_figure_in_brackets_is_below_it() -> None:
    table = Table(
        caption="t",
        columns=(Column(title="a"), Column(title="b", is_number=True)),
        rows=(Row(cells=("x (y)", "0.9 (0.8 to 1)")), Row(cells=("z", "1 [0.25%]"))),
    )
    section = Section(id="s", title="s", lead=None, blocks=(table,))
    page = render_html(replace(NICE, sections=(section,)))
    assert '0.9 <span class="aside">(0.8 to 1)</span>' in page
    assert '1 <span class="aside">[0.25%]</span>' in page
    assert "x (y)" in page


def test_markdown_has_the_content_of_the_document() -> None:
    written = render_markdown(NICE)
    assert written.startswith("## kws: float against down\n\n")
    assert "**✅ No drop is shown**" in written
    assert "| model | accuracy | 95% | flash | note |\n| --- | ---: |" in written
    assert "| ✅ go | 91.2% | 90.0 to 92.4 | 53,936 | left |" in written
    assert "- **sample 17: down** float: on (0.51); go" in written


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_browser_finds_no_problems(browser: Any, tmp_path: Path, width: int, scheme: str) -> None:
    path = tmp_path / "report.html"
    page = NICE if (width == WIDTHS[0]) == (scheme == SCHEMES[0]) else EVIL
    path.write_text(render_html(page), encoding="utf-8")
    assert visit(browser, path, width=width, scheme=scheme) == NOTHING


def test_the_browser_check_finds_problems(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text(
        "<!DOCTYPE html><p style='width: 400px; color: #ccc'>pale"
        "<img src=http://127.0.0.1:9/x.png><script>console.error('seen'); no()</script>"
    )
    found = visit(browser, path, width=360, scheme="light")
    assert {"seen", "no is not defined"} <= set(found.messages)
    assert found.requests == ("http://127.0.0.1:9/x.png",)
    assert found.overflow > 0
    rules = {violation.split(":")[0] for violation in found.violations}
    assert {"image-alt", "color-contrast", "html-has-lang", "region"} <= rules


def test_the_keyboard_reaches_everything_in_order(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(render_html(NICE), encoding="utf-8")
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.goto(path.as_uri())
    stops = page.evaluate(
        """() => [...document.querySelectorAll('a, summary, [tabindex="0"]')]
            .filter(each => each.checkVisibility())
            .map((each, index) => {
                each.dataset.stop = index;
                return each.className || each.tagName;
            })"""
    )
    sections = len(NICE.sections)
    assert stops[: 1 + sections] == ["skip", *["A"] * sections]
    assert {"SUMMARY", "scroll"} <= set(stops)
    reached = []
    for _ in stops:
        page.keyboard.press("Tab")
        reached.append(int(page.evaluate("document.activeElement.dataset.stop ?? -1")))
    assert reached == list(range(len(stops)))
    page.locator(".skip").focus()
    assert page.locator(".skip").bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.tagName") == "MAIN"
    page.locator("summary").first.press("Enter")
    assert page.locator("details").first.get_attribute("open") is not None
    page.close()
