"""README and docs/ keep their word: code runs, figures are those of the runs, names are there."""

import doctest
import importlib
import inspect
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import matplotlib
import numpy as np
import pytest
import tensorflow as tf
import typer
from sklearn.datasets import load_digits

import keras_uae as uae
from experiments.report.pages import BLOCK, filled
from experiments.report.runs import find
from keras_uae.cli.app import app
from keras_uae.criteria import CRITERIA

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
ROOMS = (
    "comparison",
    "attacks",
    "criteria",
    "similarity",
    "augmentation",
    "selection",
    "evaluation",
    "sharding",
)
# what an example needs beyond a machine without a network
NOT_RUN = {"inception_v3": "downloads the weights of Inception"}

_BLOCK = re.compile(r"(<!-- slow -->\n)?```(\w+)\n(.*?)```", re.DOTALL)


def text(page):
    return page.read_text(encoding="utf-8")


def name(page):
    return str(page.relative_to(ROOT))


def blocks(page, language, slow=False):
    found = _BLOCK.findall(text(page))
    return [code for mark, kind, code in found if kind == language and (slow or not mark)]


def shorter(code):
    """Trainings of one epoch and attacks of few steps: what is tested is that the code runs."""
    code = re.sub(r"\bepochs=\d+", "epochs=1", code)
    code = re.sub(r"\bseeds(=|\": )\d+", r"seeds\g<1>1", code)
    code = code.replace("[..., None]", "[:256, ..., None]")  # as most pages have it
    return re.sub(r"\bsteps=\d+", "steps=3", code)


def run(page, slow, folder, monkeypatch):
    matplotlib.use("agg")
    monkeypatch.chdir(folder)
    tables = [(table, dict(table)) for table in (uae.similarity.SIMILARITIES, CRITERIA)]
    scope = {}
    try:
        for code in blocks(page, "python", slow):
            exec(compile(shorter(code), name(page), "exec"), scope)
    finally:
        for table, before in tables:  # a page adds to them
            table.clear()
            table.update(before)
    return scope


@pytest.fixture(scope="module")
def runs():
    found, damaged = find(ROOT / "results")
    assert not damaged
    return found


WITH_CODE = [page for page in PAGES if blocks(page, "python")]
WITH_SLOW_CODE = [page for page in PAGES if blocks(page, "python", True) != blocks(page, "python")]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("page", WITH_CODE, ids=name)
def test_code_runs_from_top_to_bottom(page, tmp_path, monkeypatch, capsys):
    scope = run(page, False, tmp_path, monkeypatch)
    assert capsys.readouterr().out
    if "found" in scope:
        assert np.isfinite(scope["found"].x).all()


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_SLOW_CODE, ids=name)
def test_slow_code_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    run(page, True, tmp_path, monkeypatch)


def test_ci_runs_the_command_for_the_tests():
    if not (ROOT / ".ci" / "run").exists():
        pytest.skip("not a checkout")
    (command,) = [code.strip() for code in blocks(ROOT / "README.md", "bash") if "pytest" in code]
    assert command.replace("pip install ", "pip install -q ") in text(ROOT / ".ci" / "run")


