"""Where a map came from: the inputs, settings and networks behind it, as fingerprints."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ejectamap.mapping.files import replace_file
from ejectamap.networks.bundle import library_versions
from ejectamap.project import Project
from ejectamap.world.craters import Crater


def fingerprint(project: Project) -> str:
    """One word for everything that a crater's map depends on; changes when any of it does."""
    files = _files(project)
    # The craters count by what is known of them but their families, which no map depends on.
    del files[project.settings.inputs.craters]
    craters = [str(replace(crater, family="")) for crater in project.craters]
    parts = {"settings": _map_settings(project), "files": files, "craters": craters}
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()


def write_provenance(project: Project, done: Sequence[Crater], imported: Sequence[Crater]) -> None:
    """Write provenance.json: settings, inputs and networks with their hashes, versions, and the craters mapped.

    Craters whose maps were imported owe nothing to the settings and networks; they are listed apart as well.
    """
    content = {
        "fingerprint": fingerprint(project),
        "settings": project.settings.model_dump(mode="json"),
        "files": _files(project),
        "versions": library_versions(),
        "craters": [crater.crater_id for crater in done],
        "imported": [crater.crater_id for crater in imported],
    }
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    replace_file(project.outputs / "provenance.json", memoryview(text.encode()))


def is_put_together(project: Project, craters: Sequence[Crater]) -> bool:
    """Whether the global files are of just these craters' present maps."""
    try:
        content = json.loads((project.outputs / "provenance.json").read_text())
    except (OSError, ValueError):
        return False
    ids = [crater.crater_id for crater in craters]
    return bool(content["fingerprint"] == fingerprint(project) and content["craters"] == ids)


def _map_settings(project: Project) -> dict[str, object]:
    """The settings that change a map once the networks are trained."""
    settings = project.settings
    return {
        "method": settings.method,
        "overlap": settings.views.overlap,
        "vote_threshold": settings.connection.vote_threshold,
        "threshold": settings.map.threshold,
        "reach": settings.inputs.reach,
        "ignore_connections": settings.map.ignore_connections,
    }


def _files(project: Project) -> dict[str, str]:
    """Hash of each input and each network file, by its name."""
    inputs = project.settings.inputs
    paths = {text: project.input_path(text) for text in (inputs.mosaic, inputs.craters)}
    for kind in project.settings.fittings:
        for path in sorted(project.networks(kind).glob("[!.]*/*")):
            paths["/".join(path.parts[-3:])] = path
    return {name: _hash(path) for name, path in paths.items()}


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
