"""UAEs: rows, files that cannot be half written, and foreign files."""

import dataclasses
import io
import math
import pickle
import time
import tracemalloc
import zipfile

import numpy as np
import pytest

from keras_uae import GenerationInterrupted, UAEs, _memory
from keras_uae.results import ROW_FIELDS

COUNT = 6


def make(start=0, count=COUNT, trace=True, measure=""):
    """Rows that tell their number: row i is about start + i."""
    number = np.arange(start, start + count)
    rng = np.random.default_rng(start)
    success = number % 3 != 0
    return UAEs(
        x=number[:, None, None] + rng.random((count, 2, 3), np.float32),
        success=success,
        similarity=np.where(success, number, np.nan).astype(np.float32),
        criterion=np.where(success, -number, np.nan).astype(np.float32),
        multiplier=rng.random(count, np.float32),
        iteration=np.where(success, number, 0).astype(np.int32),
        frozen=number == start + 1,
        trace={"gap": rng.random((count, 4)), "criterion": rng.random((count, 4))} if trace else {},
        measure=measure,
    )


def assert_equal(one, other):
    for name in ROW_FIELDS:
        left, right = getattr(one, name), getattr(other, name)
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right, err_msg=name)
    assert set(one.trace) == set(other.trace)
    for name in one.trace:
        np.testing.assert_array_equal(one.trace[name], other.trace[name], err_msg=name)


def test_success_rate_and_repr():
    found = make()
    assert len(found) == COUNT
    assert found.success_rate == pytest.approx(4 / 6)
    assert repr(found) == "UAEs(6 samples of shape (2, 3), success rate 66.67%, 1 frozen)"


def test_only_mutual_information_is_called_that(tmp_path):
    found = make(measure="mutual information")
    for each in (found, found[:3], UAEs.concatenate([found[:2], found[2:]])):
        np.testing.assert_array_equal(each.mutual_information, each.similarity)
    again = UAEs.load(found.save(tmp_path / "found.npz"))
    assert again.measure == "mutual information"
    assert_equal(again, found)
    for other in ("negative L2 distance", ""):
        with pytest.raises(ValueError, match=f"Received: measure='{other}'"):
            _ = make(measure=other).mutual_information
    with pytest.raises(ValueError, match="trace and measure"):
        UAEs.concatenate([found, make(measure="cosine")])


def test_no_rows_have_no_success_rate_but_a_repr():
    nothing = make()[:0]
    assert len(nothing) == 0
    assert math.isnan(nothing.success_rate)
    assert "0 samples" in repr(nothing)


@pytest.mark.parametrize(
    ("rows", "numbers"),
    [
        (slice(1, 4), [1, 2, 3]),
        (slice(None, None, -2), [5, 3, 1]),
        (np.array([4, 0, 4]), [4, 0, 4]),
        ([2, 5], [2, 5]),
        (np.arange(COUNT) > 3, [4, 5]),
        (3, [3]),
        (-1, [5]),
        (np.int64(2), [2]),
        (np.array(2), [2]),  # as tf.argmax gives it, too
        ([], []),
    ],
)
def test_rows_are_selected_from_every_array(rows, numbers):
    found = make()
    part = found[rows]
    assert len(part) == len(numbers)
    for name in ROW_FIELDS:
        np.testing.assert_array_equal(getattr(part, name), getattr(found, name)[numbers])
    for name in found.trace:
        np.testing.assert_array_equal(part.trace[name], found.trace[name][numbers])
    with pytest.raises(IndexError):
        found[COUNT]


@pytest.mark.parametrize("rows", [None, True, np.array([[0, 1], [2, 3]])], ids=str)
def test_what_selects_no_rows_is_refused(rows):
    with pytest.raises(IndexError, match=r"`rows` of UAEs must be a place.*Received: rows="):
        make()[rows]


def test_concatenation_undoes_slicing():
    found = make()
    assert_equal(UAEs.concatenate([found[:2], found[2:3], found[3:]]), found)
    plain = make(trace=False)
    assert_equal(UAEs.concatenate((plain[:2], plain[2:])), plain)
    assert_equal(UAEs.concatenate([found]), found)
    assert_equal(UAEs.concatenate(found[start : start + 2] for start in (0, 2, 4)), found)


def test_sets_that_do_not_match_are_not_joined():
    found = make()
    with pytest.raises(ValueError, match=r"`parts` of UAEs.concatenate.*Received: 0 parts"):
        UAEs.concatenate([])
    shorter = dataclasses.replace(found, trace={key: a[:, :3] for key, a in found.trace.items()})
    for parts in ([found, make(trace=False)], [make(trace=False), found], [found, shorter]):
        with pytest.raises(
            ValueError, match=r"equal sample shape, trace and measure.*Received: 2 parts"
        ):
            UAEs.concatenate(parts)
    wide = UAEs(np.zeros((COUNT, 3, 2)), *(getattr(found, name) for name in ROW_FIELDS[1:]))
    with pytest.raises(ValueError, match=r"equal sample shape.*\(2, 3\).*\(3, 2\)"):
        UAEs.concatenate([make(trace=False), wide])


