"""What goes with every export: how to cite the map, and a card that says what made it and how far to trust it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ejectamap.evaluation.tables import figure_tables
from ejectamap.mapping.files import replace_file
from ejectamap.networks.bundle import SETTINGS_NAME, library_versions
from ejectamap.project import Project
from ejectamap.world.body import body_near
from ejectamap.world.craters import Crater

_POSTER = """\
  - type: generic
    title: Deep learning map of fresh crater ejecta on Mercury
    authors:
      - {family-names: Lissoni, given-names: Michele}
      - {family-names: Doressoundiram, given-names: Alain}
      - {family-names: Besse, given-names: Sebastien}
    year: 2025
"""


def title_of(project: Project) -> str:
    """A map's title."""
    body = body_near(project.mosaic.grid.radius_m)
    where = f" on {body.name}" if body else ""
    return f"Ejecta of fresh craters{where}: {project.folder.resolve().name}"


def write_papers(project: Project, mapped: Sequence[Crater], folder: Path) -> None:
    """Write CITATION.cff and MODEL-CARD.md into the folder of an export."""
    for name, text in (
        ("CITATION.cff", citation(project)),
        ("MODEL-CARD.md", model_card(project, mapped)),
    ):
        replace_file(folder / name, memoryview(text.encode()))


def citation(project: Project) -> str:
    """The map's citation in the Citation File Format 1.2.0; who made it is left to be filled in."""
    version = library_versions()["ejectamap"]
    # JSON strings are YAML strings, whatever is in them.
    return f"""\
cff-version: 1.2.0
message: Please cite this map and what it was made with. Put your own names in.
type: dataset
title: {json.dumps(title_of(project), ensure_ascii=False)}
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
    """What made the map, what it learnt from, how good it is, and what it is not good for; Markdown."""
    settings, mosaic = project.settings, project.mosaic
    labels = project.labels
    taught = "none" if labels is None else f"{len(labels.masks)} craters drawn by hand"
    lines = [
        f"# {_plain(title_of(project))}",
        "",
        f"- **Map**: {len(mapped)} craters, method `{settings.method}`, threshold {settings.map.threshold:g};"
        " probabilities are stored as 250 p, 255 where nothing is known.",
        f"- **Mosaic**: {mosaic.grid.width} x {mosaic.grid.height} pixels of {mosaic.grid.pixel_m:.0f} m, bands"
        f" {_plain(', '.join(mosaic.band_names))}.",
        f"- **Labels of this project**: {taught}.",
        *(f"- **Network**: {line}" for line in _networks(project)),
        "- **Hashes** of inputs and networks, versions and all settings: provenance.json beside the map.",
        "- **Not good for**: craters without visible ejecta; places that nobody has looked at. A map is a suggestion:"
        " look at the mosaic before you measure.",
        "",
        *_judgement(project),
    ]
    return "\n".join(lines) + "\n"


def _networks(project: Project) -> Iterator[str]:
    """One line a network: what it is and what it learnt from."""
    for kind in project.settings.fittings:
        for path in sorted(project.networks(kind).glob(f"[!.]*/{SETTINGS_NAME}")):
            training = json.loads(path.read_text(encoding="utf-8"))["training"]
            facts = [f"`{kind}/{path.parent.name}`"]
            facts += [f"{training['samples']} samples"] if training.get("samples") else []
            f1 = training.get("validation_f1")
            facts += [f"F1 {f1:.3f} on its validation data"] if f1 is not None else []
            facts += [f"seed {training['seed']}"] if "seed" in training else []
            yield ", ".join(facts) + "."


def _judgement(project: Project) -> Iterator[str]:
    """The evaluation's first tables, all pairs and test pairs, in Markdown."""
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


def _plain(text: str) -> str:
    """Text that Markdown and HTML take as it is."""
    for letter in "\\`*_[]<>|#":
        text = text.replace(letter, f"\\{letter}")
    return " ".join(text.split())
