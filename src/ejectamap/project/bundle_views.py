"""The input pictures of a trained network, as its bundle describes them: typed, and of a known version."""

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, model_validator

from ejectamap.errors import SettingsError
from ejectamap.project.migrations import drop_removed

V = TypeVar("V", bound="NetworkViews")


class NetworkViews(BaseModel):
    """What all views have in common.

    Attributes
    ----------
    version : int
        Of these keys; bundles of ejectamap 0.1 have none and are read as 1.
    bands : int or None
        Bands of the mosaics it was trained on; None if it takes any number (context networks on ejecta axes).
    scaling : str
        How bands are scaled: "255", "mosaic", "training" or "ejecta"; see the settings.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    bands: int | None = None
    scaling: str

    @model_validator(mode="before")
    @classmethod
    def _without_removed_options(cls, values: Any) -> Any:
        """Bundles of ejectamap 0.1 name options that were removed."""
        if not isinstance(values, dict):
            return values
        try:
            return drop_removed(values)
        except SettingsError as error:
            raise ValueError(str(error)) from None

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON; what is None is left out."""
        return self.model_dump(mode="json", exclude_none=True)

    def narrow(self, kind: type[V]) -> V:
        """The same views as the subclass that they are."""
        assert isinstance(self, kind), f"these are {type(self).__name__}"
        return self


class CorridorViews(NetworkViews):
    """Corridors.

    Attributes
    ----------
    corridor_px : (int, int)
        Length and width of the picture.
    """

    corridor_px: tuple[int, int]


class ChipViews(NetworkViews):
    """Chips.

    Attributes
    ----------
    chip_px : int
        Side of the picture.
    tile_m : float
        Side of a chip on the ground.
    annulus_radii : (float, float) or None
        Ring around the crater whose band means are metadata, in crater radii; None without metadata.
    """

    chip_px: int
    tile_m: float
    annulus_radii: tuple[float, float] | None = None


class PolarViews(NetworkViews):
    """Polar views.

    Attributes
    ----------
    polar_px : (int, int)
        Rows and columns at a reach of 0.25.
    polar_power : float
        Power of the range in which rows are evenly spaced.
    """

    polar_px: tuple[int, int]
    polar_power: float