@pytest.mark.parametrize("name", ["found.npz", "found", "a b.tar", "näme.npz"])
@pytest.mark.parametrize("trace", [False, True])
def test_a_file_gives_back_what_went_in(tmp_path, name, trace):
    found = make(trace=trace)
    path = found.save(tmp_path / name)
    assert path == tmp_path / name
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert_equal(UAEs.load(path), found)
    assert_equal(UAEs.load(str(path)), found)


def test_a_file_is_not_overwritten_by_accident(tmp_path):
    path = make(0).save(tmp_path / "found.npz")
    with pytest.raises(FileExistsError, match=r"`path` of UAEs.save.*overwrite=True.*Received"):
        make(7).save(path)
    assert_equal(UAEs.load(path), make(0))
    make(7).save(path, overwrite=True)
    assert_equal(UAEs.load(path), make(7))


def test_a_directory_that_is_missing_is_told_by_the_name_of_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none/uaes\.npz'$"):
        make().save(tmp_path / "none" / "uaes.npz")


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("existing", [True, False])
def test_a_crash_while_writing_changes_nothing(tmp_path, monkeypatch, error, existing):
    path = tmp_path / "found.npz"
    if existing:
        make(0).save(path)

    def crash(file, **arrays):
        file.write(b"PK half a file")
        raise error

    monkeypatch.setattr(np, "savez", crash)
    with pytest.raises(type(error)):
        make(7).save(path, overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ["found.npz"] * existing
    if existing:
        assert_equal(UAEs.load(path), make(0))


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path, kept):
    path = make().save(tmp_path / "found.npz")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match=r"`path` of UAEs.load must be a complete file.*Received"):
        UAEs.load(path)


def test_a_flipped_byte_is_noticed(tmp_path):
    path = make().save(tmp_path / "found.npz")
    content = bytearray(path.read_bytes())
    content[content.index(b"\x93NUMPY") + 200] ^= 0xFF  # within the values of x
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="must be a complete file"):
        UAEs.load(path)


def test_a_flipped_byte_of_a_large_array_is_noticed(tmp_path):
    """Beyond what is read for the header."""
    large = dataclasses.replace(make(), x=np.zeros((COUNT, 2**16), np.float32))
    path = large.save(tmp_path / "found.npz")
    content = bytearray(path.read_bytes())
    content[2**20] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"must be a complete file.*CRC"):
        UAEs.load(path)


def test_arrays_in_fortran_order_come_back(tmp_path):
    x = np.asfortranarray(np.random.default_rng(0).random((COUNT, 3, 4)))
    path = dataclasses.replace(make(), x=x).save(tmp_path / "found.npz")
    np.testing.assert_array_equal(UAEs.load(path).x, x)


def add_member(path, method, name="notes.npy", content=b"0" * 100, flags=0):
    """`path` with another member, which says that it is stored or encrypted in some way."""
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo(name)
        archive.writestr(info, content)
    data = bytearray(path.read_bytes())
    for mark, flag_at, method_at in ((b"PK\x03\x04", 6, 8), (b"PK\x01\x02", 8, 10)):
        at = data.rindex(mark)
        data[at + flag_at] |= flags
        data[at + method_at] = method
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(("method", "flags"), [(0, 1), (12, 0), (14, 0), (99, 0)])
def test_what_nobody_asked_for_is_not_looked_at(tmp_path, method, flags):
    path = make(trace=False).save(tmp_path / "found.npz")
    add_member(path, method, flags=flags)
    assert_equal(UAEs.load(path), make(trace=False))
    add_member(path, method, "trace/gap.npy", flags=flags)
    with pytest.raises(ValueError, match="must be a complete file"):
        UAEs.load(path)


