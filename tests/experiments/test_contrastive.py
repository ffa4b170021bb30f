"""The contrastive experiment: end to end on few digits, stopped amid a training; what it says."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

import keras_uae as uae
from experiments import contrastive, contrastive_training, paper
from experiments.contrastive import ADDED, Config, main, noisy
from experiments.contrastive_rows import ATTACKED, LABELS, sentences, summarize, tables
from experiments.engine.classifiers import classes
from keras_uae.attacks.base import Attack
from models.simclr import LARS, SimCLR, linear_probe
from tests.experiments.runs import check_refused, contents, metrics, records, run_undisturbed

pytestmark = pytest.mark.usefixtures("nothing_is_traced")

SIZES = {"train-size": 60, "attack-size": 40, "epochs": 2, "retraining-epochs": 3, "every": 2}
SIZES |= {"batch-size": 32, "pairs": 2, "steps": 3, "pgd-size": 6, "pgd-steps": 3}
SMALL = [f"--{name}={value}" for name, value in SIZES.items()]
# with a loss scale there is more to save
SMALL += ["--seeds", "0", "--epsilons", "0.2", "--precision", "mixed_float16"]


def two_layers(shape, *, depth, width, seed):
    """In place of a ResNet, which takes seconds to trace."""
    del depth, width
    start = keras.initializers.GlorotUniform(seed)
    inputs = keras.Input(shape)
    x = layers.Conv2D(4, 3, strides=2, kernel_initializer=start)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(inputs, layers.Flatten()(x))


@pytest.fixture(scope="module", autouse=True)
def _small_encoder():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contrastive, "resnet", two_layers)
        yield


def stopping(legs: list):
    """`fit` that is stopped in the third leg, amid the training on duplicates."""
    fit = SimCLR.fit

    def fit_thrice(self, data, **settings):
        legs.append((len(data.found), settings["initial_epoch"], settings["epochs"]))
        if len(legs) == 3:
            raise KeyboardInterrupt
        return fit(self, data, **settings)

    return fit_thrice


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The directory of a run that was stopped amid a training, and then went on."""
    output, legs = tmp_path_factory.mktemp("runs") / "contrastive", []
    args = [*SMALL, "--output", str(output)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimCLR, "fit", stopping(legs))
        assert main(args) == 130
        assert legs == [(0, 0, 2), (1, 0, 2), (1, 2, 3)]
        assert (output / "seed-0" / "duplicate-after-2.keras").exists()
        assert "test_loss" not in records(output, "training", 0)["duplicate"]
        run_undisturbed(main, args)
    assert legs[3:] == [(1, 2, 3), *2 * [(1, 0, 2), (1, 2, 3)], (1, 0, 2), (1, 2, 3)]
    assert metrics(output)["summary"]["rows"].keys() == LABELS.keys()
    return output


def test_everything_is_written(finished):
    names = {str(path.relative_to(finished)) for path in contents(finished)}
    models = {f"{name}{part}.keras" for name in LABELS for part in ("", "-classifier")}
    found = {"mine_uae.npz", *(f"{name}/pgd-0.2_uae.npz" for name in ATTACKED)}
    pictures = {"training.png", "robustness.png", "examples.png"}
    run = {"config.json", "metrics.json", "report.md", *pictures}
    assert names == run | {f"seed-0/{name}" for name in models | found}
    report = (finished / "report.md").read_text()
    assert all(f"({name})" in report for name in pictures)
    assert all(f"| {label} |" in report for label in LABELS.values())


