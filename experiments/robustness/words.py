"""What the figures of a robustness run say, in sentences made from the numbers."""

from typing import Any

from experiments.config import settled
from experiments.robustness.config import PARTS, Config
from experiments.robustness.summary import ROWS
from experiments.summary import known_mean
from experiments.words import rates, verdict_on_rates

COMPARABLE = 0.01  # difference of two rates that is called none
CLAIMS = {
    "standard": "The paper finds the ASR with UAEs consistently lower than without for each ε",
    "madry": "The paper finds the ASR with UAEs lower than or comparable to that without",
}


def sentences(config: Config, summary: dict[str, Any]) -> list[str]:
    """What UAEs do to the curves, what MinMax does, what differs from the paper."""
    lines = []
    for part, family in (("standard", "standard"), ("adversarial", "madry")):
        if part in config.parts and family in summary["differences"]:
            lines += _augmentation(family, summary["differences"][family])
    for part in ("madry", "trades"):
        methods = summary["curves"].get(PARTS[part][0][0], {})
        if part in config.parts and {"pgd", "minmax"} <= methods.keys():
            lines.append(_methods(PARTS[part][0][0], methods))
    return [*lines, *_departures(config)]


def _augmentation(family: str, differences: dict[str, Any]) -> list[str]:
    """UAEs next to nothing, then next to duplicates, which decides."""
    lines = []
    for reference, points in differences.items():
        if not points:
            continue
        gaps: list[float] = [known_mean(point["difference"]) for point in points]
        text = f"**{ROWS[f'{family}-uae']}** against *{ROWS[reference]}*: {rates(points)}"
        if reference == family:
            limit = 0.0 if family == "standard" else COMPARABLE
            holds = all(gap < limit for gap in gaps)
            verdict = "so it is here" if holds else "here it is not at every ε"
            text += f" {CLAIMS[family]}: {verdict}."
        else:
            text += " " + verdict_on_rates(points)
        lines.append(text)
    return lines


def _methods(row: str, methods: dict[str, Any]) -> str:
    pairs = [
        (ours["epsilon"], known_mean(ours["asr"]) - known_mean(theirs["asr"]))
        for ours, theirs in zip(methods["minmax"], methods["pgd"], strict=True)
    ]
    lower = [f"{epsilon:.3g}" for epsilon, gap in pairs if gap < 0]
    higher = [f"{epsilon:.3g}" for epsilon, gap in pairs if gap > 0]
    least = min(pairs, key=lambda pair: pair[1])
    text = f"**{ROWS[row]}**: the ASR of MinMax is lower than that of PGD at "
    text += f"ε = {', '.join(lower)}" if lower else "no ε"
    text += f", higher at ε = {', '.join(higher)}" if higher else ", higher at none"
    if least[1] < 0:
        text += f"; furthest below at ε = {least[0]:.3g}, by {-100 * least[1]:.1f} points"
    return f"{text}. The paper finds it lower in the mid-range of ε on MNIST."


def _departures(config: Config) -> list[str]:
    lines = []
    if config.preset != "paper":
        lines.append(
            f"{config.train_size} training images for {config.epochs} epochs "
            f"({config.robust_epochs} in robust trainings)"
        )
        if any(row.startswith("madry") for row, _ in config.curves):
            lines.append("adversarial training with Adam at 1e-3, not 1e-4")
    if config.attack_size != 1000:
        lines.append(f"{config.attack_size} images attacked at most")
    if settled(config.robust_steps) != 40:
        lines.append(f"{config.robust_steps} iterations for a sample of a robust training, not 40")
    if "trades" in config.parts and config.weights is None:
        lines.append("a TRADES classifier trained here, not the published one")
    if "madry" in config.parts:
        lines.append("an adversarially trained classifier of our own, not the published one")
    return [f"Other than in the paper: {'; '.join(lines)}."] if lines else []