def write_zeros(path, name, shape, dtype="<f4"):
    """A member of zeros, compressed; what it expands to is never in memory here."""
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open(f"{name}.npy", "w", force_zip64=True) as member,
    ):
        header = {"descr": dtype, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(member, header)
        left = int(np.prod(shape)) * np.dtype(dtype).itemsize
        while left:
            left -= member.write(bytes(min(left, 2**20)))


def test_what_expands_takes_memory_for_what_is_asked_for_only(tmp_path):
    path = make(trace=False).save(tmp_path / "found.npz")
    for name in ("notes", "x_train"):
        write_zeros(path, name, (2**24,))  # 64 MB
    tracemalloc.start()
    assert_equal(UAEs.load(path), make(trace=False))
    write_zeros(path, "trace/gap", (COUNT + 1, 2**21))
    with pytest.raises(ValueError, match=r"must hold the arrays.*of equal length"):
        UAEs.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**21


def test_arrays_that_do_not_fit_into_memory_are_refused_before(tmp_path, monkeypatch):
    path = make().save(tmp_path / "found.npz")
    monkeypatch.setattr(_memory, "free_memory", lambda: 100)
    with pytest.raises(ValueError, match=r"must fit into the memory for UAEs.load"):
        UAEs.load(path)


@pytest.mark.parametrize("name", ["notes", "trace/"])
def test_twenty_thousand_members_take_seconds(tmp_path, name):
    path = make().save(tmp_path / "found.npz")
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(20_000):
            archive.writestr(f"{name}{number}.npy", b"")
    begun = time.monotonic()
    if name == "notes":
        assert_equal(UAEs.load(path), make())
    else:
        with pytest.raises(ValueError, match="1000 are read at most"):
            UAEs.load(path)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("success", np.array(True)),
        ("success", np.ones((COUNT, 1), bool)),
        ("success", np.ones(COUNT)),
        ("frozen", np.ones(COUNT, np.int64)),
        ("similarity", np.ones((COUNT, 2))),
        ("iteration", np.ones(COUNT, bool)),
        ("x", np.array(1.0)),
        ("trace/gap", np.ones(COUNT)),
        ("trace/gap", np.ones((COUNT - 1, 3))),
        ("measure", np.ones((2, 2), np.uint8)),
        ("measure", np.ones(10_000, np.uint8)),
    ],
    ids=str,
)
def test_arrays_of_another_form_are_refused(tmp_path, name, value):
    path = tmp_path / "found.npz"
    write_npz(path, **{**make().arrays(), name: value})
    with pytest.raises(ValueError, match=r"`path` of UAEs.load must"):
        UAEs.load(path)


def write_npz(path, **arrays):
    with open(path, "wb") as file:
        np.savez(file, **arrays)


def write_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")


def write_pickle(path):
    arrays = {name: getattr(make(), name) for name in ROW_FIELDS}
    write_npz(path, **{**arrays, "x": np.array([object()] * COUNT, dtype=object)})


def without(name):
    arrays = {field: getattr(make(), field) for field in ROW_FIELDS}
    return lambda path: write_npz(path, **{k: v for k, v in arrays.items() if k != name})


def uneven(path):
    arrays = {field: getattr(make(), field) for field in ROW_FIELDS}
    write_npz(path, **{**arrays, "multiplier": np.zeros(COUNT - 1)})


FOREIGN = {
    "text": (lambda path: path.write_text("hello"), "must be a complete file"),
    "empty": (lambda path: path.write_bytes(b""), "must be a complete file"),
    "npy": (lambda path: np.save(path, np.zeros(3)), "must hold the arrays"),
    "pickle": (write_pickle, "must be a complete file.*allow_pickle=False"),
    "zip": (write_zip, r"must hold the arrays x, success.*with \[\]"),
    "npz": (lambda path: write_npz(path, x_train=np.zeros(3)), r"must hold.*\['x_train'\]"),
    "scalar": (lambda path: write_npz(path, x=np.float32(1)), "must hold the arrays"),
    "uneven": (uneven, "must hold the arrays.*of equal length"),
    **{f"without {name}": (without(name), "must hold the arrays") for name in ROW_FIELDS},
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_files_are_refused(tmp_path, kind):
    write, message = FOREIGN[kind]
    path = tmp_path / "file.npy"
    write(path)
    with pytest.raises(ValueError, match=rf"`path` of UAEs.load {message}") as info:
        UAEs.load(path)
    assert "file.npy" in str(info.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        UAEs.load(tmp_path / "nothing.npz")


def test_a_pickled_payload_is_never_run(tmp_path):
    class Payload:
        def __reduce__(self):
            return (print, ("executed",))

    buffer = io.BytesIO()
    np.save(buffer, np.array([Payload()] * COUNT, dtype=object), allow_pickle=True)
    path = make().save(tmp_path / "found.npz")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("trace/extra.npy", buffer.getvalue())
    with pytest.raises(ValueError, match="allow_pickle=False"):
        UAEs.load(path)


def test_an_interruption_says_what_it_carries():
    interruption = GenerationInterrupted(make(), 100)
    assert str(interruption) == "interrupted after 6 of 100 samples; they are in `.found`"
    assert len(interruption.found) == 6
    assert isinstance(interruption, KeyboardInterrupt)
    copy = pickle.loads(pickle.dumps(interruption))
    assert (str(copy), copy.total) == (str(interruption), 100)
    assert_equal(copy.found, interruption.found)
