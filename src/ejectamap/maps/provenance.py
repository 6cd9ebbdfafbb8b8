"""What a map was made from: fingerprints of inputs, settings and networks, and which craters' maps are current."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from ejectamap.errors import ProjectError
from ejectamap.files import hash_file, replace_file
from ejectamap.maps.backend_choice import backend_names
from ejectamap.maps.state import IMPORTED, is_done, is_imported
from ejectamap.project.bundles import library_versions
from ejectamap.project.folder import Project
from ejectamap.project.methods import METHODS
from ejectamap.world.craters import Crater


@dataclass(frozen=True)
class Fingerprints:
    """Digests of what the craters' probabilities depend on at present; each changes when any of it does.

    Attributes
    ----------
    files : mapping of str to str
        Digest of the mosaic, the catalogue and each network file, by name.
    craters : mapping of int to str
        By crater id, of what its probabilities depend on: method, its settings, mosaic, networks and their backends;
        the crater's own place, radius and reach, and those of all others where the method uses them. A name, a family
        or the catalogue's order change nothing.
    """

    files: Mapping[str, str]
    craters: Mapping[int, str]

    @property
    def whole(self) -> str:
        """Of what the whole map depends on."""
        return _digest(sorted(self.craters.items()))


def compute_fingerprints(project: Project) -> Fingerprints:
    """Compute the fingerprints of a project; reads all its inputs and networks once."""
    method = METHODS[project.settings.method]
    files = _hash_files(project)
    inputs = {
        name: digest for name, digest in files.items() if name != project.settings.inputs.craters
    }
    settings = {name: _setting(project, name) for name in method.settings}
    common = _digest([project.settings.method, settings, backend_names(project), inputs])
    places = {c.crater_id: (c.lon, c.lat, c.radius_m, c.reach) for c in project.craters}
    catalogue = sorted(places.values()) if method.depends_on_catalogue else []
    craters = {number: _digest([common, place, catalogue]) for number, place in places.items()}
    return Fingerprints(files, craters)


def mapped_craters(project: Project, fingerprints: Fingerprints | None = None) -> list[Crater]:
    """Craters whose map is complete and current (of the present settings, networks and inputs), or was imported.

    Parameters
    ----------
    project : Project
    fingerprints : Fingerprints, optional
        The present ones, if they were computed already.
    """
    present = fingerprints or compute_fingerprints(project)
    return [
        crater
        for crater in project.craters
        if is_done(project, crater, present.craters[crater.crater_id])
        or is_imported(project, crater)
    ]


def require_mapped(project: Project) -> list[Crater]:
    """`mapped_craters`, at least one.

    Raises
    ------
    ProjectError
        If there are none.
    """
    craters = mapped_craters(project)
    if not craters:
        raise ProjectError(
            f"{project.maps}: holds no map of the present settings, networks and inputs:"
            f" run ejectamap map {project.folder} first"
        )
    return craters


def write_provenance(
    project: Project, fingerprints: Fingerprints, mapped: Sequence[Crater]
) -> None:
    """Write provenance.json: settings, inputs and networks with their digests, versions, and the craters mapped.

    Craters whose maps were imported do not depend on settings and networks; they are listed apart as well.
    """
    content = {
        "fingerprint": fingerprints.whole,
        "fingerprints": _fingerprints_of_maps(project, fingerprints, mapped),
        "backends": backend_names(project),
        "settings": project.settings.model_dump(mode="json"),
        "files": fingerprints.files,
        "versions": library_versions(),
        "craters": [crater.crater_id for crater in mapped],
        "imported": [crater.crater_id for crater in mapped if is_imported(project, crater)],
    }
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    replace_file(project.outputs / "provenance.json", memoryview(text.encode()))


def global_files_are_current(project: Project, craters: Sequence[Crater]) -> bool:
    """Whether the global files were made from exactly these craters' present maps."""
    try:
        content = json.loads((project.outputs / "provenance.json").read_text())
        recorded = content["fingerprints"], content["settings"]["map"]["threshold"]
    except (OSError, ValueError, KeyError):
        return False
    present = _fingerprints_of_maps(project, compute_fingerprints(project), craters)
    return bool(recorded == (present, project.settings.map.threshold))


def _fingerprints_of_maps(
    project: Project, fingerprints: Fingerprints, craters: Sequence[Crater]
) -> dict[str, str]:
    """By each crater's id, the fingerprint of its map; `IMPORTED` where the map was imported."""
    return {
        str(c.crater_id): IMPORTED if is_imported(project, c) else fingerprints.craters[c.crater_id]
        for c in craters
    }


def _setting(project: Project, name: str) -> object:
    """Value of a setting by its dotted name."""
    return reduce(getattr, name.split("."), project.settings)


def _hash_files(project: Project) -> dict[str, str]:
    """Digest of each input and each network file, by its name."""
    inputs = project.settings.inputs
    paths = {text: project.input_path(text) for text in (inputs.mosaic, inputs.craters)}
    for kind in project.settings.network_configs:
        for path in sorted(project.networks_folder(kind).glob("[!.]*/*")):
            paths["/".join(path.parts[-3:])] = path
    return {name: hash_file(path) for name, path in paths.items()}


def _digest(parts: object) -> str:
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()
