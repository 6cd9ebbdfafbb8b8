"""Planets of noise to measure on, and networks that cost nothing.

A Dask worker frees its networks if this module is its preload. The answers are constant: every chip is connected, and
the whole reach is ejecta of probability 0.6, the most that a map can hold.
"""

from pathlib import Path

import numpy as np
import rasterio
import torch

from ejectamap.networks import Bundle, library_versions, save_bundle
from ejectamap.networks.bundle import BUILDERS, Normalisation
from ejectamap.networks.ensemble import Ensemble
from ejectamap.project import Project
from ejectamap.simulate.planet import make_grid
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
    """A project of a mosaic of noise, three bands, craters all over the globe; what is there already is used.

    Unless another reach is given, the first five craters have the far ones of the published catalogue.
    """
    if (folder / "project.yaml").exists():
        return Project.open(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    grid = make_grid(width_px, BODIES["mercury"])
    about = {"driver": "GTiff", "height": grid.height, "width": width_px, "count": 3}
    about |= {"dtype": "uint8", "crs": grid.crs, "transform": grid.transform, "tiled": True}
    with rasterio.open(folder / "mosaic.tif", "w", **about) as target:
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
        untrained_networks(project)
    return project


def untrained_networks(project: Project) -> None:
    """One network of each kind that the method needs, of random weights."""
    # Slow to import, and a worker that maps, for which this module is a preload, does not train.
    from ejectamap.training.recipes import RECIPES  # noqa: PLC0415
    from ejectamap.training.sources import Sources  # noqa: PLC0415

    sources = Sources((), {}, project.tile_side_m)
    for kind in project.settings.fittings:
        recipe = RECIPES[kind](project, sources)
        channels = recipe.arguments["in_channels"]
        described = recipe.arguments.get("metadata_size", 0)
        about = Normalisation((0.0,) * described, (1.0,) * described) if described else None
        bundle = Bundle(
            kind=kind,
            network=recipe.arguments,
            views=recipe.views,
            normalisation=Normalisation((0.0,) * channels, (1.0,) * channels),
            metadata_normalisation=about,
            training={},
            versions=library_versions(),
            model=BUILDERS[kind](**recipe.arguments, pretrained=False),
        )
        save_bundle(bundle, project.models / kind / "member-00")


def answer(
    ensemble: Ensemble, _: int, inputs: torch.Tensor, metadata: torch.Tensor | None = None
) -> torch.Tensor:
    """What a network that costs nothing says."""
    picture = () if ensemble.bundles[0].kind == "connection" else inputs.shape[2:]
    return torch.tensor(0.6).expand(len(inputs), *picture)


def free_networks() -> None:
    Ensemble._ask = answer
    Ensemble.__len__ = lambda self: VOTERS if self.bundles[0].kind == "connection" else 1


def dask_setup(_: object) -> None:
    free_networks()
