"""Sections of the report: evaluation, measurements, families, connections, training, provenance."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ejectamap.analysis.measure import ANALYSIS_NAME, read_analysis
from ejectamap.evaluation.tables import (
    FigureTable,
    figure_tables,
    reliability_table,
    wrong_origin_table,
)
from ejectamap.maps.edits import edited_areas_km2
from ejectamap.maps.provenance import read_provenance
from ejectamap.maps.state import is_newer_than_masks
from ejectamap.outputs import reading
from ejectamap.pages.report.cards import NO_VALUE
from ejectamap.pages.report.parts import Missing, Picture, ReportSection, embed_png
from ejectamap.pages.report.summary import changed_settings
from ejectamap.project.folder import Project
from ejectamap.show.analysis import plot_analysis
from ejectamap.show.connections import plot_connections
from ejectamap.show.reliability import plot_reliability

Content = Mapping[str, Any]

_MEMBER_DECIMALS = {"validation_f1": 3, "validation_loss": 3, "minutes": 1}  # others are whole


def connections_section(project: Project, connections: pd.DataFrame) -> ReportSection:
    """Which chips are connected to each crater, for methods with a connection vote."""
    title = "Connections"
    if not len(connections):
        text = f"The method {project.settings.method} has no vote on which chips a ray links to a crater."
        return ReportSection("connections", title, (text,))
    names = {crater.crater_id: crater.name for crater in project.craters}
    rows = []
    for crater_id, chips in connections.groupby("crater_id"):
        connected = chips[chips["connected"]]
        far = f"{connected['distance_m'].max() / 1000:,.0f}" if len(connected) else NO_VALUE
        mean = f"{connected['score'].mean():.2f}" if len(connected) else NO_VALUE
        name = f"{names[int(str(crater_id))]} ({crater_id})"
        rows.append((name, f"{len(chips):,}", f"{len(connected):,}", mean, far))
    head = (
        "Crater",
        "Chips in reach",
        "Connected",
        "Mean score of connected",
        "Farthest connected, km",
    )
    alt = "Score of each chip against its distance"
    picture = _draw_temporary(lambda file: plot_connections(file, connections), alt)
    tables = (FigureTable("Chips by crater", head, tuple(rows)),)
    return ReportSection("connections", title, pictures=(picture,), tables=tables)


def measurements_section(project: Project) -> ReportSection:
    """Overview plot of the measurements."""
    path, command = project.outputs / ANALYSIS_NAME, f"ejectamap analyze {_name(project)}"
    missing = _missing(project, path, "The ejecta were not measured yet", command)
    if not path.exists():
        return ReportSection("measurements", "Measurements", (), missing)
    alt = "Blanket radius, farthest ejecta and areas against crater radius, and impact directions"
    picture = _draw_temporary(lambda file: plot_analysis(file, read_analysis(project)), alt)
    text = (
        "analysis.csv has the measurements of each crater, rays.csv and rays.gpkg those of each ray;"
        " analysis-columns.csv and rays-columns.csv explain them."
    )
    return ReportSection("measurements", "Measurements", (text,), missing, (picture,))


def families_section(project: Project) -> ReportSection:
    """Plot of the suggested families."""
    path, command = project.folder / "families.csv", f"ejectamap families {_name(project)}"
    missing = _missing(project, path, "Families of craters were not suggested yet", command)
    alt = "Ejecta against crater radius, one colour for each family"
    pictures = _embed_existing(project.folder / "families.png", alt)
    return ReportSection("families", "Families", (), missing, pictures)


def learning_section(project: Project) -> ReportSection:
    """Learning curves and members of the networks trained in this project."""
    text: list[str] = []
    pictures: list[Picture] = []
    tables: list[FigureTable] = []
    for kind in project.settings.network_configs:
        curves, members = (project.logs / kind / name for name in ("curves.png", "members.csv"))
        if not curves.exists():
            text.append(
                f"There are no learning curves of the {kind} networks: they were not trained in this project."
            )
            continue
        pictures += _embed_existing(curves, f"Loss and F1 of the {kind} networks against the epoch")
        if members.exists():
            tables.append(_members_table(kind, members))
    return ReportSection("learning", "Learning", tuple(text), (), tuple(pictures), tuple(tables))


def evaluation_section(project: Project, evaluation: Content | None) -> ReportSection:
    """All tables from evaluation.json."""
    path, command = project.outputs / "evaluation.json", f"ejectamap evaluate {_name(project)}"
    problem = "The map was not evaluated yet"
    if project.labels is None:
        problem = (
            "The project has no labels to evaluate the map with (inputs.labels in project.yaml)"
        )
    missing = _missing(project, path, problem, command)
    if evaluation is None:
        return ReportSection("evaluation", "Evaluation", (), missing)
    optional = (wrong_origin_table(evaluation), reliability_table(evaluation))
    tables = (*figure_tables(evaluation), *(table for table in optional if table is not None))
    text = ("docs/metrics.md of the program explains every figure.",)
    pictures = _reliability_diagram(evaluation)
    return ReportSection("evaluation", "Evaluation", text, missing, pictures, tables)


def provenance_section(project: Project) -> ReportSection:
    """Versions, digests, settings, and the commands that reproduce the map."""
    content = read_provenance(project)
    text = (
        f"The map's fingerprint is {content['fingerprint']}: the same settings, inputs and networks give the same one.",
        f"Commands that led to this page, in order: {', '.join(_commands(project))}.",
    )
    preset, changed = changed_settings(project)
    tables = [
        FigureTable("Versions", ("Program", "Version"), tuple(content["versions"].items())),
        FigureTable(
            "Inputs and networks", ("File", "BLAKE2b, 128 bits"), tuple(content["files"].items())
        ),
    ]
    if changed:
        differing = tuple((name, *values) for name, values in changed.items())
        head = ("Setting", f"Preset {preset}", "This project")
        tables.append(FigureTable("Settings that differ from the preset", head, differing))
    names = {crater.crater_id: crater.name for crater in project.craters}
    if content["imported"]:
        rows = tuple((str(k), names.get(k, "")) for k in content["imported"])
        tables.append(FigureTable("Craters whose maps were imported", ("Id", "Name"), rows))
    edited = edited_areas_km2(project)
    if edited:
        cells = tuple((str(k), names.get(k, ""), f"{area:,.0f}") for k, area in edited.items())
        head = ("Id", "Name", "Edited, km²")
        tables.append(FigureTable("Craters whose maps people edited", head, cells))
    listing = (project.folder / "project.yaml").read_text(encoding="utf-8")
    return ReportSection("provenance", "Provenance", text, (), (), tuple(tables), listing)


def _commands(project: Project) -> list[str]:
    """Commands whose results are present."""
    present = {
        "train": any(project.logs.glob("*/*")),
        "map": True,
        "evaluate": (project.outputs / "evaluation.json").exists(),
        "analyze": (project.outputs / ANALYSIS_NAME).exists(),
        "families": (project.folder / "families.csv").exists(),
        "report": True,
    }
    return [
        f"ejectamap {verb} {_name(project)}" for verb, is_present in present.items() if is_present
    ]


def _name(project: Project) -> str:
    """Name of a project in commands: without its path, so that a moved project gives the same report."""
    return project.folder.resolve().name


def _missing(project: Project, path: Path, problem: str, command: str) -> tuple[Missing, ...]:
    """Note that a file is missing, or older than the map; empty if neither."""
    if not path.exists():
        return (Missing(f"{problem}.", command),)
    if not is_newer_than_masks(project, path):
        text = f"This section was made before the present map: {path.name} is older."
        return (Missing(text, command),)
    return ()


def _reliability_diagram(evaluation: Content) -> tuple[Picture, ...]:
    """Reliability diagram of the test pairs, or of all labels where none were held out."""
    calibration = evaluation["test" if evaluation["split"] else "all"]["calibration"]
    if calibration is None or "distance" not in calibration:
        return ()
    alt = "Fraction of true ejecta against the probability, above 0.1, by distance"
    return (_draw_temporary(lambda file: plot_reliability(file, calibration), alt),)


def _draw_temporary(draw: Callable[[Path], None], alt: str) -> Picture:
    """Draw a picture that only the report shows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drawing.png"
        draw(path)
        return embed_png(path, alt)


def _embed_existing(path: Path, alt: str) -> tuple[Picture, ...]:
    """A picture if its file exists, else nothing."""
    return (embed_png(path, alt),) if path.exists() else ()


def _members_table(kind: str, path: Path) -> FigureTable:
    """Table of an ensemble's members, their mean and spread, from the columns of members.csv."""
    with reading(path, "run ejectamap train again"):
        members = pd.read_csv(path, dtype={"member": str, "seed": str}, keep_default_na=True)
        figures = [name for name in members.columns if name not in ("member", "seed")]
        members = members[["member", "seed", *figures]].astype(dict.fromkeys(figures, float))
    rows = []
    for row in members.to_dict("records"):
        cells = [str(row["member"]), "" if pd.isna(row["seed"]) else str(row["seed"])]
        for name in figures:
            digits = _MEMBER_DECIMALS.get(name, 0)
            cells.append(NO_VALUE if pd.isna(row[name]) else f"{row[name]:,.{digits}f}")
        rows.append(tuple(cells))
    headings = [name.replace("_", " ").capitalize().replace("f1", "F1") for name in figures]
    head = ("Member", "Seed", *headings)
    return FigureTable(f"The {kind} networks, on their validation data", head, tuple(rows))
