"""The trainings of a small-data run but the original."""

from typing import NamedTuple

from experiments.small_data.noise import KINDS


class Row(NamedTuple):
    """What a training adds to the images of its set.

    Attributes:
        setting: Name of the attack, in `SETTINGS`.
        target: What the model restores of x + δ: "self" (x + δ) or "clean" (x).
        kind: "uae", "duplicate", or one of `KINDS`: noise of the size of the UAEs of the same
            setting.
    """

    setting: str
    target: str
    kind: str

    @property
    def name(self) -> str:
        """Its name in the files."""
        return self.kind if self.kind == "duplicate" else "-".join(self)

    @property
    def controls(self) -> dict[str, str]:
        """The rows that it is compared with, by what they add, if it adds UAEs."""
        if self.kind != "uae":
            return {}
        noise = {kind: self._replace(kind=kind).name for kind in KINDS}
        return {"duplicate": "duplicate", **noise}


# as many samples and steps, no perturbation: one serves all settings and targets
DUPLICATE = Row("default", "self", "duplicate")
