"""A trial: the tests are run on a mutant, in a forked process, which has the libraries loaded already."""

import contextlib
import importlib
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path

from mutants import Mutant
from reach import imported

# Not hypothesis, a plugin of pytest: pytest wants to be the first to import it.
_LIBRARIES = (
    "numpy",
    "pandas",
    "geopandas",
    "rasterio",
    "numba",
    "scipy.ndimage",
    "scipy.stats",
    "sklearn.mixture",
    "skimage.measure",
    "matplotlib.pyplot",
    "pydantic",
    "ruamel.yaml",
    "pytest",
    "torch",
)
_MOST_BYTES = 8 << 30
KILLED, SURVIVED, TIMED_OUT, UNTESTED = "killed", "survived", "timed out", "no test"


def load_libraries() -> None:
    """Import what the tests import anyway, once; never the package itself."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for each in _LIBRARIES:
        importlib.import_module(each)
    assert "ejectamap" not in sys.modules


class Bench:
    """A copy of the package in which one file at a time is a mutant, and compiled code that fits it.

    Parameters
    ----------
    root : Path
        The repository.
    folder : Path
        Where the copy is made.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = root
        self._folder = folder
        shutil.rmtree(folder / "src", ignore_errors=True)
        # With numba's compiled code, which it keeps beside the source and finds by the source's time and size.
        shutil.copytree(
            root / "src", folder / "src", ignore=shutil.ignore_patterns("*.pyc", "*.egg-info")
        )

    def try_mutant(
        self, mutant: Mutant, tests: Sequence[str], timeout_s: float
    ) -> tuple[str, str | None]:
        """Run tests on a mutant. Return the outcome, and the test that failed."""
        if not tests:
            return UNTESTED, None
        file = self._folder / mutant.path
        kept = self._folder / "kept"
        shutil.rmtree(kept, ignore_errors=True)
        stale = [file, *self._compiled(mutant)]
        for each in stale:
            (kept / each.relative_to(self._folder)).parent.mkdir(parents=True, exist_ok=True)
            each.rename(kept / each.relative_to(self._folder))
        file.write_text(mutant.text() or "", encoding="utf-8")
        try:
            return self.run(tests, timeout_s)
        finally:
            for each in self._compiled(mutant):
                each.unlink()
            for each in stale:
                (kept / each.relative_to(self._folder)).rename(each)

    def run(self, tests: Sequence[str], timeout_s: float) -> tuple[str, str | None]:
        """Run tests on the copy as it is. Return the outcome, and the first test that failed."""
        log = self._folder / "last.log"
        child = os.fork()
        if child == 0:
            self._test(tests, log)
        status = _wait(child, timeout_s)
        if status is None:
            return TIMED_OUT, None
        if status == 0:
            return SURVIVED, None
        failed = [
            line.split()[1]
            for line in log.read_text(errors="replace").splitlines()
            if line.startswith(("FAILED ", "ERROR "))
        ]
        return KILLED, failed[0] if failed else None

    def _test(self, tests: Sequence[str], log: Path) -> None:
        """What the forked process does; it never returns."""
        code = 1
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_DATA, (_MOST_BYTES, _MOST_BYTES))
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            source = str(self._folder / "src")
            sys.path.insert(0, source)
            sys.dont_write_bytecode = True
            os.environ |= {
                "PYTHONPATH": source,
                "PYTHONDONTWRITEBYTECODE": "1",
                "HYPOTHESIS_STORAGE_DIRECTORY": str(self._folder / "hypothesis"),
            }
            import pytest

            base = f"--basetemp={self._folder / 'pytest'}"
            code = int(
                pytest.main(["-x", "-q", "--tb=line", "-p", "no:cacheprovider", base, *tests])
            )
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _compiled(self, mutant: Mutant) -> list[Path]:
        """Compiled code of the mutant's file and, if the mutant is compiled, of all files that may call it.

        numba notices a change of a function's own file only.
        """
        stale = self._callers(mutant.path) if mutant.compiled else {mutant.path}
        folders = [(self._folder / path.parent / "__pycache__", path.stem) for path in stale]
        return [each for folder, stem in folders for each in folder.glob(f"{stem}.*.nb?")]

    def _callers(self, path: Path) -> set[Path]:
        """The file, and the files with compiled functions that import from it, directly or not."""
        found = {path}
        files = [
            each.relative_to(self._root)
            for each in (self._root / "src").rglob("*.py")
            if "njit" in each.read_text(encoding="utf-8")
        ]
        while more := {
            each
            for each in files
            if each not in found
            and any(_module(other) in imported(self._root / each) for other in found)
        }:
            found |= more
        return found


def _module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts[1:])


def _wait(child: int, timeout_s: float) -> int | None:
    """Exit code of a child; None if it took too long and was ended."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def failing_without_mutant(bench: Bench, tests: Iterable[str], timeout_s: float) -> str | None:
    """The first of some tests that fails although nothing was changed."""
    outcome, failed = bench.run(sorted(set(tests)), timeout_s)
    return None if outcome == SURVIVED else failed or outcome
