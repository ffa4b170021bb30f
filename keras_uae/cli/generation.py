"""The command `keras-uae generate`."""

import json
import math
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_uae._files import LARGEST_JSON, file_size
from keras_uae._startup import import_library
from keras_uae.cli.choices import LARGEST_COUNT, choices
from keras_uae.cli.options import (
    Bounds,
    BoundsOf,
    DataDir,
    DivideBy,
    Feature,
    Json,
    Labels,
    Modules,
    Quiet,
    check_model_file,
    data_reference,
    import_modules,
    limits_of,
)
from keras_uae.cli.outcome import Outcome, UsageError, exit_codes, options
from keras_uae.cli.progress import SampleProgress

_MOST_THREADS = 1024
_PRESETS = choices("keras_uae.attacks.presets", "PRESETS")
_SIMILARITIES = f"auto, {choices('keras_uae.similarity', 'SIMILARITIES')}"
_CRITERIA = choices("keras_uae.criteria", "CRITERIA")
EXAMPLES = """[bold]Examples[/bold]\n
keras-uae generate autoencoder.keras x_train.npy --out uaes\n
keras-uae generate autoencoder.keras images.npz --feature x --divide-by 255 --out uaes --resume\n
keras-uae generate autoencoder.keras 'train-*.tfrecord' --steps 100 --epsilon 0.3 --out uaes\n
keras-uae generate autoencoder.keras mnist:train --divide-by 255 --engine ray --workers 8 --out uaes
\n"""


