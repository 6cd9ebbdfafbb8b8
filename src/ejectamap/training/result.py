"""What a training did: its networks as a table, which of them it trained, and why."""

from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

from ejectamap.project.bundles import bundle_folders, read_description
from ejectamap.project.folder import Project

FIGURES = (
    "samples",
    "validation_samples",
    "epochs",
    "best_epoch",
    "validation_f1",
    "validation_loss",
    "minutes",
)
"""Entries of `training` in a bundle's description that tables show."""


@dataclass(frozen=True)
class TrainingResult:
    """Result of a training.

    Attributes
    ----------
    folder : Path
        Of the networks: models/{kind}/{member}.
    trained : tuple of str
        Networks that were trained now, as in "context/member-00"; the others were current already.
    notes : tuple of str
        What was trained again and why, a line each.
    networks : DataFrame
        See `to_frame`.

    Examples
    --------
    >>> result = em.train("planet-project", max_minutes=0.05, progress=False)  # doctest: +SKIP
    >>> result.to_frame()[["kind", "member", "validation_f1"]]  # doctest: +SKIP
    """

    folder: Path
    trained: tuple[str, ...]
    notes: tuple[str, ...]
    networks: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """All networks of the project's method.

        Returns
        -------
        DataFrame
            A row for each network: `kind`, `member`, `seed`, numbers of `samples` and `validation_samples`, `epochs`,
            `best_epoch`, and of that epoch `validation_f1` (at a probability of 0.5) and `validation_loss`; `minutes`.
        """
        return self.networks.copy()

    def _repr_html_(self) -> str:
        lines = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return f"{self.networks.to_html(index=False, float_format='{:.3g}'.format)}{lines}"


def networks_table(project: Project) -> pd.DataFrame:
    """Table of a project's own networks, of all kinds that its method needs; see `TrainingResult.to_frame`."""
    tables = [
        read_members(project.models / kind).assign(kind=kind)
        for kind in project.settings.network_configs
    ]
    columns = ["kind", "member", "seed", *FIGURES]
    return (
        pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)
    )


def read_members(folder: Path) -> pd.DataFrame:
    """Make a table of the bundles in a folder such as models/connection: member, seed and `FIGURES`."""
    rows = [
        {"member": bundle.name, **read_description(bundle).training}
        for bundle in bundle_folders(folder)
    ]
    return pd.DataFrame(rows, columns=["member", "seed", *FIGURES])
