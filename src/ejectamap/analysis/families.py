"""Families of craters: clusters in the plane of crater radius and ejecta, as the poster plots them.

The poster counts the connected tiles of each crater, "a rough estimate of the ejecta area"; where the method has no
connections the mapped area itself is taken. Both axes are logarithms, for both quantities span decades.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from string import ascii_uppercase

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.mixture import GaussianMixture

from ejectamap.mapping import require_mapped
from ejectamap.mapping.files import replace_file
from ejectamap.mapping.mapfiles import MapFiles
from ejectamap.project import Project
from ejectamap.project.yaml import write_settings
from ejectamap.world.craters import Crater

Floats = npt.NDArray[np.float64]

AREA, TILES = "area_km2", "connected_tiles"
_MOST = 6
_LEAST_MEMBERS = 4  # craters a family: fewer do not tell its spread


@dataclass(frozen=True)
class Families:
    """Craters with how much ejecta they have and the family that suggests.

    Attributes
    ----------
    table : DataFrame
        One row a mapped crater: crater_id, name, radius_km, the quantity, family ("A" has the least ejecta for its
        radius; "" where no ejecta were found).
    quantity : str
        "connected_tiles" or "area_km2": the column that was clustered.
    """

    table: pd.DataFrame
    quantity: str


def suggest_families(project: Project) -> Families:
    """Measure every mapped crater and cluster them.

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


def cluster(radii_km: Floats, ejecta: Floats, seed: int) -> list[str]:
    """Cluster craters in the plane of log10 radius and log10 ejecta.

    Gaussian mixtures with 1 to 6 components are fitted and that with the lowest Bayesian information criterion (Schwarz
    1978) is taken: a further family must explain the craters better than its own parameters could by chance. There are
    never more families than one for every four craters. One seed, one result.

    Parameters
    ----------
    radii_km : float array (n,)
    ejecta : float array (n,)
        At least 0, any unit.
    seed : int

    Returns
    -------
    list of str
        A letter a crater; "A" has the least ejecta for its radius. "" for craters without ejecta.
    """
    seen = ejecta > 0
    names = np.full(len(ejecta), "", "U1")
    if seen.any():
        plane = np.log10(np.stack([radii_km[seen], ejecta[seen]], axis=1))
        # Both axes alike, so that neither units nor a narrow range of radii decide.
        spread = plane.std(axis=0)
        scaled = (plane - plane.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        labels = _mixture(scaled, seed)
        excess = plane[:, 1] - 2 * plane[:, 0]  # ejecta for a crater's own area
        order = sorted(np.unique(labels), key=lambda k: float(excess[labels == k].mean()))
        letters = {label: ascii_uppercase[k] for k, label in enumerate(order)}
        names[seen] = [letters[label] for label in labels]
    return [str(name) for name in names]


def _mixture(scaled: Floats, seed: int) -> npt.NDArray[np.int64]:
    """Component of each point in the mixture with the lowest BIC."""
    most = max(1, min(_MOST, len(scaled) // _LEAST_MEMBERS))
    if most == 1:
        return np.zeros(len(scaled), np.int64)
    fits = [
        # A little variance keeps two craters at one place from being a family of their own.
        GaussianMixture(n, random_state=seed, n_init=10, reg_covar=1e-2).fit(scaled)
        for n in range(1, most + 1)
    ]
    best = min(fits, key=lambda fit: float(fit.bic(scaled)))
    return np.asarray(best.predict(scaled), np.int64)


def write_table(project: Project, families: Families) -> None:
    """Write families.csv into the project folder."""
    text = families.table.to_csv(index=False, lineterminator="\n")
    replace_file(project.folder / "families.csv", memoryview(text.encode()))


def adopt(project: Project, families: Families) -> Project:
    """Make the suggested families those of the project's craters.

    The catalogue that the project was made with stays as it is: a copy with the families is written into the project
    folder as `craters-families.csv`, and `inputs.craters` then names that. Craters that are not mapped keep theirs.
    """
    found = dict(zip(families.table["crater_id"], families.table["family"], strict=True))
    craters = [replace(c, family=found.get(c.crater_id, c.family)) for c in project.craters]
    columns = ["crater_id", "name", "lon", "lat", "radius_m", "reach", "family"]
    table = pd.DataFrame([[getattr(c, name) for name in columns] for c in craters], columns=columns)
    name = "craters-families.csv"
    replace_file(project.folder / name, memoryview(table.to_csv(index=False).encode()))
    inputs = project.settings.inputs.model_copy(update={"craters": name})
    settings = project.settings.model_copy(update={"inputs": inputs})
    write_settings(settings, project.folder / "project.yaml")
    return Project.open(project.folder)


def _connected_tiles(project: Project, craters: Sequence[Crater]) -> list[int] | None:
    """Tiles that the connection networks called connected, of each crater; None if they were not asked about each."""
    path = project.maps / "connections.parquet"
    table = pd.read_parquet(path) if path.exists() else pd.DataFrame(columns=["crater_id"])
    if not {crater.crater_id for crater in craters} <= set(table["crater_id"]):
        return None
    counts = table.groupby("crater_id")["connected"].sum()
    return [int(counts[crater.crater_id]) for crater in craters]


def _areas_km2(project: Project, craters: Sequence[Crater]) -> list[float]:
    """Mapped ground area of each crater's ejecta."""
    grid = project.mosaic.grid
    files = MapFiles(project.maps, grid)
    areas = []
    for crater in craters:
        rows = files.mask(crater.crater_id, grid.whole).sum(axis=1)
        areas.append(float(rows @ grid.row_area_m2) / 1e6)
    return areas
