"""The program runs where it is installed read-only and there is no home folder."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ejectamap

# Root may write everywhere; without this capability (CAP_DAC_OVERRIDE) it is bound by permissions like everybody.
WITHOUT_PRIVILEGES = """
import ctypes, os, sys
if os.geteuid() == 0:
    assert ctypes.CDLL(None).prctl(24, 1, 0, 0, 0) == 0
os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
"""
PROGRAM = """
import os
import ejectamap.world.sampling_grid
import matplotlib
print(ejectamap.__file__, os.environ.get("NUMBA_CACHE_DIR"), matplotlib.get_cachedir(), sep="\\n")
try:
    open(os.path.join(os.path.dirname(ejectamap.__file__), "x"), "w")
except PermissionError:
    print("read-only")
"""


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Path]:
    """A folder with a copy of the package, without networks, which cannot be written."""
    target = tmp_path / "site"
    ignored = shutil.ignore_patterns("__pycache__", "weights", "vendor")
    shutil.copytree(Path(ejectamap.__file__).parent, target / "ejectamap", ignore=ignored)
    folders = [path for path in target.rglob("*") if path.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    yield target
    for folder in folders:
        folder.chmod(0o755)


def run(installed: Path, temporary: Path, **environment: str) -> list[str]:
    """Lines that the program prints; it writes nothing on standard error."""
    more = {"PYTHONPATH": str(installed), "TMPDIR": str(temporary), "PATH": os.environ["PATH"]}
    call = [sys.executable, "-c", WITHOUT_PRIVILEGES, PROGRAM]
    done = subprocess.run(call, check=False, env=more | environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    file, *lines, last = done.stdout.splitlines()
    assert (file, last) == (str(installed / "ejectamap" / "__init__.py"), "read-only")
    return lines


def test_read_only_and_without_a_home(installed: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    own = temporary / f"ejectamap-{os.getuid()}"
    home = installed / "ejectamap" / "home"  # in a folder that cannot be written
    assert run(installed, temporary, HOME=str(home)) == [
        str(own / "numba"),
        str(own / "matplotlib"),
    ]
    assert own.stat().st_mode & 0o777 == 0o700
    own.chmod(0o777)  # anybody may have put programs there
    numba, matplotlib = run(installed, temporary)
    assert Path(numba).parent != own
    assert Path(numba).parent.stat().st_mode & 0o777 == 0o700
    assert own not in Path(matplotlib).parents


def test_a_home_that_can_be_written_is_used(installed: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    numba, matplotlib = run(installed, tmp_path, HOME=str(home))
    assert numba == "None"
    assert matplotlib == str(home / ".cache" / "matplotlib")
