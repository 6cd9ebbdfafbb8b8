"""Edges finer than a polar picture can be: chips outlined by networks that also see what the polar look found."""

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ejectamap.mapping.polar_connect import PolarConnect
from ejectamap.mapping.two_stage import outline_ejecta
from ejectamap.networks.polar_answer import FAINT, PolarAnswer
from ejectamap.views.chip import Chip

Floats = npt.NDArray[np.float32]


class Guided(PolarConnect):
    """Chips in which the context networks see the faintest ejecta, outlined with their answer as a guide.

    The guide says whose ejecta they are and where about; the chip, as fine as the mosaic, says where they end. A chip
    whose polar probabilities are all below `FAINT` is not looked at and counts as 0.
    """

    outliner: ClassVar[str] = "guided"
    settings: ClassVar[tuple[str, ...]] = ("views.overlap",)

    def _level(self) -> float:
        """Polar probability above which a chip is outlined."""
        return FAINT

    def _outline(self, answer: PolarAnswer, chips: list[Chip]) -> Floats:
        """Probabilities (k, n, n) of the connected chips."""
        crater = answer.view.crater
        return outline_ejecta(self.project, self.outlining, crater, chips, answer)
