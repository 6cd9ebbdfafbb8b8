"""Mosaics of noise, and networks that take no time, to measure everything else.

A Dask worker with this module as its preload uses such networks. Their probability is always 0.6: every chip is
connected, and the whole reach is ejecta, the most that a map can hold.
"""

from pathlib import Path

import numpy as np
import rasterio
import torch

from ejectamap.networks.ensemble import Ensemble
from ejectamap.project.folder import Project
from ejectamap.simulation.planet import make_grid
from ejectamap.world.body import BODIES

VOTERS = 10
FAR = {0: 0.75, 1: 0.5, 2: 0.5, 3: 0.5, 4: 0.5}
"""Reaches of craters beyond the default."""


def noise_planet(
    folder: Path,
    width_px: int,
    craters: int,
    preset: str = "laptop",
    reach: float | None = None,
) -> Project:
    """A project with a mosaic of noise, three bands, and craters all over the globe; an existing one is opened.

    Unless a reach is given, the first five craters have the larger ones of the published catalogue.
    """
    if (folder / "project.yaml").exists():
        return Project.open(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    grid = make_grid(width_px, BODIES["mercury"])
    profile = {"driver": "GTiff", "height": grid.height, "width": width_px, "count": 3}
    profile |= {"dtype": "uint8", "crs": grid.crs, "transform": grid.transform, "tiled": True}
    with rasterio.open(folder / "mosaic.tif", "w", **profile) as target:
        for row in range(0, grid.height, 256):
            rows = min(256, grid.height - row)
            part = rng.integers(1, 255, (3, rows, width_px), np.uint8)
            target.write(part, window=((row, row + rows), (0, width_px)))
    lines = ["crater_id,name,lon,lat,radius_m,reach"]
    for k in range(craters):
        lat = np.degrees(np.arcsin(rng.uniform(-1, 1)))
        place = f"{rng.uniform(-180, 180):.4f},{lat:.4f}"
        lines.append(f"{k},C{k},{place},{rng.uniform(10e3, 40e3):.0f},{reach or FAR.get(k, 0.25)}")
    (folder / "craters.csv").write_text("\n".join(lines) + "\n")
    project = Project.create(
        folder, folder / "mosaic.tif", folder / "craters.csv", None, preset=preset
    )
    if project.settings.method != "polar":
        # Imported here because it is slow, and a worker that has this module as its preload does not need it.
        from ejectamap.training.untrained import save_untrained_networks  # noqa: PLC0415

        # Without a seed, chance decides whether chips are connected, and with it the work of the published networks.
        torch.manual_seed(0)
        save_untrained_networks(project)
    return project


def is_connection(ensemble: Ensemble) -> bool:
    return ensemble.bundles[0].description.kind == "connection"


def constant_probability(
    ensemble: Ensemble, _: int, inputs: torch.Tensor, metadata: torch.Tensor | None = None
) -> torch.Tensor:
    """Stands for `Ensemble._predict`."""
    image = () if is_connection(ensemble) else inputs.shape[2:]
    return torch.tensor(0.6).expand(len(inputs), *image)


def use_constant_networks() -> None:
    """Replace all networks of this process by ones that take no time; ten of them vote on connections."""
    Ensemble._predict = constant_probability
    Ensemble.__len__ = lambda self: VOTERS if is_connection(self) else 1


def dask_setup(_: object) -> None:
    use_constant_networks()
