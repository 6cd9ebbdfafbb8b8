"""Write the report: sections and cards in an HTML template."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from ejectamap.analysis.measure import ANALYSIS_NAME
from ejectamap.evaluation.stored import read_evaluation
from ejectamap.files import replace_file
from ejectamap.interop.map_metadata import outdated_results
from ejectamap.maps.mapped import MappedCraters, require_maps
from ejectamap.pages.report.cards import EVALUATION, OVERVIEW, CraterRows, build_card
from ejectamap.pages.report.parts import embed_jpeg
from ejectamap.pages.report.sections import (
    connections_section,
    evaluation_section,
    families_section,
    learning_section,
    measurements_section,
    provenance_section,
)
from ejectamap.pages.report.summary import summarise
from ejectamap.progress import status, track
from ejectamap.project.folder import Project
from ejectamap.project.products import map_title, note_on_networks
from ejectamap.show.run import draw_maps


@status("writing the report")
def write_report(project: Project) -> Path:
    """Write report.html: everything that is known of a map, in one file that loads nothing else.

    Pictures that are missing or out of date are drawn. For results that are missing (evaluation, measurements,
    families, training) the report names the command that makes them. The same project gives the same bytes.

    Returns
    -------
    Path
        Path of the file, in the folder of the project's results.

    Raises
    ------
    ProjectError
        If no crater is mapped.
    OutputError
        If a file of the map is damaged, or the report cannot be written.
    """
    maps = require_maps(project)
    draw_maps(project)
    evaluation = read_evaluation(project)
    outdated = outdated_results(project)
    crater_rows = CraterRows.read(project, outdated)
    cards = [build_card(project, c, crater_rows) for c in track(maps.all, "writing")]
    alt = "The whole planet: the mosaic in grey, the ejecta of each crater in its own colour"
    template = _environment().get_template("report.html.j2")
    text = template.render(
        title=map_title(project),
        notes=list(_notes(project, maps, outdated)),
        facts=summarise(project, maps.all, None if EVALUATION in outdated else evaluation),
        globe=embed_jpeg(project.maps / "global.png", alt),
        overview=OVERVIEW,
        cards=cards,
        sections=[
            evaluation_section(project, evaluation),
            measurements_section(project),
            families_section(project),
            connections_section(project, crater_rows.connections),
            learning_section(project),
            provenance_section(project),
        ],
    )
    path = project.outputs / "report.html"
    replace_file(path, memoryview(text.encode()))
    return path


def _notes(project: Project, maps: MappedCraters, outdated: Mapping[str, str]) -> Iterator[str]:
    """What a reader has to know first: where the networks were trained, and what is stale, each by name."""
    networks = note_on_networks(project)
    if networks is not None:
        yield f"{networks[0].upper()}{networks[1:]}."
    yield from (f"{note}." for note in maps.notes(project))
    if maps.stale:
        names = ", ".join(f"{crater.name} ({crater.crater_id})" for crater in maps.stale)
        yield f"The stale maps are those of {names}."
    for name in outdated.keys() & {EVALUATION, ANALYSIS_NAME}:
        yield f"{name} is older than the map: its figures are left out of summary and cards."


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("ejectamap.pages", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
