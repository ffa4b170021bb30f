'''What runs an experiment, which is data: settings, pieces of work, tables, figures, verdicts.

An experiment is one file, `experiments/NAME.py`, that ends in `main = EXPERIMENT.main`:

    @dataclass(frozen=True)
    class Config(ExperimentConfig):                          # config.py: a field is a flag
        model: Annotated[str, Choice(RECIPES)] = "dense"     # names come from their table
        """Autoencoder."""

        @classmethod
        def for_preset(cls, preset="quick", dataset="digits", **settings):
            epochs = 2 if preset == "smoke" else 20
            return super().for_preset(preset, **{"dataset": dataset, "epochs": epochs, **settings})

    def pieces(config):                                      # job.py: done once, in this order
        for seed in config.seeds:
            work = config.epochs * config.train_size
            yield Piece("training", seed, "original", work, train)
            yield Piece("attack", seed, "mine", config.train_size * 40, attack, mark="asr")

    def train(job):                                          # returns the figures of its record
        data = uae.UAEAugmentation(job.data.x_train, [], seed=job.seed)
        recipe, errors = RECIPES[job.config.model], lambda model: training.errors(model, job.data)
        return training.train_and_keep(job, recipe, data, epochs=job.config.epochs, measure=errors)

    def attack(job):
        x = job.data.x_train
        found = find_uaes(job, uae.MinMaxAttack(job.model("original")), x)
        return found_figures(x, found)

    EXPERIMENT = Experiment(
        name="NAME", config=Config, pieces=pieces,
        labels=lambda config: {"original": "Original", "mine": "MINE-UAE"},
        summarize=lambda records: {...},                     # summary.py: spread, gains over seeds
        tables=lambda config, summary: [sheet("Errors", [Column("error", "test_error")], ...)],
        verdicts=lambda config, summary: ["The error is …"], # verdicts.py
        figures={"errors": Figure("Test errors", draw)},     # plots.py
        published=lambda config: {"epochs": 100},            # departures are told by themselves
        ...)

`work.py` skips the pieces whose record is there: a job may stop at any time and goes on with the
same command. `job.model(name)` and `job.uaes(name)` are what an earlier piece of the same seed
has kept, from memory or from their file. The time left is that of the sum of `Piece.work`, in
samples of a training step or of an iteration of an attack. A run is a directory (`records.py`):
config.json, metrics.json with the records and their summary, report.md (`report.py`), figures, and
a folder for each seed.
'''
