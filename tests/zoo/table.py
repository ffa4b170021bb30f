"""The table of the zoo: `python -m tests.zoo.table [KIND …]`. Times are of this machine.

Each kind has a process of its own, whose peak memory is read once the model is trained and again
after the first call of the attack: what the call has added to it, its compilation included.
"""

import concurrent.futures
import multiprocessing
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import keras_uae as uae
from tests.zoo.models import ATTACKED, KINDS, Kind, attacked_input, with_examples

SHARED = ("criterion", "bounds", "frozen_features", "attacked")  # settings of both attacks
COLUMNS = (
    "kind",
    "similarity",
    "success",
    "hold",
    "PGD's success",
    "L2 of δ",
    "ms a sample",
    "of PGD's time",
    "first call, s",
    "peak MB",
    "MB of the attack",
)


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return function(), time.perf_counter() - start


def peak() -> float:
    """Most memory that this process has taken so far, in MB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def holding(kind: Kind, model: Any, x: Any, found: uae.UAEs) -> float:
    """Share of the examples that are ones outside of the attack, in the mean over fresh draws.

    50 draws are few: of a VAE that samples 80 % hold by them, and 95 % by 600.
    """
    z = with_examples(x, found)
    draws = [kind.f(kind.predict(model), x, z) for _ in range(50 if kind.noise else 1)]
    slack = 1e-5 * np.ptp(found.x)
    return float((np.mean(draws, axis=0)[found.success] <= slack).mean())


def line(name: str) -> list[str]:
    """What the attack does with a kind, with all of its samples in batches of "auto" size."""
    warnings.simplefilter("ignore")  # noise
    kind = KINDS[name]
    keras.utils.set_random_seed(0)
    model, x = kind.build(), kind.attacked(ATTACKED)
    attack = uae.MinMaxAttack(model, **kind.settings)
    shared = {key: value for key, value in kind.settings.items() if key in SHARED}
    pgd = uae.PGDAttack(model, steps=attack.steps, **shared)
    before = peak()
    found, first = timed(lambda: attack.generate(x, verbose=0))
    after = peak()
    best, other = [], pgd.generate(x, verbose=0)
    for each in (attack, pgd):
        best.append(min(timed(lambda: each.generate(x, verbose=0))[1] for _ in range(2)))  # noqa: B023
    attacked = attacked_input(x)
    low, high = attack.bounds if attack.bounds != "features" else (attacked.min(0), attacked.max(0))
    delta = ((found.x - attacked) / np.subtract(high, low))[found.success]
    located = attack.located([attacked])
    return [
        name.replace("_", " "),
        type(located.similarity).__name__,
        f"{found.success_rate:.3f}",
        f"{holding(kind, model, x, found):.3f}",
        f"{other.success_rate:.3f}",
        f"{np.linalg.norm(delta.reshape(len(delta), -1), axis=1).mean():.2f}",
        f"{1000 * best[0] / ATTACKED:.2f}",
        f"{best[0] / best[1]:.2f}",
        f"{first:.1f}",
        f"{after:.0f}",
        f"{after - before:.0f}",
    ]


def main() -> None:
    print("|", " | ".join(COLUMNS), "|")
    print("|---|---|" + "---:|" * (len(COLUMNS) - 2))
    with concurrent.futures.ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn"), max_tasks_per_child=1
    ) as alone:
        for cells in alone.map(line, sys.argv[1:] or KINDS):
            print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
