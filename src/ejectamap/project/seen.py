"""What the networks of a project, and all that they started from, were trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

from ejectamap.project.bundles import bundle_folders, read_description
from ejectamap.project.folder import Project
from ejectamap.project.lineage import Lineage, SeenPlanet, seen_ground, seen_tiles
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Grid, Window


@dataclass(frozen=True)
class SeenLabels:
    """The labels that the networks of a project's method have seen.

    Attributes
    ----------
    grid : Grid
        The project's.
    planets : tuple of SeenPlanet
        What the networks and those before them were trained on.
    unrecorded : tuple of str
        Networks ("context/member-00") without a lineage, or that started from one without: they may have seen more.
    """

    grid: Grid
    planets: tuple[SeenPlanet, ...]
    unrecorded: tuple[str, ...]

    def tiles(self, crater: Crater, windows: Sequence[Window]) -> Bools:
        """In which tiles a crater's label was seen; shape (len(windows),)."""
        return seen_tiles(self.planets, crater, windows, self.grid)

    def ground(self, craters: Sequence[Crater], windows: Sequence[Window]) -> list[Window]:
        """Ground that any network was trained on, with any crater's label; see `lineage.seen_ground`."""
        return seen_ground(self.planets, craters, windows, self.grid)


def read_seen_labels(project: Project) -> SeenLabels:
    """Read the lineages of the networks that the project's method maps with.

    A network that an earlier version trained here has no lineage; it is taken to have started from what
    `training.start_from` names now.

    Raises
    ------
    BundleError
        If a bundle is damaged.
    """
    planets: list[SeenPlanet] = []
    unrecorded = []
    for kind in project.settings.network_configs:
        folder = project.networks_folder(kind)
        is_own = folder == project.models / kind
        for bundle in bundle_folders(folder):
            lineage = read_description(bundle).lineage
            if lineage is None and is_own:
                lineage = Lineage(trained_on=(), inherited=_start(project, kind), is_complete=False)
            if lineage is None or not lineage.is_complete:
                unrecorded.append(f"{kind}/{bundle.name}")
            if lineage is not None:
                planets += lineage.planets
    return SeenLabels(project.grid, tuple(planets), tuple(unrecorded))


def seen_before_training(project: Project, craters: Sequence[Crater]) -> list[Crater]:
    """Craters whose labels, at least in part, were trained on by the networks that training starts from."""
    planets = [p for kind in project.settings.network_configs for p in _start(project, kind)]
    radius_m = project.grid.radius_m
    return [c for c in craters if any(planet.find(c, radius_m) for planet in planets)]


def _start(project: Project, kind: str) -> tuple[SeenPlanet, ...]:
    """What the networks that training would start from at present were trained on."""
    folder = project.start_networks(kind)
    lineages = [read_description(path).lineage for path in bundle_folders(folder)] if folder else []
    return tuple(planet for lineage in lineages if lineage for planet in lineage.planets)
