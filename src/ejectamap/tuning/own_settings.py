"""Whether a trial is better than the project's own settings, or may have had luck with the craters it is judged on.

The trial with the best value is the luckiest of many. So its interval, paired over craters against the first trial, is
so wide that the intervals of all trials hold together.
"""

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from ejectamap.evaluation.paired import CraterFigure, PairedDifference, paired_difference
from ejectamap.evaluation.tables import format_interval

OWN, FIGURES = "own_settings", "figures"
"""Attributes of a trial: whether it has the project's own settings, and its first objective by crater."""


def own_trial(study: optuna.Study) -> FrozenTrial | None:
    """The finished trial of the project's own settings; None if they are not within the search, or not tried yet."""
    own = [trial for trial in _finished(study) if trial.user_attrs.get(OWN)]
    return own[0] if own else None


def differences(study: optuna.Study) -> Mapping[int, PairedDifference]:
    """First objective of each finished trial minus that of the project's own settings, by the trial's number.

    Trials whose objective is no sum over craters are left out, as are those that an earlier version made.
    """
    own = own_trial(study)
    if own is None:
        return {}
    others = [t for t in _finished(study) if t.number != own.number]
    found = {trial.number: _difference(own, trial, len(others)) for trial in others}
    return {number: difference for number, difference in found.items() if difference is not None}


def verdict(study: optuna.Study, best: FrozenTrial, title: str) -> str:
    """One sentence: whether the best trial is better than the project's own settings beyond chance.

    Parameters
    ----------
    study : optuna.Study
    best : FrozenTrial
        The best one by the first objective.
    title : str
        Of the first objective.
    """
    own = own_trial(study)
    if own is None:
        return "The project's own settings are not among the trials: whether any is better than they is not known."
    if best.number == own.number:
        return f"No trial is better than the project's own settings, trial {own.number}."
    difference = _difference(own, best, len(_finished(study)) - 1)
    if difference is None:
        return (
            f"Trial {best.number} has the best {title}; whether it is better than the project's own settings, trial"
            f" {own.number}, beyond chance is not known: this figure is no sum over craters."
        )
    up = study.directions[0] == StudyDirection.MAXIMIZE
    better = difference.low > 0 if up else difference.high < 0
    numbers = (
        f"{title} {difference.difference:+.3f} (95 % interval {format_interval(difference.low, difference.high)},"
        f" paired over {difference.craters} craters, for the best of {difference.comparisons + 1} trials)"
    )
    if better and difference.is_beyond_chance:
        return (
            f"Trial {best.number} is better than the project's own settings, trial {own.number}, beyond chance:"
            f" {numbers}."
        )
    few = "" if difference.enough_craters else "; these are too few craters for so many trials"
    return (
        f"No trial is better than the project's own settings, trial {own.number}, beyond chance: trial {best.number}"
        f" has {numbers}{few}."
    )


def to_attribute(figures: list[CraterFigure | None]) -> list[dict[str, Any]] | None:
    """Figures of each project that a trial was judged on, as an attribute of the trial; None unless all are known."""
    known = [figure.to_dict() for figure in figures if figure is not None]
    return known if len(known) == len(figures) else None


def _difference(own: FrozenTrial, trial: FrozenTrial, others: int) -> PairedDifference | None:
    """A trial's first objective minus that of the project's own settings; None if it is not known by crater."""
    before, after = _figures(own), _figures(trial)
    if before is None or after is None:
        return None
    if [figure.crater_ids for figure in before] != [figure.crater_ids for figure in after]:
        return None
    return paired_difference(before, after, comparisons=others)


def _finished(study: optuna.Study) -> list[FrozenTrial]:
    return [trial for trial in study.trials if trial.state == TrialState.COMPLETE]


def _figures(trial: FrozenTrial) -> list[CraterFigure] | None:
    content = trial.user_attrs.get(FIGURES)
    return None if content is None else [CraterFigure.from_dict(part) for part in content]
