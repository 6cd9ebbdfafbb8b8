"""Which craters have a map: a current one, or a stale one, which stays in the global files until it is renewed."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from ejectamap.errors import ProjectError
from ejectamap.maps.provenance import Fingerprints, compute_fingerprints
from ejectamap.maps.state import (
    has_present_mask,
    is_done,
    is_imported,
    recorded_fingerprint,
    recorded_ids,
    recorded_parts,
)
from ejectamap.project.folder import Project
from ejectamap.world.craters import Crater

logger = logging.getLogger(__name__)

_OTHER = {
    "catalogue": "an older catalogue",
    "mosaic": "another mosaic",
    "networks": "other networks",
    "settings": "other settings",
}
"""What a stale map is of, by the part of its fingerprint that differs."""
_UNKNOWN = "other settings, networks or inputs"


@dataclass(frozen=True)
class MappedCraters:
    """The craters of a catalogue that have a map, complete and with a mask of the present threshold.

    Attributes
    ----------
    current : tuple of Crater
        Those whose map is of the present settings, networks and inputs, or was imported.
    stale : mapping of Crater to tuple of str
        The others, each with the parts of its fingerprint that differ ("catalogue", "mosaic", "networks",
        "settings"); none where an earlier version, which did not record them,
        made the map.
    dropped : tuple of int
        Ids of maps whose crater is not in the catalogue any more: their files stay, but nothing shows them.
    """

    current: tuple[Crater, ...]
    stale: Mapping[Crater, tuple[str, ...]]
    dropped: tuple[int, ...]

    @property
    def all(self) -> tuple[Crater, ...]:
        """Current and stale ones, in the catalogue's order."""
        return tuple(sorted((*self.current, *self.stale), key=lambda crater: crater.crater_id))

    def counted(self, project: Project) -> str:
        """How many of the catalogue's craters are mapped, and how many of these maps are stale."""
        stale = f", {len(self.stale)} of them of {self._stale_of()}" if self.stale else ""
        return f"{len(self.all)} of {len(project.craters)} craters mapped{stale}"

    def notes(self, project: Project) -> list[str]:
        """Sentences for a person: how many maps are stale, of what, and how they are renewed; which were dropped."""
        return [*self._note_of_stale(project), *self._note_of_dropped()]

    def _note_of_stale(self, project: Project) -> list[str]:
        if not self.stale:
            return []
        maps, them = _count(len(self.stale))
        return [f"{maps} of {self._stale_of()}: ejectamap map {project.folder} renews {them}"]

    def _stale_of(self) -> str:
        """What the stale maps are of, as in "an older catalogue or other networks"."""
        parts = [part for part in _OTHER if any(part in found for found in self.stale.values())]
        unknown = [_UNKNOWN] if not all(self.stale.values()) else []
        return " or ".join([_OTHER[part] for part in parts] + unknown)

    def _note_of_dropped(self) -> list[str]:
        if not self.dropped:
            return []
        maps, _ = _count(len(self.dropped))
        ids = ", ".join(map(str, self.dropped))
        return [
            f"{maps} of craters that are not in the catalogue (id {ids}): the files stay in the map folder, but"
            " nothing shows them"
        ]


def find_maps(project: Project, fingerprints: Fingerprints | None = None) -> MappedCraters:
    """Find the craters that have a map.

    Parameters
    ----------
    project : Project
    fingerprints : Fingerprints, optional
        The present ones, if they were computed already.
    """
    present = fingerprints or compute_fingerprints(project)
    current, stale = [], {}
    for crater in project.craters:
        number = crater.crater_id
        if is_imported(project, crater) or is_done(project, crater, *present.accepted(number)):
            current.append(crater)
        elif has_present_mask(project, crater) and recorded_fingerprint(project, crater):
            recorded = recorded_parts(project, crater)
            parts = present.parts[number] if recorded else {}
            stale[crater] = tuple(k for k, digest in parts.items() if recorded.get(k) != digest)
    known = {crater.crater_id for crater in project.craters}
    dropped = tuple(number for number in recorded_ids(project) if number not in known)
    return MappedCraters(tuple(current), stale, dropped)


def mapped_craters(project: Project, fingerprints: Fingerprints | None = None) -> list[Crater]:
    """Craters whose map is current, or was imported; see `find_maps`."""
    return list(find_maps(project, fingerprints).current)


def require_mapped(project: Project) -> list[Crater]:
    """All craters that have a map, in the catalogue's order; see `require_maps`."""
    return list(require_maps(project).all)


def require_maps(project: Project) -> MappedCraters:
    """Find the craters that have a map; that some are stale, or were dropped, is logged as a warning.

    Raises
    ------
    ProjectError
        If no map is current.
    """
    maps = find_maps(project)
    if not maps.current:
        raise ProjectError(
            f"{project.maps}: holds no map of the present settings, networks and inputs:"
            f" run ejectamap map {project.folder} first"
        )
    for note in maps.notes(project):
        logger.warning(note)
    return maps


def _count(number: int) -> tuple[str, str]:
    """Number of maps as subject and verb, and the pronoun for them."""
    return ("1 map is", "it") if number == 1 else (f"{number} maps are", "them")
