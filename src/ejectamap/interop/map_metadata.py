"""What every export states about a map: class of the body, citation, model card, and which results are outdated.

The model card says how the map was made, how it compares with labels, and what it should not be used for.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from ejectamap.evaluation.stored import read_evaluation
from ejectamap.evaluation.tables import figure_tables
from ejectamap.files import replace_file
from ejectamap.maps.edits import describe_edits
from ejectamap.maps.mapped import MappedCraters
from ejectamap.maps.state import is_newer_than_masks
from ejectamap.project.bundles import bundle_folders, library_versions, read_description
from ejectamap.project.folder import Project
from ejectamap.project.products import RECIPE_DOI, how_to_cite, map_title, recipe_citation
from ejectamap.world.body import Body
from ejectamap.world.label_sources import describe_all

_BODY_CLASSES = {"Moon": "satellite", "Ganymede": "satellite", "Ceres": "dwarf planet"}
_POSTER = f"""\
  - type: generic
    title: Deep learning map of fresh crater ejecta on Mercury
    authors:
      - {{family-names: Lissoni, given-names: Michele}}
      - {{family-names: Doressoundiram, given-names: Alain}}
      - {{family-names: Besse, given-names: Sebastien}}
    year: 2025
    doi: {RECIPE_DOI}
    notes: The DOI is that of the data, networks and maps that its authors released.
"""
_RENEWED_BY = {
    "evaluation.json": "evaluate",
    "analysis.csv": "analyze",
    "analysis-columns.csv": "analyze",
    "rays.csv": "analyze",
    "rays.gpkg": "analyze",
    "rays-columns.csv": "analyze",
    "report.html": "report",
}
"""The verb that renews each result."""


def outdated_results(project: Project) -> dict[str, str]:
    """Results that were made before the present map: names of their files, and the command that renews each.

    The report is outdated too if it is older than the evaluation that it shows.
    """
    outdated = {
        name: f"ejectamap {verb} {project.folder}"
        for name, verb in _RENEWED_BY.items()
        if (project.outputs / name).exists()
        and not is_newer_than_masks(project, project.outputs / name)
    }
    report, evaluation = (project.outputs / name for name in ("report.html", "evaluation.json"))
    if report.exists() and evaluation.exists():
        older = report.stat().st_mtime < evaluation.stat().st_mtime
        outdated |= {report.name: f"ejectamap report {project.folder}"} if older else {}
    return outdated


def body_class(body: Body) -> str:
    """Class of a registered body: "planet", "satellite" or "dwarf planet"."""
    return _BODY_CLASSES.get(body.name, "planet")


def write_citation_and_model_card(project: Project, maps: MappedCraters, folder: Path) -> None:
    """Write CITATION.cff and MODEL-CARD.md into the folder of an export."""
    for name, text in (
        ("CITATION.cff", citation(project)),
        ("MODEL-CARD.md", model_card(project, maps)),
    ):
        replace_file(folder / name, memoryview(text.encode()))


def citation(project: Project) -> str:
    """The map's citation in the Citation File Format 1.2.0; a placeholder stands for authors that are not set."""
    products, version = project.settings.products, library_versions()["ejectamap"]
    authors = products.authors or ("Authors of this map (products.authors in project.yaml)",)
    lines = [
        "cff-version: 1.2.0",
        "message: Please cite this map and what it was made with.",
        "type: dataset",
        f"title: {_quoted(map_title(project))}",
        "authors:",
        *(f"  - name: {_quoted(name)}" for name in authors),
        *([f"license: {_quoted(products.licence)}"] if products.licence else []),
        *([f"doi: {_quoted(products.doi)}"] if products.doi else []),
        *([f"abstract: {_quoted(f'Images: {products.credit}')}"] if products.credit else []),
        "references:",
        "  - type: software",
        "    title: ejectamap",
        f"    version: {_quoted(version)}",
        "    authors:",
        "      - name: The ejectamap developers",
    ]
    return "\n".join(lines) + f"\n{_POSTER}"


def _quoted(text: str) -> str:
    """Text as a JSON string, which is a valid YAML string too, whatever characters it has."""
    return json.dumps(text, ensure_ascii=False)


