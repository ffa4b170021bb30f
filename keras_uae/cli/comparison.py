"""The commands `keras-uae compare` and `keras-uae report`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keras_uae._startup import import_library
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
from keras_uae.cli.outcome import ExitCode, Outcome, UsageError, exit_codes, options

if TYPE_CHECKING:
    import keras
    import numpy as np

    from keras_uae import comparison

Model = Annotated[Path, typer.Argument(help="A .keras file.", metavar="MODEL.keras")]
Data = Annotated[
    str,
    typer.Argument(help=".npy, .npz, TFRecords (file, folder or pattern), or a name of tfds."),
]


def compare(
    model: Annotated[
        Path, typer.Argument(help="A .keras file, saved compiled.", metavar="MODEL.keras")
    ],
    data: Data,
    out: Annotated[
        Path, typer.Option(help="Directory; one with a part of this comparison goes on.")
    ],
    epochs: Annotated[int, typer.Option(min=1, help="How long every model is trained.")],
    test: Annotated[
        str | None, typer.Option(help="Test samples. Default: a fifth of DATA, held out.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many; more of them go on.")] = 5,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples of a training step.")] = 32,
    budget: Annotated[
        int | None, typer.Option(min=1, help="Training steps of all but the original.")
    ] = None,
    epsilon: Annotated[
        list[float] | None,
        typer.Option(help="Size of the UAEs, of high − low; several. Default: 0.02 0.05 0.1 1."),
    ] = None,
    bounds: Bounds = None,
    bounds_of: BoundsOf = None,
    outliers: Annotated[
        str | None, typer.Option(help="Samples that the model should restore badly: adds AUROC.")
    ] = None,
    labels: Labels = None,
    test_labels: Annotated[
        str | None, typer.Option(help="As --labels, of the test samples.", metavar="FILE|NAME")
    ] = None,
    feature: Feature = None,
    divide_by: DivideBy = 1.0,
    data_dir: DataDir = None,
    modules: Modules = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train the model with and without UAEs, many times, and say what that brings.

    Fresh models of its architecture and compile settings are trained on the originals and
    duplicates of them, UAEs, and noise as large as these. --labels are what a classifier is trained
    to give, whose UAEs are those of generate --criterion misclassification --objective maximize; an
    autoencoder has a linear probe of its code beside the reconstruction error.
    """
    outcome = Outcome(as_json, quiet)
    with exit_codes(outcome):
        limits = limits_of(bounds, bounds_of) or (0.0, 1.0)
        _check_sizes(epsilon)
        _check_test(data, test, labels, test_labels)
        check_model_file(model)
        import_library()
        from keras_uae import comparison
        from keras_uae.comparison.arms import default_arms
        from keras_uae.sharding.models import load_compiled

        import_modules(modules)
        network = load_compiled(model)
        read = _reader(network, feature, divide_by, data_dir)
        x, y = read(data, labels)
        autoencoder = _is_autoencoder(network, x)
        _check_suits(autoencoder, labels, test_labels, outliers)
        x_test, y_test = (None, None) if test is None else read(test, test_labels)
        metrics: Any = None
        if autoencoder:
            metrics = [comparison.RECONSTRUCTION]
            metrics += [] if y is None else [comparison.linear_probe(x, y)]
            if outliers is not None:
                metrics.append(comparison.outlier_auroc(read(outliers, None)[0]))
        arms = default_arms(None if autoencoder else y, epsilon)
        with options():
            for arm in arms:
                arm.attack(network, limits)
        try:
            found = comparison.compare(
                network,
                x,
                x_test,
                y=None if autoencoder else y,
                y_test=y_test,
                epochs=epochs,
                batch_size=batch_size,
                seeds=seeds,
                arms=arms,
                metrics=metrics,
                budget=budget,
                bounds=limits,
                out=out,
                verbose=0 if quiet or as_json else 1,
            )
        except comparison.ComparisonInterrupted as interrupted:
            if interrupted.comparison.records:
                _leave(interrupted.comparison, out, outcome)
            outcome.fail(
                ExitCode.INTERRUPTED,
                f"interrupted. What is done is kept in {out}: the same command goes on.",
            )
        files = _leave(found, out, outcome)
        outcome.finish({**found.summary(), "files": files})


def _check_sizes(epsilon: list[float] | None) -> None:
    if epsilon and len(set(epsilon)) < len(epsilon):
        sizes = " ".join(f"{each:g}" for each in epsilon)
        raise UsageError(f"`--epsilon` must be given once for a size. Received: {sizes}.")


def _check_test(data: str, test: str | None, labels: str | None, test_labels: str | None) -> None:
    """Raise UsageError unless what is given of the test samples goes together."""
    if (test is not None and labels is not None) != (test_labels is not None):
        raise UsageError(
            "`--test-labels` must be given where --test and --labels are, and only there."
        )
    if test is not None and Path(test).resolve() == Path(data).resolve():
        raise UsageError(
            "`--test` must hold other samples than DATA: those of an .npz file with both go "
            f"into a file of their own. Received: {test!r} twice."
        )


