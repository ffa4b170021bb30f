"""A grid of examples as a PNG, below their originals where those are at hand."""

from pathlib import Path

import numpy as np

from keras_uae._files import atomic_write
from keras_uae.sharding import Shards
from keras_uae.sharding.shards import DONE
from keras_uae.sharding.sources import Source

_COLUMNS = 12


def save_grid(shards: Shards, path: Path, source: Source | None) -> int:
    """Write the first examples of a directory; returns how many.

    Raises:
        ValueError: The samples are no images, `source` holds others than were attacked, no shard
            is there, or matplotlib is not.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ValueError("--png needs matplotlib: pip install 'keras-uae[cli]'.") from error
    shape = shards.manifest.sample_shape
    if not (len(shape) == 2 or (len(shape) == 3 and shape[-1] in (1, 3))):
        raise ValueError(f"--png needs images, (height, width, 1 or 3). Received: shape {shape}.")
    number, found, rows = _first_examples(shards)
    if source is not None:
        _check_originals(shards, number, source)
    pictures = [found] if source is None else [_originals(source, rows), found]
    figure = Figure(figsize=(len(rows) * 0.8, len(pictures) * 0.8), dpi=150)
    low = min(each.min() for each in pictures)
    high = max(each.max() for each in pictures)
    for line, images in enumerate(pictures):
        for column, image in enumerate(images):
            axes = figure.add_axes(
                (
                    column / len(rows),
                    1 - (line + 1) / len(pictures),
                    1 / len(rows),
                    1 / len(pictures),
                )
            )
            axes.set_axis_off()
            scaled = (image - low) / max(high - low, 1e-12)
            axes.imshow(np.squeeze(scaled), cmap="gray", vmin=0, vmax=1)
    with atomic_write(path) as file:
        figure.savefig(file, format="png")
    return len(rows)


def _first_examples(shards: Shards) -> tuple[int, np.ndarray, np.ndarray]:
    """A shard, and its first examples with their rows."""
    for number in range(shards.manifest.shards):
        if shards.state(number) != DONE:
            continue
        arrays = shards.open(number)
        rows = np.flatnonzero(arrays["success"].read())[:_COLUMNS]
        if len(rows):
            found = arrays["x"].rows(rows).astype(np.float64)
            return number, found, rows + shards.manifest.rows(number).start
    raise ValueError("--png needs a shard with an example that is not damaged. Received: none.")


def _check_originals(shards: Shards, number: int, source: Source) -> None:
    """Raise ValueError unless the samples of a shard are those that were attacked."""
    expected = (shards.manifest.count, *shards.manifest.sample_shape)
    if tuple(source.shape) != expected or shards.changed_inputs(source.read, [number]):
        raise ValueError(
            f"--data must be the samples that were attacked, {expected}. Received: others, of "
            f"shape {tuple(source.shape)}; --feature and --divide-by must be those of the run."
        )


def _originals(source: Source, rows: np.ndarray) -> np.ndarray:
    return np.concatenate([source.read(int(row), int(row) + 1) for row in rows]).astype(np.float64)
