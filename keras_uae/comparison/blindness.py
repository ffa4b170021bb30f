"""blind_spots: what the attack says of a trained model, without any training."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_uae._checks import check_boolean, check_integer, check_number, check_samples
from keras_uae._datasets import read_data
from keras_uae._model_layers import as_model, check_one_input
from keras_uae.attacks import MinMaxAttack
from keras_uae.attacks.data_space import DataSpace, check_any_bounds, data_bounds
from keras_uae.comparison.inside import check_inside
from keras_uae.comparison.metrics import reconstruction_errors
from keras_uae.comparison.noise import noise_like
from keras_uae.comparison.run import versions
from keras_uae.comparison.statistics import known
from keras_uae.comparison.tables import text
from keras_uae.comparison.writing import write
from keras_uae.criteria import Criterion, Reconstruction, SelfReconstruction
from keras_uae.evaluation import criterion_values
from keras_uae.results import UAEs

OWNER = "blind_spots"
SHOWN = 10  # of the farthest and of the nearest examples
_QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Finding:
    """What the attack found by one criterion.

    Attributes:
        title: What makes an example, in words.
        found: The `UAEs`.
        noise_success: Share of samples that Gaussian noise as large as their UAE makes an example
            of, among those that have one; NaN if none has.
        l2, largest: Arrays `(n,)`, L2 and L∞ norm of δ, in units of the range; of the examples
            alone.
        features: Array of the shape of a sample, mean |δ| in units of the range.
        scores: Mean ‖z − Φ(z)‖₂ of the `examples`, of the `originals` and of the `noise`.

    Example:

        >>> finding = uae.blind_spots(autoencoder, x_test, samples=20).findings["restored"]
        >>> finding.noise_success, finding.l2.mean()
    """

    title: str
    found: UAEs
    noise_success: float
    l2: np.ndarray
    largest: np.ndarray
    features: np.ndarray
    scores: dict[str, float]


class BlindSpots:
    """What the attack says of a trained autoencoder; made by `blind_spots`.

    Attributes:
        x: Array `(n, ...)`, the samples that were attacked.
        rows: Integers `(n,)`, their places in the data.
        findings: `Finding` of each criterion, by name: "restored" (the paper's) and "passes".
        space: Where the samples lie.
        threshold: Float, the highest score that passes; `None`: that of the sample itself.
        settings: Of the attack, and versions.

    Example:

        >>> report = uae.blind_spots(autoencoder, x_test, samples=200)
        >>> print(report)
        >>> report.save_page("blind-spots.html", overwrite=True)
    """

    def __init__(
        self,
        x: np.ndarray,
        rows: np.ndarray,
        findings: Mapping[str, Finding],
        space: DataSpace,
        threshold: float | None,
        model: str,
        settings: Mapping[str, Any],
    ):
        self.x, self.rows, self.findings = x, rows, dict(findings)
        self.space, self.threshold, self.model = space, threshold, model
        self.settings = dict(settings)

    def summary(self) -> dict[str, Any]:
        """All figures, ready for JSON; norms and features in units of the range."""
        return {
            "model": self.model,
            "samples": len(self.x),
            "threshold": self.threshold,
            "settings": self.settings,
            "criteria": {name: _figures(each, self.rows) for name, each in self.findings.items()},
        }

    def cells(self) -> list[list[str]]:
        """The table cell by cell, the headings first."""
        lines = [["", *(each.title for each in self.findings.values())]]
        for heading, figure in _LINES.items():
            values = [figure(each) for each in self.findings.values()]
            lines.append([heading, *("–" if value is None else value for value in values)])
        return lines

    @property
    def sentences(self) -> list[str]:
        """What may be said, and what not."""
        said = []
        for each in self.findings.values():
            noise = each.noise_success
            control = (
                "" if np.isnan(noise) else f"; noise as large does so for {noise:.0%} of these"
            )
            said.append(
                f"{each.title}: {each.found.success_rate:.1%} of {len(self.x)} samples have an "
                f"example{control}."
            )
        return [*said, _LIMITS]

    def __str__(self) -> str:
        return "\n".join([text(self.cells()), "", *self.sentences])

    def __repr__(self) -> str:
        return f"BlindSpots({self.model!r}, {len(self.x)} samples)"

    def save_json(self, path: str | os.PathLike, *, overwrite: bool = False) -> Path:
        """Write `summary()` as JSON, all or nothing.

        Raises:
            FileExistsError: The file is there already and `overwrite` is false.
        """
        content = json.dumps(self.summary(), indent=1, allow_nan=False)
        return write("BlindSpots.save_json", path, content.encode(), overwrite)

    def save_page(self, path: str | os.PathLike, *, overwrite: bool = False) -> Path:
        """Write figures and pictures as one HTML page that needs nothing else.

        Raises:
            FileExistsError: The file is there already and `overwrite` is false.
            ImportError: There is no matplotlib.
        """
        from keras_uae.comparison.page import blind_spots_page

        return write("BlindSpots.save_page", path, blind_spots_page(self).encode(), overwrite)


def blind_spots(
    model: keras.Model,
    x: Any,
    *,
    threshold: float | None = None,
    samples: int = 1000,
    seed: int = 0,
    verbose: int | str = "auto",
    **settings: Any,
) -> BlindSpots:
    """What the attack says of a trained autoencoder, without any training.

    It looks for examples by two criteria: those that the model restores no worse than the sample
    (`Reconstruction`, the paper's), and those that would pass a detector of anomalies
    (`SelfReconstruction`). Noise as large as the examples is the control.

    Args:
        model: Built autoencoder, or a callable of Keras layers.
        x: Array `(n, ...)` inside `bounds`, or a batched data set.
        threshold: Float ≥ 0, the highest score ‖z − Φ(z)‖₂ that passes, in the units of the data.
            Defaults to `None`: the score of the sample itself.
        samples: Integer, most samples to attack; they are drawn by `seed`. Defaults to `1000`.
        seed: Integer ≥ 0. Defaults to `0`.
        verbose: 0 for silence, 1 for progress bars. Defaults to `"auto"`: 1.
        **settings: Of `MinMaxAttack`: `epsilon`, `bounds`, `steps`, …

    Returns:
        `BlindSpots`: print it, or see its `summary`, `findings` and `save_page`.

    Raises:
        ValueError: An argument is not as above.
        GenerationInterrupted: Ctrl-C.

    Example:

        >>> print(uae.blind_spots(autoencoder, x_test, samples=100))

    Reference:
        Hsu et al., AAAI 2022, section 3.2.
    """
    if "criterion" in settings:
        raise ValueError(
            "`criterion` of blind_spots is its own, see `threshold`; MinMaxAttack takes any. "
            f"Received: criterion={settings['criterion']!r}."
        )
    model = as_model(model)
    check_one_input(OWNER, model)
    x = check_samples(OWNER, read_data(OWNER, x).x, bounds=(-np.inf, np.inf))
    count = check_integer(OWNER, "samples", samples, 1)
    seed = check_integer(OWNER, "seed", seed, 0, 2**31 - 1)
    verbose = verbose if verbose == "auto" else int(check_boolean(OWNER, "verbose", bool(verbose)))
    if threshold is not None:
        threshold = check_number(OWNER, "threshold", threshold, 0)
    rows = np.arange(len(x))
    if count < len(x):
        rows = np.sort(np.random.default_rng(seed).choice(len(x), count, replace=False))
    chosen = np.asarray(x[rows], np.float32)
    bounds = check_any_bounds(OWNER, "bounds", settings.get("bounds", (0.0, 1.0)))
    check_inside(OWNER, chosen, bounds)
    passes = "no higher than that of the sample" if threshold is None else f"at most {threshold:g}"
    criteria: dict[str, tuple[str, Criterion]] = {
        "restored": ("Restored to the sample, no worse than it", Reconstruction()),
        "passes": (
            f"Passes: its own error is {passes}",
            SelfReconstruction(threshold=threshold),
        ),
    }
    # those of all samples, whichever are drawn
    limits = data_bounds([x], bounds) if isinstance(bounds, str) else bounds
    attacks = {
        name: MinMaxAttack(model, criterion=criterion, **{**settings, "bounds": limits})
        for name, (_, criterion) in criteria.items()
    }
    attack = attacks["restored"]
    space = attack.space(chosen.shape[1:])
    findings = {}
    for name, (title, _) in criteria.items():
        found = attacks[name].generate(chosen, seed=seed, index=rows, verbose=verbose)
        judge = attacks[name].criterion
        findings[name] = _finding(title, model, judge, chosen, found, space, seed)
    made = {name: getattr(attack, name) for name in ("epsilon", "steps", "step_size", "units")}
    ends = [np.asarray(each).tolist() for each in limits]
    shown = bounds if isinstance(bounds, str) and np.ndim(ends) > 1 else ends
    made |= {"bounds": shown, "seed": seed, **versions()}
    return BlindSpots(chosen, rows, findings, space, threshold, model.name, made)


def _finding(
    title: str,
    model: keras.Model,
    criterion: Criterion,
    x: np.ndarray,
    found: UAEs,
    space: DataSpace,
    seed: int,
) -> Finding:
    won = found.success
    noisy = noise_like(x, found.x, "gaussian", seed, space=space)
    unit = np.broadcast_to(np.asarray(space.high) - space.low, x.shape[1:])
    delta = np.divide(found.x - x, unit, out=np.zeros_like(x), where=unit > 0)[won]
    flat = np.abs(delta.reshape(len(delta), unit.size))
    sets = {"examples": found.x[won], "originals": x[won], "noise": noisy[won]}
    scores = {
        name: float(reconstruction_errors(model, each).mean()) if len(each) else np.nan
        for name, each in sets.items()
    }
    control = criterion_values(criterion, x[won], noisy[won]) <= 0 if won.any() else np.empty(0)
    return Finding(
        title,
        found,
        float(control.mean()) if control.size else np.nan,
        np.linalg.norm(flat, axis=1),
        flat.max(axis=1) if flat.size else np.empty(0),
        np.abs(delta).mean(axis=0) if len(delta) else np.zeros(x.shape[1:]),
        scores,
    )


_LIMITS = (
    "This says where the model is blind; not how good it is, and not that training on such "
    "examples would help: keras_uae.compare measures that."
)


def _quantiles(values: np.ndarray) -> dict[str, float] | None:
    if not len(values):
        return None
    names = ("q05", "median", "q95")
    return {
        "mean": float(values.mean()),
        **dict(zip(names, map(float, np.quantile(values, _QUANTILES)), strict=True)),
        "min": float(values.min()),
        "max": float(values.max()),
    }


def _figures(finding: Finding, rows: np.ndarray) -> dict[str, Any]:
    order = np.flatnonzero(finding.found.success)[np.argsort(finding.l2, kind="stable")]
    top = np.argsort(-finding.features.reshape(-1), kind="stable")[:20]
    return {
        "title": finding.title,
        "success": finding.found.success_rate,
        "noise_success": known(finding.noise_success),
        "l2": _quantiles(finding.l2),
        "largest": _quantiles(finding.largest),
        "scores": {name: known(value) for name, value in finding.scores.items()},
        "nearest": rows[order[:SHOWN]].tolist(),
        "farthest": rows[order[::-1][:SHOWN]].tolist(),
        "features": {
            "shape": list(finding.features.shape),
            "most_moved": top.tolist(),
            "mean_size": finding.features.reshape(-1)[top].tolist(),
        },
    }


def _median(values: np.ndarray) -> str | None:
    if not len(values):
        return None
    low, middle, high = np.quantile(values, _QUANTILES)
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


_LINES = {
    "samples with an example": lambda each: f"{each.found.success_rate:.1%}",
    "of these, by noise as large": lambda each: (
        None if np.isnan(each.noise_success) else f"{each.noise_success:.1%}"
    ),
    "L2 of δ, range 1: median (90 % of them)": lambda each: _median(each.l2),
    "L∞ of δ, range 1": lambda each: _median(each.largest),
    "score of the examples, mean ‖z − Φ(z)‖": lambda each: _score(each, "examples"),
    "score of the samples": lambda each: _score(each, "originals"),
    "score of noise as large": lambda each: _score(each, "noise"),
}


def _score(finding: Finding, name: str) -> str | None:
    value = finding.scores[name]
    return None if np.isnan(value) else f"{value:.3g}"
