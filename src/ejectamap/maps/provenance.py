"""What a map was made from: fingerprints of inputs, settings and networks."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from ejectamap.files import hash_file, replace_file
from ejectamap.maps.backend_choice import backend_names
from ejectamap.maps.edits import edit_digest
from ejectamap.maps.state import is_imported, recorded_fingerprint
from ejectamap.outputs import reading
from ejectamap.progress import status
from ejectamap.project.bundles import hash_bundle_file, library_versions
from ejectamap.project.folder import Project
from ejectamap.project.methods import METHODS
from ejectamap.world.craters import Crater
from ejectamap.world.raster_digest import mosaic_digests


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
    parts : mapping of int to mapping of str to str
        By crater id, the digests of what the crater's fingerprint is made of: "mosaic", "networks", "settings" and
        "catalogue".
    earlier : mapping of int to str
        By crater id, what earlier versions computed of the same: the path of the mosaic was part of it. None for a
        mosaic of several files, of which they read one.
    """

    files: Mapping[str, str]
    craters: Mapping[int, str]
    parts: Mapping[int, Mapping[str, str]]
    earlier: Mapping[int, str]

    def accepted(self, crater_id: int) -> tuple[str, ...]:
        """The fingerprints that a current map of a crater may have."""
        earlier = self.earlier.get(crater_id)
        return (self.craters[crater_id],) if earlier is None else (self.craters[crater_id], earlier)

    @property
    def whole(self) -> str:
        """Of what the whole map depends on."""
        return _digest(sorted(self.craters.items()))


@status("reading what the map depends on")
def compute_fingerprints(project: Project) -> Fingerprints:
    """Compute the fingerprints of a project; reads all its inputs and networks once."""
    method = METHODS[project.settings.method]
    cache = project.input_files.cache
    digests, networks = mosaic_digests(project.mosaic_path, cache), _hash_networks(project)
    if project.settings.inputs.part_of is not None:
        digests += mosaic_digests(project.input_path(project.settings.inputs.part_of), cache)
    mosaic = digests[0] if len(digests) == 1 else _digest(digests)
    settings = {name: _setting(project, name) for name in method.settings}
    recipe = [project.settings.method, settings, backend_names(project)]
    shared = {"mosaic": mosaic, "networks": _digest(networks), "settings": _digest(recipe)}
    places = {c.crater_id: (c.lon, c.lat, c.radius_m, c.reach) for c in project.craters}
    catalogue = sorted(places.values()) if method.depends_on_catalogue else []

    def of_craters(mosaic_name: str) -> dict[int, str]:
        common = _digest([*recipe, {mosaic_name: mosaic, **networks}])
        return {number: _digest([common, place, catalogue]) for number, place in places.items()}

    inputs = project.settings.inputs
    files = {
        inputs.mosaic: mosaic,
        inputs.craters: hash_file(project.input_path(inputs.craters)),
        **networks,
    }
    parts = {
        number: {**shared, "catalogue": _digest([place, catalogue])}
        for number, place in places.items()
    }
    earlier = of_craters(inputs.mosaic) if len(digests) == 1 else {}
    return Fingerprints(files, of_craters("mosaic"), parts, earlier)


def write_provenance(
    project: Project,
    fingerprints: Fingerprints,
    mapped: Sequence[Crater],
    stale: Sequence[Crater] = (),
) -> None:
    """Write provenance.json: settings, inputs and networks with their digests, versions, and the craters mapped.

    Craters whose maps were imported do not depend on settings and networks; they are listed apart as well, and so are
    those whose maps are stale.
    """
    content = {
        "fingerprint": fingerprints.whole,
        "fingerprints": _fingerprints_of_maps(project, mapped),
        "backends": backend_names(project),
        "settings": project.settings.model_dump(mode="json"),
        "files": fingerprints.files,
        "versions": library_versions(),
        "craters": [crater.crater_id for crater in mapped],
        "imported": [crater.crater_id for crater in mapped if is_imported(project, crater)],
        "stale": [crater.crater_id for crater in stale],
        "edits": _edits_of_maps(project, mapped),
    }
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    replace_file(project.outputs / "provenance.json", memoryview(text.encode()))


def read_provenance(project: Project) -> dict[str, Any]:
    """Read provenance.json.

    Raises
    ------
    OutputError
        If it is missing or damaged.
    """
    path = project.outputs / "provenance.json"
    with reading(path, f"run ejectamap map {project.folder} again"):
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        content["fingerprint"], content["settings"]["map"]["threshold"], content["imported"]
        for part in ("fingerprints", "files", "versions"):
            content[part].items()
    return content


def global_files_are_current(project: Project, craters: Sequence[Crater]) -> bool:
    """Whether the global files were made from exactly these craters' present maps; errors as in `read_provenance`."""
    content = read_provenance(project)
    recorded = content["fingerprints"], content["settings"]["map"]["threshold"]
    edits = content.get("edits", {})  # missing in those of earlier versions
    present = _fingerprints_of_maps(project, craters)
    same_edits = edits == _edits_of_maps(project, craters)
    return bool(same_edits and recorded == (present, project.settings.map.threshold))


def _fingerprints_of_maps(project: Project, craters: Sequence[Crater]) -> dict[str, str | None]:
    """By each crater's id, the fingerprint that its map was made with; `IMPORTED` where it was imported."""
    return {str(crater.crater_id): recorded_fingerprint(project, crater) for crater in craters}


def _edits_of_maps(project: Project, craters: Sequence[Crater]) -> dict[str, str]:
    """By crater id, the digest of the edit of its map, where it has one."""
    digests = {crater.crater_id: edit_digest(project, crater.crater_id) for crater in craters}
    return {str(k): digest for k, digest in digests.items() if digest is not None}


def _setting(project: Project, name: str) -> object:
    """Value of a setting by its dotted name."""
    return reduce(getattr, name.split("."), project.settings)


def _hash_networks(project: Project) -> dict[str, str]:
    """Digest of each network file, by its kind, member and name."""
    return {
        "/".join(path.parts[-3:]): hash_bundle_file(path)
        for kind in project.settings.network_configs
        for path in sorted(project.networks_folder(kind).glob("[!.]*/*"))
    }


def _digest(parts: object) -> str:
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()
