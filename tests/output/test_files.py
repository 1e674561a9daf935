"""Files appear complete or not at all."""

import os
import stat
import threading

import pytest

from esr_kernels.output.files import whole_file, write_whole


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_content_is_there_afterwards(tmp_path):
    for content in (b"first", b"second, longer"):
        write_whole(tmp_path / "a.json", content)
        assert (tmp_path / "a.json").read_bytes() == content
    assert names(tmp_path) == ["a.json"]


def test_nothing_is_there_before_the_end(tmp_path):
    with whole_file(tmp_path / "a.bin") as file:
        file.write(b"part")
        assert not (tmp_path / "a.bin").exists()
        assert len(names(tmp_path)) == 1
        file.write(b" two")
    assert (tmp_path / "a.bin").read_bytes() == b"part two"


@pytest.mark.parametrize("error", [OSError("disk full"), ValueError("odd"), KeyboardInterrupt()])
def test_a_failure_leaves_what_was_there(tmp_path, error):
    write_whole(tmp_path / "a.bin", b"old")
    with pytest.raises(type(error)), whole_file(tmp_path / "a.bin") as file:
        file.write(b"new")
        raise error
    assert names(tmp_path) == ["a.bin"] and (tmp_path / "a.bin").read_bytes() == b"old"


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "absent" / "a.bin", b"")


def test_writers_of_one_path_do_not_meet(tmp_path):
    contents = [bytes([i]) * 50_000 for i in range(8)]
    threads = [
        threading.Thread(target=write_whole, args=(tmp_path / "a.bin", content))
        for content in contents
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "a.bin").read_bytes() in contents and names(tmp_path) == ["a.bin"]


def test_permissions_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        write_whole(tmp_path / "a.bin", b"")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == 0o640
