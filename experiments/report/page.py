"""One HTML page of many runs, with all figures inside."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from experiments.report.runs import DamagedRun, FoundRun

_PNG = b"\x89PNG\r\n\x1a\n"


class Section(NamedTuple):
    """A run on the page."""

    anchor: str
    title: str
    run: FoundRun
    body: Markup | None  # the report; `None` while the run is not finished


def render(runs: Sequence[FoundRun], damaged: Sequence[DamagedRun] = ()) -> str:
    """The page: an overview of the runs, the report of each, and which could not be read."""
    # what runs hold is text to the template, and so is HTML in their markdown
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections = [section(run, f"run-{place}") for place, run in enumerate(runs, 1)]
    return environment.get_template("page.html.jinja").render(sections=sections, damaged=damaged)


def section(run: FoundRun, anchor: str) -> Section:
    """A run and its report in HTML; the heading of the report is the title."""
    if run.report is None:
        return Section(anchor, run.name, run, None)
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(run.report)
    title = run.name
    if len(tokens) > 2 and tokens[0].tag == "h1":
        title, tokens = tokens[1].content, tokens[3:]
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):  # below that of the run
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
        for child in token.children or []:
            if child.type == "image":
                _embed(child, run.directory)
    html = markdown.renderer.render(tokens, markdown.options, {})
    # wide tables scroll by themselves
    html = html.replace("<table>", '<div class="wide"><table>')
    return Section(anchor, title, run, Markup(html.replace("</table>", "</table></div>")))


def _embed(image: Token, directory: Path) -> None:
    """Put the picture itself in place of its address; of any other than a PNG of the run, words."""
    source: Any = image.attrs.get("src", "")
    path = directory / str(source)
    inside = path.resolve().is_relative_to(directory.resolve())
    content = path.read_bytes() if inside and path.is_file() else b""
    if content.startswith(_PNG):
        image.attrs["src"] = "data:image/png;base64," + base64.b64encode(content).decode()
    else:
        image.type, image.tag = "text", ""
        image.content = f"[missing figure: {image.content}]"
