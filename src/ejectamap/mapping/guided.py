"""Edges finer than a polar picture can be: chips outlined by networks that also see what the polar look found."""

from typing import ClassVar

from ejectamap.mapping.from_chips import Outline
from ejectamap.mapping.polar_connect import PolarConnect
from ejectamap.mapping.two_stage import ejecta_outliner
from ejectamap.networks.polar_answer import FAINT, PolarAnswer


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

    def _outliner(self, answer: PolarAnswer) -> Outline:
        """How the connected chips are outlined."""
        return ejecta_outliner(self.project, self.outlining, answer.view.crater, answer)