def _check_suits(
    autoencoder: bool, labels: str | None, test_labels: str | None, outliers: str | None
) -> None:
    """Raise UsageError unless there is for a model of this kind what it takes, and no more."""
    if autoencoder and labels is not None and test_labels is None:
        raise UsageError(
            "`--labels` of an autoencoder are for a linear probe, which takes --test and "
            "--test-labels, too."
        )
    if outliers is not None and not autoencoder:
        raise UsageError("`--outliers` takes a model that gives back the shape of its input.")
    if labels is None and not autoencoder:
        raise UsageError(
            "`--labels` must be given for a model that does not give back the shape of its "
            "input: the classes that it is trained to give."
        )


def report(
    model: Model,
    data: Data,
    out: Annotated[Path, typer.Option(help="Directory of report.html and report.json.")],
    threshold: Annotated[
        float | None,
        typer.Option(min=0, help="Highest error ‖z − Φ(z)‖ that passes. Default: the sample's."),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Attack at most so many.")] = 1000,
    epsilon: Annotated[
        float | None, typer.Option(help="Largest change of any value, of high − low.")
    ] = None,
    bounds: Bounds = None,
    bounds_of: BoundsOf = None,
    seed: Annotated[int, typer.Option(min=0, help="Fixes all draws.")] = 0,
    feature: Feature = None,
    divide_by: DivideBy = 1.0,
    data_dir: DataDir = None,
    modules: Modules = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a report.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Where an autoencoder is blind: what is far from a sample and still handled like it.

    Nothing is trained. Noise as large as the examples is the control.
    """
    outcome = Outcome(as_json, quiet)
    with exit_codes(outcome):
        if out.exists() and not out.is_dir():
            raise UsageError(f"`--out` must be a directory. Received: the file {str(out)!r}.")
        page, file = out / "report.html", out / "report.json"
        for each in (page, file):
            if each.exists() and not overwrite:
                raise UsageError(f"{str(each)!r} exists already: --overwrite replaces it.")
        settings: dict[str, Any] = {"bounds": limits_of(bounds, bounds_of) or (0.0, 1.0)}
        check_model_file(model)
        import_library()
        from keras_uae import MinMaxAttack, comparison
        from keras_uae.sharding.models import load_model

        import_modules(modules)
        network = load_model(model)
        if epsilon is not None:
            settings["epsilon"] = epsilon
        with options():
            MinMaxAttack(network, **settings)
        x, _ = _reader(network, feature, divide_by, data_dir)(data, None)
        out.mkdir(parents=True, exist_ok=True)  # what cannot be made is told before the work
        found = comparison.blind_spots(
            network,
            x,
            threshold=threshold,
            samples=samples,
            seed=seed,
            verbose=0 if quiet or as_json else 1,
            **settings,
        )
        found.save_page(page, overwrite=True)  # the larger one, which a full disk leaves out
        found.save_json(file, overwrite=True)
        outcome.say(str(found))
        outcome.say(f"{page} shows it.")
        outcome.finish({**found.summary(), "files": {"page": str(page), "summary": str(file)}})


def _leave(found: "comparison.Comparison", out: Path, outcome: Outcome) -> dict[str, str]:
    """Write the page, the picture and the figures, and print the table."""
    files = {
        "page": found.save_page(out / "comparison.html", overwrite=True),
        "figure": found.save_figure(out / "comparison.png", overwrite=True),
        "summary": found.save_json(out / "summary.json", overwrite=True),
    }
    outcome.say(str(found))
    outcome.say(f"{files['page']} shows it.")
    return {key: str(each) for key, each in files.items()}


def _is_autoencoder(network: "keras.Model", x: "np.ndarray") -> bool:
    """Whether it gives back the shape of its samples."""
    if hasattr(network, "output_shape"):
        return bool(network.output_shape == network.input_shape)
    return getattr(network(x[:2]), "shape", None) == x[:2].shape  # a subclass does not say


def _reader(
    network: "keras.Model", feature: str | None, divide_by: float, data_dir: str | None
) -> "Callable[[str, str | None], tuple[np.ndarray, Any]]":
    """A function that reads samples, and their labels if they are named, into memory."""

    from keras_uae._inputs import check_shape

    def read(data: str, labels: str | None) -> "tuple[np.ndarray, Any]":
        reference = data_reference(data, feature, divide_by, data_dir)
        shape = getattr(network, "input_shape", (None,))
        source = reference.open(shape[1:])
        if isinstance(shape, tuple) and len(shape) > 1:
            check_shape(data, "x", source.shape, (None, *shape[1:]))
        x = source.read(0, len(source))
        if labels is None:
            return x, None
        of_labels = reference.open_labels(labels)
        return x, of_labels.read(0, len(of_labels))

    return read
