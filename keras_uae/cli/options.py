"""Options that several commands have, and what `--help` ends with."""

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keras_uae._files import file_size
from keras_uae.cli.choices import DATA_BOUNDS
from keras_uae.cli.outcome import ExitCode, UsageError, options

if TYPE_CHECKING:
    from keras_uae.sharding import DataReference

EXIT_CODES = f"Exit codes: {' · '.join(f'{code:d} {code.meaning}' for code in ExitCode)}."

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for programs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no result.")]
Directory = Annotated[Path, typer.Argument(help="Directory of shards.", metavar="DIR")]
Feature = Annotated[
    str | None, typer.Option(help="Array of an .npz file, feature of a record or of a tfds set.")
]
Labels = Annotated[
    str | None,
    typer.Option(
        help="Labels: a .npy or .npz file, or the array or feature of DATA with this name.",
        metavar="FILE|NAME",
    ),
]
DivideBy = Annotated[float, typer.Option(help="Divide the data: 255 for 8-bit images.")]
DataDir = Annotated[str | None, typer.Option(help="Directory of the tfds data sets.")]
Bounds = Annotated[
    tuple[float, float] | None, typer.Option(help="Lowest and highest value of the data.")
]
BoundsOf = Annotated[
    str | None, typer.Option(help=f"Read the bounds off the data: {' or '.join(DATA_BOUNDS)}.")
]
Modules = Annotated[
    list[str] | None,
    typer.Option(
        "--import", help="Module that registers classes of the model. Runs it.", metavar="MODULE"
    ),
]


def data_reference(
    data: str, feature: str | None, divide_by: float, data_dir: str | None
) -> "DataReference":
    """Where the samples are that options name.

    Raises:
        UsageError: One of them is not valid.
    """
    from keras_uae.sharding import DataReference

    with options():
        return DataReference(data, feature, divide_by, data_dir)


def limits_of(bounds: tuple[float, float] | None, bounds_of: str | None) -> Any:
    """The bounds that options give, or `None`.

    Raises:
        UsageError: Both are given.
    """
    if bounds is not None and bounds_of is not None:
        raise UsageError(
            "`--bounds` must be left out where --bounds-of reads them off the data. "
            f"Received: --bounds {bounds[0]:g} {bounds[1]:g} --bounds-of {bounds_of}."
        )
    return bounds if bounds_of is None else bounds_of


def check_model_file(path: Path) -> None:
    """Refuse what is no file before TensorFlow is imported.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is a directory, that of a SavedModel perhaps, a pipe or a device.
    """
    if (path / "saved_model.pb").is_file():
        raise ValueError(
            f"{str(path)!r} is a SavedModel, no .keras file. In Python it can be attacked: "
            f"uae.MinMaxAttack(keras.layers.TFSMLayer({str(path)!r}, call_endpoint='serve'))."
        )
    file_size(path)


def import_modules(modules: Sequence[str] | None) -> None:
    """Import what `--import` names, also from the working directory.

    Raises:
        UsageError: There is no such module, or it cannot be imported.
    """
    if modules and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # that of a command has the folder of the command instead
    for module in modules or ():
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UsageError(
                f"`--import` must be a module, as in `import {module}`. Received: {module!r} "
                f"({error})."
            ) from error