def test_readme_is_short():
    assert len(text(ROOT / "README.md").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_it_links_to_are_there(page):
    for target in re.findall(r"\]\((?!http)([^)#]+)[^)]*\)", text(page)):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_experiments_that_it_names_are_there(page):
    for module in re.findall(r"python -m (experiments[.\w]*)", text(page)):
        assert find_spec(module), module


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_options_of_the_command_line_are_there(page):
    group: Any = typer.main.get_command(app)
    commands = group.commands
    for code in blocks(page, "bash"):
        for command, rest in re.findall(r"keras-uae (\w+)((?:\\\n|[^\n&])*)", code):
            options = {option for each in commands[command].params for option in each.opts}
            assert set(re.findall(r"--[\w-]+", rest)) <= options, code


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_figures_of_runs_are_those_of_the_runs(page, runs):
    assert filled(text(page), runs) == text(page), "python -m experiments.report results --docs ."
    # nowhere else are they copied by hand
    assert not re.search(r"0\.\d{5} ± 0\.\d{5}", BLOCK.sub("", text(page)))


def test_pictures_of_runs_are_those_of_the_runs():
    pictures = [path.read_bytes() for path in (ROOT / "results").glob("*/*.png")]
    shown = list((DOCS / "experiments").glob("*.png"))
    assert shown
    for picture in shown:
        assert picture.read_bytes() in pictures, picture.name


def exports():
    """Every export of the package and of its rooms: (room, name, object), each object once."""
    rooms = [importlib.import_module(f"keras_uae.{room}") for room in ROOMS]
    found = {}
    for module in (*rooms, uae):
        for export in module.__all__:
            found.setdefault(export if module is uae else (module, export), (module, export))
    return [
        (module.__name__, export, getattr(module, export))
        for module, export in found.values()
        if module is not uae or not any(export in room.__all__ for room in rooms)
    ]


EXPORTS = exports()
DOCUMENTED = [each for each in EXPORTS if inspect.isclass(each[2]) or inspect.isfunction(each[2])]


def test_every_room_is_on_a_page_and_every_export_in_a_room():
    for room in ROOMS:
        assert f"\n::: keras_uae.{room}\n" in text(DOCS / "api" / f"{room}.md")
    overview = text(DOCS / "api" / "index.md")
    for module, export, _ in EXPORTS:
        if module == "keras_uae" and export not in ROOMS:
            assert re.search(rf"\b{export}\b", overview), export


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built strictly: warnings are errors."""
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True))
    return folder


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_every_export_is_on_the_site(site):
    pages = "".join(text(path) for path in (site / "api").rglob("*.html"))
    anchors = {each.rsplit(".", 1)[1] for each in re.findall(r'id="(keras_uae\.[\w.]+)"', pages)}
    missing = {export for _, export, _ in EXPORTS} - anchors - {"__version__", *ROOMS}
    assert not missing
    # no section of a docstring is left as it was
    assert not re.findall(r"(Example|Reference|Call arguments|Args|Returns):</p>", pages)


def examples(thing):
    """The examples of a docstring and of the methods of a class, statement by statement."""
    methods = vars(thing).values() if inspect.isclass(thing) else ()
    parser = doctest.DocTestParser()
    for each in (thing, *methods):
        if isinstance(getattr(each, "__doc__", None), str):
            yield from parser.get_examples(inspect.cleandoc(each.__doc__))


@pytest.mark.parametrize(
    ("export", "thing"), [each[1:] for each in DOCUMENTED], ids=[each[1] for each in DOCUMENTED]
)
def test_every_export_has_an_example(export, thing):
    assert list(examples(thing)), export


@pytest.fixture(scope="module")
def prepared():
    """What the examples of docstrings take for granted."""
    pixels, labels = load_digits(return_X_y=True)
    images = (pixels / 16).astype("float32").reshape(-1, 8, 8, 1)

    def build(*last, loss="mse"):
        first = keras.layers.Conv2D(4, 3, padding="same", activation="relu")
        outputs = inputs = keras.Input((8, 8, 1))
        for layer in (first, *last):
            outputs = layer(outputs)
        model = keras.Model(inputs, outputs)
        model.compile("adam", loss)
        return model

    def autoencoder():
        return build(keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid"))

    model = autoencoder()
    model.fit(images, images, verbose=0)
    attack = uae.MinMaxAttack(model, initial_radius=0.0, steps=5)
    x = images[:48]
    found = attack.generate(x, verbose=0)
    return {
        **{export: thing for _, export, thing in EXPORTS},
        **{
            "uae": uae,
            "np": np,
            "tf": tf,
            "keras": keras,
            "pixels": pixels[:48] / 16,
            "build": autoencoder,
            "attack": attack,
        },
        **{"model": model, "autoencoder": model, "found": found, "images": x, "x": x},
        **{"x_train": x, "y_train": labels[:48], "x_test": x, "y_test": labels[:48]},
        "z": found.x,
        "data": uae.UAEAugmentation(x, found),
        "criterion": uae.Reconstruction(model),
        "classifier": build(keras.layers.Flatten(), keras.layers.Dense(10)),
        "simclr": build(keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4)),
        "features_a": pixels[:32],
        "features_b": pixels[32:64],
    }


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("export", "thing"), [each[1:] for each in DOCUMENTED], ids=[each[1] for each in DOCUMENTED]
)
def test_examples_of_docstrings_run(export, thing, prepared, tmp_path, monkeypatch):
    code = "".join(each.source for each in examples(thing))
    compiled = compile(shorter(code), export, "exec")
    if export in NOT_RUN:
        pytest.skip(NOT_RUN[export])
    monkeypatch.chdir(tmp_path)
    exec(compiled, dict(prepared))