def test_all_additions_see_as_many_images_in_as_many_steps(finished):
    rows = records(finished, "training", 0)
    assert rows.keys() == LABELS.keys()
    budgets = {name: (row["samples"], row["steps"]) for name, row in rows.items()}
    assert budgets.pop("untrained") == (60, 0)
    assert budgets.pop("original") == (60, 4)
    assert budgets == dict.fromkeys(ADDED, (100, 12))
    for name, row in rows.items():
        epochs = {"untrained": 0, "original": 2}.get(name, 3)
        assert len(row["losses"]) == row["epochs"] == epochs
        assert len(row["neighbor_accuracies"]) == -(-epochs // 2)
    losses = {tuple(row["losses"]) for row in rows.values()}
    assert len(losses) == len(rows)


def test_figures_are_those_of_the_models_that_are_kept(finished, digits):
    rows = records(finished, "training", 0)
    data = digits._replace(x_train=digits.x_train[:60], y_train=digits.y_train[:60])
    for name in ("untrained", "mine"):
        model = keras.models.load_model(finished / "seed-0" / f"{name}.keras")
        assert isinstance(model, SimCLR)
        assert model(data.x_test[:2]).dtype == "float32"
        model.compile()
        loss = model.evaluate(data.x_test, batch_size=32, verbose=0)
        assert rows[name]["test_loss"] == pytest.approx(loss, rel=1e-5)
        classifier = keras.models.load_model(finished / "seed-0" / f"{name}-classifier.keras")
        accuracy = np.mean(classes(classifier, data.x_test) == data.y_test)
        assert rows[name]["accuracy"] == accuracy
        assert accuracy == pytest.approx(linear_probe(model.encoder, *data).test, abs=1 / 360)


def test_attacks_are_those_of_the_saved_examples(finished, digits):
    attacks = records(finished, "attack", 0)
    x = digits.x_train[:40]
    found = uae.UAEs.load(finished / "seed-0" / "mine_uae.npz")
    original = keras.models.load_model(finished / "seed-0" / "original.keras")
    values = Config(pairs=2).criterion(original)(x, found.x).numpy()
    assert found.success.any()
    assert (values[found.success] <= 1e-5).all()
    assert attacks["mine"]["asr"] == found.success_rate >= attacks["mine"]["asr_unseen"]
    for name in ATTACKED:
        found = uae.UAEs.load(finished / "seed-0" / name / "pgd-0.2_uae.npz")
        assert attacks[f"{name}/pgd-0.2"]["asr"] == found.success_rate
        assert len(found) <= 6


def test_noise_is_as_large_as_the_uaes_after_it_was_clipped(finished, digits):
    found = uae.UAEs.load(finished / "seed-0" / "mine_uae.npz")
    job = SimpleNamespace(
        config=Config(attack_size=40), data=digits, seed=0, uaes={"mine": found}.get
    )
    norms = [
        np.linalg.norm((z - digits.x_train[:40]).reshape(40, -1), axis=1)
        for z in (found.x, noisy(job))
    ]
    np.testing.assert_allclose(*norms, rtol=1e-3)


def test_finished_run_is_shown_again_and_not_repeated(finished, monkeypatch, capsys):
    monkeypatch.setattr(SimCLR, "fit", lambda *_, **__: pytest.fail("trained again"))
    monkeypatch.setattr(Attack, "batches", lambda *_, **__: pytest.fail("again"))
    before = contents(finished)
    assert main([*SMALL, "--output", str(finished), "--quiet"]) == 0
    assert contents(finished) == before
    printed = capsys.readouterr().out
    assert all(label in printed for label in LABELS.values())


@pytest.mark.slow
def test_run_that_is_stopped_amid_a_training_goes_on_to_the_same_numbers(
    finished, tmp_path, monkeypatch
):
    def never_mind(job):
        raise KeyboardInterrupt

    monkeypatch.setattr(contrastive, "find", never_mind)  # what comes after the duplicates
    assert main([*SMALL, "--output", str(tmp_path / "run")]) == 130
    rows, undisturbed = (records(each, "training", 0) for each in (finished, tmp_path / "run"))
    assert undisturbed.keys() == {"untrained", "original", "duplicate"}
    assert undisturbed == {name: rows[name] for name in undisturbed}
    names = {path.name for path in contents(tmp_path / "run")}
    assert names <= {path.name for path in contents(finished)}


def test_paper_preset_is_the_published_training():
    assert Config() == Config.for_preset()
    config = Config.for_preset("paper", "cifar10")
    assert (config.epochs, config.retraining_epochs, config.batch_size) == (1000, 1500, 512)
    assert (config.depth, config.width, config.precision) == (18, 64, "mixed_bfloat16")
    assert (config.steps, config.pairs, config.pgd_steps, config.pgd_size) == (20, 50, 100, 1000)
    optimizer = config.optimizer_of(97_000)
    assert isinstance(optimizer, LARS)
    assert optimizer.decay == 1e-4
    rates = [float(optimizer._learning_rate(step)) for step in (0, 970, 97_000)]
    np.testing.assert_allclose(rates, [0, 2, 0], atol=1e-5)
    quick = Config.for_preset(dataset="cifar10")
    assert isinstance(quick.optimizer_of(10), keras.optimizers.Adam)
    assert quick.seeds == (0, 1)
    assert quick.untrained((32, 32, 3)).augmentation == uae.ViewAugmentation()
    assert Config().untrained((8, 8, 1)).augmentation.flip_probability == 0


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        ("--optimizer adm", "Did you mean 'adam'?"),
        ("--precision float16", "`precision` of Config"),
        ("--batch-size 1", "`batch_size` of Config"),
        ("--pairs 1", "`pairs` of Contrastive"),
        ("--depth 12", "`depth` of resnet"),
        ("--pgd-size 361", "[1, 360]"),
        ("--epsilons -1", "`epsilons` of Config"),
    ],
)
def test_wrong_settings_are_one_line_and_exit_code_2(flags, hint, tmp_path, capsys, monkeypatch):
    from models.simclr import resnet

    monkeypatch.setattr(contrastive, "resnet", resnet)
    check_refused(main, f"{flags} --output {tmp_path / 'run'}", hint, capsys)
    assert not (tmp_path / "run").exists()


