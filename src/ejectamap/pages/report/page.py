"""Put the report together and write it."""

import json
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.progress import track

from ejectamap.mapping import require_mapped
from ejectamap.mapping.files import replace_file
from ejectamap.pages.report.cards import OVERVIEW, Records, make_card
from ejectamap.pages.report.parts import inline_ground
from ejectamap.pages.report.sections import (
    connections_section,
    evaluation_section,
    families_section,
    learning_section,
    measurements_section,
    provenance_section,
)
from ejectamap.pages.report.summary import summary
from ejectamap.project import Project
from ejectamap.show import draw_maps


def write_report(project: Project) -> Path:
    """Write report.html: all that is known of a map, in one file that needs no other and no network.

    Pictures that are missing or old are drawn. What was not made yet (evaluation, measurements, families, training)
    is said, with the command that makes it. The same project gives the same bytes.

    Returns
    -------
    Path
        Of the file, in the folder of the project's results.

    Raises
    ------
    ProjectError
        If no crater is mapped.
    OutputError
        If a file of the map is damaged, or the report cannot be written.
    """
    mapped = require_mapped(project)
    draw_maps(project)
    judged = project.outputs / "evaluation.json"
    evaluation = json.loads(judged.read_text()) if judged.exists() else None
    records = Records.of(project)
    cards = [make_card(project, c, records) for c in track(mapped, "writing", transient=True)]
    alt = "The whole planet: the mosaic in grey, the ejecta of each crater in its own colour"
    page = _environment().get_template("report.html.j2")
    text = page.render(
        title=project.folder.resolve().name,
        facts=summary(project, mapped, evaluation),
        globe=inline_ground(project.maps / "global.png", alt),
        overview=OVERVIEW,
        cards=cards,
        sections=[
            evaluation_section(project, evaluation),
            measurements_section(project),
            families_section(project),
            connections_section(project, records.connections),
            learning_section(project),
            provenance_section(project),
        ],
    )
    path = project.outputs / "report.html"
    replace_file(path, memoryview(text.encode()))
    return path


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("ejectamap.pages", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
