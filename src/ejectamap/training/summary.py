"""Summary of an ensemble's training: a table of its members and their learning curves."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from ejectamap.outputs import reading
from ejectamap.project.bundles import bundle_folders, read_description
from ejectamap.project.folder import Project
from ejectamap.training.result import FIGURES, read_members

_FEW_CRATERS = 5  # whose validation figures are named as such
# Headings and decimals in the printed table.
_HEADINGS = {
    "samples": ("samples", 0),
    "validation_samples": ("valid.", 0),
    "epochs": ("epochs", 0),
    "best_epoch": ("best", 0),
    "validation_f1": ("F1", 3),
    "validation_loss": ("loss", 3),
    "minutes": ("min", 1),
}


def summarise(project: Project, console: Console | None = None) -> None:
    """Write logs/{kind}/members.csv, draw logs/{kind}/curves.png and print the table, of the networks trained here."""
    for kind, config in project.settings.network_configs.items():
        folder = project.logs / kind
        if not folder.exists():  # the networks were copied from another project
            continue
        table = members_table(project.models / kind)
        table.to_csv(folder / "members.csv", index=False)
        if console is not None:
            console.print(_format_table(kind, table))
            note = _validation_note(project.models / kind, config.keep)
            console.print(note, highlight=False, soft_wrap=True)
        draw_curves(folder, folder / "curves.png")


def members_table(folder: Path) -> pd.DataFrame:
    """Make a table of the bundles in a folder such as models/connection.

    Returns
    -------
    DataFrame
        A row for each member with its seed and `FIGURES`, then a row "mean" and a row "spread" (the sample standard
        deviation; nan for a single member).
    """
    members = read_members(folder)
    figures = members[list(FIGURES)].astype(float)
    statistics = pd.DataFrame(
        [{"member": "mean", **figures.mean()}, {"member": "spread", **figures.std()}]
    )
    return pd.concat([members.astype({"seed": object}), statistics], ignore_index=True)


def _validation_note(folder: Path, keep: str) -> str:
    """Of which epoch the figures of the validation data are, and what they are worth."""
    descriptions = [read_description(bundle).training for bundle in bundle_folders(folder)]
    counts = {count for d in descriptions if (count := d.get("validation_craters")) is not None}
    few = sorted(count for count in counts if 0 < count < _FEW_CRATERS)
    what = ""
    if few:
        noun = "crater" if few[-1] == 1 else "craters"
        count = f"{few[0]}" if few[0] == few[-1] else f"{few[0]} to {few[-1]}"
        what = f" of {count} {noun}"
    epoch = "" if keep == "best" else "; the weights kept are those of the last one (keep: last)"
    return (
        f"F1 and loss are of the validation data{what}, not the result: ejectamap map and evaluate"
        f" give that. They are of the best epoch{epoch}."
    )


def _format_table(kind: str, members: pd.DataFrame) -> Table:
    """Format the table of the members for the terminal."""
    title = f"{kind} networks, on their validation data"
    table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1))
    table.add_column("member", no_wrap=True)
    table.add_column("seed", justify="right")
    for heading, _ in _HEADINGS.values():
        table.add_column(heading, justify="right")
    for row in members.to_dict("records"):
        is_statistic = row["member"] in ("mean", "spread")
        cells = [str(row["member"]), "" if is_statistic else str(row["seed"])]
        for name, (_, decimals) in _HEADINGS.items():
            value = float(row[name])
            digits = max(decimals, 1) if is_statistic else decimals
            cells.append("-" if np.isnan(value) else f"{value:.{digits}f}")
        table.add_row(*cells, style="bold" if is_statistic else None)
    return table


def _read_metrics(path: Path) -> pd.DataFrame:
    """Read the figures of a network's epochs."""
    with reading(path, "remove it and run ejectamap train again"):
        table = pd.read_csv(path)[["epoch", "train_loss", "val_loss", "val_f1"]].astype(float)
        if table.empty:
            raise ValueError("no epochs")
    return table


def draw_curves(folder: Path, path: Path) -> None:
    """Draw losses and F1 against epochs, with one colour for each member.

    Parameters
    ----------
    folder : Path
        Such as logs/context, with a metrics.csv in the folder of each member.
    path : Path
        PNG file to write.
    """
    tables = {p.parent.name: _read_metrics(p) for p in sorted(folder.glob("*/metrics.csv"))}
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    for k, table in enumerate(tables.values()):
        colour = mpl.colormaps["viridis"](0.85 * k / max(len(tables) - 1, 1))
        marker = "." if len(table) == 1 else None
        losses.plot(table.epoch, table.train_loss, "--", color=colour, lw=1, marker=marker)
        losses.plot(table.epoch, table.val_loss, color=colour, lw=1.5, marker=marker)
        scores.plot(table.epoch, table.val_f1, color=colour, lw=1.5, marker=marker)
        best = table.iloc[int(table.val_f1.argmax())]
        scores.plot(best.epoch, best.val_f1, "o", color=colour, ms=5)
    _label(
        losses,
        "loss",
        [Line2D([], [], color="0.3", ls="--"), Line2D([], [], color="0.3")],
        ["training", "validation"],
    )
    _label(
        scores,
        "F1 on the validation data",
        [Line2D([], [], color="0.3", marker="o", ls="")],
        ["best"],
    )
    scores.set_ylim(-0.02, 1.02)
    names = list(tables)
    figure.suptitle(f"{folder.name}: {names[0]}" + (f" to {names[-1]}" if len(names) > 1 else ""))
    figure.savefig(path, dpi=150)


def _label(axes: Axes, text: str, handles: list[Line2D], labels: list[str]) -> None:
    """Label axes against epochs, and add a legend."""
    axes.set(xlabel="epoch", ylabel=text)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color="0.9")
    axes.legend(handles, labels, frameon=False)
