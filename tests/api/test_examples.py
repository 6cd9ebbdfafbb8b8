"""The examples in the documentation of the Python interface run, and give what they say."""

import doctest
from pathlib import Path

import matplotlib
import pytest

import ejectamap as em

EXAMPLES = {
    test.name: test
    for name in em.__all__
    for test in doctest.DocTestFinder(exclude_empty=True).find(getattr(em, name), name)
    if test.examples
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matplotlib.use("agg")
    monkeypatch.chdir(workplace)
    test = EXAMPLES[name]
    test.globs = {"em": em}
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=report.append)
    assert not report, "".join(report)


def test_every_public_name_has_an_example() -> None:
    methods = [f"EjectaMap.{name}" for name in vars(em.EjectaMap) if not name.startswith("_")]
    functions = [name for name in em.__all__ if name[0].islower()]
    without = {name for name in methods + functions if name not in EXAMPLES}
    assert without == {"EjectaMap.craters", "EjectaMap.ids", "EjectaMap.notes"}
