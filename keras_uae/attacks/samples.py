"""The samples of an attack, with all that belongs to each of them."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from keras_uae._inputs import clip_rounding

Held = dict[Any, Any]  # arrays or tensors by name or place of the input

_CHUNK = 4096  # samples that are read at once


@dataclasses.dataclass(frozen=True)
class Samples:
    """A row a sample: the input that is attacked, those that are left as they are, and labels."""

    x: Any
    held: Held
    y: Any = None
    index: Any = None  # place of each sample in its data set

    def __len__(self) -> int:
        return len(self.x)

    @property
    def shapes(self) -> tuple[tuple[int, ...], dict[Any, tuple[int, ...]]]:
        """Of one sample: that of the attacked input, and those of the others."""
        return self.x.shape[1:], {name: np.shape(each)[1:] for name, each in self.held.items()}

    def rows(self, places: Any) -> "Samples":
        """Some of the samples; read here, if they lie in a file."""
        held = {name: np.asarray(each)[places] for name, each in self.held.items()}
        y, index = (
            None if each is None else np.asarray(each)[places] for each in (self.y, self.index)
        )
        return Samples(np.asarray(self.x[places]), held, y, index)

    def chunks(self) -> Iterator[np.ndarray]:
        """The attacked input, some samples at a time."""
        for start in range(0, len(self), _CHUNK):
            yield np.asarray(self.x[start : start + _CHUNK])

    def unlike(self) -> "Samples":
        """The first sample and, if there is one, another that differs from it."""
        others = range(1, min(len(self), _CHUNK))
        other = next((each for each in others if not np.array_equal(self.x[each], self.x[0])), None)
        return self.rows([0] if other is None else [0, other])

    def within(self, limits: tuple[Any, Any]) -> "Samples":
        """The same, where what is outside of `limits` by rounding is on them."""
        return dataclasses.replace(self, x=clip_rounding(self.x, *limits))

    def tensors(self, dtype: Any) -> "Samples":
        """The same as tensors, the attacked input of `dtype`."""
        held = {name: tf.constant(each) for name, each in self.held.items()}
        y, index = (None if each is None else tf.constant(each) for each in (self.y, self.index))
        return Samples(tf.constant(self.x, dtype), held, y, index)

    def check_lengths(self, attacked: int | str | None, owner: str) -> None:
        """Raise ValueError unless all inputs have as many rows, and the attacked one columns."""
        if attacked is not None and np.ndim(self.x) == 1:
            raise ValueError(
                f"`x` of {owner} must have a column where the attacked input is one number a "
                f"sample, x[{attacked!r}][:, None], which Input(shape=()) takes, too. "
                f"Received: x[{attacked!r}] of shape {np.shape(self.x)}."
            )
        for name, each in self.held.items():
            if np.ndim(each) == 0:
                raise ValueError(
                    f"`x` of {owner} must have a row for each sample in all inputs, such as "
                    f"np.full(({len(self)}, 1), value). "
                    f"Received: a single number as input {name!r}."
                )
        others = {name: len(each) for name, each in self.held.items() if len(each) != len(self)}
        if others:
            raise ValueError(
                f"`x` of {owner} must have as many rows in all inputs as in the attacked one, "
                f"{len(self)}. Received: {others}."
            )


def split(x: Any, attacked: int | str | None, owner: str) -> tuple[Any, Held]:
    """The attacked input of `x`, and the others by place or name.

    Raises:
        ValueError: The attacked one is not there, or nobody has said which it is.
    """
    several = isinstance(x, Mapping) or (attacked is not None and isinstance(x, (list, tuple)))
    if attacked is None:
        if several:
            raise ValueError(
                f"`attacked` of {owner} must name the input that is attacked where there are "
                f"several. Received: attacked=None and x with {sorted(x)}."
            )
        return x, {}
    inputs = dict(x) if isinstance(x, Mapping) else dict(enumerate(x)) if several else {}
    if attacked not in inputs:
        raise ValueError(
            f"`x` of {owner} must hold the attacked input, {attacked!r}, and the others: as a dict "
            f"where `attacked` is a name, as a list where it is a place. "
            f"Received: {type(x).__name__}{f' of {list(inputs)}' if several else ''}."
        )
    return inputs.pop(attacked), inputs


def joined(samples: Samples, attacked: int | str | None) -> Any:
    """The inputs of `samples` as `split` has found them."""
    if attacked is None:
        return samples.x
    inputs = {**samples.held, attacked: samples.x}
    return inputs if isinstance(attacked, str) else [inputs[place] for place in sorted(inputs)]
