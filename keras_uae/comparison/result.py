"""Comparison: the figures of all rows and seeds, and what may be said of them."""

import functools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_uae.comparison import tables, verdicts
from keras_uae.comparison.metrics import Metric
from keras_uae.comparison.run import Records, read_run
from keras_uae.comparison.statistics import (
    CONFIDENCE,
    FEWEST_SEEDS,
    Difference,
    figures,
    judged,
    paired,
)
from keras_uae.comparison.writing import write

WEIGHTS = ("averaged", "last")


class Comparison:
    """Rows trained alike on different additions, compared pair by pair over the seeds.

    `print(comparison)` shows the table and the verdicts.

    Attributes:
        settings: What was compared, and how.
        records: A dictionary for every finished row of every seed: the figures of the `last` and
            of the `averaged` weights, `steps`, `samples`, `seconds`, and of UAEs `success` and
            `l2`.
        versions: Of keras_uae and what the numbers depend on beside it.

    Example:

        >>> arms = [uae.Adversarial(epsilon=0.05)]
        >>> settings = {"epochs": 20, "seeds": 5, "arms": arms, "out": "comparison"}
        >>> comparison = uae.compare(autoencoder, x_train, x_test, **settings)
        >>> print(comparison)
        >>> comparison.verdicts["UAE, ε = 0.05"]
        >>> comparison = uae.Comparison.load("comparison")
        >>> comparison.save_page("comparison.html", overwrite=True)
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        records: Records,
        versions: Mapping[str, str] | None = None,
    ):
        self.settings, self.records = dict(settings), list(records)
        self.versions = dict(versions or {})
        self.metrics = [
            Metric(_of_the_past, each["name"], each["better"]) for each in self.settings["metrics"]
        ]

    @classmethod
    def load(cls, directory: str | os.PathLike) -> "Comparison":
        """The comparison, finished or not, that `compare(out=directory)` or the command made.

        Raises:
            FileNotFoundError: There is none.
            ValueError: The file is damaged.
        """
        content = read_run(directory)
        return cls(content["settings"], content["records"], content.get("versions"))

    @property
    def seeds(self) -> list[int]:
        """The seeds of which every row is done."""
        seeds = [each["seed"] for each in self.records]
        rows = len(self.settings["rows"])
        return [seed for seed in dict.fromkeys(seeds) if seeds.count(seed) == rows]

    @property
    def decides(self) -> str:
        """Which weights the verdicts go by: "averaged" or, where a fit knows none, "last"."""
        averaged = self.records and all(each["averaged"] for each in self.records)
        return "averaged" if averaged else "last"

    @property
    def verdicts(self) -> dict[str, str]:
        """For every row with controls what may be said of it, by the weights that decide."""
        rows = self._summary["rows"].items()
        several = len(self.metrics) > 1
        return {
            name: "; ".join(
                f"{m} {text}" if several else text for m, text in row["verdicts"].items()
            )
            for name, row in rows
            if row["against"]
        }

    @property
    def notes(self) -> list[str]:
        """What limits the verdicts, a sentence each."""
        return verdicts.limits(self.settings, self.records, self.decides)

    def values(self, row: str, metric: str, weights: str) -> dict[int, float]:
        """The figure of a row by seed, as far as it is there and finite."""
        found = {
            each["seed"]: each[weights][metric]
            for each in self.records
            if each["row"] == row and each[weights]
        }
        return {seed: value for seed, value in found.items() if value is not None}

    def difference(self, row: str, control: str, metric: str, weights: str) -> Difference:
        """How much better a row is than another, paired over the seeds that both have."""
        a, b = self._pairs(row, control, metric, weights)
        return paired(self._metric(metric).gains(a, b).tolist())

    def summary(self) -> dict[str, Any]:
        """All figures, ready for JSON.

        Returns:
            Dictionary of `settings`, `versions`, `seeds` (the complete ones), `decides`, `notes`,
            `headings` of the metrics, and `rows`. A row has `label`, `verdicts` by metric, means of
            `success`, `l2`, `steps` and `seconds`, `metrics` (mean, std and count by metric and
            weights), `over_original`, and `against`, by control and metric: the `Difference` of
            each kind of weights, whether it is a `ratio`, and of the weights that decide
            `p_adjusted`, `outcome`, and how many `seeds` would tell.
        """
        return self._summary

    def table(self) -> str:
        """The figures as tables of plain text, one for each metric: all in one are too wide."""
        return "\n\n".join(map(tables.text, self.tables))

    @property
    def tables(self) -> list[list[list[str]]]:
        """The `cells` of a table for each metric."""
        return [tables.cells(self._summary, [each.name]) for each in self.metrics]

    def cells(self) -> list[list[str]]:
        """The table cell by cell, the headings first."""
        return tables.cells(self._summary)

    @property
    def sentences(self) -> list[str]:
        """Verdicts and what limits them, a line each."""
        several = len(self.metrics) > 1
        said = [
            f"{row['label']}{f', {metric}' * several}: {text}."
            for row in self._summary["rows"].values()
            for metric, text in row["verdicts"].items()
        ]
        return [*said, *self.notes]

    @property
    def legend(self) -> str:
        """What the columns mean."""
        unequal = verdicts.unequal_steps(self.records)
        steps = ", not as many steps" if unequal else " and steps"
        return (
            "Mean ± standard deviation over the seeds. vs: how much better (+) or worse (−) than "
            f"that row of the same seed, by the {self.decides} weights, ± half of the "
            f"{CONFIDENCE:.0%} interval of the mean; in % where it is a ratio of errors. All rows "
            f"but the original have as many samples{steps}; it has fewer, and is no control. "
            "Verdicts are at the 5% level, "
            "corrected by Holm for all comparisons of a metric, and take "
            f"{FEWEST_SEEDS} seeds."
        )

    def __str__(self) -> str:
        return "\n".join([self.table(), "", *self.sentences, "", self.legend])

    def __repr__(self) -> str:
        return f"Comparison({len(self.settings['rows'])} rows, {len(self.seeds)} complete seeds)"

    def save_json(self, path: str | os.PathLike, *, overwrite: bool = False) -> Path:
        """Write `summary()` as JSON, all or nothing.

        Raises:
            FileExistsError: The file is there already and `overwrite` is false.
        """
        text = json.dumps(self._summary, indent=1, allow_nan=False)
        return write("Comparison.save_json", path, text.encode(), overwrite)

    def save_figure(self, path: str | os.PathLike, *, overwrite: bool = False) -> Path:
        """Draw the differences with their intervals as a PNG. Needs matplotlib.

        Raises:
            FileExistsError: The file is there already and `overwrite` is false.
            ImportError: There is no matplotlib.
        """
        from keras_uae.comparison.pictures import intervals

        return write("Comparison.save_figure", path, intervals(self._summary), overwrite)

    def save_page(self, path: str | os.PathLike, *, overwrite: bool = False) -> Path:
        """Write table, verdicts and figure as one HTML page that needs nothing else.

        Raises:
            FileExistsError: The file is there already and `overwrite` is false.
            ImportError: There is no matplotlib.
        """
        from keras_uae.comparison.page import comparison_page

        return write("Comparison.save_page", path, comparison_page(self).encode(), overwrite)

    @functools.cached_property
    def _summary(self) -> dict[str, Any]:
        against = {metric.name: self._against(metric.name) for metric in self.metrics}
        rows = {}
        for name, row in self.settings["rows"].items():
            found = {
                control: {metric: against[metric][name, control] for metric in against}
                for control in row["controls"]
            }
            records = [each for each in self.records if each["row"] == name]
            rows[name] = {
                "label": row["label"],
                "noise": row["noise"],
                "verdicts": self._verdicts(name, found) if found else {},
                "over_original": None if name == "original" else self._over_original(name),
                "metrics": {
                    metric: {each: _spread(self.values(name, metric, each)) for each in WEIGHTS}
                    for metric in against
                },
                "against": found,
                **{
                    key: _mean([each.get(key) for each in records])
                    for key in ("success", "l2", "steps", "seconds")
                },
            }
        return {
            "settings": self.settings,
            "versions": self.versions,
            "seeds": self.seeds,
            "decides": self.decides,
            "notes": self.notes,
            "headings": {metric.name: metric.heading for metric in self.metrics},
            "rows": rows,
        }

    def _against(self, metric: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Every comparison of a metric, judged together."""
        rows = self.settings["rows"]
        pairs = [(name, control) for name, row in rows.items() for control in row["controls"]]
        found = {
            pair: {each: self.difference(*pair, metric, each) for each in WEIGHTS} for pair in pairs
        }
        outcomes = judged({pair: each[self.decides] for pair, each in found.items()})
        by = self._metric(metric)
        return {
            pair: {
                **{each: figures(found[pair][each]) for each in WEIGHTS},
                "ratio": by.is_ratio(self._pairs(*pair, metric, self.decides)[1]),
                **outcomes[pair],
            }
            for pair in pairs
        }

    def _over_original(self, name: str) -> dict[str, Any]:
        """How much better a row is than the original, which has fewer steps: no control."""
        found = {}
        for metric in self.metrics:
            pairs = self._pairs(name, "original", metric.name, self.decides)
            gain = figures(paired(metric.gains(*pairs).tolist()))
            found[metric.name] = {**gain, "ratio": metric.is_ratio(pairs[1])}
        return found

    def _verdicts(self, name: str, against: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """What may be said of a row, by metric."""
        rows, said = self.settings["rows"], {}
        for metric in self.metrics:
            of_metric = {
                rows[control]["label"]: {**found[metric.name], **found[metric.name][self.decides]}
                for control, found in against.items()
            }
            if self.settings["test_samples"] < verdicts.FEWEST_SAMPLES:
                text = "no verdict: too few test samples"
            elif missing := self._not_finite(name, metric.name):
                text = f"no verdict: {missing}"
            else:
                text = verdicts.sentence(of_metric)
            said[metric.name] = text
        return said

    def _not_finite(self, name: str, metric: str) -> str:
        """Which row has a figure that is not finite, in words; empty if none has."""
        rows = self.settings["rows"]
        for row in (name, *rows[name]["controls"]):
            known = self.values(row, metric, self.decides)
            seeds = [each["seed"] for each in self.records if each["row"] == row]
            if bad := [str(seed) for seed in seeds if seed not in known]:
                return f"{rows[row]['label']} has no finite {metric} in seed {', '.join(bad)}"
        return ""

    def _pairs(
        self, row: str, control: str, metric: str, weights: str
    ) -> tuple[list[float], list[float]]:
        a, b = (self.values(name, metric, weights) for name in (row, control))
        seeds = [seed for seed in a if seed in b]
        return [a[seed] for seed in seeds], [b[seed] for seed in seeds]

    def _metric(self, name: str) -> Metric:
        return next(each for each in self.metrics if each.name == name)


def _of_the_past(model: Any, x: Any, y: Any) -> float:
    """The function of a metric whose figures are there already."""
    raise NotImplementedError


def _spread(values: Mapping[int, float]) -> dict[str, float] | None:
    found = list(values.values())
    if not found:
        return None
    return {"mean": float(np.mean(found)), "std": float(np.std(found)), "count": len(found)}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