def generate(
    model: Annotated[Path, typer.Argument(help="A .keras file.", metavar="MODEL.keras")],
    data: Annotated[
        str,
        typer.Argument(
            help=".npy, .npz, TFRecords (file, folder or pattern), or a name of tfds: mnist, "
            "mnist:test, mnist:3.0.1:test."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Directory of the shards.", metavar="DIR")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what is there; start if nothing is.")
    ] = False,
    preset: Annotated[str, typer.Option(help=f"{_PRESETS}.")] = "default",
    steps: Annotated[int | None, typer.Option(help="Iterations T.")] = None,
    epsilon: Annotated[
        float | None, typer.Option(help="Largest change of any value, of high − low.")
    ] = None,
    similarity: Annotated[
        str | None, typer.Option(help=f"What is minimised: {_SIMILARITIES}.")
    ] = None,
    criterion: Annotated[
        str | None, typer.Option(help=f"What makes an example: {_CRITERIA}.")
    ] = None,
    objective: Annotated[
        str | None, typer.Option(help="minimize the similarity or, supervised, maximize it.")
    ] = None,
    step_size: Annotated[float | None, typer.Option(help="Step α, of high − low.")] = None,
    bounds: Bounds = None,
    bounds_of: BoundsOf = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Attack as JSON, or a manifest with one; options go before it."),
    ] = None,
    seed: Annotated[int, typer.Option(min=-(2**31), max=2**31 - 1, help="Fixes all draws.")] = 0,
    batch_size: Annotated[
        int | None, typer.Option(min=1, max=2**31 - 1, help="Default: what suits the caches.")
    ] = None,
    shard_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=LARGEST_COUNT,
            help="Samples of a shard, whole batches. Default: about 1024, at most 256 MB.",
        ),
    ] = None,
    shards: Annotated[
        str | None,
        typer.Option(
            help="Make only shards A to B−1, for jobs that share DIR; as --resume.", metavar="A:B"
        ),
    ] = None,
    labels: Labels = None,
    feature: Feature = None,
    divide_by: DivideBy = 1.0,
    data_dir: DataDir = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=_MOST_THREADS,
            help="Threads of a worker; results may depend on it in the last bit, so a resumed run "
            "keeps its own. Default: TF_NUM_INTRAOP_THREADS or all cores, with Ray a worker's "
            "share.",
        ),
    ] = None,
    engine: Annotated[str, typer.Option(help="local or ray.")] = "local",
    workers: Annotated[
        int, typer.Option(min=1, max=2**31 - 1, help="Workers of the engine ray.")
    ] = 1,
    gpus: Annotated[float, typer.Option(min=0, help="GPUs of a worker of the engine ray.")] = 0,
    modules: Modules = None,
    any_environment: Annotated[
        bool, typer.Option("--any-environment", help="Resume also with other versions, threads.")
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find UAEs of all samples in DATA and keep them as shards.

    Killed at any moment, --resume gives the bytes that an uninterrupted run gives.
    """
    outcome = Outcome(as_json, quiet)
    with exit_codes(outcome, "What is complete is kept: go on with --resume."):
        if engine not in ("local", "ray"):
            raise UsageError(f"`--engine` must be local or ray. Received: {engine!r}.")
        if not math.isfinite(gpus):
            raise UsageError(f"`--gpus` must be a finite number. Received: {gpus}.")
        first, last = _shard_range(shards)
        limits = limits_of(bounds, bounds_of)
        description = _read_config(config)
        check_model_file(model)
        import_library()
        from keras_uae.sharding import fingerprints
        from keras_uae.sharding.attack_config import build_attack
        from keras_uae.sharding.generate import (
            LocalEngine,
            located,
            make_missing,
            open_directory,
            plan,
            settle_sizes,
        )
        from keras_uae.sharding.models import load_model
        from keras_uae.sharding.ray_engine import RayEngine, check_ray
        from keras_uae.sharding.worker import Worker

        if engine == "ray":
            check_ray()
        if threads is None:
            threads = _recorded_threads(out) if resume or shards is not None else None
            cores, all_threads = fingerprints.available_cores(), fingerprints.intra_op_threads()
            threads = threads or max(cores // workers if engine == "ray" else all_threads, 1)
        fingerprints.set_intra_op_threads(threads)
        import_modules(modules)
        settings = {
            "steps": steps,
            "epsilon": epsilon,
            "similarity": similarity,
            "criterion": criterion,
            "objective": objective,
            "step_size": step_size,
            "bounds": limits,
        }
        reference = data_reference(data, feature, divide_by, data_dir)
        network = load_model(model)
        with options():
            attack = build_attack(
                network,
                description,
                preset=preset,
                **{name: value for name, value in settings.items() if value is not None},
            )
        source = reference.open(getattr(network, "input_shape", (None,))[1:])
        attack = located(attack, source)
        label_source = None if labels is None else reference.open_labels(labels)
        with options():
            sizes = settle_sizes(attack, source, batch_size or "auto", shard_size)
        numbers = _existing(shards, first, last, -(-len(source) // sizes[1]))
        with SampleProgress(outcome.errors, quiet or as_json) as progress:
            progress.begin("checking the data", len(source))
            manifest = plan(
                attack,
                source,
                label_source,
                seed=seed,
                batch_size=sizes[0],
                shard_size=sizes[1],
                on_samples=progress.advance,
            )
            for note in attack.notes:
                outcome.say(note)
            shared = resume or shards is not None
            manifest = open_directory(out, manifest, resume=shared, any_environment=any_environment)
            progress.begin("attacking", sum(len(manifest.rows(number)) for number in numbers))
            counts = make_missing(
                out,
                manifest,
                numbers,
                LocalEngine(Worker(attack, source, manifest, out, label_source))
                if engine == "local"
                else RayEngine(
                    model.read_bytes(),
                    reference,
                    manifest,
                    out.resolve(),
                    workers,
                    gpus,
                    tuple(modules or ()),
                    labels,
                ),
                progress,
            )
        outcome.say(
            f"{out}: {counts['made']} shards made ({counts['damaged']} in place of damaged ones), "
            f"{counts['kept']} kept. `keras-uae inspect {out}` shows them."
        )
        outcome.finish({"directory": str(out), "shards": counts})


def _read_config(path: Path | None) -> Any:
    if path is None:
        return None
    try:
        if file_size(path) > LARGEST_JSON:
            raise ValueError(f"it is larger than {LARGEST_JSON} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
        manifest = isinstance(content, dict) and "attack" in content
        return content["attack"] if manifest else content
    except (ValueError, RecursionError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"`--config` must be a file of JSON. Received: {str(path)!r} ({reason})."
        ) from None


def _recorded_threads(directory: Path) -> int | None:
    """The threads that the shards in a directory were made with, if there are any."""
    from keras_uae.sharding.manifest import FILE_NAME, Manifest

    if not (directory / FILE_NAME).exists():
        return None
    environments = Manifest.read(directory).environments
    threads = environments[-1].get("threads") if environments else None
    return threads if isinstance(threads, int) and 0 < threads <= _MOST_THREADS else None


def _shard_range(text: str | None) -> tuple[int, int | None]:
    """First shard and the one after the last, which is `None` for all that there are."""
    if text is None:
        return 0, None
    parts = re.fullmatch(r"(\d{0,9}):(\d{0,9})", text, re.ASCII)
    first, last = (int(part) if part else None for part in parts.groups()) if parts else (0, 0)
    if last is not None and last <= (first or 0):
        raise UsageError(
            f"`--shards` must be like 0:100, the first shard and the one after the last. "
            f"Received: {text!r}."
        )
    return first or 0, last


def _existing(text: str | None, first: int, last: int | None, count: int) -> range:
    """The shards of the run that `--shards` asks for."""
    if first >= count:
        raise UsageError(
            f"`--shards` must name shards of the run, which has 0 to {count - 1}. "
            f"Received: {text!r}."
        )
    return range(count)[first:last]
