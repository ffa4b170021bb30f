"""The commands of `keras-uae`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keras_uae._startup import import_library
from keras_uae._version import __version__
from keras_uae.cli.comparison import compare, report
from keras_uae.cli.generation import EXAMPLES, generate
from keras_uae.cli.options import (
    EXIT_CODES,
    DataDir,
    Directory,
    DivideBy,
    Feature,
    Json,
    Labels,
    Modules,
    data_reference,
    import_modules,
)
from keras_uae.cli.outcome import ExitCode, Outcome, UsageError, exit_codes

if TYPE_CHECKING:
    from keras_uae.sharding import DataReference, Shards

app = typer.Typer(
    name="keras-uae",
    help="Unsupervised adversarial examples of a saved Keras model, for data sets of any size.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Unsupervised adversarial examples of a saved Keras model, for data sets of any size."""


app.command(epilog=EXAMPLES + "\n" + EXIT_CODES)(generate)
app.command(
    epilog="Example: keras-uae compare autoencoder.keras x_train.npy --test x_test.npy --epochs 20 "
    "--out comparison"
)(compare)
app.command(epilog="Example: keras-uae report autoencoder.keras x_test.npy --out report")(report)


@app.command(epilog="Example: keras-uae inspect uaes --png uaes.png --data x_train.npy")
def inspect(
    directory: Directory,
    png: Annotated[Path | None, typer.Option(help="Write a grid of examples.")] = None,
    data: Annotated[str | None, typer.Option(help="DATA of generate: originals for --png.")] = None,
    feature: Feature = None,
    divide_by: DivideBy = 1.0,
    data_dir: DataDir = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the picture.")] = False,
    as_json: Json = False,
) -> None:
    """Show counts, success rate, a histogram of the similarity, norms.

    Shards whose figures are damaged, or that are of another run, are left out and named. `verify`
    looks at the examples, too.
    """
    outcome = Outcome(as_json)
    with exit_codes(outcome):
        if png is not None and png.exists() and not overwrite:
            raise UsageError(f"{str(png)!r} exists already: --overwrite replaces it.")
        import_library()
        from keras_uae.cli.inspection import figures, tables
        from keras_uae.sharding import Shards

        shards = Shards(directory)
        values = figures(shards)
        for table in tables(values):
            outcome.say(table)
        if png is not None:
            from keras_uae.cli.pictures import save_grid

            source = None
            if data is not None:
                reference = data_reference(data, feature, divide_by, data_dir)
                source = reference.open(shards.manifest.sample_shape)
            values["pictures"] = save_grid(shards, png, source)
            outcome.say(f"{png}: {values['pictures']} examples")
        outcome.finish(values)


@app.command(epilog="Example: keras-uae verify uaes --model autoencoder.keras --data x_train.npy")
def verify(
    directory: Directory,
    model: Annotated[Path | None, typer.Option(help="Check that it is the attacked one.")] = None,
    data: Annotated[str | None, typer.Option(help="Check that they are the attacked ones.")] = None,
    labels: Labels = None,
    feature: Feature = None,
    divide_by: DivideBy = 1.0,
    data_dir: DataDir = None,
    modules: Modules = None,
    as_json: Json = False,
) -> None:
    """Check the SHA-256 sums of all shards, and of model and data if they are given.

    Exit code 3 if anything is missing or not as it was. `sha256sum --check *.sha256` in DIR checks
    the files, too.
    """
    outcome = Outcome(as_json)
    with exit_codes(outcome):
        if labels is not None and data is None:
            raise UsageError("`--labels` are checked beside the samples: give --data, too.")
        import_library()
        from keras_uae.sharding import Shards
        from keras_uae.sharding.fingerprints import model_fingerprint
        from keras_uae.sharding.models import load_model

        import_modules(modules)
        shards = Shards(directory)
        states = shards.states()
        problems = [f"shard {n} is {state}" for n, state in enumerate(states) if state != "done"]
        if model is not None and model_fingerprint(load_model(model)) != shards.manifest.model:
            problems.append("the model is not the one that was attacked")
        if data is not None:
            reference = data_reference(data, feature, divide_by, data_dir)
            problems += _data_problems(shards, reference, labels)
        for problem in problems:
            outcome.say(problem)
        outcome.say(f"{states.count('done')} of {len(states)} shards are as they were written.")
        code = ExitCode.NOT_VERIFIED if problems else ExitCode.DONE
        outcome.finish({"shards": len(states), "problems": problems}, code)


@app.command(epilog="Example: keras-uae merge uaes --out uaes.npz")
def merge(
    directories: Annotated[list[Path], typer.Argument(help="Of the same run.", metavar="DIR…")],
    out: Annotated[Path, typer.Option(help="An .npz file for `UAEs.load`.", metavar="FILE")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE.")] = False,
    as_json: Json = False,
) -> None:
    """Join the shards of a run, made in one or several directories, into one file."""
    outcome = Outcome(as_json)
    with exit_codes(outcome):
        if out.exists() and not overwrite:
            raise UsageError(f"{str(out)!r} exists already: --overwrite replaces it.")
        import_library()
        from keras_uae.sharding import Shards
        from keras_uae.sharding.reader import merge as merge_shards

        count = merge_shards([Shards(each) for each in directories], out, overwrite=overwrite)
        outcome.say(f"{out}: {count} samples")
        outcome.finish({"file": str(out), "samples": count})


def _data_problems(shards: "Shards", reference: "DataReference", labels: str | None) -> list[str]:
    source = reference.open(shards.manifest.sample_shape)
    expected = (shards.manifest.count, *shards.manifest.sample_shape)
    if tuple(source.shape) != expected:
        return [f"the data have shape {tuple(source.shape)}, those attacked had {expected}"]
    changed, problems = {"samples": shards.changed_inputs(source.read)}, []
    if labels is not None:
        given = reference.open_labels(labels)
        if shards.manifest.labels is None:
            problems.append("the samples were attacked without labels")
        elif len(given) != len(shards):
            problems.append(f"there are {len(given)} labels, of {len(shards)} samples")
        else:
            changed["labels"] = shards.changed_labels(given.read)
    return problems + [
        f"the {what} of shard {number} are not those that were attacked"
        for what, numbers in changed.items()
        for number in numbers
    ]
