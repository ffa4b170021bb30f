"""What users can import, and what the package itself may import."""

import ast
import importlib
import inspect
import sys
from pathlib import Path

import pytest

import keras_uae
import keras_uae.similarity

PACKAGE = Path(keras_uae.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = (  # a room may import those after it, never those before
    "cli",
    "comparison",
    "augmentation",
    "sharding",
    "attacks",
    "selection",
    "evaluation",
    "criteria",
    "similarity",
)
PUBLIC = [keras_uae, *(importlib.import_module(f"keras_uae.{room}") for room in ROOMS[1:])]
# of setup.cfg
DEPENDENCIES = {"h5py", "keras", "keras_uae", "numpy", "scipy", "sklearn", "tensorflow"}
# what only an extra brings, and who may import it; the library itself imports none of these
EXTRAS = {
    "cli": {"matplotlib", "rich", "typer"},
    "comparison/pictures.py": {"matplotlib"},
    "sharding/ray_engine.py": {"ray"},
    "sharding/downloads.py": {"requests", "tensorflow_datasets"},
    "sharding/sources.py": {"tensorflow_datasets"},
}


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_every_public_name_exists_and_is_documented(module):
    assert sorted(set(module.__all__)) == sorted(module.__all__)
    for name in module.__all__:
        item = getattr(module, name)
        if name != "__version__":
            assert inspect.getdoc(item), name
            # a dataclass without a docstring documents itself with its signature
            assert not item.__doc__.startswith(f"{name}("), name


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_public_methods_are_documented(module):
    for name in module.__all__:
        item = getattr(module, name)
        if not inspect.isclass(item):
            continue
        for method, function in vars(item).items():
            inherited = any(hasattr(base, method) for base in item.__mro__[1:])
            if inspect.isfunction(function) and not method.startswith("_") and not inherited:
                assert function.__doc__, f"{name}.{method}"


def test_everything_imported_by_the_package_itself_is_public():
    for module in (keras_uae._library, *PUBLIC[1:]):
        tree = ast.parse(inspect.getsource(module))
        names = {
            alias.asname or alias.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("keras_uae")
            for alias in node.names
        }
        helpers = {
            "_backend",
            "check_choice",
            "example",
            "first_convolution",
            "measured",
            "too_small",
        }
        assert names - helpers <= set(module.__all__)


def test_the_version_is_a_release_number():
    assert all(part.isdigit() for part in keras_uae.__version__.split("."))


NAMES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in MODULES
}


def imported_by(path):
    """The modules that a file imports, by their full names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relative to itself"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in NAMES else node.module


PRIVATE: set[tuple[str, str]] = set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_point_one_way(path):
    """keras_uae imports neither models nor experiments, nor what only experiments need."""
    place = path.relative_to(PACKAGE).as_posix()
    extras = EXTRAS.get(place) or EXTRAS.get(place.split("/")[0], set())
    for name in imported_by(path):
        top = name.split(".")[0]
        assert top in DEPENDENCIES | extras or top in sys.stdlib_module_names, name
        private = name.startswith(("keras.src", "tensorflow.python"))
        assert not private or (place, name) in PRIVATE, f"{name} is private"


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_those_below_them_alone(room):
    above = {f"keras_uae.{name}" for name in ROOMS[: ROOMS.index(room)]}
    for path in (PACKAGE / room).glob("*.py"):
        imported = {".".join(name.split(".")[:2]) for name in imported_by(path)}
        assert not above & imported, path.name
        assert room == "cli" or "keras_uae" not in imported, path.name


def test_no_module_imports_itself_by_way_of_others():
    """No circle, not even under TYPE_CHECKING: `imported_by` reads every import there is."""
    arrows = {}
    for path in MODULES:
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        arrows[name] = {each for each in imported_by(path) if each.startswith("keras_uae")}
    done: set[str] = set()

    def visit(name, trail):
        assert name not in trail, " → ".join((*trail, name))
        if name not in done:
            for other in arrows.get(name, ()):
                visit(other, (*trail, name))
            done.add(name)

    for name in arrows:
        visit(name, ())


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").exists()
