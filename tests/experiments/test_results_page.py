"""Does the paper reproduce? One rule, on records made by hand, and the pages that tell it."""

import json

import pytest

from experiments.engine.summary import judged
from experiments.report import answers, lines
from experiments.report.__main__ import main
from experiments.report.answers import Line, answer
from experiments.report.claims import CLAIMS, overview
from experiments.report.runs import FoundRun
from keras_uae import __version__

GAIN, LOSS = [0.10, 0.12, 0.11], [-0.10, -0.12, -0.11]
NOISE = [0.1, -0.2, 0.15]


@pytest.mark.parametrize(
    ("gains", "over", "said"),
    [
        (GAIN, GAIN, "reproduces"),
        (GAIN, NOISE, "only without the control"),
        (GAIN, LOSS, "only without the control"),
        (LOSS, GAIN, "does not reproduce"),
        ([0.0] * 3, GAIN, "does not reproduce"),
        # too few seeds for a verdict
        (GAIN[:1], GAIN[:1], "undecided"),
        (GAIN[:2], GAIN[:2], "undecided"),
        (GAIN[:1], LOSS[:1], "undecided"),
        (LOSS[:1], LOSS[:1], "undecided"),
        # where all models fail alike, or none does
        ([0.0] * 3, [0.0] * 3, "nothing to gain"),
        # every training diverged, or the control is not there
        ([], [], "undecided"),
        (GAIN, [], "undecided"),
    ],
)
def test_the_rule(gains, over, said):
    assert answer(gains, judged({0: over})[0]) == said


def test_where_the_paper_has_no_gain_it_claims_nothing():
    assert answer(GAIN, judged({0: GAIN})[0], paper=-0.98) == "nothing claimed"


def test_comparisons_of_a_table_are_judged_together():
    close = [0.010, 0.020, 0.014]  # p = 0.038
    alone, many = [Line("a", 1, gains=GAIN, over=close)], [Line("b", 1, gains=GAIN, over=NOISE)]
    assert answers.outcome(alone) == "**reproduces**"
    assert [said for *_, said in answers.answered(alone + many)] == ["only without the control"] * 2
    # what is compared twice is one comparison
    assert answers.outcome(alone * 5) == "**reproduces**"


def training(name, seed, error, **figures):
    key = {"stage": "training", "name": name, "seed": seed}
    return {**key, "test_error": error, "seconds": 1.0, **figures}


def run_of(records, experiment="reconstruction", version=__version__, **settings):
    known = {"experiment": experiment, "dataset": "mnist", "model": "dense", "seeds": [0, 1, 2]}
    known |= {"train_size": 60000, "similarity": "auto", "rows": ["uae", "published"], **settings}
    return FoundRun("run", None, known, {"keras_uae": version}, 0.0, None, records)


def retrained(**rows):
    return [
        training(name, seed, each) for name, row in rows.items() for seed, each in enumerate(row)
    ]


DUPLICATES = {"original": [1.0, 1.0, 1.0], "duplicate": [0.8, 0.81, 0.79]}


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ([0.6, 0.61, 0.59], "reproduces"),
        ([0.8, 0.9, 0.7], "only without the control"),
        ([1.1, 1.2, 1.3], "does not reproduce"),
        ([None, None, None], "undecided"),
    ],
)
def test_lines_of_a_run(errors, said):
    run = run_of(retrained(**DUPLICATES, mine=errors))
    (line,) = lines.reconstruction(run, ["published", "mine", "small"])
    assert (line.data, line.images, line.added) == ("MNIST, dense", 60000, "UAE (gaussian)")
    assert line.paper == pytest.approx(0.116, abs=1e-3)
    assert answers.outcome([line]) == f"**{said}**"


def test_seeds_that_diverged_are_left_out():
    run = run_of(retrained(**DUPLICATES, published=[0.6, None, 0.59], mine=[0.7, 0.7, 0.7]))
    published, mine = lines.reconstruction(run, ["published", "mine"])
    assert published.added == "UAE (gaussian), published code"
    assert (len(published.gains), len(published.over), len(mine.gains)) == (2, 2, 3)


