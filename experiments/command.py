"""What happens between the command line and the protocol of an experiment."""

import contextlib
import logging
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tyro
from rich.console import Console

from experiments import tables
from experiments.config import ExperimentConfig
from experiments.job import Job
from experiments.progress import JobProgress
from experiments.run import Records, Run


@dataclass(frozen=True)
class Experiment:
    """The parts of an experiment.

    Attributes:
        config: Class of its settings, which are its flags.
        work: Function of the settings: the work of the whole job, in the unit of `JobProgress`.
        perform: Function of the job that does what is not done yet.
        summarize: Function of the records of a run that gives its summary, ready for JSON.
        labels: Function of the settings: how the rows are called.
        sheets: Function of the settings and the summary that gives the final tables.
        legend: What their columns mean.
    """

    config: type[ExperimentConfig]
    work: Callable[[Any], int]
    perform: Callable[[Job[Any]], None]
    summarize: Callable[[Records], Any]
    labels: Callable[[Any], Mapping[str, str]]
    sheets: Callable[[Any, Any], Sequence[tables.Sheet]]
    legend: str

    def main(self, args: Sequence[str] | None = None) -> int:
        """Run the experiment as the command line says.

        Returns:
            The exit code: 0, 2 for settings that cannot be, 130 for Ctrl-C. Flags that do not parse
            exit with code 2 at once.
        """
        args = sys.argv[1:] if args is None else args
        program = f"python -m experiments.{self.config.experiment}"
        flags = (tyro.conf.FlagCreatePairsOff,)
        config = tyro.cli(self.config, args=args, prog=program, config=flags)
        console, errors = Console(), Console(stderr=True, soft_wrap=True, highlight=False)
        try:
            config = config.resolve()
            data = config.load()
            config = config.complete(data)
            directory = Run(config, self.summarize)
        except (ValueError, OSError) as error:
            errors.print(f"error: {error}", style="red", markup=False)
            return 2
        except KeyboardInterrupt:
            errors.print("interrupted before the work began")
            return 130
        try:
            total = self.work(config)
            with _no_tracing_warnings(), JobProgress(total, console, config.quiet) as progress:
                invocation = shlex.join([*program.split(), *args])
                labels = self.labels(config)
                job = Job(config, data, directory, progress, invocation, labels)
                self.perform(job)
        except KeyboardInterrupt:
            errors.print(
                f"interrupted: what is finished is kept in {directory.directory}, and the same "
                "command goes on from there"
            )
            return 130
        tables.show(console, self.sheets(config, directory.summary), self.legend)
        return 0


@contextlib.contextmanager
def _no_tracing_warnings() -> Iterator[None]:
    """TensorFlow takes it for a mistake that each of many models is traced; it breaks the bar."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
