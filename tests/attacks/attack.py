"""Carry an attack out in a copy of the template, and say what was wrong with the answer."""

import os
import re
import shutil
from pathlib import Path

from case import Case
from sandbox import contents, run

_DATED = re.compile(
    r"project/(report\.html|stac/|pds4/|qgis/|ranking/|\.lock|differences/|corrections/|cache/|logs/)"
)
_NOT_THERE = ("missing", "folder", "loop", "pipe")  # what is not there is not counted

References = dict[tuple[str, ...], dict[str, str]]


def attack(template: Path, copy: Path, case: Case, references: References) -> list[str]:
    """Problems with the answer to an attack; none if all is well.

    Parameters
    ----------
    template : Path
    copy : Path
        Where to copy it; removed again.
    case : Case
    references : dict
        What commands write where nothing is wrong, by their arguments; added to.
    """
    shutil.copytree(template, copy, symlinks=True)
    environment = dict(os.environ)
    try:
        os.environ["HOME"] = str(copy / "home")
        case.prepare(copy)
        before = contents(copy)
        outcome = run(copy, *case.arguments)
        after = contents(copy)
    finally:
        os.environ.clear()
        os.environ.update(environment)
        shutil.rmtree(copy, ignore_errors=True)
    problems = list(outcome.problems)
    if case.code is not None and outcome.code != case.code:
        problems.append(f"exit code {outcome.code}, not {case.code}: {outcome.err[-300:]}")
    if case.names and outcome.code == 2 and not re.search(case.names, outcome.err):
        problems.append(f"does not name {case.names}: {outcome.err[-300:]}")
    problems += _written(case, before, after)
    if case.same and outcome.code == 0:
        problems += _differences(case, before, after, _reference(template, copy, case, references))
    return problems


def _written(case: Case, before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Files outside of what the command may write that it has changed, made or removed."""
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    outside = [
        name
        for name in sorted(changed)
        if not any(
            name == root or name.startswith(f"{root}/") or root == "" for root in case.writes
        )
    ]
    if [name for name in outside if name.startswith("inputs/")] or "" not in case.writes:
        return [f"wrote {', '.join(outside[:5])}"] if outside else []
    return []


def _reference(template: Path, copy: Path, case: Case, references: References) -> dict[str, str]:
    if case.arguments not in references:
        shutil.copytree(template, copy, symlinks=True)
        run(copy, *case.arguments)
        references[case.arguments] = contents(copy)
        shutil.rmtree(copy)
    return references[case.arguments]


def _differences(
    case: Case, before: dict[str, str], after: dict[str, str], reference: dict[str, str]
) -> list[str]:
    """Files that are otherwise than without the attack, but for what was attacked and nobody wrote again."""
    if any(f" {what}:" in case.name for what in _NOT_THERE):
        return []
    wrong = [
        name
        for name, digest in after.items()
        if name.startswith("project/")
        and not _DATED.match(name)
        and digest != reference.get(name, digest)
        and digest != before.get(name)
    ]
    return [f"silently otherwise: {', '.join(wrong[:5])}"] if wrong else []