def test_half_precision_is_refused_on_several_gpus(digits, monkeypatch):
    monkeypatch.setattr(contrastive_training, "several_gpus", lambda: True)
    config = Config(precision="mixed_float16")
    with pytest.raises(ValueError, match=r"on several GPUs. Received: precision='mixed_float16'"):
        config.complete(digits)


def made_up(accuracies: dict[str, list[float]]) -> list[dict]:
    """Records with these accuracies by row and seed; the loss falls as they rise."""
    found = []
    for name, values in accuracies.items():
        for seed, accuracy in enumerate(values):
            key = {"stage": "training", "seed": seed, "name": name}
            same = dict.fromkeys(("train_accuracy", "neighbor_accuracy"), accuracy)
            budget = {"epochs": 1, "steps": 8, "samples": 64, "seconds": 1.0}
            curves = {"losses": [1.0], "neighbor_accuracies": [accuracy]}
            figures = {"accuracy": accuracy, "test_loss": 1 - accuracy / 2}
            found.append({**key, **figures, **same, **budget, **curves})
            if name == "mine":
                key["stage"] = "attack"
                found.append({**key, "asr": 0.9, "asr_unseen": 0.6, "l2": 1.0, "seconds": 2.0})
            if name in ATTACKED:
                place = {"row": name, "epsilon": 0.01, "name": f"{name}/pgd-0.01"}
                found.append({**key, "stage": "attack", **place, "asr": 1 - accuracy, "seconds": 1})
    return found


@pytest.mark.parametrize(
    ("mine", "verdict"),
    [
        ([0.8, 0.9, 0.85], "So the perturbation itself helps."),
        ([0.8, 0.5, 0.85], "is nothing, or no larger than what the seeds make."),
        ([0.8, 0.9], "No verdict: 2 seeds, and it takes 3."),
    ],
)
def test_duplicates_decide_and_the_paper_stands_beside(mine, verdict):
    duplicate = [0.6, 0.8, 0.7]
    rows = {"untrained": [0.2] * 3, "original": [0.4, 0.6, 0.5], "duplicate": duplicate}
    config = Config.for_preset(dataset="cifar10")
    summary = summarize(made_up({**rows, "mine": mine, "clae": [0.5, 0.7, 0.6]}))
    lines = sentences(config, summary)
    text = next(line for line in lines if line.startswith("**MINE-UAE**: "))
    assert verdict in text
    assert "90.0% have a UAE" in text
    assert "the paper's, against its original: +1.58 points, loss 7.8% lower." in text
    assert "from 20.0% to 50.0% of the test images" in lines[0]
    accuracy, loss, details, robustness = tables(config, summary)
    row = list(summary["rows"]).index("mine")
    assert accuracy.columns["paper's linear"][row] == "92.88%"
    assert accuracy.columns["paper, vs original"][row:] == ["+1.58", "+0.05"]
    assert loss.columns["paper's loss"][row] == "0.2676"
    assert loss.columns["paper, vs original"][row] == "+7.8%"
    assert details.columns["paper's ASR"][row] == "100%"
    assert details.columns["training"][row] == "1 s"
    assert details.columns["attack"][row] == "2 s"
    gain = np.mean(np.subtract(mine, duplicate[: len(mine)]))
    assert accuracy.columns["vs duplicate"][row] == f"{100 * gain:+.2f}".replace("-", "−")
    assert robustness.columns["ε = 0.01"][0] == "50.0% ± 8.2%"


def test_training_that_teaches_nothing_is_called_so():
    rows = {"untrained": [0.2], "original": [0.2]}
    summary = summarize(made_up(rows))
    assert "too little training" in sentences(Config(), summary)[0]


def test_table_7_is_that_of_cifar10():
    assert paper.contrastive("mnist") == {}
    assert paper.contrastive("cifar10").keys() == {"original", "mine", "clae"}
    assert "mine" not in paper.contrastive("cifar10_first5k", "gaussian")
