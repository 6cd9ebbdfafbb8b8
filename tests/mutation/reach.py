"""Which tests reach a mutant, from the last `make coverage`: it notes for each line the tests that ran it."""

import ast
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from coverage import CoverageData
from mutants import Mutant


class Reach:
    """The tests that reach each line of the package, and how long each took.

    Parameters
    ----------
    data : Path
        Coverage's data file, with contexts.
    times : Path
        JUnit's XML file of the same run.
    root : Path
        The repository.
    """

    def __init__(self, data: Path, times: Path, root: Path) -> None:
        self._data = CoverageData(str(data))
        self._data.read()
        self._seconds = _read_times(times)
        self._root = root

    def tests(self, mutant: Mutant, budget_s: float) -> list[str]:
        """Tests that reach the mutant, those of its own package and the quickest first, until the time is used up.

        A compiled function leaves no trace: all tests count that reach its module, or one that imports it.
        """
        lines = self._tests_of_lines(mutant.path)
        on_line = lines.get(mutant.line, set())
        in_function = set().union(*(lines.get(line, set()) for line in mutant.lines))
        anywhere = set().union(*lines.values())
        if mutant.compiled:
            for user in self._users(mutant.path):
                anywhere |= set().union(*self._tests_of_lines(user).values())
        groups = [on_line, in_function] if on_line or in_function else [anywhere]
        package = f"tests/{mutant.path.parent.name}/"
        order: dict[str, None] = {}
        for group in groups:
            order |= dict.fromkeys(
                sorted(group, key=lambda t: (not t.startswith(package), self._time(t), t))
            )
        return self._within(order, budget_s)

    def _within(self, tests: Iterable[str], budget_s: float) -> list[str]:
        chosen: list[str] = []
        for test in tests:
            seconds = self._time(test)
            if seconds <= budget_s and _exists(self._root, test):
                chosen.append(test)
                budget_s -= seconds
        return chosen

    def _time(self, test: str) -> float:
        return self._seconds.get(test, 1.0)

    @cache  # noqa: B019  one object a run
    def _tests_of_lines(self, path: Path) -> dict[int, set[str]]:
        contexts = self._data.contexts_by_lineno(str(self._root / path))
        return {
            line: tests
            for line, names in contexts.items()
            if (tests := {name.split("|")[0] for name in names if name})
        }

    def _users(self, path: Path) -> list[Path]:
        module = ".".join(path.with_suffix("").parts[1:])
        files = (each.relative_to(self._root) for each in (self._root / "src").rglob("*.py"))
        return [each for each in files if module in imported(self._root / each)]


@cache
def imported(path: Path) -> set[str]:
    """Names of the modules that a file imports from."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        each.module for each in ast.walk(tree) if isinstance(each, ast.ImportFrom) and each.module
    }


@cache
def _exists(root: Path, test: str) -> bool:
    """Whether a test is still there: tests may have changed since coverage was measured."""
    path, *names = test.partition("[")[0].split("::")
    file = root / path
    return file.exists() and f"def {names[-1]}(" in file.read_text(encoding="utf-8")


def _read_times(path: Path) -> dict[str, float]:
    """Seconds of each test."""
    seconds = {}
    for case in ET.parse(path).iter("testcase"):
        folder = case.get("classname", "").replace(".", "/")
        seconds[f"{folder}.py::{case.get('name')}"] = float(case.get("time", 0))
    return seconds
