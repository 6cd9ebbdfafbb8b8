"""The sections of the report but the summary and the craters' cards."""

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ejectamap.analysis.measure import ANALYSIS_NAME, read_analysis
from ejectamap.evaluation.tables import (
    FigureTable,
    claims_table,
    figure_tables,
    reliability_table,
)
from ejectamap.mapping.state import is_current
from ejectamap.pages.report.parts import Missing, Picture, Section, inline_drawing
from ejectamap.pages.report.summary import changed_settings
from ejectamap.project import Project
from ejectamap.show.analysis import plot_analysis
from ejectamap.show.connections import plot_connections
from ejectamap.training.summary import FIGURES

Content = Mapping[str, Any]


def connections_section(project: Project, connections: pd.DataFrame) -> Section:
    """How the networks voted on tiles, for the methods in which they do."""
    title = "Connections"
    if not len(connections):
        text = f"The method {project.settings.method} has no vote on which tiles a ray links to a crater."
        return Section("connections", title, (text,))
    names = {crater.crater_id: crater.name for crater in project.craters}
    rows = []
    for crater_id, tiles in connections.groupby("crater_id"):
        linked = tiles[tiles["connected"]]
        far = f"{linked['distance_m'].max() / 1000:,.0f}" if len(linked) else "–"
        mean = f"{linked['score'].mean():.2f}" if len(linked) else "–"
        name = f"{names[int(str(crater_id))]} ({crater_id})"
        rows.append((name, f"{len(tiles):,}", f"{len(linked):,}", mean, far))
    head = ("Crater", "Tiles in reach", "Connected", "Their mean score", "Farthest of them, km")
    alt = "Score of each tile against its distance"
    picture = _drawn(lambda file: plot_connections(file, connections), alt)
    tables = (FigureTable("Tiles by crater", head, tuple(rows)),)
    return Section("connections", title, pictures=(picture,), tables=tables)


def measurements_section(project: Project) -> Section:
    """The overview of the measurements."""
    path, command = project.outputs / ANALYSIS_NAME, f"ejectamap analyze {_name(project)}"
    missing = _missing(project, path, "The ejecta were not measured yet", command)
    if not path.exists():
        return Section("measurements", "Measurements", (), missing)
    alt = "Blanket radius, reach and areas against crater radius, and impact directions"
    picture = _drawn(lambda file: plot_analysis(file, read_analysis(project)), alt)
    text = "What each measurement is stands in analysis-columns.csv."
    return Section("measurements", "Measurements", (text,), missing, (picture,))


def families_section(project: Project) -> Section:
    """The suggested families."""
    path, command = project.folder / "families.csv", f"ejectamap families {_name(project)}"
    missing = _missing(project, path, "Families of craters were not looked for yet", command)
    alt = "Ejecta against crater radius, a colour a family"
    pictures = _drawing(project.folder / "families.png", alt)
    return Section("families", "Families", (), missing, pictures)


def learning_section(project: Project) -> Section:
    """Learning curves and members of the networks trained here."""
    missing: list[Missing] = []
    pictures: list[Picture] = []
    tables: list[FigureTable] = []
    for kind in project.settings.fittings:
        curves, members = (project.logs / kind / name for name in ("curves.png", "members.csv"))
        if not curves.exists():
            text = f"There are no learning curves of the {kind} networks: they were not trained in this project."
            missing.append(Missing(text, f"ejectamap train {_name(project)}"))
            continue
        pictures += _drawing(curves, f"Loss and F1 of the {kind} networks against the epoch")
        if members.exists():
            tables.append(_members_table(kind, members))
    return Section("learning", "Learning", (), tuple(missing), tuple(pictures), tuple(tables))


def evaluation_section(project: Project, evaluation: Content | None) -> Section:
    """All tables of evaluation.json."""
    path, command = project.outputs / "evaluation.json", f"ejectamap evaluate {_name(project)}"
    what = "The map was not judged yet"
    if project.labels is None:
        what = "The project has no labels to judge the map by (inputs.labels in project.yaml)"
    missing = _missing(project, path, what, command)
    if evaluation is None:
        return Section("evaluation", "Evaluation", (), missing)
    further = (claims_table(evaluation), reliability_table(evaluation))
    tables = (*figure_tables(evaluation), *(table for table in further if table is not None))
    text = ("What every figure means is explained in docs/metrics.md of the program.",)
    return Section("evaluation", "Evaluation", text, missing, (), tables)


def provenance_section(project: Project) -> Section:
    """Versions, hashes, settings, and the commands that make the same map again."""
    content = json.loads((project.outputs / "provenance.json").read_text())
    text = (
        f"The map's fingerprint is {content['fingerprint']}: the same settings, inputs and networks have the same one.",
        f"The commands behind this page, in their order: {', '.join(_commands(project))}.",
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
        head = ("Setting", f"Preset {preset}", "Here")
        tables.append(FigureTable("Settings that differ from the preset", head, differing))
    if content["imported"]:
        names = {crater.crater_id: crater.name for crater in project.craters}
        rows = tuple((str(k), names[k]) for k in content["imported"])
        tables.append(FigureTable("Craters whose maps were made elsewhere", ("Id", "Name"), rows))
    listing = (project.folder / "project.yaml").read_text(encoding="utf-8")
    return Section("provenance", "Provenance", text, (), (), tuple(tables), listing)


def _commands(project: Project) -> list[str]:
    """What was run, as far as there is anything of it."""
    made = {
        "train": any(project.logs.glob("*/*")),
        "map": True,
        "evaluate": (project.outputs / "evaluation.json").exists(),
        "analyze": (project.outputs / ANALYSIS_NAME).exists(),
        "families": (project.folder / "families.csv").exists(),
        "report": True,
    }
    return [f"ejectamap {verb} {_name(project)}" for verb, was_run in made.items() if was_run]


def _name(project: Project) -> str:
    """A project's name in a command: the report says the same wherever the project lies."""
    return project.folder.resolve().name


def _missing(project: Project, path: Path, what: str, command: str) -> tuple[Missing, ...]:
    """Say that a file is not there, or is older than the map."""
    if not path.exists():
        return (Missing(f"{what}.", command),)
    if not is_current(project, path):
        text = f"What follows was made before the present map: {path.name} is older."
        return (Missing(text, command),)
    return ()


def _drawn(draw: Callable[[Path], None], alt: str) -> Picture:
    """Draw a picture for this page alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drawing.png"
        draw(path)
        return inline_drawing(path, alt)


def _drawing(path: Path, alt: str) -> tuple[Picture, ...]:
    return (inline_drawing(path, alt),) if path.exists() else ()


def _members_table(kind: str, path: Path) -> FigureTable:
    """The members of an ensemble, their mean and spread."""
    members = pd.read_csv(path, dtype={"member": str, "seed": str}, keep_default_na=True)
    rows = []
    for row in members.to_dict("records"):
        cells = [str(row["member"]), "" if pd.isna(row["seed"]) else str(row["seed"])]
        for name, (_, digits) in FIGURES.items():
            cells.append("–" if pd.isna(row[name]) else f"{row[name]:,.{digits}f}")
        rows.append(tuple(cells))
    head = ("Member", "Seed", *(heading for heading, _ in FIGURES.values()))
    return FigureTable(f"The {kind} networks, on their validation data", head, tuple(rows))
