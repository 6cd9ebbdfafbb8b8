"""Linear scaling of a mosaic's bands and of all other input channels and metadata of a network."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ejectamap.world.mosaic import Floats, Mosaic


@dataclass(frozen=True)
class ChannelScaling:
    """Scaled value = (value - offset) / divisor, with one offset and one divisor per channel.

    Attributes
    ----------
    offset, divisor : tuple of float
        In the channel's unit; no divisor is 0.
    """

    offset: tuple[float, ...]
    divisor: tuple[float, ...]

    @classmethod
    def identity(cls, channels: int) -> "ChannelScaling":
        """The scaling that leaves channels unchanged."""
        return cls((0.0,) * channels, (1.0,) * channels)

    @classmethod
    def of_bands(cls, mosaic: Mosaic, scaling: str) -> "ChannelScaling":
        """Scaling of a mosaic's bands for a value of the setting `scaling`.

        "mosaic" standardises by the mean and standard deviation of the mosaic, or of the one that it is a part of.
        "255" (poster) and "training" divide by 255; with "training", the normalisation in the network's bundle then
        standardises by the training data.
        """
        if scaling != "mosaic":
            return cls((0.0,) * mosaic.bands, (255.0,) * mosaic.bands)
        mean, std = mosaic.whole.mean_and_std
        return cls(tuple(mean.tolist()), tuple(np.where(std > 0, std, 1.0).tolist()))

    def apply(self, values: Floats, valid: npt.NDArray[np.bool_]) -> Floats:
        """Scale a copy of channels (channel, ...), and set it to 0 where `valid` (...) is False."""
        scaled = values.copy()
        self.apply_in_place(scaled, valid)
        return scaled

    def apply_in_place(self, values: Floats, valid: npt.NDArray[np.bool_]) -> None:
        """Scale channels (channel, ...) in place, and set them to 0 where `valid` (...) is False."""
        tail = (1,) * (values.ndim - 1)
        if any(self.offset):
            values -= np.array(self.offset, np.float32).reshape(-1, *tail)
        values /= np.array(self.divisor, np.float32).reshape(-1, *tail)
        if not valid.all():
            values *= valid
