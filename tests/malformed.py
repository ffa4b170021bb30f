"""Malformed files by number, each of them a pure function of it, read in a child with limits."""

import gc
import io
import json
import multiprocessing
import random
import resource
import signal
import time
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

SECONDS = 10  # of the processor that a file may take: other work beside must not count
_PATIENCE = 300  # seconds for a file that waits for something
MEMORY = 2**29  # bytes that it may take beyond what the process had
_ADDRESSES = 2**33  # beyond which the system refuses, so that a fault does not end the machine
_NUMBERS = (0, 1, 2**15, 2**31 - 1, 2**32 - 1, 2**40, 2**63, 2**64 - 1)
_VALUES = (None, True, 0, -1, 0.5, 1e400, 10**12, 10**400, "", "../x", "é" * 9, "0" * 64, [], {})

Attempt = Callable[[random.Random], None]  # writes a malformed file and reads it
Reader = Callable[[Path], tuple[Attempt, tuple[type[Exception], ...]]]  # with errors it may raise


class Fault(NamedTuple):
    """What a file brought about that is neither a result nor a refusal."""

    number: int
    what: str


def search(reader: Reader, count: int, folder: Path) -> list[Fault]:
    """The faults of a reader on the files 0 to `count` − 1."""
    faults, number = [], -1
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["keras_uae.cli.app"])
    while number < count - 1:
        first = number + 1
        ours, theirs = context.Pipe()
        child = context.Process(target=_try_all, args=(reader, first, count, folder, theirs))
        child.start()
        theirs.close()
        try:
            while ours.poll(_PATIENCE):
                number, fault = ours.recv()
                faults += [Fault(number, fault)] * bool(fault)
            child.kill()
            faults.append(Fault(number, "it did not come to an end"))
        except EOFError:
            child.join()
            if number < first:
                raise RuntimeError(f"{reader.__name__} does not read what is whole") from None
            if child.exitcode:
                faults.append(Fault(number, f"it ended the process ({child.exitcode})"))
    return faults


def _try_all(reader: Reader, first: int, count: int, folder: Path, pipe: Any) -> None:
    attempt, refusals = reader(folder)
    attempt(_Whole())
    limit = _status("VmSize") + _ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    signal.signal(signal.SIGPROF, _too_late)
    gc.collect()
    gc.freeze()  # what is there by now is not looked at again for every file
    for number in range(first, count):
        pipe.send((number, ""))
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here on
        before, begun = _status("VmRSS"), time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            attempt(random.Random(f"{reader.__name__} {number}"))
        except refusals:
            pass
        except BaseException:
            pipe.send((number, traceback.format_exc()))
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        took = _status("VmHWM") - before
        if took > MEMORY:
            pipe.send((number, f"it took {took / 2**20:.0f} MB"))
        if time.process_time() - begun > SECONDS:
            pipe.send((number, f"it took {time.process_time() - begun:.0f} s"))


class _Whole(random.Random):
    """Changes nothing: the file that all others are made from must be read."""


class _TooLate(BaseException):
    """No reader may take it for an error of the file."""


def _too_late(*_: object) -> None:
    raise _TooLate(f"it took more than {SECONDS} s")


def _status(name: str) -> int:
    """Bytes of memory as the system counts them."""
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(text.partition(f"{name}:")[2].split()[0])


def is_whole(rng: random.Random) -> bool:
    """Whether nothing is to be changed."""
    return isinstance(rng, _Whole)


def mutated(rng: random.Random, content: bytes) -> bytes:
    """`content` with a few bytes changed, cut out, put in, doubled, or turned into a number."""
    if is_whole(rng):
        return content
    data = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data) + 1)
        match rng.choice(["change", "change", "cut", "insert", "double", "end", "number"]):
            case "change":
                data[at : at + 1] = rng.randbytes(1)
            case "cut":
                del data[at : at + rng.randint(1, 64)]
            case "insert":
                data[at:at] = rng.randbytes(rng.randint(1, 16))
            case "double":
                data[at:at] = data[at : at + rng.randint(1, 256)]
            case "end" if rng.random() < 0.3:
                del data[at:]
            case "number":
                size = rng.choice([2, 4, 8])
                value = rng.choice(_NUMBERS) % 2 ** (8 * size)
                data[at : at + size] = value.to_bytes(size, rng.choice(["little", "big"]))
    return bytes(data)


def mutated_json(rng: random.Random, value: Any) -> str:
    """The text of a JSON value of which one part, or the text, is changed."""
    if rng.random() < 0.2:
        return mutated(rng, json.dumps(value).encode()).decode(errors="surrogateescape")
    return json.dumps(value if is_whole(rng) else _replaced(rng, value))


def _replaced(rng: random.Random, value: Any) -> Any:
    inside = (
        list(value)
        if isinstance(value, dict)
        else range(len(value or ()) if isinstance(value, list) else 0)
    )
    if not inside or rng.random() < 0.1:
        return rng.choice(_VALUES)
    key = rng.choice(inside)
    copy = value.copy()
    if rng.random() < 0.15:
        del copy[key]
    else:
        copy[key] = _replaced(rng, value[key])
    return copy


def mutated_archive(rng: random.Random, content: bytes) -> bytes:
    """A zip file with a member that is changed and has the right sum, or with bytes changed."""
    if is_whole(rng) or rng.random() < 0.4:
        return mutated(rng, content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(members))
    match rng.choice(["change", "change", "change", "remove", "swap", "bomb"]):
        case "change":
            members[name] = mutated(rng, members[name])
        case "remove":
            del members[name]
        case "swap":
            members[name] = members[rng.choice(list(members))]
        case "bomb":
            members[name] += bytes(2**26)
    file = io.BytesIO()
    method = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    with zipfile.ZipFile(file, "w", method) as archive:
        for member, value in members.items():
            archive.writestr(member, value)
    return file.getvalue()
