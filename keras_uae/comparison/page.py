"""One HTML page with all that it needs in it: tables, verdicts, figures, how it was made."""

import base64
import html
from collections.abc import Mapping, Sequence
from string import Template
from typing import Any

import numpy as np

from keras_uae.comparison import pictures

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .5rem; text-align: right; white-space: nowrap; }
th { border-bottom: 1px solid; vertical-align: bottom; white-space: normal; }
th:first-child, td:first-child { text-align: left; white-space: pre; }
.settings :is(th, td) { text-align: left; white-space: normal; vertical-align: top; }
tr:nth-child(even) td { background: #8881; }
img { max-width: 100%; background: white; }
.legend { font-size: .85rem; opacity: .75; }
</style>
</head>
<body>
$body
</body>
</html>
""")


def page(title: str, parts: Sequence[str]) -> str:
    """A page of parts that are HTML already."""
    return _PAGE.substitute(title=html.escape(title), body="\n".join(parts))


def heading(text: str, level: int = 2) -> str:
    """A heading."""
    return f"<h{level}>{html.escape(text)}</h{level}>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph."""
    return f'<p class="{kind}">{html.escape(text)}</p>' if kind else f"<p>{html.escape(text)}</p>"


def listed(lines: Sequence[str]) -> str:
    """A list."""
    return "<ul>\n" + "\n".join(f"<li>{html.escape(line)}</li>" for line in lines) + "\n</ul>"


def table(cells: Sequence[Sequence[str]], kind: str = "") -> str:
    """A table whose first line are its headings."""
    head, *body = (
        "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in line)
        for tag, line in zip(["th", *["td"] * (len(cells) - 1)], cells, strict=True)
    )
    rows = "\n".join(f"<tr>{line}</tr>" for line in body)
    return f'<div class="wide {kind}"><table>\n<tr>{head}</tr>\n{rows}\n</table></div>'


def image(png: bytes, description: str) -> str:
    """A picture, inside the page."""
    data = base64.b64encode(png).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{html.escape(description)}">'


def settings_table(settings: Mapping[str, Any]) -> str:
    """Settings by name, those within others in their line."""
    lines = [[key.replace("_", " "), _shown(value)] for key, value in settings.items()]
    return table([["setting", "value"], *lines], "settings")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        known = ((key, each) for key, each in value.items() if each is not None)
        return ", ".join(f"{key} {_shown(each)}" for key, each in known)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_shown, value))
    if isinstance(value, float):
        return f"{value:.6g}"  # a rate is one of float32
    return "–" if value is None else str(value)


def _made(comparison: Any) -> dict[str, Any]:
    """What a reader wants to know of how a comparison was made."""
    settings = comparison.settings
    plain = {key: each for key, each in settings.items() if not isinstance(each, (dict, list))}
    attacks = {
        name: {"": row["attack"], **row["settings"]}
        for name, row in settings["rows"].items()
        if "attack" in row and not row["noise"]
    }
    trained = {key: settings["model"].get(key) for key in ("class", "optimizer", "loss")}
    return {
        **{f"model: {key}": value for key, value in trained.items()},
        **{f"attack of {name}": value for name, value in attacks.items()},
        **{**plain, "bounds": settings["bounds"], "seeds": comparison.seeds},
        **comparison.versions,
    }


def comparison_page(comparison: Any) -> str:
    """The page of a `Comparison`."""
    summary, settings = comparison.summary(), comparison.settings
    seeds = len(comparison.seeds)
    introduction = (
        f"For each of {seeds} seeds the model ({settings['model']['class']}) was trained on "
        f"{settings['samples']} samples and then, from the same initial weights, once for every "
        "row on these and as many additions. The duplicates are the control: what an addition "
        "itself brings is its difference to them."
    )
    return page(
        "Does augmentation with UAEs help this model?",
        [
            heading("Does augmentation with UAEs help this model?", 1),
            paragraph(introduction),
            heading("What may be said"),
            listed(comparison.sentences),
            heading("Figures"),
            *map(table, comparison.tables),
            paragraph(comparison.legend, "legend"),
            *_intervals(summary),
            heading("How it was made"),
            settings_table(_made(comparison)),
        ],
    )


def _intervals(summary: Mapping[str, Any]) -> list[str]:
    if not any(row["against"] for row in summary["rows"].values()):
        return []
    return [
        image(pictures.intervals(summary), "Differences with their 95 % intervals"),
        paragraph("Filled dots: differences that count after Holm's correction.", "legend"),
    ]


def blind_spots_page(report: Any) -> str:
    """The page of `BlindSpots`."""
    parts = [
        heading(f"Where {report.model} is blind", 1),
        paragraph(
            f"{len(report.x)} samples were attacked: what is far from a sample and still handled "
            "as if it were the sample? Noise as large as the examples is the control."
        ),
        listed(report.sentences),
        table(report.cells()),
    ]
    for finding in report.findings.values():
        parts.append(heading(finding.title))
        if not len(finding.l2):
            parts.append(paragraph("No example was found."))
            continue
        moved = pictures.features(finding.features, "mean |δ|, range 1")
        parts.append(image(moved, "How far each feature is moved"))
        if pictures.is_image(report.x.shape[1:]):
            for name, png in _extremes(report, finding).items():
                parts += [paragraph(name), image(png, name)]
    parts += [heading("How it was made"), settings_table(report.settings)]
    return page(f"Where {report.model} is blind", parts)


def _extremes(report: Any, finding: Any) -> dict[str, bytes]:
    """Pictures of the ten farthest examples, and of the ten nearest."""
    won = np.flatnonzero(finding.found.success)
    order = np.argsort(finding.l2, kind="stable")
    found = {}
    for name, places in (("The farthest", order[::-1]), ("The nearest", order)):
        places = places[:10]
        rows, norms = won[places], finding.l2[places]
        labels = [
            f"#{report.rows[row]}, L2 {norm:.2g}" for row, norm in zip(rows, norms, strict=True)
        ]
        found[name] = pictures.examples(
            report.x[rows], finding.found.x[rows], labels, report.space.low, report.space.high
        )
    return found
