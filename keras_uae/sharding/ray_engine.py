"""Make shards on Ray: actors with one model each, whose loss costs the shard at hand.

Plain actors, not Ray Data: a shard is the unit of work, of retry and of output already, so there
are only numbers to hand out, and its bytes must not depend on how an engine cuts blocks.
"""

import contextlib
import importlib.util
import logging
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_uae._errors import ClusterTooSmallError
from keras_uae._processor import ONEDNN, takes_onednn
from keras_uae.sharding.manifest import Manifest
from keras_uae.sharding.sources import DataReference

_MOST_LOSSES = 8  # of one shard, which then is to blame itself


def check_ray() -> None:
    """Raise ValueError if Ray is not installed."""
    try:
        installed = importlib.util.find_spec("ray") is not None
    except ValueError:  # a module that has no specification
        installed = True
    if not installed:
        raise ValueError("The engine ray needs Ray: pip install 'keras-uae[ray]'.")


@dataclass(frozen=True)
class RayEngine:
    """Actors of the Ray cluster that the environment names, or of one started here.

    Args:
        model: Content of the .keras file.
        data: Where every worker finds the samples.
        manifest: The run.
        directory: Where every worker writes the shards.
        workers: Integer, number of actors.
        gpus: Float, GPUs of an actor. Defaults to `0`.
        labels: The labels among or beside the data, see `DataReference.open_labels`. Defaults to
            `None`.
        modules: Modules that register classes of the model.
    """

    model: bytes
    data: DataReference
    manifest: Manifest
    directory: Path
    workers: int
    gpus: float = 0
    modules: tuple[str, ...] = ()
    labels: str | None = None

    def run(self, numbers: list[int], on_samples: Callable[[int], None]) -> None:
        """Make the shards `numbers`; a worker that is lost is replaced, and its shard made anew."""
        check_ray()
        import ray

        if not numbers:
            return
        own = not ray.is_initialized()
        if own:
            ray.init(log_to_driver=False, logging_level=logging.WARNING, include_dashboard=False)
        try:
            # Ray tells of lost workers on standard output, which is for results
            with contextlib.redirect_stdout(sys.stderr):
                self._run(ray, numbers, on_samples)
        finally:
            if own:
                ray.shutdown()

    def _run(self, ray: Any, numbers: list[int], on_samples: Callable[[int], None]) -> None:
        threads = self.manifest.environments[-1]["threads"]
        actor = ray.remote(
            num_cpus=threads, num_gpus=self.gpus, max_restarts=0, runtime_env=_environment(threads)
        )(ShardActor)
        there = ray.cluster_resources()
        for each, option, resource in ((threads, "threads", "CPU"), (self.gpus, "gpus", "GPU")):
            most = there.get(resource, 0)
            if self.workers * each > most:
                raise ClusterTooSmallError(
                    f"`--workers` times `--{option}` must be at most the {most:g} {resource}s of "
                    f"the cluster. Received: {self.workers} times {each:g}."
                )
        job = ray.put(
            (
                self.model,
                self.data,
                self.manifest,
                str(self.directory),
                self.modules,
                self.labels,
            )
        )
        waiting, losses = list(reversed(numbers)), dict.fromkeys(numbers, 0)
        running: dict[Any, tuple[Any, int]] = {}

        def start(worker: Any) -> None:
            number = waiting.pop()
            running[worker.make.remote(number)] = (worker, number)

        for _ in range(min(self.workers, len(numbers))):
            start(actor.remote(job))
        while running:
            (ready,), _ = ray.wait(list(running), num_returns=1)
            worker, number = running.pop(ready)
            try:
                ray.get(ready)
                on_samples(len(self.manifest.rows(number)))
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error  # an error of ours: no other worker can do better
            except (ray.exceptions.RayActorError, ray.exceptions.WorkerCrashedError) as error:
                losses[number] += 1
                if getattr(error, "actor_init_failed", False):
                    raise RuntimeError(f"A worker cannot start: {error}") from error
                if losses[number] == _MOST_LOSSES:
                    raise RuntimeError(
                        f"Shard {number} lost {_MOST_LOSSES} workers ({error}). All others that "
                        f"were complete are kept."
                    ) from error
                waiting.append(number)
                worker = actor.remote(job)
            if waiting:
                start(worker)


class ShardActor:
    """A worker in a process of its own."""

    def __init__(self, job: Any):
        import importlib

        from keras_uae.sharding.attack_config import build_attack
        from keras_uae.sharding.fingerprints import (
            environment,
            model_fingerprint,
            set_intra_op_threads,
        )
        from keras_uae.sharding.models import load_model
        from keras_uae.sharding.worker import Worker

        content, data, manifest, directory, modules, labels = job
        set_intra_op_threads(manifest.environments[-1]["threads"])
        for module in modules:
            importlib.import_module(module)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.keras")
            path.write_bytes(content)
            model = load_model(path)
        changes = manifest.environment_differences(environment())
        changes += ["another model"] * (model_fingerprint(model) != manifest.model)
        if changes:
            raise ValueError(f"A worker would not give the same bytes: {'; '.join(changes)}.")
        attack = build_attack(model, manifest.attack)
        source = data.open(getattr(model, "input_shape", (None,))[1:])
        label_source = None if labels is None else data.open_labels(labels)
        self._worker = Worker(attack, source, manifest, Path(directory), label_source)

    def make(self, number: int) -> None:
        """Make a shard."""
        self._worker.make(number)


def _environment(threads: int) -> dict[str, Any]:
    values = {"OMP_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "3"}
    if (taken := takes_onednn()) is not None:  # as here: the last bits depend on it
        values[ONEDNN] = str(int(taken))
    return {"env_vars": values}
