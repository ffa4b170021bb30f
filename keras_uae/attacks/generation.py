"""The way of a data set through an attack, batch by batch."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_uae.attacks.judgement import SEARCH_DRAWS, searched
from keras_uae.attacks.samples import Samples
from keras_uae.results import GenerationInterrupted, UAEs

# Function of a batch of samples and the margin of each: what is found of them, and by how much f is
# too large on fresh draws (see `judged`)
Find = Callable[[Samples, np.ndarray], tuple[UAEs, np.ndarray]]


class Plan(NamedTuple):
    """How a data set is attacked, batch by batch."""

    size: int  # samples of a batch
    seed: int
    trace: bool
    noise: bool  # whether examples are judged on fresh draws
    limits: tuple[Any, Any]  # of the samples


def each_batch(find: Find, samples: Samples, plan: Plan) -> Iterator[UAEs]:
    """What is found of batch after batch; with noise, of several of them at a time."""

    def search(rows: np.ndarray, margin: np.ndarray) -> tuple[UAEs, np.ndarray]:
        count = len(rows)
        filled = np.minimum(np.arange(plan.size), count - 1)  # up with copies
        batch = samples.rows(rows[filled]).within(plan.limits)
        found, lacking = find(batch, margin[filled])
        return found[:count], lacking[:count]

    several = plan.noise and not plan.trace  # searches; the trace is that of one
    window = plan.size * (SEARCH_DRAWS if several else 1)  # as many samples as without noise
    for start in range(0, len(samples), window):
        rows = np.arange(start, min(start + window, len(samples)))
        if several:
            found = searched(search, rows, plan.size)
        else:
            found, _ = search(rows, np.zeros(len(rows)))
        for first in range(0, len(rows), plan.size):
            yield found[first : first + plan.size]


def gathered(batches: Iterator[UAEs], total: int, measure: str, *, progress: bool) -> UAEs:
    """All batches, of `total` samples, as one; with a progress bar, if there is to be one.

    Raises:
        GenerationInterrupted: Ctrl-C; carries what was done by then.
    """
    shown = {"unit_name": "sample", "stateful_metrics": ["success_rate"]}
    bar = keras.utils.Progbar(total, **shown) if progress else None
    out: dict[str, np.ndarray] = {}
    done = successes = 0
    try:
        for found in batches:
            rows = slice(done, done + len(found))
            for name, part in found.arrays().items():
                # at once for all, so that the batches are never held twice
                if name not in out:
                    out[name] = np.empty((total, *part.shape[1:]), part.dtype)
                out[name][rows] = part
            done = rows.stop
            successes += int(found.success.sum())
            if bar:
                bar.update(done, [("success_rate", successes / done)])
    except KeyboardInterrupt:
        parts = {name: value[:done] for name, value in out.items()}
        partial = UAEs.from_arrays(parts, measure) if done else None
        raise GenerationInterrupted(partial, total) from None
    return UAEs.from_arrays(out, measure)
