"""Files are complete or absent, and no process removes what another one still writes."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ejectamap.errors import OutputError
from ejectamap.files import (
    hash_file,
    move_into_place,
    partial_path,
    remove_partial_files,
    replace_file,
)

WRITE = """
import sys
from pathlib import Path
from ejectamap.files import partial_path
partial_path(Path(sys.argv[1])).write_text("half")
print("written", flush=True)
sys.stdin.read()
"""


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for content in (b"1", b"22"):
        replace_file(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_what_cannot_be_written_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A full disk may be noticed only when the content is to be on it."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "a.json"
    replace_file(path, b"old")
    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), fail)
    with pytest.raises(OutputError, match=r"a\.json: cannot be written \(No space left"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[tuple[str, bool]] = []

    def record(descriptor: int) -> None:
        target = Path(f"/proc/self/fd/{descriptor}").resolve()
        flushed.append((target.name.partition(".json")[0], (tmp_path / "a.json").exists()))

    if not Path("/proc/self/fd").exists():
        pytest.skip("this system does not name open files")
    monkeypatch.setattr(os, "fsync", record)
    replace_file(tmp_path / "a.json", b"1")
    assert flushed == [(".a", False), (tmp_path.name, True)]


def test_a_folder_is_moved_with_all_its_files(tmp_path: Path) -> None:
    temporary = partial_path(tmp_path / "bundle")
    (temporary / "below").mkdir(parents=True)
    (temporary / "below" / "a").write_text("1")
    move_into_place(temporary, tmp_path / "bundle")
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]
    assert (tmp_path / "bundle" / "below" / "a").read_text() == "1"


def test_only_files_of_ended_processes_are_removed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE, str(tmp_path / "map.tif")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        other = tmp_path / ".map.tif.1@elsewhere.partial"
        other.write_text("half, by a machine whose processes cannot be seen from here")
        earlier = tmp_path / f".old.tif.{process.pid}.partial"
        earlier.write_text("half, by an earlier version")
        remove_partial_files(tmp_path)
        assert len(list(tmp_path.iterdir())) == 3
        process.kill()
        process.wait()
        remove_partial_files(tmp_path)
        assert list(tmp_path.iterdir()) == [other]
        os.utime(other, (0, 0))
        remove_partial_files(tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_equal_content_has_an_equal_digest(tmp_path: Path) -> None:
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).write_bytes(content)
    a, b, c = (hash_file(tmp_path / name) for name in "abc")
    assert a == b != c
