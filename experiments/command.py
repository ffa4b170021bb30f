"""What happens between the command line and the protocol of an experiment."""

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tyro
from rich.console import Console

from experiments.attacks import AttackConfig
from experiments.datasets import load
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
        show: Function of a console, the settings and the summary that prints the final table.
    """

    config: type[AttackConfig]
    work: Callable[[Any], int]
    perform: Callable[[Job], None]
    summarize: Callable[[Records], Any]
    show: Callable[[Console, Any, Any], None]


def run(experiment: Experiment, args: Sequence[str] | None = None) -> int:
    """Run an experiment as the command line says.

    Returns:
        The exit code: 0, 2 for settings that cannot be, 130 for Ctrl-C. Flags that do not parse
        exit with code 2 at once.
    """
    args = sys.argv[1:] if args is None else args
    program = f"python -m experiments.{experiment.config.experiment}"
    flags = (tyro.conf.FlagCreatePairsOff,)
    config = tyro.cli(experiment.config, args=args, prog=program, config=flags)
    console, errors = Console(), Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        config = config.resolve()
        data = load(config.dataset, data_dir=config.data_dir, train_size=config.train_size)
        config = config.complete(data)
        directory = Run(config, experiment.summarize)
    except (ValueError, OSError) as error:
        errors.print(f"error: {error}", style="red", markup=False)
        return 2
    except KeyboardInterrupt:
        errors.print("interrupted before the work began")
        return 130
    try:
        with JobProgress(experiment.work(config), console, config.quiet) as progress:
            job = Job(config, data, directory, progress, shlex.join([*program.split(), *args]))
            experiment.perform(job)
    except KeyboardInterrupt:
        errors.print(
            f"interrupted: what is finished is kept in {directory.directory}, and the same "
            "command goes on from there"
        )
        return 130
    experiment.show(console, config, directory.summary)
    return 0
