"""The sections of the benchmark: what each measures, ready for JSON, and the tables of it."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import keras_uae as uae
from experiments.benchmark import peers, tables, timing
from experiments.benchmark.cases import (
    CONV,
    REFERENCE,
    Case,
    Scale,
    attack_cases,
    batch_cases,
    build,
    images,
    mine_attacks,
)
from experiments.benchmark.timing import Method, compare, quartiles, round_robin, timed
from experiments.engine.progress import JobProgress
from experiments.engine.tables import Sheet

Figures = dict[str, Any]

WORK = 1000  # what a section counts for in the progress
EPSILON = 0.3  # of the PGD that is compared with that of other libraries


def time_attacks(scale: Scale, progress: JobProgress) -> Figures:
    """Every attack, model after model."""
    cases = attack_cases(scale)
    count = sum(len(case.methods) for case in cases)
    return {"cases": [row for case in cases for row in measure([case], scale, progress, count)]}


def time_batches(scale: Scale, progress: JobProgress) -> Figures:
    """Every batch size, all of them in turns: they too are compared with one another."""
    cases = batch_cases(scale)
    return {"model": scale.model, "cases": measure(cases, scale, progress)}


def time_peers(scale: Scale, progress: JobProgress) -> Figures:
    """PGD of other libraries; all take and return NumPy arrays, by their public calls."""
    model, shape = build(scale.model)
    batch = mine_attacks(model, scale)[CONV].auto_batch_size(shape)
    x, step_size = images(shape, batch), 2.5 * EPSILON / scale.steps

    def attack(steps: int) -> uae.PGDAttack:
        return uae.PGDAttack(model, epsilon=EPSILON, step_size=step_size, steps=steps)

    def result(attack: uae.PGDAttack) -> np.ndarray:
        return attack.generate(x, batch_size=batch, verbose=0).x

    progress.advance(0, "PGD of other libraries · check")
    task = peers.Task(model, x, EPSILON, step_size, scale.steps)
    # ours looks at an iterate before it moves on, theirs return the one after the last step
    found, checks, skipped = peers.prepare(task, result(attack(scale.steps + 1)))
    timed_attack = attack(scale.steps)
    methods = [Method(REFERENCE, batch, lambda: result(timed_attack))]
    methods += [Method(peer.package, batch, peer.run) for peer in found]
    cases = [Case(scale.model, batch, methods)] if found else []
    return {
        **{"epsilon": EPSILON, "step_size": step_size, "checks": checks, "skipped": skipped},
        "cases": measure(cases, scale, progress),
    }


def measure(
    cases: Sequence[Case], scale: Scale, progress: JobProgress, methods: int | None = None
) -> list[Figures]:
    """Time the methods of all cases in turns, and compare those of a case.

    `methods` is how many there are in the section, if these cases are not all.
    """
    order = [(case, method) for case in cases for method in case.methods]
    share = WORK // ((scale.repeats + 1) * (methods or len(order) or 1))

    def tick(index: int) -> None:
        case, method = order[index]
        progress.advance(share, f"{case.model} · {method.name} · batch {case.batch}")

    timings = iter(round_robin([method for _, method in order], scale.repeats, tick))
    return [
        {
            **{"model": case.model, "batch": case.batch, "auto": case.auto},
            "methods": compare(itertools.islice(timings, len(case.methods)), REFERENCE),
        }
        for case in cases
    ]


def time_sizes(scale: Scale, progress: JobProgress) -> Figures:
    """Data sets of several sizes, then memory over many calls."""
    model, shape = build(scale.model)
    attack = mine_attacks(model, scale)[CONV]
    batch = attack.auto_batch_size(shape)
    warm_up = generate(attack, images(shape, batch), batch)["seconds"]
    share = WORK // (scale.size_repeats * len(scale.sizes) + 1)
    results: dict[int, list[Figures]] = {count: [] for count in scale.sizes}
    for _ in range(scale.size_repeats):
        for count, rows in results.items():
            progress.advance(share, f"{scale.model} · {CONV} · {count} images")
            rows.append(generate(attack, images(shape, count), batch))
    progress.advance(0, f"{scale.model} · {CONV} · {scale.calls} calls")
    return {
        **{"model": scale.model, "batch": batch, "warm_up_seconds": warm_up},
        "rows": [size_row(count, rows) for count, rows in results.items()],
        "calls": repeat(attack, images(shape, scale.call_size), scale.calls),
    }


def generate(attack: uae.MinMaxAttack, x: np.ndarray, batch: int) -> Figures:
    """Seconds and memory of one `generate`; growth is what neither input nor output explain."""
    found, seconds, memory = timed(lambda: attack.generate(x, batch_size=batch, verbose=0))
    output = sum(value.nbytes for value in vars(found).values() if isinstance(value, np.ndarray))
    return {
        "seconds": seconds,
        "memory_before": memory.before,  # the input is there already
        "memory_peak": memory.peak,
        "output_bytes": output,
        "growth": memory.peak - memory.before - output,
    }


def size_row(count: int, results: Sequence[Figures]) -> Figures:
    """All repetitions with data sets of one size."""
    lists = {name: [result[name] for result in results] for name in results[0]}
    ms = [1000 * seconds / count for seconds in lists["seconds"]]
    summary = {"ms_per_sample": quartiles(ms)}
    return {"samples": count, **lists, "ms_per_sample": ms, "summary": summary}


def repeat(attack: uae.MinMaxAttack, x: np.ndarray, calls: int) -> Figures:
    """Resident memory after each of many calls, and the means of the first and the last five."""
    memory = []
    for _ in range(calls):
        attack.generate(x, batch_size=len(x), verbose=0)
        memory.append(timing.resident_memory())
    return {"memory": memory, "first": sum(memory[:5]) / 5, "last": sum(memory[-5:]) / 5}


class Section(NamedTuple):
    """A part: what times it, and tables and lines of all figures, which are by section."""

    measure: Callable[[Scale, JobProgress], Figures]
    sheets: Callable[[Figures], list[Sheet]]
    notes: Callable[[Figures], list[str]] = lambda content: []


SECTIONS = {
    "attacks": Section(time_attacks, tables.attack_sheets),
    "sizes": Section(time_sizes, tables.size_sheets, tables.size_notes),
    "batches": Section(time_batches, tables.batch_sheets),
    "peers": Section(time_peers, tables.peer_sheets, tables.peer_notes),
}
