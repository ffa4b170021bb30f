"""Files that take the place of others: links, permissions, devices, full disks, two at once."""

import errno
import functools
import os
import stat

import pytest

from keras_uae._files import atomic_write, locked_directory

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")


def write(path, **settings):
    with atomic_write(path, **settings) as file:
        file.write(b"new")


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_one_to_the_new_file(tmp_path, there):
    target, link = tmp_path / "target", tmp_path / "link"
    if there:
        target.write_bytes(b"old")
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    with pytest.raises(FileExistsError):
        write(link, overwrite=False)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link", "target"]


def test_whoever_could_not_read_the_old_file_cannot_read_the_new_one(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o600)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    fresh, plain = tmp_path / "fresh", tmp_path / "plain"
    write(fresh)
    plain.write_bytes(b"")
    assert fresh.stat().st_mode == plain.stat().st_mode


def test_a_pipe_or_a_directory_is_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match=r"A pipe or a device cannot be replaced by a file: .*pipe'"):
        write(pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    with pytest.raises(IsADirectoryError) as directory:
        write(tmp_path)
    assert directory.value.filename == str(tmp_path)


def test_a_full_disk_is_told_with_the_file_that_was_written(tmp_path):
    with pytest.raises(OSError, match="no space") as full, atomic_write(tmp_path / "file"):
        raise OSError(errno.ENOSPC, "no space")
    assert full.value.filename == str(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_one_at_a_time_is_alone_in_a_directory(tmp_path):
    lock = functools.partial(locked_directory, tmp_path, wait=False)
    with lock() as first, lock() as second:
        assert (first, second) == (True, False)
    with lock() as third:
        assert third