def test_averaged_weights_decide_and_the_last_ones_are_the_papers():
    rows = {"original": (1.0, 1.0), "duplicate": (0.5, 0.5), "mine": (0.4, 0.6)}
    records = [training(n, 0, last, averaged_error=mean) for n, (last, mean) in rows.items()]
    (line,) = lines.reconstruction(run_of(records), ["mine"])
    assert (line.gains, line.over) == (pytest.approx([0.6]), pytest.approx([-0.2]))


def rate(row, seed, epsilon, asr):
    key = {"stage": "attack", "name": f"{row}/{epsilon}", "seed": seed, "method": "pgd"}
    return {**key, "row": row, "epsilon": epsilon, "asr": asr}


def test_a_lower_success_of_pgd_is_a_gain():
    rates = {"madry": 1.0, "madry-duplicate": 0.9, "madry-uae": 0.3}
    records = [rate(row, 0, 0.4, each) for row, each in rates.items()]
    (line,) = lines.robustness(run_of(records, "robustness"), "madry")
    assert (line.gains, line.over) == ([pytest.approx(0.7)], [pytest.approx(0.6)])
    assert line.paper == 0.6


def test_similarities_are_compared_with_mine():
    errors = {"mine": [0.5, 0.5, 0.5], "cosine": [1.0, 1.0, 1.0]}
    run = run_of(retrained(**DUPLICATES, **errors), "ablation", similarity="mine")
    (line,) = lines.similarities(run)
    assert line.added == "MINE for Cosine on features"
    assert line.gains == [0.5, 0.5, 0.5]
    assert line.over == pytest.approx([1 - 0.5 / 0.8, 1 - 0.5 / 0.81, 1 - 0.5 / 0.79])


def test_a_section_says_what_made_it_and_how_to_make_the_rest():
    run = run_of(retrained(**DUPLICATES, mine=[0.6, 0.61, 0.59]), version="0.1.0")
    text = CLAIMS["table-4"].section([run])
    assert "**Here:** **reproduces**. A gain is less error." in text
    assert "| MNIST, dense | 60 000 | 3 | UAE (gaussian) | +40.0% | +11.6% |" in text
    assert "| reproduces | 0.1.0 |" in text
    assert "experiments.reconstruction --dataset svhn_cropped --model conv" in text
    assert "--dataset mnist --model dense" not in text
    # another run may hold the same trainings beside its own
    assert CLAIMS["table-4"].section([run, run]) == text


def test_without_runs_nothing_is_answered():
    rows = overview([]).splitlines()[2:]
    assert len(rows) == 8
    assert all(row.endswith("| – | – | not run |") for row in rows)
    for claim in CLAIMS.values():
        assert all(f"\n{command}\n" in claim.section([]) for command in claim.wanted.values())


def checkout(folder, text):
    run = folder / "results" / "mnist-dense"
    run.mkdir(parents=True)
    found = run_of(retrained(**DUPLICATES, mine=[0.6, 0.61, 0.59]))
    content = {"config": found.settings, "versions": found.versions}
    (run / "config.json").write_text(json.dumps(content))
    (run / "metrics.json").write_text(json.dumps({"records": found.records}))
    (folder / "docs").mkdir()
    (folder / "docs" / "page.md").write_text(text)
    return [str(folder / "results"), "--docs", str(folder)]


def test_the_command_fills_the_pages_of_a_checkout(tmp_path, capsys):
    args = checkout(tmp_path, "before\n<!-- results: table-4 -->\nold\n<!-- end -->\nafter\n")
    assert main(args) == 0
    text = (tmp_path / "docs" / "page.md").read_text()
    assert "old" not in text
    assert text.startswith("before\n<!-- results: table-4 -->\n\n## Table 4")
    assert text.endswith("\n\n<!-- end -->\nafter\n")
    assert "page.md" in capsys.readouterr().out
    assert main(args) == 0
    assert "no page has changed" in capsys.readouterr().out
    assert not (tmp_path / "results" / "report.html").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- results: tabel-4 -->\n<!-- end -->", "Received: 'tabel-4'"),
        (None, "`docs` must be a checkout"),
    ],
)
def test_what_cannot_be_filled(text, message, tmp_path, capsys):
    args = checkout(tmp_path, text or "")
    if text is None:
        args[-1] = str(tmp_path / "results")
    assert main(args) == 2
    assert message in capsys.readouterr().err
