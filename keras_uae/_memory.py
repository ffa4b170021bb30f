"""How much memory there is, asked before it is taken: a process that takes more is killed."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

_UNKNOWN = 2**63
_GROUPS = Path("/sys/fs/cgroup")


def check_fits(owner: str, what: str, size: int, remedy: str) -> None:
    """Raise ValueError if `size` bytes are more than this process can have.

    Args:
        owner: Who is asked.
        what: What takes them, as the subject of a sentence.
        size: Bytes at the least.
        remedy: What the user can do.
    """
    free = free_memory()
    if size > free:
        raise ValueError(
            f"{what} must fit into the memory for {owner}, of which {free / 1e9:.3g} GB are free. "
            f"{remedy} Received: {size / 1e9:.3g} GB at the least."
        )


def free_memory() -> int:
    """Bytes that this process can still take, by the system and by its control group."""
    return min(_of_system(), _of_group())


def _of_system() -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return _UNKNOWN


def _of_group() -> int:
    """What the control group of this process, and those around it, leave."""
    free = _UNKNOWN
    for folder in _group_folders():
        with contextlib.suppress(OSError, ValueError, StopIteration):
            limit = int((folder / "memory.max").read_text())  # "max" where there is none
            used = int((folder / "memory.current").read_text())
            lines = (folder / "memory.stat").read_text().splitlines()
            # pages of files, which are given up when memory is asked for
            files = next(int(each.split()[1]) for each in lines if each.startswith("inactive_file"))
            free = min(free, max(limit - used + files, 0))
    return free


def _group_folders() -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                folder = _GROUPS / line[3:].strip("/")
                yield from (each for each in (folder, *folder.parents) if _GROUPS in each.parents)
    yield _GROUPS
