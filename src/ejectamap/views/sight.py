"""What networks see of chips: bands and channels that say where they are; of one chip, or of many at once on a GPU."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ejectamap.views.chip import Chip
from ejectamap.views.corridor import Corridor
from ejectamap.views.inputs import BandScaling, chip_about
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
    about : callable
        From a chip to the channels that come after the bands, float32 (k, n, m); k may be 0.
    """

    mosaic: Mosaic
    scaling: BandScaling
    picture: Callable[[Chip], Picture]
    about: Callable[[Chip], Floats]

    def look(self, chip: Chip) -> Floats:
        """Bands and the other channels of one chip, (band + k, n, m)."""
        picture, about = self.picture(chip), self.about(chip)
        seen = np.empty((self.mosaic.bands + len(about), *about.shape[1:]), np.float32)
        self._fill(seen, picture, about)
        return seen

    def look_into(self, seen: Floats, chip: Chip) -> None:
        """The same into memory that is there, (band + k, n, m)."""
        self._fill(seen, self.picture(chip), self.about(chip))

    def _fill(self, seen: Floats, picture: Picture, about: Floats) -> None:
        bands = seen[: self.mosaic.bands]
        _, valid = self.mosaic.sample_picture(picture, bands)
        self.scaling.apply_in_place(bands, valid)
        seen[self.mosaic.bands :] = about

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
        return replace(
            self, about=lambda chip: np.concatenate([self.about(chip), more(chip)[None]])
        )

    def telling_nothing(self) -> "Sight":
        """The bands alone."""
        return replace(
            self, about=lambda chip: np.zeros((0, *_shape(self.picture(chip))), np.float32)
        )


def chip_sight(
    mosaic: Mosaic,
    scaling: BandScaling,
    crater: Crater,
    size_px: int,
    distance: str = "metres",
    log_distance: bool = True,
    rivals: Sequence[Crater] | None = None,
) -> Sight:
    """How segmentation networks look at a crater's chips; see `inputs.chip_about`, by default log10 of metres."""
    how = size_px, distance, log_distance, rivals
    return Sight(
        mosaic,
        scaling,
        picture=lambda chip: chip.picture(crater, size_px),
        about=lambda chip: chip_about(crater, mosaic.grid.radius_m, chip, *how),
    )


def corridor_sight(
    mosaic: Mosaic, scaling: BandScaling, crater: Crater, size_px: tuple[int, int]
) -> Sight:
    """How connection networks look along the corridors from a crater to its chips; size is (length, width)."""
    return Sight(
        mosaic,
        scaling,
        picture=lambda chip: Corridor.between(crater, chip).picture(crater, size_px),
        about=lambda chip: Corridor.between(crater, chip).marker(crater, size_px)[None],
    )


def _shape(picture: Picture) -> tuple[int, int]:
    return len(picture.y_m), len(picture.x_m)
