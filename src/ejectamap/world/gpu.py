"""A mosaic in a GPU's memory, of which pictures are sampled by the hundred in one operation.

The same as `Mosaic.sample_picture`, one picture after another, within 0.01 pixels: there coordinates are interpolated,
here each pixel's are computed, in double precision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ejectamap.world.mosaic import Mosaic
from ejectamap.world.picture import Picture

_SLAB_PIXELS = 2**22  # sampled at once: some 500 MB of coordinates, weights and indices


@lru_cache(maxsize=1)
def on_device(mosaic: Mosaic, device: str) -> "DeviceMosaic":
    """The mosaic in a device's memory; the last one asked for stays there."""
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
        """Copy a mosaic there."""
        odd = mosaic.dtype.kind == "u" and mosaic.dtype.itemsize > 1
        levels = (level.astype(np.float32) if odd else level for level in mosaic.levels)
        return cls(
            mosaic,
            device,
            tuple(torch.from_numpy(level).flatten(0, 1).to(device) for level in levels),
            tuple(torch.from_numpy(mask).flatten().to(device) for mask in mosaic.masks),
        )

    def sample(self, pictures: Sequence[Picture]) -> tuple[Tensor, Tensor]:
        """Sample all bands of pictures of one size, bilinearly.

        Returns
        -------
        values : float32 Tensor (k, band, n, m)
            In the raster's units, 0 where there is no data.
        valid : bool Tensor (k, n, m)
            Where at least half of the bilinear weight fell on data.
        """
        shape = len(pictures[0].y_m), len(pictures[0].x_m)
        some = max(1, _SLAB_PIXELS // (shape[0] * shape[1]))
        values = torch.empty((len(pictures), self.mosaic.bands, *shape), device=self.device)
        valid = torch.empty((len(pictures), *shape), dtype=torch.bool, device=self.device)
        levels = np.array([self.mosaic.level(picture.spacing_m) for picture in pictures])
        for level in np.unique(levels):
            (alike,) = np.nonzero(levels == level)
            for first in range(0, len(alike), some):
                slab = alike[first : first + some]
                places = self._places([pictures[k] for k in slab])
                here = torch.from_numpy(slab).to(self.device)
                values[here], valid[here] = self._blend(int(level), *places)
        return values, valid

    def _places(self, pictures: Sequence[Picture]) -> tuple[Tensor, Tensor]:
        """Longitude east of the mosaic's left edge, 0 to 2 pi, and latitude of every pixel; radians, (k, n, m)."""
        radius_m = self.mosaic.grid.radius_m
        axes = self._upload([picture.axes for picture in pictures])
        x = self._upload([picture.x_m for picture in pictures])[:, None, :] / radius_m
        y = self._upload([picture.y_m for picture in pictures])[:, :, None] / radius_m
        if pictures[0].curved:
            away = torch.hypot(x, y)
            sinc = torch.sinc(away / torch.pi)
            local = torch.cos(away), x * sinc, y * sinc
        else:
            local = (
                torch.cos(y) * torch.cos(x),
                torch.cos(y) * torch.sin(x),
                torch.sin(y).expand_as(x + y),
            )
        east, aside, up = torch.einsum("aknm,kab->bknm", torch.stack(local), axes)
        west = np.radians(self.mosaic.grid.lon_west)
        lon = torch.remainder(torch.atan2(aside, east) - west, 2 * torch.pi)
        return lon, torch.atan2(up, torch.hypot(east, aside))

    def _blend(self, level: int, lon: Tensor, lat: Tensor) -> tuple[Tensor, Tensor]:
        """Bilinear values (k, band, n, m) of a level at places (k, n, m), and where there are any."""
        height, width, bands = self.mosaic.levels[level].shape
        col = lon * (width / (2 * torch.pi)) - 0.5
        row = (torch.pi / 2 - lat) * (height / torch.pi) - 0.5
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
