"""What networks see of chips: bands and channels that say where they are; of one chip, or of many at once on a GPU."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ejectamap.views.chip import Chip
from ejectamap.views.corridor import Corridor
from ejectamap.views.inputs import BandScaling, tell_of_chip
from ejectamap.world.craters import Crater
from ejectamap.world.gpu import DeviceMosaic
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.picture import Picture

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sight:
    """How a network looks at the chips of a crater.

    Attributes
    ----------
    mosaic : Mosaic
    scaling : BandScaling
    picture : callable
        From a chip to the picture of the mosaic that is taken: of the chip itself, or of the corridor to it.
    channels : int
        How many come after the bands; may be 0.
    tell : callable
        From a chip to those channels, which it writes into memory of float32 (channel, n, m).
    """

    mosaic: Mosaic
    scaling: BandScaling
    picture: Callable[[Chip], Picture]
    channels: int
    tell: Callable[[Chip, Floats], None]

    def look(self, chip: Chip) -> Floats:
        """Bands and the other channels of one chip, (band + channel, n, m)."""
        seen = np.empty((self.mosaic.bands + self.channels, *self.picture(chip).shape), np.float32)
        self.look_into(seen, chip)
        return seen

    def look_into(self, seen: Floats, chip: Chip) -> None:
        """The same into memory that is there, (band + channel, n, m)."""
        bands = seen[: self.mosaic.bands]
        _, valid = self.mosaic.sample_picture(self.picture(chip), bands)
        self.scaling.apply_in_place(bands, valid)
        self.tell(chip, seen[self.mosaic.bands :])

    def about(self, chip: Chip) -> Floats:
        """The channels that come after the bands alone, (channel, n, m)."""
        told = np.empty((self.channels, *self.picture(chip).shape), np.float32)
        self.tell(chip, told)
        return told

    def look_on(
        self, mosaic: DeviceMosaic, pictures: Sequence[Picture], about: Sequence[Floats]
    ) -> Tensor:
        """The same for many chips at once, on a torch device, from their pictures and other channels.

        Parameters
        ----------
        mosaic : DeviceMosaic
            This sight's own.
        pictures : sequence of Picture
        about : sequence of arrays

        Returns
        -------
        float32 Tensor (chip, band + k, n, m), there
        """
        values, valid = mosaic.sample(pictures)
        shape = (1, -1, 1, 1)
        offset = values.new_tensor(self.scaling.offset).reshape(shape)
        divisor = values.new_tensor(self.scaling.divisor).reshape(shape)
        bands = (values - offset) / divisor * valid[:, None]
        return torch.cat([bands, torch.from_numpy(np.stack(about)).to(bands)], dim=1)

    def telling(self, more: Callable[[Chip], Floats]) -> "Sight":
        """The same with one more channel (n, m), the last."""

        def tell(chip: Chip, told: Floats) -> None:
            self.tell(chip, told[:-1])
            told[-1] = more(chip)

        return replace(self, channels=self.channels + 1, tell=tell)

    def telling_nothing(self) -> "Sight":
        """The bands alone."""
        return replace(self, channels=0, tell=lambda _chip, _told: None)


def chip_sight(
    mosaic: Mosaic,
    scaling: BandScaling,
    crater: Crater,
    size_px: int,
    distance: str = "metres",
    log_distance: bool = True,
    rivals: Sequence[Crater] | None = None,
) -> Sight:
    """How segmentation networks look at a crater's chips; see `inputs.tell_of_chip`, by default log10 of metres."""
    how = distance, log_distance, rivals
    return Sight(
        mosaic,
        scaling,
        picture=lambda chip: chip.picture(crater, size_px),
        channels=1 if rivals is None else 2,
        tell=lambda chip, told: tell_of_chip(told, crater, mosaic.grid.radius_m, chip, *how),
    )


def corridor_sight(
    mosaic: Mosaic, scaling: BandScaling, crater: Crater, size_px: tuple[int, int]
) -> Sight:
    """How connection networks look along the corridors from a crater to its chips; size is (length, width)."""
    return Sight(
        mosaic,
        scaling,
        picture=lambda chip: Corridor.between(crater, chip).picture(crater, size_px),
        channels=1,
        tell=lambda chip, told: Corridor.between(crater, chip).mark(crater, told[0]),
    )
