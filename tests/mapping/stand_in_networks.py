"""Stand-ins for ensembles whose probabilities are a known function of their inputs, and a planet to map with them."""

import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ejectamap.networks.vote import Vote, vote
from ejectamap.project.bundle_views import ChipViews, CorridorViews, NetworkViews, PolarViews
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import azimuthal_inverse, distance

R = 2_439_400.0


@dataclasses.dataclass
class StandIn:
    """An ensemble whose probabilities are a function of its inputs."""

    predict: Callable[[Tensor], Tensor]
    views: NetworkViews
    size: int = 1

    @property
    def bundles(self) -> tuple[SimpleNamespace, ...]:
        description = SimpleNamespace(raises_faint_rays=False)
        return (SimpleNamespace(calibration=None, description=description),) * self.size

    device = "cpu"

    def __len__(self) -> int:
        return self.size

    def probabilities(self, inputs: Tensor, metadata: Tensor | None = None) -> Tensor:
        return torch.stack([self.predict(inputs)] * self.size, 1)

    def mean(self, inputs: Tensor, metadata: Tensor | None = None) -> Tensor:
        return self.predict(inputs)

    def vote(self, inputs: Tensor, threshold: float, batch: int) -> Vote:
        return vote([self.predict] * self.size, inputs, threshold, batch)


CHIPS = ChipViews(bands=2, scaling="255", chip_px=64, tile_m=400e3)
WITH_METADATA = CHIPS.model_copy(update={"annulus_radii": (2.0, 3.0)})
VIEWS: dict[str, NetworkViews] = {
    "connection": CorridorViews(bands=2, scaling="255", corridor_px=(128, 32)),
    "segmentation": WITH_METADATA,
    "context": PolarViews(bands=2, scaling="255", polar_px=(160, 320), polar_power=0.5),
    "guided": WITH_METADATA,
    "distance-only": CHIPS,
    "agnostic": CHIPS,
}


def first_band(inputs: Tensor) -> Tensor:
    """Ejecta are where the first band is bright."""
    return inputs[:, 0].clamp(0, 1)


def any_bright(inputs: Tensor) -> Tensor:
    """Connected are pictures with any bright pixel."""
    return (inputs[:, 0].amax(dim=(1, 2)) > 0.05).float()


STAND_INS: dict[str, dict[str, Any]] = {
    "two-stage": {"connection": any_bright, "segmentation": first_band},
    "polar": {"context": first_band},
    "guided": {"context": first_band, "guided": first_band},
    "distance-only": {"distance-only": first_band},
    "agnostic": {"agnostic": first_band},
}


def painted(
    grid: Grid, crater: Crater, valid: np.ndarray | None = None
) -> tuple[Mosaic, np.ndarray]:
    """A planet whose first band shows a blanket and an offset blob, with soft edges; and that band, 0 to 1."""
    lon, lat = np.broadcast_arrays(*grid.centres(grid.whole))
    blob = azimuthal_inverse(600e3, 700e3, crater.lon, crater.lat, R)
    near = distance(crater.lon, crater.lat, lon, lat, R)
    far = distance(*blob, lon, lat, R)
    truth = np.clip(np.maximum((400e3 - near) / 200e3, (300e3 - far) / 200e3), 0, 1)
    values = np.stack([255 * truth, np.zeros(grid.shape)]).astype(np.float32)
    everywhere = np.ones(grid.shape, bool) if valid is None else valid
    return Mosaic.from_array(values, everywhere, grid, ("a", "b")), truth
