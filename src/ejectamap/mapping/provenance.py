"""Where a map came from: the inputs, settings and networks behind it, as fingerprints."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from ejectamap.mapping.backend import backend_names
from ejectamap.mapping.files import hash_file, replace_file
from ejectamap.mapping.methods import Method
from ejectamap.mapping.registry import METHODS
from ejectamap.mapping.state import IMPORTED, is_imported
from ejectamap.networks.bundle import SETTINGS_NAME, library_versions, read_views
from ejectamap.project import Project
from ejectamap.world.craters import Crater


@dataclass(frozen=True)
class Fingerprints:
    """What the craters' probabilities depend on today, each in one word that changes when any of it does.

    Attributes
    ----------
    files : mapping of str to str
        Hash of the mosaic, the catalogue and each network file, by name.
    craters : mapping of int to str
        Of what one crater's probabilities depend on: method, its settings, mosaic, networks and their backends; the
        crater's own place, radius and reach, and those of the others where method or networks look at them. A name, a
        family or the catalogue's order change nothing.
    """

    files: Mapping[str, str]
    craters: Mapping[int, str]

    @property
    def whole(self) -> str:
        """Of what the whole map depends on."""
        return _word(sorted(self.craters.items()))


def fingerprints(project: Project) -> Fingerprints:
    """Take the fingerprints of a project; reads all its inputs and networks once."""
    method = METHODS[project.settings.method]
    files = _files(project)
    inputs = {name: word for name, word in files.items() if name != project.settings.inputs.craters}
    settings = {name: _setting(project, name) for name in method.settings}
    common = _word([project.settings.method, settings, backend_names(project), inputs])
    places = {c.crater_id: (c.lon, c.lat, c.radius_m, c.reach) for c in project.craters}
    everyone = sorted(places.values()) if _looks_at_rivals(project, method) else []
    craters = {number: _word([common, place, everyone]) for number, place in places.items()}
    return Fingerprints(files, craters)


def write_provenance(project: Project, marks: Fingerprints, done: Sequence[Crater]) -> None:
    """Write provenance.json: settings, inputs and networks with their hashes, versions, and the craters mapped.

    Craters whose maps were imported owe nothing to the settings and networks; they are listed apart as well.
    """
    content = {
        "fingerprint": marks.whole,
        "fingerprints": _behind(project, marks, done),
        "backends": backend_names(project),
        "settings": project.settings.model_dump(mode="json"),
        "files": marks.files,
        "versions": library_versions(),
        "craters": [crater.crater_id for crater in done],
        "imported": [crater.crater_id for crater in done if is_imported(project, crater)],
    }
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    replace_file(project.outputs / "provenance.json", memoryview(text.encode()))


def is_put_together(project: Project, craters: Sequence[Crater]) -> bool:
    """Whether the global files are of just these craters' present maps."""
    try:
        content = json.loads((project.outputs / "provenance.json").read_text())
        found = content["fingerprints"], content["settings"]["map"]["threshold"]
    except (OSError, ValueError, KeyError):
        return False
    present = _behind(project, fingerprints(project), craters)
    return bool(found == (present, project.settings.map.threshold))


def _behind(project: Project, marks: Fingerprints, craters: Sequence[Crater]) -> dict[str, str]:
    """By each crater's id, the fingerprint behind its map."""
    return {
        str(c.crater_id): IMPORTED if is_imported(project, c) else marks.craters[c.crater_id]
        for c in craters
    }


def _looks_at_rivals(project: Project, method: type[Method]) -> bool:
    """Whether a crater's map depends on where the others are: by its method, or by what its networks see of chips."""
    folders = [
        path.parent
        for kind in project.settings.fittings
        for path in project.networks(kind).glob(f"[!.]*/{SETTINGS_NAME}")
    ]
    return method.looks_at_rivals or any(read_views(f).get("rivals", False) for f in folders)


def _setting(project: Project, name: str) -> object:
    """Value of a setting by its dotted name."""
    return reduce(getattr, name.split("."), project.settings)


def _files(project: Project) -> dict[str, str]:
    """Hash of each input and each network file, by its name."""
    inputs = project.settings.inputs
    paths = {text: project.input_path(text) for text in (inputs.mosaic, inputs.craters)}
    for kind in project.settings.fittings:
        for path in sorted(project.networks(kind).glob("[!.]*/*")):
            paths["/".join(path.parts[-3:])] = path
    return {name: hash_file(path) for name, path in paths.items()}


def _word(parts: object) -> str:
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()
