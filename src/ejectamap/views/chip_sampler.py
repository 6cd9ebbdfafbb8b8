"""Sample the input channels of networks for a crater's chips: scaled bands, and the position of the crater."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ejectamap.views.chip import Chip
from ejectamap.views.corridor import Corridor
from ejectamap.views.inputs import write_distance
from ejectamap.views.scaling import ChannelScaling
from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Floats, Mosaic
from ejectamap.world.sampling_grid import SamplingGrid

ChannelWriter = Callable[[Chip, Floats], None]
"""Writes one channel of a chip into an array (n, m)."""


@dataclass(frozen=True)
class ChipSampler:
    """Samples the network inputs of one crater's chips.

    Attributes
    ----------
    mosaic : Mosaic
    scaling : ChannelScaling
        Of the bands.
    sampling_grid : callable
        From a chip to the points that are sampled: over the chip itself, or over the corridor to it.
    channels : sequence of callable
        Writers of the channels that follow the bands.
    """

    mosaic: Mosaic
    scaling: ChannelScaling
    sampling_grid: Callable[[Chip], SamplingGrid]
    channels: Sequence[ChannelWriter]

    def shape(self, chip: Chip) -> tuple[int, int, int]:
        """Shape (channel, n, m) of a chip's inputs."""
        return self.mosaic.bands + len(self.channels), *self.sampling_grid(chip).shape

    def read(self, chip: Chip) -> Floats:
        """Read all input channels of one chip, float32 (channel, n, m)."""
        inputs = np.empty(self.shape(chip), np.float32)
        self.read_into(inputs, chip)
        return inputs

    def read_into(self, out: Floats, chip: Chip) -> None:
        """Read all input channels of one chip into an existing array (channel, n, m)."""
        bands = out[: self.mosaic.bands]
        _, valid = self.mosaic.sample_on_grid(self.sampling_grid(chip), bands)
        self.scaling.apply_in_place(bands, valid)
        self._write_channels(chip, out[self.mosaic.bands :])

    def read_channels(self, chip: Chip) -> Floats:
        """Compute the channels that follow the bands, without the bands; float32 (k, n, m)."""
        out = np.empty((len(self.channels), *self.sampling_grid(chip).shape), np.float32)
        self._write_channels(chip, out)
        return out

    def with_channel(self, write: ChannelWriter) -> "ChipSampler":
        """A sampler with one more channel, the last."""
        return replace(self, channels=(*self.channels, write))

    def _write_channels(self, chip: Chip, out: Floats) -> None:
        for write, channel in zip(self.channels, out, strict=True):
            write(chip, channel)


def chip_sampler(
    mosaic: Mosaic,
    scaling: ChannelScaling,
    crater: Crater,
    size_px: int,
    channels: Sequence[str] = ("distance",),
) -> ChipSampler:
    """Build a sampler of a crater's chips of `size_px` pixels a side.

    If `channels`, the names of the channels after the bands, include "distance", the sampler writes that channel; a
    channel "guide" is added by `ChipSampler.with_channel`.
    """
    return ChipSampler(
        mosaic,
        scaling,
        sampling_grid=lambda chip: chip.sampling_grid(crater, size_px),
        channels=(write_distance,) if "distance" in channels else (),
    )


def corridor_sampler(
    mosaic: Mosaic, scaling: ChannelScaling, crater: Crater, size_px: tuple[int, int]
) -> ChipSampler:
    """Build a sampler of the corridors from a crater to its chips, `size_px` (length, width), with the marker."""
    return ChipSampler(
        mosaic,
        scaling,
        sampling_grid=lambda chip: Corridor.between(crater, chip).sampling_grid(crater, size_px),
        channels=(lambda chip, out: Corridor.between(crater, chip).write_marker(crater, out),),
    )
