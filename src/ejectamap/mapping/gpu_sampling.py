"""Sample hundreds of chips in one operation from a mosaic in a GPU's memory.

Values equal those of `Mosaic.sample_on_grid` within 0.01 mosaic pixels: there coordinates are interpolated, here each
point's are computed, in double precision.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ejectamap.networks.bundle import scale_channels
from ejectamap.views.chip_sampler import ChipSampler
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sampling_grid import SamplingGrid

_SLAB_PIXELS = 2**22  # sampled at once: some 500 MB of coordinates, weights and indices


@lru_cache(maxsize=1)
def on_device(mosaic: Mosaic, device: str) -> "DeviceMosaic":
    """The mosaic in a device's memory; the last one stays there."""
    return DeviceMosaic.load(mosaic, device)


@dataclass(frozen=True)
class DeviceMosaic:
    """A mosaic in the memory of a torch device.

    Attributes
    ----------
    mosaic : Mosaic
        The same in the processor's memory.
    device : str
    levels : tuple of Tensor, each (rows * cols, bands)
        The pyramid, finest first, in the raster's data type where torch can pick from it, else in float32.
    masks : tuple of Tensor, each (rows * cols / 8,)
        Where each level has data: one bit a pixel, lowest bit first.
    """

    mosaic: Mosaic
    device: str
    levels: tuple[Tensor, ...]
    masks: tuple[Tensor, ...]

    @classmethod
    def load(cls, mosaic: Mosaic, device: str) -> "DeviceMosaic":
        """Copy a mosaic to a device."""
        needs_float = mosaic.dtype.kind == "u" and mosaic.dtype.itemsize > 1
        levels = (level.astype(np.float32) if needs_float else level for level in mosaic.levels)
        return cls(
            mosaic,
            device,
            tuple(_to_device(level, device).flatten(0, 1) for level in levels),
            tuple(_to_device(mask, device).flatten() for mask in mosaic.masks),
        )

    def sample(self, grids: Sequence[SamplingGrid]) -> tuple[Tensor, Tensor]:
        """Sample all bands at the points of grids of one size, bilinearly.

        Returns
        -------
        values : float32 Tensor (k, band, n, m)
            In the raster's units, 0 where there is no data.
        valid : bool Tensor (k, n, m)
            Where at least half of the bilinear weight fell on data.
        """
        shape = grids[0].shape
        per_slab = max(1, _SLAB_PIXELS // (shape[0] * shape[1]))
        values = torch.empty((len(grids), self.mosaic.bands, *shape), device=self.device)
        valid = torch.empty((len(grids), *shape), dtype=torch.bool, device=self.device)
        levels = np.array([self.mosaic.level(grid.spacing_m) for grid in grids])
        for level in np.unique(levels):
            (same_level,) = np.nonzero(levels == level)
            for first in range(0, len(same_level), per_slab):
                slab = same_level[first : first + per_slab]
                places = self._places([grids[k] for k in slab])
                indices = torch.from_numpy(slab).to(self.device)
                values[indices], valid[indices] = self._blend(int(level), *places)
        return values, valid

    def _places(self, grids: Sequence[SamplingGrid]) -> tuple[Tensor, Tensor]:
        """Longitude east of the mosaic's left edge, 0 to 2 pi, and latitude of every pixel; radians, (k, n, m)."""
        radius_m = self.mosaic.grid.radius_m
        axes = self._upload([grid.axes for grid in grids])
        x = self._upload([grid.x_m for grid in grids])[:, None, :] / radius_m
        y = self._upload([grid.y_m for grid in grids])[:, :, None] / radius_m
        if grids[0].is_azimuthal:
            angle = torch.hypot(x, y)
            sinc = torch.sinc(angle / torch.pi)
            local = torch.cos(angle), x * sinc, y * sinc
        else:
            local = (
                torch.cos(y) * torch.cos(x),
                torch.cos(y) * torch.sin(x),
                torch.sin(y).expand_as(x + y),
            )
        x, y, z = torch.einsum("aknm,kab->bknm", torch.stack(local), axes)
        west = np.radians(self.mosaic.grid.lon_west)
        lon = torch.remainder(torch.atan2(y, x) - west, 2 * torch.pi)
        return lon, torch.atan2(z, torch.hypot(x, y))

    def _blend(self, level: int, lon: Tensor, lat: Tensor) -> tuple[Tensor, Tensor]:
        """Bilinear values (k, band, n, m) of a level at places (k, n, m), and where there are any."""
        height, width, bands = self.mosaic.levels[level].shape
        north, span = np.radians((self.mosaic.grid.lat_north, self.mosaic.grid.span_deg))
        col = lon * (width / (2 * torch.pi)) - 0.5
        row = (north - lat) * (height / span) - 0.5
        left, top = col.floor(), row.floor()
        right, down = (col - left).float(), (row - top).float()
        values, total = (
            torch.zeros((*lon.shape, bands), device=self.device),
            torch.zeros_like(right),
        )
        for k in range(4):
            weight = (down if k // 2 else 1 - down) * (right if k % 2 else 1 - right)
            where, byte, bit = self._pixel(level, left.long() + k % 2, top.long() + k // 2)
            weight = weight * ((self.masks[level][byte] >> bit) & 1)
            values += weight[..., None] * self.levels[level][where]
            total += weight
        valid = total >= 0.5
        values = torch.where(valid[..., None], values / total.clamp(min=0.5)[..., None], 0.0)
        return values.movedim(-1, 1), valid

    def _pixel(self, level: int, col: Tensor, row: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Where a level's pixels lie in memory, and byte and bit of their masks; over dateline and poles."""
        height, width, _ = self.mosaic.levels[level].shape
        # Over a pole the neighbour is the same row on the opposite meridian.
        over = (row < 0) | (row >= height)
        row = torch.where(row < 0, -1 - row, torch.where(row >= height, 2 * height - 1 - row, row))
        col = (col + over * (width // 2)) % width
        return row * width + col, row * -(-width // 8) + (col >> 3), (col & 7).to(torch.uint8)

    def _upload(self, arrays: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).to(self.device)


def _to_device(array: np.ndarray, device: str) -> Tensor:
    """Copy an array to a device."""
    with warnings.catch_warnings():
        # Nothing writes to the tensor either.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array).to(device)


def read_on_device(
    sampler: ChipSampler,
    mosaic: DeviceMosaic,
    grids: Sequence[SamplingGrid],
    channels: Sequence[np.ndarray],
) -> Tensor:
    """Inputs of many chips at once, the same as `ChipSampler.read` of each.

    Parameters
    ----------
    sampler : ChipSampler
    mosaic : DeviceMosaic
        The sampler's own.
    grids : sequence of SamplingGrid
        Of the chips.
    channels : sequence of float32 array (k, n, m)
        The channels that follow the bands.

    Returns
    -------
    float32 Tensor (chip, band + k, n, m), on the device
    """
    values, valid = mosaic.sample(grids)
    bands = scale_channels(sampler.scaling, values) * valid[:, None]
    return torch.cat([bands, torch.from_numpy(np.stack(channels)).to(bands)], dim=1)
