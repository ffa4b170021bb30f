"""What an experiment is: settings, pieces of work, and what is shown of their records."""

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from experiments.engine.config import ExperimentConfig, parse
from experiments.engine.job import Job, Piece
from experiments.engine.progress import JobProgress
from experiments.engine.records import Records, RefusedRunError, Run
from experiments.engine.report import Figure, write_report
from experiments.engine.side_by_side import perform
from experiments.engine.tables import Sheet, show
from keras_uae import __version__
from keras_uae._files import is_no_space, locked_directory
from keras_uae.cli.streams import patient_consoles, plain_streams

# how an experiment ends: the exit codes are those of `keras-uae`
DONE, FAILED, REFUSED, DISK_FULL, INTERRUPTED = 0, 1, 2, 5, 130


@dataclass(frozen=True)
class Experiment:
    """An experiment as data; `main` is its command line.

    All but `summarize` are functions of the settings; tables and verdicts of the summary too.
    """

    name: str  # its module in `experiments`, and the folder of its runs in `out`
    config: type[ExperimentConfig]  # its flags; the docstring is the first line of help
    pieces: Callable[[Any], Iterable[Piece]]  # all of its work, in order
    labels: Callable[[Any], Mapping[str, str]]  # names of rows in the files → in tables, on the bar
    summarize: Callable[[Records], Any]  # the records of a run → its summary, ready for JSON
    tables: Callable[[Any, Any], Sequence[Sheet]]
    legend: str  # what their columns mean
    title: Callable[[Any], str]
    introduction: Callable[[Any], str]
    verdicts: Callable[[Any, Any], list[str]]  # what came out, a sentence for each claim
    figures: Mapping[str, Figure] = field(default_factory=dict)
    # the paper's settings by their names in `config`: the report says which are not those of a run
    published: Callable[[Any], Mapping[str, Any]] = lambda config: {}

    def main(self, args: Sequence[str] | None = None) -> int:
        """Run it as the command line says; returns the exit code.

        Flags that do not parse exit with code 2 at once.
        """
        plain_streams()
        patient_consoles()
        args = sys.argv[1:] if args is None else args
        program = f"python -m experiments.{self.name}"
        console, errors = Console(), Console(stderr=True, soft_wrap=True, highlight=False)
        try:
            config = parse(self.config, args, program)
            data = config.load()
            config = self.located(config.complete(data))
            run = self.open(config)
        except (ValueError, OSError) as error:
            return fail(errors, error, REFUSED)
        except KeyboardInterrupt:
            errors.print("interrupted before the work began")
            return INTERRUPTED
        try:
            # a finished run is shown, also one of a version that had fewer pieces
            finished = run.path("report.md").exists()
            pieces = [] if finished else list(self.pieces(config))
            total = sum(piece.work for piece in pieces)
            begun = run.versions.get("keras_uae", __version__)
            if begun != __version__ and not all(piece.is_done(run) for piece in pieces):
                errors.print(
                    f"warning: {run.directory} was begun with keras_uae {begun}; what is missing "
                    f"is made with {__version__}, whose defaults may differ (see CHANGELOG)",
                    style="yellow",
                    markup=False,
                )
            alone = contextlib.nullcontext() if finished else _alone(run)
            with alone, JobProgress(total, console, config.quiet) as progress:
                job = Job(config, data, run, progress, self.labels(config))
                perform(job, pieces)
                write_report(self, job, shlex.join([*program.split(), *args]))
            show(console, self.tables(config, run.summary), self.legend)
        except RefusedRunError as error:
            return fail(errors, error, REFUSED)
        except OSError as error:
            return fail(errors, error, FAILED)
        except KeyboardInterrupt:
            errors.print(
                f"interrupted: what is finished is kept in {run.directory}, and the same "
                "command goes on from there"
            )
            return INTERRUPTED
        return DONE

    def located(self, config: ExperimentConfig) -> ExperimentConfig:
        """The settings with the directory of the run, if there is none yet."""
        if config.output is not None:
            return config
        name = "-".join(config.name_parts).replace("/", "-").replace(":", "-")
        return replace(config, output=Path("out", self.name, name))

    def open(self, config: ExperimentConfig) -> Run:
        """The directory of the run; a `RefusedRunError` if it holds something else."""
        settings = {"experiment": self.name, **config.as_json()}
        directory = self.located(config).output or Path()
        return Run(directory, settings, self.summarize, incidental=config.incidental)


@contextlib.contextmanager
def _alone(run: Run) -> Iterator[None]:
    """Keep other processes out of the directory of a run: they would write the same files."""
    with locked_directory(run.directory, wait=False) as free:
        if free is False:
            raise RefusedRunError(
                f"`output` of Run must be a directory in which no other process is at work: wait "
                f"for it, or give another --output. Received: output={str(run.directory)!r}."
            )
        yield


def fail(errors: Console, error: Exception, code: int) -> int:
    """Say in a line what went wrong; returns the exit code, that of a full disk if it is one."""
    full = isinstance(error, OSError) and is_no_space(error)
    way_out = ": make space, and the same command goes on" * full
    errors.print(f"error: {error}{way_out}", style="red", markup=False)
    return DISK_FULL if full else code
