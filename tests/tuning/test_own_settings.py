"""A trial is called better than the project's own settings only where that is no luck."""

from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from ejectamap.errors import ProjectError
from ejectamap.evaluation.paired import CraterFigure
from ejectamap.project.settings import Settings
from ejectamap.tuning.own_settings import FIGURES, OWN, differences, to_attribute, verdict
from ejectamap.tuning.study import open_study

HARD = np.array([0.2, 0.35, 0.4, 0.5, 0.55, 0.6, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9])


def figure(f1: np.ndarray) -> CraterFigure:
    wholes = np.full((len(f1), 1), 2000.0)
    return CraterFigure(tuple(range(len(f1))), np.ones(1), 2000 * f1[:, None], wholes)


def make_study(*trials: np.ndarray | None, own: bool = True, up: bool = True) -> optuna.Study:
    """A study of trials with these F1 by crater; the first one has the project's own settings."""
    study = optuna.create_study(direction="maximize" if up else "minimize")
    for number, f1 in enumerate(trials):
        attributes: dict[str, Any] = {OWN: own and number == 0}
        attributes[FIGURES] = None if f1 is None else to_attribute([figure(f1)])
        value = 0.99 if f1 is None else float(f1.mean())
        study.add_trial(
            optuna.create_trial(
                value=value,
                params={"x": 0.1 * number},
                distributions={"x": FloatDistribution(0, 10)},
                user_attrs=attributes,
            )
        )
    return study


def told(study: optuna.Study) -> str:
    return verdict(study, study.best_trial, "test.pixel.f1")


def test_better_in_every_crater_is_better() -> None:
    study = make_study(HARD, HARD + 0.05, HARD + 0.02)
    text = told(study)
    assert text.startswith(
        "Trial 1 is better than the project's own settings, trial 0, beyond chance: test.pixel.f1 +0.050 (95 % interval"
    )
    assert "paired over 12 craters, for the best of 3 trials" in text
    assert set(differences(study)) == {1, 2}


def test_the_best_of_many_lucky_ones_is_not() -> None:
    """Sixty trials that differ from the project's own settings by chance alone: alone, the best one looks better."""
    rng = np.random.default_rng(3)
    study = make_study(HARD, *(HARD + rng.normal(0, 0.05, 12) for _ in range(60)))
    best = study.best_trial.number
    text = told(study)
    assert text.startswith("No trial is better than the project's own settings, trial 0")
    assert f"beyond chance: trial {best} has test.pixel.f1 +0.0" in text
    alone = make_study(HARD, figures_of(study, best))
    assert told(alone).startswith("Trial 1 is better")


def figures_of(study: optuna.Study, number: int) -> np.ndarray:
    content = study.trials[number].user_attrs[FIGURES][0]
    return np.array(content["parts"])[:, 0] / 2000


def test_a_smaller_value_may_be_the_better_one() -> None:
    assert told(make_study(HARD, HARD - 0.05, up=False)).startswith("Trial 1 is better")


@pytest.mark.parametrize(
    ("study", "words"),
    [
        (
            make_study(HARD, HARD - 0.1),
            "No trial is better than the project's own settings, trial 0.",
        ),
        (make_study(HARD, HARD + 0.1, own=False), "are not among the trials"),
        (make_study(HARD, None), "this figure is no sum over craters"),
        (make_study(None, HARD, own=True), "No trial is better"),
        (make_study(HARD[:4], HARD[:4] + 0.1), "these are too few craters for so many trials"),
    ],
)
def test_what_cannot_be_said(study: optuna.Study, words: str) -> None:
    assert words in told(study)


def test_several_planets() -> None:
    figures = [figure(HARD), figure(HARD[:5])]
    content = to_attribute([*figures])
    assert content is not None
    assert [len(part["crater_ids"]) for part in content] == [12, 5]
    assert to_attribute([figure(HARD), None]) is None


def test_a_study_from_before_a_setting_was_added_goes_on(tmp_path: Path) -> None:
    inputs = {"mosaic": "mosaic.tif", "craters": "craters.csv"}
    present = Settings.model_validate({"inputs": inputs}).model_dump(mode="json")
    before = present | {"map": {k: v for k, v in present["map"].items() if k != "keep_runs"}}
    study = open_study(tmp_path, None, "s", {"settings": before}, ["maximize"], 0)
    study.add_trial(optuna.create_trial(value=1.0, state=TrialState.COMPLETE))
    again = open_study(tmp_path, None, "s", {"settings": present}, ["maximize"], 0)
    assert len(again.trials) == 1
    other = present | {"map": present["map"] | {"threshold": 0.9}}
    with pytest.raises(ProjectError, match="started with different settings"):
        open_study(tmp_path, None, "s", {"settings": other}, ["maximize"], 0)
