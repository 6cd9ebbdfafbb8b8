"""Everything that can be set in a project, with its documentation: `project.yaml` is written from this page.

The defaults are the poster's recipe (preset `poster`); other presets are YAML files that change some of them.
"""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from ejectamap.project.fitting import Connection, Context, Fitting, Segmentation
from ejectamap.project.section import Count, Fraction, Pixels, Reach, Section

METHOD_NETWORKS = {
    "two-stage": ("connection", "segmentation"),
    "polar": ("context",),
    "polar-connect": ("context", "segmentation"),
    "guided": ("context", "guided"),
    "distance-only": ("distance-only",),
    "agnostic": ("agnostic",),
}
"""The methods, and the kinds of networks that each needs, in the order of training."""
_SECTIONS = dict.fromkeys(("guided", "distance-only", "agnostic"), "segmentation")


class Inputs(Section):
    """The files that a project starts from; relative paths start at the project folder."""

    mosaic: str = Field(description="whole-globe raster, equidistant cylindrical on a sphere")
    craters: str = Field(description="CSV, GeoPackage or shapefile of fresh craters")
    labels: str | None = Field(
        None,
        description="folder of mask_crater_{id}.tif, or vector layer with crater_id; null: map only",
    )
    tiles: str | None = Field(
        None,
        description="CSV of fully labelled windows; null: labels are complete within each crater's reach",
    )
    split: str | None = Field(
        None,
        description="CSV of crater_id, tile_id, test (0 train, 1 test, -1 unused); null: drawn as training.split says",
    )
    reach: dict[int, Reach] = Field(
        default_factory=dict,
        description="reach of some craters by id, over the catalogue's: {12: 0.5}",
    )


class Views(Section):
    """How the networks look at the ground."""

    tile_km: float | None = Field(
        None,
        gt=0,
        description="side of a chip on the ground; null: as the labelled tiles, else one chip pixel per mosaic pixel",
    )
    chip_px: Pixels = Field(224, description="size of the segmentation network's picture")
    overlap: Fraction = Field(0.5, description="how much neighbouring chips overlap when mapping")
    corridor_px: tuple[Pixels, Pixels] = Field(
        (448, 112), description="length and width of the connection network's picture"
    )
    annulus_radii: tuple[float, float] = Field(
        (2.0, 3.0),
        description="ring around the crater whose band means are metadata, in crater radii",
    )
    distance: Literal["metres", "radii", "rank"] = Field(
        "metres",
        description="a chip's distance channel: metres, crater radii, or each pixel's rank in the chip (0 to 1)",
    )
    log_distance: bool = Field(True, description="its logarithm (base 10) instead")
    rivals: bool = Field(
        False,
        description="one more channel of a chip: how much nearer (in crater radii, log10) the nearest other crater is",
    )
    radial_up: bool = Field(
        False,
        description="chips turned so that up is away from the crater, and rays run from bottom to top; overlap has to"
        " be 0.293 or more",
    )
    polar_px: tuple[Pixels, Pixels] = Field(
        (256, 640),
        description="rows (range) and columns (azimuth) of the polar picture at a reach of 0.25",
    )
    polar_power: float = Field(
        0.5, gt=0, le=1, description="polar rows are even in this power of the range"
    )


class Training(Section):
    """What the networks learn from."""

    split: Literal["pairs", "place"] = Field(
        "pairs",
        description="pairs: as published, a tile may teach with one crater and test with another; "
        "place: no tile overlaps one of the other side",
    )
    test_fraction: float = Field(
        0.2,
        ge=0,
        le=1,
        description="share of the pairs held out for the evaluation; 0: all teach; 1: only also_train_on teaches",
    )
    validation_fraction: Fraction = Field(
        0.1, description="share of the rest that decides when to stop"
    )
    max_minutes: float | None = Field(
        None, gt=0, description="time budget of all training; null: none"
    )
    start_from: str = Field(
        "none",
        description="networks to start from: builtin (those that come with the program), a models folder, or none",
    )
    accelerator: str = Field(
        "auto", description="what to train on, as Lightning names it: cpu, gpu"
    )
    devices: Count = Field(1, description="GPUs, or processes, on each machine")
    nodes: Count = Field(1, description="machines")
    strategy: str = Field(
        "auto", description="how several devices work together, as Lightning names it: ddp, ..."
    )
    loader_workers: Annotated[int, Field(ge=0)] | Literal["auto"] = Field(
        "auto",
        description="processes that make pictures while the network learns; auto: on a GPU one a core, else none",
    )
    also_train_on: tuple[str, ...] = Field(
        (), description="other project folders whose labels are learnt from too"
    )
    plant: int = Field(
        0,
        ge=0,
        description="simulated craters put on the mosaic, whose known ejecta are learnt from too",
    )
    families: tuple[str, ...] = Field(
        (), description="learn only from this project's craters of these families; none named: all"
    )


class Mapping(Section):
    """How the maps are made."""

    threshold: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="probability above which a pixel is in the mask; polar-connect: above which a chip is connected",
    )
    backend: Literal["auto", "eager", "eager-bf16", "cuda"] = Field(
        "eager",
        description="what runs the networks; auto: the fastest here that agrees with eager, found in a trial of this"
        " project's own (two projects may then differ in some pixels)",
    )
    ignore_connections: bool = Field(
        False, description="two-stage: outline every chip within reach, without any vote"
    )


class Settings(Section):
    """All settings of a project."""

    method: str = Field(
        "two-stage", description=f"how probabilities come about: {', '.join(METHOD_NETWORKS)}"
    )
    seed: int = Field(0, ge=0, description="the one seed of everything random")
    inputs: Inputs
    views: Views = Views()
    connection: Connection = Connection()
    segmentation: Segmentation = Segmentation()
    context: Context = Context()
    training: Training = Training()
    map: Mapping = Mapping()

    @property
    def chip_views(self) -> Views:
        """How the method's networks look at chips; `agnostic` ones are shown nothing that tells of a crater."""
        if self.method not in ("polar", "agnostic"):
            return self.views
        return self.views.model_copy(update={"rivals": False, "radial_up": False})

    @property
    def fittings(self) -> dict[str, Fitting]:
        """The kinds of networks that the method needs, in the order of training, and how each is trained."""
        kinds = METHOD_NETWORKS[self.method]
        if self.map.ignore_connections:
            kinds = tuple(kind for kind in kinds if kind != "connection")
        return {kind: getattr(self, _SECTIONS.get(kind, kind)) for kind in kinds}

    @field_validator("method")
    @classmethod
    def _known_method(cls, name: str) -> str:
        if name not in METHOD_NETWORKS:
            raise ValueError(f"there is no such method: use {' or '.join(METHOD_NETWORKS)}")
        return name