def model_card(project: Project, maps: MappedCraters) -> str:
    """The map's model card in Markdown: method, mosaic, labels, networks, limits, and evaluation."""
    settings, mosaic = project.settings, project.mosaic
    labels, edits = project.labels, describe_edits(project)
    labelled = "none" if labels is None else describe_all(project.label_sources.areas(labels))
    products = settings.products
    lines = [
        f"# {_escape(map_title(project))}",
        "",
        f"- **Map**: {len(maps.all)} craters, method `{settings.method}`, threshold {settings.map.threshold:g};"
        " probabilities are stored as 250 p, 255 where nothing is known; the files carry this scale (0.004).",
        *(f"- **Note**: {_escape(note)}." for note in maps.notes(project)),
        *_stale_lines(maps),
        f"- **Mosaic**: {mosaic.grid.width} x {mosaic.grid.height} pixels of {mosaic.grid.pixel_m:.0f} m, bands"
        f" {_escape(', '.join(mosaic.band_names))}.",
        f"- **Images**: {_escape(products.credit or 'no credit is stated (products.credit in project.yaml)')}.",
        f"- **Licence**: {_escape(products.licence or 'none is stated (products.licence in project.yaml)')}.",
        f"- **How to cite**: {_escape(how_to_cite(project))}",
        f"- **Recipe**: {_escape(recipe_citation())}",
        f"- **Labels of this project**: {labelled}.",
        *([] if edits is None else [f"- **Edited by hand**: {edits}; the probabilities are not."]),
        *(f"- **Network**: {line}" for line in _network_lines(project)),
        "- **Hashes** of inputs and networks, versions and all settings: provenance.json beside the map.",
        "- **Not good for**: craters without visible ejecta; places that nobody has looked at. A map is a suggestion:"
        " look at the mosaic before you measure.",
        "",
        *_evaluation_lines(project),
    ]
    return "\n".join(lines) + "\n"


def _stale_lines(maps: MappedCraters) -> list[str]:
    """A line that names the craters whose maps are stale; none if there are none."""
    names = ", ".join(f"{_escape(c.name)} ({c.crater_id})" for c in maps.stale)
    return [f"- **Stale maps**: {names}."] if names else []


def _network_lines(project: Project) -> Iterator[str]:
    """One line per network: its name, number of samples, validation F1 and seed."""
    for kind in project.settings.network_configs:
        for folder in bundle_folders(project.networks_folder(kind)):
            training = read_description(folder).training
            facts = [f"`{kind}/{folder.name}`"]
            facts += [f"{training['samples']} samples"] if training.get("samples") else []
            f1 = training.get("validation_f1")
            best, epochs = training.get("best_epoch"), training.get("epochs")
            epoch = f" after epoch {best}, the best of {epochs}" if best and epochs else ""
            facts += [f"F1 {f1:.3f} on its validation data{epoch}"] if f1 is not None else []
            facts += [f"seed {training['seed']}"] if "seed" in training else []
            yield ", ".join(facts) + "."


def _evaluation_lines(project: Project) -> Iterator[str]:
    """The evaluation's first tables, of all pairs and of the test pairs, as lines of Markdown."""
    path = project.outputs / "evaluation.json"
    if not path.exists():
        yield "The map was not compared with any labels."
        return
    outdated = outdated_results(project)
    if path.name in outdated:
        yield f"The comparison with labels was made before the present map: {outdated[path.name]} renews it."
        return
    content = read_evaluation(project)
    assert content is not None
    for table in figure_tables(content)[: 4 if content["split"] else 2]:
        yield f"## {table.title}"
        yield ""
        yield "| " + " | ".join(table.head) + " |"
        yield "|---" * len(table.head) + "|"
        yield from ("| " + " | ".join(row) + " |" for row in table.rows)
        yield ""
        yield from table.notes


def _escape(text: str) -> str:
    """Text in which Markdown and HTML find no markup, on one line."""
    for letter in "\\`*_[]<>|#":
        text = text.replace(letter, f"\\{letter}")
    return " ".join(text.split())
