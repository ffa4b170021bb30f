"""Whether a claim of the paper reproduces: one rule for all, on comparisons seed by seed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.engine.summary import judged
from experiments.engine.tables import NONE, Column, Sheet, counted, hundredths, sheet, written
from keras_uae import __version__
from keras_uae.comparison.verdicts import interval, signed

REPRODUCES = "reproduces"
WITHOUT = "only without the control"
NOT = "does not reproduce"
UNDECIDED = "undecided"
NOTHING = "nothing claimed"
SATURATED = "nothing to gain"
NOT_RUN = "not run"


class Line(NamedTuple):
    """What an addition brings, seed by seed: + is better."""

    data: str  # and the model
    images: int | None = None  # `None` of one that is to be run
    added: str = ""
    gains: Sequence[float] = ()  # over what the paper compares with
    over: Sequence[float] = ()  # over the control that it lacks
    paper: float | None = None  # its gain
    measure: str = "less error"
    ratio: bool = True  # whether gains are fractions, or differences of rates
    version: str = __version__


def answer(
    gains: Sequence[float], control: Mapping[str, Any] | None, paper: float | None = None
) -> str:
    """What a line says of the claim.

    Args:
        gains: By seed, over what the paper compares with.
        control: What `judged` gives of the gains over the control, `None` without a seed.
        paper: Its gain; where that is none, it claims nothing.
    """
    if paper is not None and paper <= 0:
        return NOTHING
    if not len(gains) or control is None or control["outcome"] == "none":  # too few seeds
        return UNDECIDED
    if not np.any(gains) and control["mean"] == 0:
        return SATURATED
    if np.mean(gains) <= 0:
        return NOT
    return REPRODUCES if control["outcome"] == "better" else WITHOUT


def answered(lines: Sequence[Line]) -> list[tuple[Line, Mapping[str, Any] | None, str]]:
    """Lines, what `judged` gives of each, all judged together, and their answers."""
    # lines that have a control in common make one comparison with it
    found = judged({tuple(line.over): line.over for line in lines})
    controls = [found[tuple(line.over)] for line in lines]
    return [
        (line, control, answer(line.gains, control, line.paper) if line.images else NOT_RUN)
        for line, control in zip(lines, controls, strict=True)
    ]


def measures(lines: Sequence[Line]) -> list[str]:
    """What the gains of lines are."""
    return [*dict.fromkeys(line.measure for line in lines if line.images)]


def table(lines: Sequence[Line], against: str, control: str) -> Sheet:
    """A line each, `against` and `control` being the headings of what it is compared with."""
    columns = [
        Column("samples", "samples"),
        Column("seeds", "seeds", "d"),
        Column("with", "added"),
        *[Column("gain", "measure")] * (len(measures(lines)) > 1),
        Column(against, "against"),
        Column("the paper's", "paper"),
        Column(control, "over"),
        Column("answer", "answer"),
        Column("version", "version"),
    ]
    rows = [(line.data, _cells(line, found, said)) for line, found, said in answered(lines)]
    return sheet("", columns, rows)


def _cells(line: Line, control: Mapping[str, Any] | None, said: str) -> dict[str, Any]:
    if line.images is None:
        return {"answer": said}
    return {
        "samples": counted(line.images),
        "seeds": len(line.gains),
        "added": line.added,
        "measure": line.measure,
        "against": _gain(np.mean(line.gains), line.ratio) if len(line.gains) else None,
        "paper": None if line.paper is None else _gain(line.paper, line.ratio),
        "over": control and (interval(control, True) if line.ratio else hundredths(control)),
        "answer": said,
        "version": line.version if line.version != __version__ else None,
    }


def _gain(value: Any, ratio: bool) -> str:
    return signed(value, True) if ratio else written(100 * value, "+.1f")


def outcome(lines: Sequence[Line]) -> str:
    """The answer of a claim: that of its lines, or how many say what."""
    uncounted = (NOTHING, SATURATED, NOT_RUN)
    said = Counter(each for *_, each in answered(lines) if each not in uncounted)
    if not said:
        return NOT_RUN
    if len(said) == 1:
        return f"**{next(iter(said))}**"
    return "<br>".join(f"**{each}**: {n} of {said.total()}" for each, n in said.most_common())


def span(lines: Sequence[Line], name: str) -> str:
    """From which mean to which `gains`, or `over`, of the lines run, measure by measure."""
    means: dict[tuple[str, bool], list[float]] = {}
    for line in lines:
        if len(values := getattr(line, name)):
            means.setdefault((line.measure, line.ratio), []).append(float(np.mean(values)))
    texts = []
    for (measure, ratio), each in means.items():
        ends = dict.fromkeys(_gain(end(each), ratio) for end in (min, max))
        texts.append(f"{measure} {' … '.join(ends)}")
    return "<br>".join(texts) or NONE
