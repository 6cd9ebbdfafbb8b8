"""What every export states about a map: title, class of the mapped body, citation, and a model card.

The model card says how the map was made, how it compares with labels, and what it should not be used for.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ejectamap.evaluation.tables import figure_tables
from ejectamap.files import replace_file
from ejectamap.project.bundles import bundle_folders, library_versions, read_description
from ejectamap.project.folder import Project
from ejectamap.world.body import Body, body_near
from ejectamap.world.craters import Crater

_BODY_CLASSES = {"Moon": "satellite", "Ganymede": "satellite", "Ceres": "dwarf planet"}
_POSTER = """\
  - type: generic
    title: Deep learning map of fresh crater ejecta on Mercury
    authors:
      - {family-names: Lissoni, given-names: Michele}
      - {family-names: Doressoundiram, given-names: Alain}
      - {family-names: Besse, given-names: Sebastien}
    year: 2025
"""


def map_title(project: Project) -> str:
    """Title of a project's map."""
    body = body_near(project.grid.radius_m)
    where = f" on {body.name}" if body else ""
    return f"Ejecta of fresh craters{where}: {project.folder.resolve().name}"


def body_class(body: Body) -> str:
    """Class of a registered body: "planet", "satellite" or "dwarf planet"."""
    return _BODY_CLASSES.get(body.name, "planet")


def write_citation_and_model_card(project: Project, mapped: Sequence[Crater], folder: Path) -> None:
    """Write CITATION.cff and MODEL-CARD.md into the folder of an export."""
    for name, text in (
        ("CITATION.cff", citation(project)),
        ("MODEL-CARD.md", model_card(project, mapped)),
    ):
        replace_file(folder / name, memoryview(text.encode()))


def citation(project: Project) -> str:
    """The map's citation in the Citation File Format 1.2.0, with a placeholder for the authors."""
    version = library_versions()["ejectamap"]
    # Every JSON string is also a valid YAML string, whatever characters it contains.
    return f"""\
cff-version: 1.2.0
message: Please cite this map and what it was made with. Put your own names in.
type: dataset
title: {json.dumps(map_title(project), ensure_ascii=False)}
authors:
  - name: The makers of this map
references:
  - type: software
    title: ejectamap
    version: {json.dumps(version)}
    authors:
      - name: The ejectamap developers
{_POSTER}"""


def model_card(project: Project, mapped: Sequence[Crater]) -> str:
    """The map's model card in Markdown: method, mosaic, labels, networks, limits, and evaluation."""
    settings, mosaic = project.settings, project.mosaic
    labels = project.labels
    labelled = "none" if labels is None else f"{len(labels.masks)} craters drawn by hand"
    lines = [
        f"# {_escape(map_title(project))}",
        "",
        f"- **Map**: {len(mapped)} craters, method `{settings.method}`, threshold {settings.map.threshold:g};"
        " probabilities are stored as 250 p, 255 where nothing is known.",
        f"- **Mosaic**: {mosaic.grid.width} x {mosaic.grid.height} pixels of {mosaic.grid.pixel_m:.0f} m, bands"
        f" {_escape(', '.join(mosaic.band_names))}.",
        f"- **Labels of this project**: {labelled}.",
        *(f"- **Network**: {line}" for line in _network_lines(project)),
        "- **Hashes** of inputs and networks, versions and all settings: provenance.json beside the map.",
        "- **Not good for**: craters without visible ejecta; places that nobody has looked at. A map is a suggestion:"
        " look at the mosaic before you measure.",
        "",
        *_evaluation_lines(project),
    ]
    return "\n".join(lines) + "\n"


def _network_lines(project: Project) -> Iterator[str]:
    """One line per network: its name, number of samples, validation F1 and seed."""
    for kind in project.settings.network_configs:
        for folder in bundle_folders(project.networks_folder(kind)):
            training = read_description(folder).training
            facts = [f"`{kind}/{folder.name}`"]
            facts += [f"{training['samples']} samples"] if training.get("samples") else []
            f1 = training.get("validation_f1")
            facts += [f"F1 {f1:.3f} on its validation data"] if f1 is not None else []
            facts += [f"seed {training['seed']}"] if "seed" in training else []
            yield ", ".join(facts) + "."


def _evaluation_lines(project: Project) -> Iterator[str]:
    """The evaluation's first tables, of all pairs and of the test pairs, as lines of Markdown."""
    path = project.outputs / "evaluation.json"
    if not path.exists():
        yield "The map was not compared with any labels."
        return
    content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
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
