"""The inputs of a model that an attack leaves as they are, beside the one that it attacks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

Held = dict[Any, Any]  # arrays or tensors by name or place of the input


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


def joined(x: Any, held: Held, attacked: int | str | None) -> Any:
    """What `split` has split."""
    if attacked is None:
        return x
    inputs = {**held, attacked: x}
    return inputs if isinstance(attacked, str) else [inputs[place] for place in sorted(inputs)]


def check_lengths(x: np.ndarray, held: Held, attacked: int | str | None, owner: str) -> None:
    """Raise ValueError unless all inputs have as many rows, and the attacked one columns."""
    if attacked is not None and np.ndim(x) == 1:
        raise ValueError(
            f"`x` of {owner} must have a column where the attacked input is one number a sample, "
            f"x[{attacked!r}][:, None], which Input(shape=()) takes, too. "
            f"Received: x[{attacked!r}] of shape {np.shape(x)}."
        )
    for name, each in held.items():
        if np.ndim(each) == 0:
            raise ValueError(
                f"`x` of {owner} must have a row for each sample in all inputs, such as "
                f"np.full(({len(x)}, 1), value). Received: a single number as input {name!r}."
            )
    others = {name: len(each) for name, each in held.items() if len(each) != len(x)}
    if others:
        raise ValueError(
            f"`x` of {owner} must have as many rows in all inputs as in the attacked one, "
            f"{len(x)}. Received: {others}."
        )


def rows(held: Mapping[Any, Any] | None, places: Any) -> Held:
    """The same rows of all inputs."""
    return {name: _rows(each, places) for name, each in (held or {}).items()}


def _rows(each: Any, places: Any) -> tf.Tensor:
    if not tf.is_tensor(each):
        return tf.constant(np.asarray(each)[places])
    return each[places] if isinstance(places, slice) else tf.gather(each, places)
