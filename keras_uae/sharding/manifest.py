"""The manifest of a directory of shards: everything that its bytes depend on."""

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_uae._errors import ManifestError
from keras_uae._files import LARGEST_JSON, atomic_write, file_size, locked_directory
from keras_uae.sharding.attack_config import completed

FILE_NAME = "manifest.json"
FORMAT = "keras_uae shards {}"
_VERSION = 2  # in 1 the sum of a shard does not say to which run it belongs
LARGEST_COUNT = 2**53
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_SHOWN = 5  # differences between inputs that are spelled out


@dataclass(frozen=True)
class Manifest:
    """What a run depends on. It is written once, before the first shard, and holds no paths:
    the name of a shard follows from its number.

    Attributes:
        attack: Class and settings of the attack, without the model (see `attack_config`).
        seed: The seed of `generate`.
        batch_size: Samples of a batch; the last one of a shard is padded.
        shard_size: Samples of a shard, a multiple of `batch_size`; the last one may be smaller.
        count: Number of samples.
        sample_shape: Shape of a sample.
        dtype: Dtype in which samples are attacked.
        model: SHA-256 of the weights and of the architecture, by name.
        inputs: SHA-256 of the samples of each shard.
        labels: SHA-256 of the labels of each shard; `None` if there are none.
        environments: Versions and hardware that the shards were made with: one, or more if the
            user agreed to a change.
        version: That of the format. In 1 nothing but its place says to which run a shard belongs.
        run: SHA-256 of all of this but the environments, as the file has it: what the sums of the
            shards are bound to.

    Example:

        >>> uae.generate_shards(attack, x_train, "uaes", resume=True)
        >>> manifest = uae.Shards("uaes").manifest
        >>> manifest.seed, manifest.count, manifest.attack
    """

    attack: dict[str, Any]
    seed: int
    batch_size: int
    shard_size: int
    count: int
    sample_shape: tuple[int, ...]
    dtype: str
    model: dict[str, str]
    inputs: tuple[str, ...]
    environments: tuple[dict[str, Any], ...]
    labels: tuple[str, ...] | None = None
    version: int = _VERSION
    run: str = dataclasses.field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.run:
            object.__setattr__(self, "run", _run_sum(self.as_json()))

    @property
    def shards(self) -> int:
        """Number of shards."""
        return len(self.inputs)

    def rows(self, number: int) -> range:
        """The samples of a shard."""
        return shard_rows(self.count, self.shard_size, number)

    def as_json(self) -> dict[str, Any]:
        """Everything, ready for JSON; without labels as it was before there were any."""
        content = {"format": FORMAT.format(self.version), **dataclasses.asdict(self)}
        del content["version"], content["run"]
        if self.labels is None:
            del content["labels"]
        return json.loads(json.dumps(content))

    def write(self, directory: Path) -> None:
        """Write `manifest.json`, all or nothing.

        Raises:
            FileExistsError: There is one already.
        """
        _write(directory, self.as_json(), overwrite=False)

    def bound(self, number: int, file_sum: str) -> str:
        """SHA-256 that binds that of a shard's file to this run, its number and its rows."""
        rows = self.rows(number)
        text = f"{self.run} {number} {rows.start} {rows.stop} {file_sum}"
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def read(cls, directory: Path) -> "Manifest":
        """Read `manifest.json`.

        Raises:
            FileNotFoundError: There is none.
            ManifestError: It is damaged.
        """
        try:
            return cls.from_json(_read(directory))
        except FileNotFoundError:
            raise
        except (ValueError, RecursionError, OSError) as error:
            raise ManifestError(
                f"{str(directory / FILE_NAME)!r} is no manifest of shards: {error}"
            ) from error

    @classmethod
    def add_environment(cls, directory: Path, environment: dict[str, Any]) -> "Manifest":
        """Note in `manifest.json` that shards are made in another environment from now on."""
        with locked_directory(directory):  # two jobs may note at once
            content = _read(directory)
            if environment not in content["environments"][-1:]:
                content["environments"].append(environment)
                _write(directory, content, overwrite=True)
        return cls.read(directory)

    @classmethod
    def from_json(cls, content: Any) -> "Manifest":
        """The manifest that `as_json` gave.

        Raises:
            ValueError: Something is missing, of the wrong type, or contradicts the rest.
        """
        names = {item.name for item in dataclasses.fields(cls)} - {"version", "run"}
        formats = {FORMAT.format(version): version for version in (1, _VERSION)}
        if not isinstance(content, dict) or content.get("format") not in list(formats):
            raise ValueError(f"it does not say format {FORMAT.format(_VERSION)!r}")
        run = _run_sum(content)
        content = {"labels": None, **content}
        if content.keys() != {"format", *names}:
            raise ValueError(f"it must have the keys {', '.join(sorted(names))}")
        for name in ("seed", "batch_size", "shard_size", "count"):
            low = -LARGEST_COUNT if name == "seed" else 1
            if type(content[name]) is not int or not low <= content[name] <= LARGEST_COUNT:
                raise ValueError(f"{name} must be an integer from {low}, not {content[name]!r}")
        shape = content["sample_shape"]
        if (
            not isinstance(shape, list)
            or not all(type(n) is int and n > 0 for n in shape)
            or math.prod(shape) > LARGEST_COUNT
        ):
            raise ValueError("sample_shape must be a list of positive integers")
        if content["dtype"] not in ("float16", "float32", "float64"):
            raise ValueError(f"dtype must be one of floating point, not {content['dtype']!r}")
        if not isinstance(content["attack"], dict):
            raise ValueError("attack must be an object")
        _check_hashes("model", content["model"], dict)
        _check_hashes("inputs", content["inputs"], list)
        if content["labels"] is not None:
            _check_hashes("labels", content["labels"], list)
            if len(content["labels"]) != len(content["inputs"]):
                raise ValueError("labels must have one hash for each shard")
            content["labels"] = tuple(content["labels"])
        if content["model"].keys() != {"weights", "architecture"}:
            raise ValueError("model must have the keys weights and architecture")
        if content["shard_size"] % content["batch_size"]:
            raise ValueError("shard_size must be a multiple of batch_size")
        if len(content["inputs"]) != -(-content["count"] // content["shard_size"]):
            raise ValueError("inputs must have one hash for each shard")
        environments = content["environments"]
        if not isinstance(environments, list) or not all(isinstance(e, dict) for e in environments):
            raise ValueError("environments must be a list of objects")
        values = {name: content[name] for name in names}
        values.update(version=formats[content["format"]], run=run)
        values["attack"] = completed(content["attack"])
        values["sample_shape"] = tuple(shape)
        values["inputs"] = tuple(content["inputs"])
        values["environments"] = tuple(environments)
        return cls(**values)

    def differences(self, wanted: "Manifest") -> list[str]:
        """Where this manifest, found in a directory, differs from that of a run to be made.

        The environment is not looked at: see `environment_differences`.
        """
        ours, theirs = (dict(_leaves(m._settings())) for m in (self, wanted))
        lines = _changes(ours, theirs)
        if (self.labels is None) != (wanted.labels is None):
            there, here = ("without" if m.labels is None else "with" for m in (self, wanted))
            lines.append(f"{there} labels there, {here} here")
        if lines:  # the inputs are cut or scaled differently, and all of them differ
            return lines
        return [
            *self._changed("samples", self.inputs, wanted.inputs),
            *self._changed("labels", self.labels or (), wanted.labels or ()),
        ]

    def _changed(self, what: str, ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
        changed = [
            (number, one, other)
            for number, (one, other) in enumerate(zip(ours, theirs, strict=True))
            if one != other
        ]
        lines = []
        for number, one, other in changed[:_SHOWN]:
            rows = self.rows(number)
            lines.append(
                f"{what} {rows.start} to {rows.stop - 1}: "
                f"SHA-256 {one[:12]}… there, {other[:12]}… here"
            )
        if len(changed) > _SHOWN:
            lines.append(f"and the {what} of {len(changed) - _SHOWN} more shards")
        return lines

    def environment_differences(self, environment: dict[str, Any]) -> list[str]:
        """Where the environment that the shards were made with differs from this one."""
        last = self.environments[-1] if self.environments else {}
        # what an earlier version did not note it has not changed
        known = {name: each for name, each in environment.items() if not last or name in last}
        return _changes(last, known)

    def _settings(self) -> dict[str, Any]:
        content = self.as_json()
        others = ("format", "inputs", "labels", "environments")
        return {name: content[name] for name in content if name not in others}


def shard_rows(count: int, shard_size: int, number: int) -> range:
    """The samples of shard `number` out of `count` samples."""
    return range(number * shard_size, min((number + 1) * shard_size, count))


def _read(directory: Path) -> Any:
    """What `manifest.json` says, of which nothing is checked."""
    path = directory / FILE_NAME
    if file_size(path) > LARGEST_JSON:
        raise ValueError(f"it is larger than {LARGEST_JSON} bytes")
    return json.loads(path.read_text(encoding="utf-8"))


def _write(directory: Path, content: dict[str, Any], *, overwrite: bool) -> None:
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    with atomic_write(directory / FILE_NAME, overwrite=overwrite) as file:
        file.write(text.encode())


def _run_sum(content: dict[str, Any]) -> str:
    """SHA-256 of what a run is made from; more environments leave it the same run."""
    parts = {name: content[name] for name in content if name not in ("format", "environments")}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _check_hashes(name: str, value: Any, kind: type) -> None:
    hashes = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(value, kind) or not all(
        isinstance(each, str) and _SHA256.match(each) for each in hashes
    ):
        raise ValueError(f"{name} must hold SHA-256 sums")


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by dotted name; not where the code of a class stands, which has its own name."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            if key == "module" and "registered_name" in value:
                continue
            yield from _leaves(item, f"{name}.{key}" if name else key)
    else:
        yield name, value


def _changes(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    return [
        f"{name}: {ours.get(name)!r} there, {theirs.get(name)!r} here"
        for name in {**ours, **theirs}
        if ours.get(name) != theirs.get(name)
    ]
