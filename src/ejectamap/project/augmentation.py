"""Settings of the changed copies that a network learns from; the published recipes change nothing."""

from pydantic import Field

from ejectamap.project.section import Section


class CorridorAugmentation(Section):
    """How pictures are changed in training; nothing is by default."""

    flips: bool = Field(False, description="half of them mirrored (a corridor across its axis)")
    contrast: float = Field(
        0.0, ge=0, lt=1, description="each band's contrast changed by up to this share"
    )
    brightness: float = Field(
        0.0, ge=0, description="each band's level changed by up to this share of its spread"
    )
    blur_px: float = Field(0.0, ge=0, description="bands blurred by up to so many pixels (sigma)")


class ChipAugmentation(CorridorAugmentation):
    """How pictures are changed in training; nothing is by default."""

    quarter_turns: bool = Field(
        False, description="turned by 0, 90, 180 or 270 degrees; not with views.radial_up"
    )


class PolarAugmentation(CorridorAugmentation):
    """How pictures are changed in training; nothing is by default."""

    turns: bool = Field(False, description="turned about the crater by any angle")
    stretch: float = Field(
        1.0, ge=1, description="range of the picture changed by up to this factor; 1: not"
    )
    fewer_bands: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of them without their last band or bands: with scaling ejecta, what mosaics of one or two"
        " bands look like",
    )
