"""Families of craters: clusters in the plane of crater radius and amount of ejecta, as on the poster.

The poster counts the connected tiles of each crater, "a rough estimate of the ejecta area"; where the method has no
connections, the mapped area is used. Both axes are logarithmic, because both quantities span decades.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from string import ascii_uppercase

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.mixture import GaussianMixture

from ejectamap.files import replace_file
from ejectamap.maps.connections import read_connections
from ejectamap.maps.mapped import require_mapped
from ejectamap.maps.reader import MapReader
from ejectamap.progress import status
from ejectamap.project.folder import Project
from ejectamap.project.lock import writes_project
from ejectamap.project.yaml import write_settings
from ejectamap.texts import write_csv
from ejectamap.world.craters import Crater
from ejectamap.world.sphere import Array

AREA, TILES = "area_km2", "connected_tiles"
_MAX_FAMILIES = 6
_MIN_MEMBERS = 4  # craters per family: fewer do not determine its spread


@dataclass(frozen=True)
class Families:
    """Craters with their amount of ejecta and suggested family.

    Attributes
    ----------
    table : DataFrame
        One row per mapped crater: crater_id, name, radius_km, the quantity, family ("A" has the least ejecta for its
        radius; "" for craters without ejecta).
    quantity : str
        "connected_tiles" or "area_km2": the column with the amount of ejecta.
    """

    table: pd.DataFrame
    quantity: str


@status("counting ejecta")
def suggest_families(project: Project) -> Families:
    """Measure the ejecta of every mapped crater and cluster the craters.

    Raises
    ------
    ProjectError
        If no crater is mapped.
    """
    craters = require_mapped(project)
    tiles = _connected_tiles(project, craters)
    quantity = AREA if tiles is None else TILES
    values = _areas_km2(project, craters) if tiles is None else tiles
    radii_km = np.array([crater.radius_m / 1000 for crater in craters])
    table = pd.DataFrame(
        {
            "crater_id": [crater.crater_id for crater in craters],
            "name": [crater.name for crater in craters],
            "radius_km": radii_km,
            quantity: values,
            "family": cluster(radii_km, np.asarray(values, np.float64), project.settings.seed),
        }
    )
    return Families(table, quantity)


def cluster(radii_km: Array, ejecta: Array, seed: int) -> list[str]:
    """Cluster craters in the plane of log10 radius and log10 ejecta.

    Gaussian mixtures with 1 to 6 components are fitted, and the one with the lowest Bayesian information criterion
    (Schwarz 1978) is used, so that a further family must explain more than its additional parameters do by chance.
    There is at most one family for every four craters. The same seed gives the same result.

    Parameters
    ----------
    radii_km : float array (n,)
    ejecta : float array (n,)
        At least 0, any unit.
    seed : int

    Returns
    -------
    list of str
        One letter per crater; "A" has the least ejecta for its radius, "" is a crater without ejecta.
    """
    has_ejecta = ejecta > 0
    names = np.full(len(ejecta), "", "U1")
    if has_ejecta.any():
        plane = np.log10(np.stack([radii_km[has_ejecta], ejecta[has_ejecta]], axis=1))
        # Standardised axes, so that neither units nor a narrow range of radii influence the clusters.
        std = plane.std(axis=0)
        scaled = (plane - plane.mean(axis=0)) / np.where(std > 0, std, 1.0)
        labels = _mixture(scaled, seed)
        excess = plane[:, 1] - 2 * plane[:, 0]  # ejecta relative to the area of the crater
        order = sorted(np.unique(labels), key=lambda k: float(excess[labels == k].mean()))
        letters = {label: ascii_uppercase[k] for k, label in enumerate(order)}
        names[has_ejecta] = [letters[label] for label in labels]
    return [str(name) for name in names]


def _mixture(scaled: Array, seed: int) -> npt.NDArray[np.int64]:
    """Component of each point in the mixture with the lowest BIC."""
    components = max(1, min(_MAX_FAMILIES, len(scaled) // _MIN_MEMBERS))
    if components == 1:
        return np.zeros(len(scaled), np.int64)
    fits = [
        # The added variance prevents components of two nearly identical craters.
        GaussianMixture(n, random_state=seed, n_init=10, reg_covar=1e-2).fit(scaled)
        for n in range(1, components + 1)
    ]
    best = min(fits, key=lambda fit: float(fit.bic(scaled)))
    return np.asarray(best.predict(scaled), np.int64)


def write_families(project: Project, families: Families) -> None:
    """Write families.csv into the project folder."""
    replace_file(project.folder / "families.csv", write_csv(families.table))


@writes_project("families")
def adopt_families(project: Project, families: Families) -> Project:
    """Set the families of the project's craters to the suggested ones.

    The project's catalogue is not changed: a copy with the families is written into the project folder as
    `craters-families.csv`, and `inputs.craters` is set to that file. Craters that are not mapped keep their family.
    """
    suggested = dict(zip(families.table["crater_id"], families.table["family"], strict=True))
    craters = [replace(c, family=suggested.get(c.crater_id, c.family)) for c in project.craters]
    columns = ["crater_id", "name", "lon", "lat", "radius_m", "reach", "family"]
    table = pd.DataFrame([[getattr(c, name) for name in columns] for c in craters], columns=columns)
    name = "craters-families.csv"
    replace_file(project.folder / name, write_csv(table))
    inputs = project.settings.inputs.model_copy(update={"craters": name, "columns": {}})
    settings = project.settings.model_copy(update={"inputs": inputs})
    write_settings(settings, project.folder / "project.yaml")
    return Project.open(project.folder)


def _connected_tiles(project: Project, craters: Sequence[Crater]) -> list[int] | None:
    """Number of connected tiles of each crater; None if connections.parquet lacks any of the craters."""
    path = project.maps / "connections.parquet"
    if not path.exists():
        return None
    table = read_connections(path, f"run ejectamap map {project.folder} again")
    if not {crater.crater_id for crater in craters} <= set(table["crater_id"]):
        return None
    counts = table.groupby("crater_id")["connected"].sum()
    return [int(counts[crater.crater_id]) for crater in craters]


def _areas_km2(project: Project, craters: Sequence[Crater]) -> list[float]:
    """Mapped ground area of each crater's ejecta."""
    grid = project.mosaic.grid
    ejecta_map = MapReader(project.maps, grid)
    areas = []
    for crater in craters:
        strips = (ejecta_map.mask(crater.crater_id, s) for s in grid.strips(grid.whole))
        rows = np.concatenate([mask.sum(axis=1) for mask in strips])
        areas.append(float(rows @ grid.row_area_m2) / 1e6)
    return areas
