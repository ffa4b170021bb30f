"""The eight claims of the paper that docs/results.md answers, and which runs say what of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from experiments.engine.tables import markdown
from experiments.reconstruction_rows import ROWS
from experiments.report import answers, lines
from experiments.report.answers import Line
from experiments.report.runs import DATA, FoundRun

Reader = Callable[[FoundRun], Iterable[Line]]


@dataclass(frozen=True)
class Claim:
    """What the paper says, and the comparisons that say whether it is so."""

    title: str  # the heading of its section
    says: str
    number: str  # of the paper, in short
    readers: Mapping[str, Reader]  # by the experiment whose runs they read
    wanted: Mapping[str, str]  # data and model of the paper → the command that makes the run
    against: str = "vs original"
    control: str = "vs duplicates"

    @property
    def anchor(self) -> str:
        """Where a link to its section leads."""
        return "".join(c for c in self.title.lower().replace(" ", "-") if c.isalnum() or c == "-")

    def missing(self, found: Iterable[Line]) -> list[str]:
        """What the paper has and no run is about."""
        there = {line.data for line in found if line.images}
        return [each for each in self.wanted if each not in there]

    def lines(self, runs: Sequence[FoundRun]) -> list[Line]:
        """Its comparisons, those that are to be made last."""
        read = [run for run in runs if run.settings.get("experiment") in self.readers]
        found = [line for run in read for line in self.readers[run.settings["experiment"]](run)]
        order = {name: place for place, name in enumerate(DATA.values())}
        # runs of other rows train some of them again
        found = [line for place, line in enumerate(found) if line not in found[:place]]
        found.sort(key=lambda line: -(line.images or 0))  # the paper's size, all images, is first
        found.sort(key=lambda line: (order.get(line.data.split(",")[0], len(order)), line.data))
        return [*found, *(Line(each) for each in self.missing(found))]

    def section(self, runs: Sequence[FoundRun]) -> str:
        """Heading, what the paper says, answer, table, and how to make what is missing."""
        found = self.lines(runs)
        parts = [f"## {self.title}", f"**The paper:** {self.says}"]
        said = answers.outcome(found).replace("<br>", "; ")
        gains = " and ".join(answers.measures(found))
        parts.append(f"**Here:** {said}." + f" A gain is {gains}." * bool(gains))
        parts.append(markdown(answers.table(found, self.against, self.control)).strip())
        if commands := [self.wanted[each] for each in self.missing(found)]:
            parts.append("\n".join(["What was not run:\n", "```bash", *commands, "```"]))
        return "\n\n".join(parts)


_RECONSTRUCTION = "python -m experiments.reconstruction --dataset"
_CONTRASTIVE = "python -m experiments.contrastive --dataset cifar10 --preset paper"
_ROBUSTNESS = "python -m experiments.robustness --dataset"

CLAIMS = {
    "table-3": Claim(
        "Table 3: MinMax and the penalty method",
        "with 9 000 iterations each, on classifiers of MNIST and CIFAR-10, both attacks always "
        "succeed, and the examples of MinMax keep more mutual information with their images: 51.29 "
        "in place of 28.28 nats on MNIST, 17.14 in place of 13.69 on CIFAR-10.",
        "+81% (MNIST), +25% (CIFAR-10)",
        {"supervised": lines.methods},
        {
            "MNIST": "python -m experiments.supervised --dataset mnist",
            "CIFAR-10": "python -m experiments.supervised --dataset cifar10",
        },
        against="vs penalty",
        control="by new estimates",
    ),
    "table-4": Claim(
        "Table 4: autoencoders",
        "retrained on the images and their UAEs, autoencoders restore test images with less error: "
        "by 56.7 % (sparse), 11.6 % (dense), 12.9 % (convolutional) and 4.3 % (adversarial) on "
        "MNIST, by 73.5, 36.1, 25.8 and 25.4 % on SVHN.",
        "+4.3% … +73.5%",
        {
            "reconstruction": partial(
                lines.reconstruction, rows=("published_exact", "published", "mine", "small")
            )
        },
        {
            f"{DATA[key]}, {model}": f"{_RECONSTRUCTION} {key} --model {model} --preset paper"
            for key in ("mnist", "svhn_cropped")
            for model in ("sparse", "dense", "conv", "adversarial")
        },
    ),
    "table-5": Claim(
        "Table 5: on top of conventional augmentation",
        "UAEs also help where the autoencoder is already trained on flipped, rotated and noisy "
        "copies (SVHN, convolutional): flips and rotations 62.5 %, noise 11.2 %, all "
        "of them 67.8 % less error.",
        "+11.2% … +67.8%",
        {
            "reconstruction": partial(
                lines.reconstruction, rows=[n for n in ROWS if n.endswith("+mine")]
            )
        },
        {
            "MNIST, conv": f"{_RECONSTRUCTION} mnist --rows conventional --train-size 5000",
            "SVHN, conv": f"{_RECONSTRUCTION} svhn_cropped --rows conventional --preset paper",
        },
        against="vs augmentation alone",
    ),
    "table-6": Claim(
        "Table 6: feature selection",
        "a concrete autoencoder that is retrained on UAEs selects features from which the rest is "
        "restored with less error and which classify better: on MNIST by 2.4 % and 0.44 points, on "
        "Mice 6.1 % and 1.39 points; COIL-20 is the exception, with 98 % more error.",
        "+2.4% … +11.0%, but −98% on COIL-20",
        {"feature_selection": lines.selection},
        {
            name: f"python -m experiments.feature_selection --dataset {key}"
            for key, name in DATA.items()
            if name in ("MNIST", "Fashion-MNIST", "Isolet", "COIL-20", "Mice", "Activity")
        },
    ),
    "table-7": Claim(
        "Table 7: contrastive learning",
        "SimCLR that is retrained with UAEs has 7.8 % less contrastive loss on CIFAR-10, and a "
        "linear classifier on its features gets 92.88 in place of 91.30 % right.",
        "+1.58 points, loss +7.8%",
        {"contrastive": lines.contrastive},
        {"CIFAR-10": _CONTRASTIVE},
    ),
    "table-13": Claim(
        "Table 13: MINE and other similarities",
        "UAEs that minimise mutual information by MINE are worth more to train on than those that "
        "minimise another similarity: the retrained autoencoder has an error of 0.00256 on MNIST, "
        "with L2 on features 0.00298, cosine 0.00295, feature scattering 0.00268.",
        "+4.5% … +14.2% (MNIST)",
        {"ablation": lines.similarities},
        {
            f"{DATA[key]}, conv": f"python -m experiments.ablation --dataset {key} "
            "--train-size 5000 --attack-size 5000 --parts similarity --retrain"
            for key in ("mnist", "svhn_cropped")
        },
        against="vs that similarity",
        control="MINE vs duplicates",
    ),
    "figure-9": Claim(
        "Figure 9: adversarial training",
        "adversarial training on the images and UAEs withstands PGD as well as or better than on "
        "the images alone: at ε = 0.4, beyond the ε that was trained for, more than 60 % of the "
        "MNIST images in place of none.",
        "more than 60 points at ε = 0.4 (MNIST)",
        {"robustness": partial(lines.robustness, kind="madry")},
        {
            "MNIST": f"{_ROBUSTNESS} mnist --parts adversarial",
            "CIFAR-10": f"{_ROBUSTNESS} cifar10 --parts adversarial",
        },
    ),
    "figure-10": Claim(
        "Figure 10: robustness without adversarial training",
        "(a) a classifier that is trained on the images and UAEs withstands PGD better at every ε; "
        "(b) so do linear classifiers on the features of SimCLR, most of all for ε ≤ 0.02.",
        "no figures are printed",
        {
            "robustness": partial(lines.robustness, kind="standard"),
            "contrastive": lines.contrastive_robustness,
        },
        {
            "MNIST": f"{_ROBUSTNESS} mnist --parts standard",
            "CIFAR-10, SimCLR": _CONTRASTIVE,
        },
    ),
}


def overview(runs: Sequence[FoundRun]) -> str:
    """The eight claims, a line each, with links to their sections."""
    rows = ["| claim | the paper | here | beyond the control | answer |", "| :-- " * 5 + "|"]
    for claim in CLAIMS.values():
        found = claim.lines(runs)
        spans = (answers.span(found, each) for each in ("gains", "over"))
        link = f"[{claim.title}](#{claim.anchor})"
        rows.append(f"| {' | '.join([link, claim.number, *spans, answers.outcome(found)])} |")
    return "\n".join(rows)
