"""The rows of a reconstruction run: what each adds to which, and what it is compared with."""

from typing import NamedTuple


class Row(NamedTuple):
    """A training from scratch on the originals, on what its base has added, and on one thing more.

    Attributes:
        label: How the row is called below its base; `{uae}` stands for the name of the run's UAEs.
        adds: What it adds: "duplicate" (the images as they are), "mine" or "l2" (UAEs of the base's
            model), a name in `NOISE` or in `conventional.LAYERS`; "" of the original model.
        base: The row that it builds on, and that "vs original" compares it with.
        control: The row of as many samples and steps that adds duplicates in its place.
    """

    label: str
    adds: str = ""
    base: str = "original"
    control: str = "duplicate"

    @property
    def attacks(self) -> bool:
        """Whether it needs an attack on the model of its base."""
        return self.adds in ("mine", "l2")


NOISE = {"ga_0.01": 0.01, "ga_0.001": 0.001}

# Table 4: one kind of addition at a time
_UAE = {
    "original": Row("Original"),
    "duplicate": Row("Duplicate control", "duplicate"),
    "mine": Row("{uae}", "mine"),
    "l2": Row("L2-UAE", "l2"),
    "ga_0.01": Row("GA σ = 0.01", "ga_0.01"),
    "ga_0.001": Row("GA σ = 0.001", "ga_0.001"),
}

# Table 5: conventional augmentation, alone and with UAEs of the model trained on it
_CONVENTIONAL = {
    "flip_rotation": "Flip + rotation",
    "gaussian": "Gaussian noise",
    "flip_rotation_gaussian": "Flip + rotation + noise",
}
_WITH = {
    name: row
    for kind, label in _CONVENTIONAL.items()
    for name, row in {
        kind: Row(label, kind),
        f"{kind}+duplicate": Row("& duplicates", "duplicate", base=kind),
        f"{kind}+mine": Row("& {uae}", "mine", base=kind, control=f"{kind}+duplicate"),
    }.items()
}

# Supplement 6.15: UAEs of the model that was trained on UAEs
_ROUNDS = {
    "duplicate_2": Row("Duplicates twice", "duplicate", base="duplicate"),
    "mine_2": Row("{uae}, second round", "mine", base="mine", control="duplicate_2"),
}

# a row comes after its base and its control: this is the order of the work
ROWS = {**_UAE, **_WITH, **_ROUNDS}

GROUPS = {
    "uae": tuple(_UAE),
    "conventional": ("original", "duplicate", *_WITH),
    "rounds": ("original", "duplicate", "mine", *_ROUNDS),
}


def chain(name: str) -> list[str]:
    """The rows that add something to the originals, up to and with `name`."""
    return [] if name == "original" else [*chain(ROWS[name].base), name]
