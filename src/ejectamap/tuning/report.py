"""Report a search's trials: a printed table, a CSV of all trials, and plots."""

import io
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import optuna
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization import matplotlib as plots
from rich.console import Console
from rich.table import Table

from ejectamap.evaluation.paired import PairedDifference
from ejectamap.files import replace_file
from ejectamap.texts import write_csv
from ejectamap.tuning.own_settings import OWN, differences
from ejectamap.tuning.search import Search
from ejectamap.tuning.study import is_counted
from ejectamap.tuning.trial import HARDLY_TRAINED

_TABLE_ROWS = 10
_MARKS = {OWN: "the project's own settings", HARDLY_TRAINED: "hardly trained"}
_MIN_FINISHED = 4  # with fewer finished trials, importances are meaningless


def write_report(folder: Path, study: optuna.Study, search: Search, console: Console) -> None:
    """Write trials.csv, history.png and, if there are enough trials, importance.png and front.png; print a table.

    Parameters
    ----------
    folder : Path
        Folder of the trials.
    study : optuna.Study
    search : Search
    console : Console
    """
    trials = [trial for trial in study.trials if is_counted(trial)]
    against_own = differences(study)
    table = pd.DataFrame(
        [_row(trial, search) | _standing(trial, against_own.get(trial.number)) for trial in trials]
    )
    replace_file(folder / "trials.csv", write_csv(table))
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if finished:
        _draw_plots(folder, study, search, len(finished))
    _print_table(trials, study, search, console)


def describe(trial: FrozenTrial, search: Search) -> str:
    """Describe a trial's outcome and settings in one line."""
    settings = ", ".join(f"{name} {_format(value)}" for name, value in trial.params.items())
    return f"trial {trial.number}: {_outcome(trial, search)} with {settings}"


def _outcome(trial: FrozenTrial, search: Search) -> str:
    """A trial's values of the objectives, or its state."""
    if trial.state == TrialState.COMPLETE:
        figures = zip(search.titles, trial.values, strict=True)
        return ", ".join(f"{title} {value:.4g}" for title, value in figures)
    if trial.state == TrialState.FAIL:
        return f"failed ({trial.user_attrs.get('error', 'interrupted')})"
    return {TrialState.PRUNED: "pruned", TrialState.RUNNING: "running"}[trial.state]


def _row(trial: FrozenTrial, search: Search) -> dict[str, object]:
    """A trial's row of trials.csv."""
    values = trial.values if trial.state == TrialState.COMPLETE else [None] * len(search.titles)
    minutes = trial.duration.total_seconds() / 60 if trial.duration else None
    return {
        "trial": trial.number,
        "folder": trial.user_attrs.get("folder"),
        "state": trial.state.name.lower(),
        **dict(zip(search.titles, values, strict=True)),
        **trial.params,
        "minutes": minutes,
        "error": trial.user_attrs.get("error"),
    }


def _standing(trial: FrozenTrial, against_own: PairedDifference | None) -> dict[str, object]:
    """Further columns: difference of the first objective from the project's own settings, and hardly trained."""
    values = {} if against_own is None else against_own.to_dict()
    return {
        "own_settings": bool(trial.user_attrs.get(OWN)),
        "difference": values.get("difference"),
        "difference_low": values.get("low"),
        "difference_high": values.get("high"),
        "beyond_chance": values.get("beyond_chance"),
        "hardly_trained": "; ".join(trial.user_attrs.get(HARDLY_TRAINED, [])),
    }


def _print_table(
    trials: list[FrozenTrial], study: optuna.Study, search: Search, console: Console
) -> None:
    """Print the best trials, best first; with several objectives, the Pareto front."""
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    states = [trial.state for trial in trials]
    counts = (
        f"{len(finished)} finished",
        f"{states.count(TrialState.PRUNED)} pruned",
        f"{states.count(TrialState.FAIL)} failed",
        f"{states.count(TrialState.RUNNING)} running",
    )
    several = len(search.titles) > 1
    front = study.best_trials if several and finished else finished
    sign = -1 if search.directions[0] == "maximize" else 1
    best = sorted(front, key=lambda trial: (sign * trial.values[0], trial.number))[:_TABLE_ROWS]
    title = f"{'Front' if several else 'Best'} of {len(trials)} trials: {', '.join(counts)}"
    table = Table(title=title, title_justify="left")
    table.add_column("trial", justify="right")
    for name in search.titles:
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("settings", overflow="fold")
    for trial in best:
        marks = [text for key, text in _MARKS.items() if trial.user_attrs.get(key)]
        lines = [f"{name} {_format(value)}" for name, value in trial.params.items()]
        settings = "\n".join(marks + lines)
        values = (f"{value:.4g}" for value in trial.values)
        table.add_row(str(trial.number), *values, settings)
    console.print(table)


def _draw_plots(folder: Path, study: optuna.Study, search: Search, finished: int) -> None:
    """Draw history and importances of each objective, and the Pareto front if there are several."""
    several = len(search.titles) > 1
    for k, title in enumerate(search.titles):
        suffix = f"_{k + 1}" if several else ""
        target: dict[str, Any] = {"target_name": title}
        if several:
            target["target"] = partial(_value, k)
        _draw(
            folder / f"history{suffix}.png",
            partial(plots.plot_optimization_history, study, **target),
        )
        if finished >= _MIN_FINISHED and len(search.search) > 1:
            _draw(
                folder / f"importance{suffix}.png",
                partial(plots.plot_param_importances, study, **target),
            )
    if len(search.titles) in (2, 3):
        _draw(
            folder / "front.png",
            partial(plots.plot_pareto_front, study, target_names=search.titles),
        )


def _value(k: int, trial: FrozenTrial) -> float:
    """A trial's value of objective k."""
    return float(trial.values[k])


def _draw(path: Path, plot: Callable[[], Axes]) -> None:
    """Save one of Optuna's plots as a PNG file."""
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.simplefilter("ignore", UserWarning)
        axes = plot()
        figure = axes.figure
        assert isinstance(figure, Figure)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=150, bbox_inches="tight")
        plt.close(figure)
    replace_file(path, file.getbuffer())


def _format(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
