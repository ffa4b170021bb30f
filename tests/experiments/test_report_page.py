"""One page of many runs: everything is inside, everything is escaped, damage is named."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from experiments.report.__main__ import main

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
REPORT = """# Title & more

A figure:

![curves](curves.png)

## Table

| setting | value |
| :-- | --: |
| a | 1 |

    python -m experiments.ablation
"""


def make_run(directory: Path, report: str | None = REPORT, **settings) -> Path:
    directory.mkdir(parents=True)
    config = {"experiment": "ablation", "dataset": "digits", "seeds": [0, 1], **settings}
    content = {"config": config, "versions": {"keras": "3.99"}}
    (directory / "config.json").write_text(json.dumps(content))
    metrics = {"summary": {}, "records": [{"seconds": 1.5}, {"seconds": 40.0}]}
    (directory / "metrics.json").write_text(json.dumps(metrics))
    if report is not None:
        (directory / "report.md").write_text(report)
        (directory / "curves.png").write_bytes(PNG)
    return directory


class Page(HTMLParser):
    """What a browser would see: the tags with their attributes, and the text."""

    def __init__(self, path: Path):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.html = path.read_text(encoding="utf-8")
        self.feed(self.html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags[-1:] != [("style", {})]:
            self.text += data

    def all(self, name: str) -> list[dict]:
        return [attributes for tag, attributes in self.tags if tag == name]


def test_the_page_holds_reports_and_figures_of_all_runs(tmp_path, capsys):
    make_run(tmp_path / "b" / "deep")
    make_run(tmp_path / "a", report=None)
    assert main([str(tmp_path)]) == 0
    assert "2 runs" in capsys.readouterr().out.replace("\n", "")
    page = Page(tmp_path / "report.html")
    (image,) = page.all("img")
    assert image["alt"] == "curves"
    assert image["src"] == "data:image/png;base64," + base64.b64encode(PNG).decode()
    for text in ("Title & more", "python -m experiments.ablation", "b/deep", "0, 1", "42"):
        assert text in page.text
    # the settings of a run without a report
    assert page.text.count("unfinished") == 1
    assert "3.99" in page.text
    assert [tag for tag, _ in page.tags if tag in ("h1", "h2", "h3")] == ["h1", "h2", "h2", "h3"]
    anchors = {each["href"] for each in page.all("a")}
    assert anchors == {f"#{each['id']}" for each in page.all("section")}


def test_nothing_is_loaded_from_elsewhere(tmp_path):
    report = "# R\n\n![far](https://example.org/x.png) ![up](../secret.png) ![no](none.png)\n"
    (tmp_path / "secret.png").write_bytes(PNG)
    run = make_run(tmp_path / "run", report)
    (run / "text.png").write_text("no picture")
    (run / "report.md").write_text(report + "\n![words](text.png)\n")
    assert main([str(tmp_path / "run")]) == 0
    page = Page(run / "report.html")
    assert page.all("img") == page.all("link") == page.all("script") == []
    for name in ("far", "up", "no", "words"):
        assert f"[missing figure: {name}]" in page.text
    assert not re.search(r"(src|url\()\s*=?\s*[\"']?(https?:|/)", page.html)
    (policy,) = [each["content"] for each in page.all("meta") if "http-equiv" in each]
    assert policy.startswith("default-src 'none'")


def test_everything_is_escaped(tmp_path):
    bad = "<script>alert(1)</script>"
    report = f"# {bad}\n\n{bad}\n\n[x](javascript:alert(1))\n\n| {bad} |\n| --- |\n| `{bad}` |\n"
    make_run(tmp_path / "<b>run", report, dataset=bad)
    make_run(tmp_path / "other", None, note=bad)
    (tmp_path / "<i>").mkdir()
    (tmp_path / "<i>" / "config.json").write_text(bad)
    assert main([str(tmp_path)]) == 1
    page = Page(tmp_path / "report.html")
    assert page.all("script") == page.all("b") == page.all("i") == []
    assert not any("javascript:" in each["href"] for each in page.all("a"))
    assert page.text.count(bad) >= 6


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("config.json", b"{", "config.json is no JSON"),
        ("config.json", b"[]", "config.json is not that of a run: it holds no object"),
        ("config.json", b'{"config": {}}', "config.json is not that of a run: it has no versions"),
        ("config.json", b"\xff", "config.json is not UTF-8"),
        ("metrics.json", b'{"records": [{}]}', "metrics.json has no records"),
        ("metrics.json", b'{"rec', "metrics.json is no JSON"),
        ("report.md", b"\xff", "report.md is not UTF-8"),
    ],
)
def test_damaged_runs_are_named_and_the_others_shown(file, content, reason, tmp_path, capsys):
    make_run(tmp_path / "good")
    (make_run(tmp_path / "bad") / file).write_bytes(content)
    assert main([str(tmp_path)]) == 1
    assert f"left out: bad: {reason}" in capsys.readouterr().err
    page = Page(tmp_path / "report.html")
    assert f"bad: {reason}" in page.text
    assert len(page.all("section")) == 1


@pytest.mark.parametrize("kind", ["missing", "empty", "file"])
def test_where_there_is_no_run_there_is_no_page(kind, tmp_path, capsys):
    place = tmp_path / "place"
    if kind == "empty":
        place.mkdir()
    elif kind == "file":
        place.write_text("")
    assert main([str(place), "--output", str(tmp_path / "page.html")]) == 2
    error = capsys.readouterr().err
    assert "`directory` of find must" in error
    assert "Received: " in error
    assert error.count("\n") == 1
    assert not (tmp_path / "page.html").exists()


def test_the_same_runs_make_the_same_page(tmp_path):
    make_run(tmp_path / "runs" / "a")
    for name in ("1.html", "2.html"):
        assert main([str(tmp_path / "runs"), "--output", str(tmp_path / name)]) == 0
    assert (tmp_path / "1.html").read_bytes() == (tmp_path / "2.html").read_bytes()
