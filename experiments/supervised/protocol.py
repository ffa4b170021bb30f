"""What a supervised run does, in which order, and how much work that is."""

from experiments import classifiers, command
from experiments.config import settled
from experiments.job import Job
from experiments.supervised import report, tables
from experiments.supervised.attacks import compare_methods, compare_samplings, fill_grids
from experiments.supervised.config import Config, grid_work, image_work
from experiments.supervised.summary import labels, summarize


def perform(job: Job[Config]) -> None:
    """The protocol, as far as an earlier session has not done it."""
    config = job.config
    for seed in settled(config.seeds):
        recipe, epochs = config.recipe(), settled(config.epochs)
        model = classifiers.train(job, seed, "classifier", recipe, [], epochs=epochs)
        images = classifiers.attacked(job.data, model, settled(config.attack_size))
        absent = settled(config.attack_size) - len(images.x)
        job.progress.skip(absent * image_work(config))
        compare_methods(job, seed, model, images)
        compare_samplings(job, seed, model, images)
        fill_grids(job, seed, model, images)
    report.write(job)


def total_work(config: Config) -> int:
    """Training and attacks of all seeds."""
    training = settled(config.epochs) * settled(config.train_size)
    attacks = settled(config.attack_size) * image_work(config)
    grids = config.grid_size * grid_work(config)
    return len(settled(config.seeds)) * (training + attacks + grids)


EXPERIMENT = command.Experiment(
    config=Config,
    work=total_work,
    perform=perform,
    summarize=summarize,
    labels=labels,
    sheets=tables.sheets,
    legend=tables.LEGEND,
)

main = EXPERIMENT.main
