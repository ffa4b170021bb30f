"""What an attack found: one row per sample, and the file format that keeps it."""

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from keras_uae._arrays import StoredArray, array_names, open_arrays, read_archive
from keras_uae._files import write_new
from keras_uae._memory import check_fits
from keras_uae.similarity.base import MUTUAL_INFORMATION

_TRACE = "trace/"
_MEASURE = "measure"
_LONGEST_MEASURE = 4096
_SHOWN = 20  # names of other arrays
_BOOLEANS = ("success", "frozen")


@dataclass(frozen=True, eq=False)
class UAEs:
    """Unsupervised adversarial examples of a set of samples, row for row.

    Where no example was found the original stands in for it (section 4.1 of the paper), so that
    `x` always has as many rows as the data and `success` tells them apart.

    Attributes:
        x: Array `(n, ...)`, the examples; the original where `success` is false.
        success: Booleans `(n,)`, whether `x` is an example: criterion ≤ 0 and not the original.
        similarity: Array `(n,)`, the similarity objective at `x`, see `measure`. NaN where
            `success` is false, and of `PGDAttack`, which has no such objective.
        criterion: Array `(n,)`, the attack criterion f_x at `x`.
        multiplier: Array `(n,)`, the final c of Algorithm 1; NaN of `PGDAttack`.
        iteration: Integers `(n,)`, the iteration (from 1) that gave `x`; 0 where none did.
        frozen: Booleans `(n,)`, samples that stopped early because a value was not finite.
        measure: What `similarity` is, in words: "mutual information" (in nats) of MINE and the
            Gaussian form, "negative L2 distance", "cosine", …; empty where nobody has said.
        trace: Mapping from `similarity`, `criterion`, `multiplier` and `gap` (the stationarity
            gap ‖L(δ, c)‖ of Theorem 1) to arrays `(n, steps + 1)`, of δ₀ to δ_T, so that column
            `iteration` is that of `x`; empty unless asked for. Of `PGDAttack` the criterion alone.

    Example:

        >>> found = attack.generate(x_train)
        >>> found.success_rate, found[found.success].x
        >>> found.save("uaes.npz", overwrite=True)
        >>> found = uae.UAEs.load("uaes.npz")
    """

    x: np.ndarray
    success: np.ndarray
    similarity: np.ndarray
    criterion: np.ndarray
    multiplier: np.ndarray
    iteration: np.ndarray
    frozen: np.ndarray
    trace: Mapping[str, np.ndarray] = field(default_factory=dict)
    measure: str = ""

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Any) -> "UAEs":
        """The rows that a place, a slice, an index array or a mask selects."""
        axes = np.ndim(self.success[rows])
        if axes > 1:
            raise IndexError(
                f"`rows` of UAEs must be a place, a slice, places (k,) or a mask ({len(self)},). "
                f"Received: rows={rows!r}."
            )
        rows = rows if axes else np.reshape(rows, 1)
        arrays = {name: getattr(self, name)[rows] for name in ROW_FIELDS}
        trace = {name: value[rows] for name, value in self.trace.items()}
        return UAEs(**arrays, trace=trace, measure=self.measure)

    def __repr__(self) -> str:
        return (
            f"UAEs({len(self)} samples of shape {self.x.shape[1:]}, "
            f"success rate {self.success_rate:.2%}, {int(self.frozen.sum())} frozen)"
        )

    @property
    def success_rate(self) -> float:
        """Attack success rate (ASR): the fraction of samples with an example; NaN of none."""
        return float(self.success.mean()) if len(self) else math.nan

    @property
    def mutual_information(self) -> np.ndarray:
        """`similarity` of an attack whose objective is mutual information, in nats.

        Raises:
            ValueError: The objective was another one, or is not known.
        """
        if self.measure != MUTUAL_INFORMATION:
            raise ValueError(
                "`mutual_information` of UAEs must be what the attack minimised or maximised; "
                "`similarity` has the values, and keras_uae.mutual_information measures any pair. "
                f"Received: measure={self.measure!r}."
            )
        return self.similarity

    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays by name, those of the trace with `trace/` in front."""
        arrays = {name: getattr(self, name) for name in ROW_FIELDS}
        return {**arrays, **{_TRACE + name: value for name, value in self.trace.items()}}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], measure: str = "") -> "UAEs":
        """The set whose `arrays` these are."""
        trace = {name[len(_TRACE) :]: arrays[name] for name in arrays if name.startswith(_TRACE)}
        return cls(**{name: arrays[name] for name in ROW_FIELDS}, trace=trace, measure=measure)

    @classmethod
    def from_tensors(
        cls, fields: Mapping[str, Any], trace: Mapping[str, Any], measure: str
    ) -> "UAEs":
        """What the loop of an attack returns, as arrays."""
        return cls(
            **{name: value.numpy() for name, value in fields.items()},
            trace={name: value.numpy() for name, value in trace.items()},
            measure=measure,
        )

    def save(self, path: str | os.PathLike, *, overwrite: bool = False) -> Path:
        """Write everything to one `.npz` file, all or nothing.

        Raises:
            FileExistsError: The file is there already and `overwrite` is false.
        """
        path = Path(path)
        with write_new("UAEs.save", path, overwrite) as file:
            arrays: dict[str, Any] = {**self.arrays(), **measure_member(self.measure)}
            np.savez(file, **arrays)
        return path

    @classmethod
    def load(cls, path: str | os.PathLike) -> "UAEs":
        """Read a file that `save` wrote. What else it may hold is not looked at.

        Raises:
            ValueError: The file is truncated, is not one of ours, or does not fit into memory.
        """
        received = f"Received: path={str(path)!r}"
        try:
            stored = open_arrays(path, _is_ours)
            if set(ROW_FIELDS) <= stored.keys() and _are_rows(stored):
                size = sum(math.prod(each.shape) * each.dtype.itemsize for each in stored.values())
                check_fits("UAEs.load", "The arrays of a file", size, "Merge fewer shards into it.")
                arrays = read_archive(path, stored)
                measure = bytes(arrays.pop(_MEASURE, np.empty(0)).astype(np.uint8))
                return cls.from_arrays(arrays, measure.decode(errors="replace"))
            shapes = {name: array.shape for name, array in stored.items()}
            there = shapes or sorted(array_names(path))[:_SHOWN]
        except (ValueError, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise ValueError(
                f"`path` of UAEs.load must be a complete file written by UAEs.save. "
                f"{received} ({error})."
            ) from error
        raise ValueError(
            f"`path` of UAEs.load must hold the arrays {', '.join(ROW_FIELDS)} of equal length: x "
            f"of any shape, booleans success and frozen, one number a sample of all others. "
            f"{received} with {there}."
        )

    @classmethod
    def concatenate(cls, parts: Iterable["UAEs"]) -> "UAEs":
        """Join sets in order, such as those of `Attack.batches`.

        Raises:
            ValueError: There is none, or they differ in sample shape, trace or measure.
        """
        parts = list(parts)
        kinds = {
            (
                part.x.shape[1:],
                tuple(sorted((name, *each.shape[1:]) for name, each in part.trace.items())),
                part.measure,
            )
            for part in parts
        }
        if len(kinds) != 1:
            raise ValueError(
                "`parts` of UAEs.concatenate must be one or more sets with equal sample shape, "
                f"trace and measure. Received: {len(parts)} parts with {sorted(kinds)}."
            )
        tables = [part.arrays() for part in parts]
        return cls.from_arrays(
            {name: np.concatenate([table[name] for table in tables]) for name in tables[0]},
            parts[0].measure,
        )


def _is_ours(name: str) -> bool:
    return name in ROW_FIELDS or name == _MEASURE or name.startswith(_TRACE)


def _are_rows(arrays: Mapping[str, StoredArray]) -> bool:
    """Whether all arrays have one row a sample, and what belongs there in it."""
    for name, array in arrays.items():
        axes = 2 if name.startswith(_TRACE) else 1
        if name == _MEASURE:
            fits = array.ndim == 1 and len(array) <= _LONGEST_MEASURE
        elif name == "x":
            fits = array.ndim >= 1
        else:
            fits = array.ndim == axes and (array.dtype.kind == "b") == (name in _BOOLEANS)
        if not fits or (name != _MEASURE and len(array) != len(arrays["x"])):
            return False
    return True


ROW_FIELDS = tuple(item.name for item in fields(UAEs) if item.name not in ("trace", "measure"))


def measure_member(measure: str) -> dict[str, np.ndarray]:
    """`measure` as a member of the file, which holds numbers only: UTF-8."""
    return {_MEASURE: np.frombuffer(measure.encode(), np.uint8)} if measure else {}


class GenerationInterrupted(KeyboardInterrupt):
    """Ctrl-C during `generate`; what was done by then is in `found`.

    The rows of `found` are the first rows of the data, exactly as an uninterrupted run gives
    them. To finish later, n = `len(found)`:
    `attack.located([x]).generate(x[n:], index=range(n, len(x)))`. There `located` takes the bounds
    of all samples, if the attack reads them off the data.

    Example:

        >>> try:
        ...     found = attack.generate(x_train)
        ... except uae.GenerationInterrupted as interrupted:
        ...     found = interrupted.found
    """

    def __init__(self, found: UAEs | None, total: int):
        self.found = found
        self.total = total
        done = 0 if found is None else len(found)
        super().__init__(f"interrupted after {done} of {total} samples; they are in `.found`")

    def __reduce__(self) -> tuple[Any, ...]:  # as of any exception it would be of the message alone
        return type(self), (self.found, self.total)
