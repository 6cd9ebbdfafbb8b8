"""A finished map as a notebook wants it: arrays with coordinates and a CRS, tables, pictures."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from ejectamap.analysis.pattern import EjectaCount
from ejectamap.analysis.ray_table import read_rays
from ejectamap.analysis.spectra import band_means
from ejectamap.api.arguments import ProjectLike, as_ids, as_project
from ejectamap.api.arrays import lazy_array
from ejectamap.api.explore import explore_polygons
from ejectamap.api.frames import azimuthal_dataset, default_extent_m, polar_dataset
from ejectamap.api.html import map_html
from ejectamap.api.reading import craters_table
from ejectamap.errors import ProjectError
from ejectamap.maps.connections import read_connections
from ejectamap.maps.mapped import MappedCraters, require_maps
from ejectamap.maps.outlines import read_polygons
from ejectamap.maps.rasters import Bytes, probabilities, read_part, stored_window
from ejectamap.maps.reader import MapReader
from ejectamap.maps.state import crater_path
from ejectamap.project.folder import Project
from ejectamap.project.network_state import outdated_networks
from ejectamap.show.axes import draw_crater_on, draw_planet_on, new_axes
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window

if TYPE_CHECKING:
    from folium import Map
    from matplotlib.axes import Axes

_LONG_NAMES = {"probability": "probability of ejecta", "mask": "ejecta"}


class EjectaMap:
    """The map of a project: one probability and one mask per crater, and the origin of every pixel.

    Rasters are lazy arrays on the mosaic's own pixels: `read_mosaic` of the project has the same `x` and `y`, so that
    arrays of both can be combined. A crater's rasters cover a window of the mosaic that holds its reach; where that
    crosses the left and right edge of the mosaic, or holds a pole, it has whole rows, all around the globe. `azimuthal`
    and `polar` show every crater the same way, wherever it is.

    Parameters
    ----------
    project : Project, str or path
        A project, or its folder, with a map of its present settings, networks and inputs.
    kept : str, optional
        Name of the run in which the map before is kept, if this one replaced it.

    Attributes
    ----------
    project : Project
    kept : str or None

    Raises
    ------
    ProjectError
        If there is no such map.

    Examples
    --------
    >>> ejecta = em.EjectaMap("project")
    >>> ejecta.ids
    [1, 2, 3, 4]
    >>> probability = ejecta.probability(3)
    >>> probability.dims, float(probability.max()) <= 1
    (('y', 'x'), True)
    """

    def __init__(self, project: ProjectLike, kept: str | None = None) -> None:
        self.project: Project = as_project(project)
        self.kept = kept
        self._maps: MappedCraters = require_maps(self.project)
        self._reader = MapReader(self.project.maps, self.project.grid)

    @property
    def ids(self) -> list[int]:
        """Ids of the craters that have a map."""
        return [crater.crater_id for crater in self._maps.all]

    @property
    def craters(self) -> gpd.GeoDataFrame:
        """The craters that have a map, as `read_craters`, and whether the map is `current`."""
        table = craters_table(self._maps.all, self.project.grid)
        current = [crater in self._maps.current for crater in self._maps.all]
        table.insert(table.shape[1] - 1, "current", current)
        return table

    @property
    def notes(self) -> list[str]:
        """What a person should know of this map, a sentence each: stale craters, networks that are not current."""
        return [*self._maps.notes(self.project), *outdated_networks(self.project)]

    def probability(self, crater_id: int) -> xr.DataArray:
        """Probability that a crater's ejecta are at each pixel.

        Parameters
        ----------
        crater_id : int

        Returns
        -------
        DataArray (y, x)
            Lazy; float32 in [0, 1], NaN where nothing is known: beyond the reach, or without data in the mosaic. In
            steps of 0.004. `x` and `y` are pixel centres in the mosaic's CRS, which `spatial_ref` holds.

        Raises
        ------
        CraterError, ProjectError
            If there is no such crater, or it has no map.
        OutputError
            When values are read, if the file is missing or damaged.

        Examples
        --------
        >>> probability = em.EjectaMap("project").probability(3)
        >>> probability.rio.crs is not None
        True
        """
        return self._raster(crater_id, "probability", np.float32, probabilities)

    def mask(self, crater_id: int) -> xr.DataArray:
        """Where a crater has ejecta on the map: where its probability exceeds `map.threshold`, but for edits.

        Parameters
        ----------
        crater_id : int

        Returns
        -------
        DataArray (y, x)
            Lazy, bool, on the pixels of `probability`. False where nothing is known, too: there
            `probability(crater_id).isnull()` holds.

        Raises
        ------
        CraterError, OutputError, ProjectError
            As `probability`.

        Examples
        --------
        >>> mask = em.EjectaMap("project").mask(3)
        >>> inside = em.read_mosaic("project").where(mask)
        >>> inside.dims
        ('band', 'y', 'x')
        """
        return self._raster(crater_id, "mask", np.bool_, lambda stored: stored == 1)

    def origin(self) -> xr.DataArray:
        """The crater that the ejecta at each pixel most likely came from.

        Returns
        -------
        DataArray (y, x)
            Lazy; the crater's id as a floating-point number, NaN where no crater has ejecta. The whole globe, on the
            pixels of `read_mosaic`.

        Raises
        ------
        OutputError
            If the file is missing or damaged.

        Examples
        --------
        >>> origin = em.EjectaMap("project").origin()
        >>> origin.shape == em.read_mosaic("project").shape[1:]
        True
        """
        grid, path = self.project.grid, self.project.maps / "origin.tif"
        # 32 bits hold all ids below 2**24 exactly.
        dtype = np.float32 if self._reader.origin_type.itemsize < 4 else np.float64

        def read(window: Window) -> npt.NDArray[Any]:
            stored = read_part(path, grid, window)
            return np.where(stored > 0, stored.astype(dtype) - 1, dtype(np.nan))

        attrs = {"long_name": "crater of origin"}
        return lazy_array(grid, grid.whole, read, dtype, "origin", attrs)

    def polygons(self) -> gpd.GeoDataFrame:
        """Outlines of the craters' masks.

        Returns
        -------
        GeoDataFrame
            A row for each crater with ejecta, in the mosaic's CRS: `crater_id`, `name`, `area_km2` (ground area of the
            whole mask, crater interior included), `mean_probability`, `current`, `edited_km2`.

        Raises
        ------
        OutputError
            If the file is missing or damaged.

        Examples
        --------
        >>> polygons = em.EjectaMap("project").polygons()
        >>> polygons.to_file("ejecta.gpkg")
        >>> polygons.crs == em.read_craters("project").crs
        True
        """
        return read_polygons(self.project)

    def connections(self) -> pd.DataFrame:
        """Which chips are connected with their crater, for the methods two-stage and guided; empty for others.

        Returns
        -------
        DataFrame
            A row for each chip: `crater_id`, `tile` (the chip's index), `distance_m`, `score`, `votes`, `connected`.

        Raises
        ------
        OutputError
            If the file is missing or damaged.

        Examples
        --------
        >>> em.EjectaMap("project").connections().empty
        True
        """
        path = self.project.maps / "connections.parquet"
        return read_connections(path, f"run ejectamap map {self.project.folder} again")

    def rays(self, crater_id: int | None = None) -> gpd.GeoDataFrame:
        """The rays that `analyze` found and measured.

        Parameters
        ----------
        crater_id : int, optional
            Of one crater only.

        Returns
        -------
        GeoDataFrame
            A row for each ray, with its centre line in the mosaic's CRS: `crater_id`, `ray`, `azimuth_deg`, `start_km`,
            `end_km`, `length_km`, `width_km`, `mean_probability`, contrasts in each band; rays-columns.csv in the
            project's folder explains every column.

        Raises
        ------
        CraterError, ProjectError
            If there is no such crater, or it has no map.
        OutputError
            If the map was not analysed since it was made, or the file is damaged.

        Examples
        --------
        >>> _ = em.analyze("project", progress=False)
        >>> bool((em.EjectaMap("project").rays()["length_km"] > 0).all())
        True
        """
        rays = read_rays(self.project)
        if crater_id is None:
            return rays
        return rays[rays["crater_id"] == self._crater(crater_id).crater_id]

    def spectra(self, crater_id: int) -> pd.DataFrame:
        """Mean of each band inside a crater's ejecta, without ground that other craters' ejecta cover too.

        Each pixel of the mask beyond the rim counts with its ground area, if no other crater has ejecta there and the
        mosaic has data.

        Parameters
        ----------
        crater_id : int

        Returns
        -------
        DataFrame
            A row for each band, by name: `mean` and `std` in the mosaic's units, and `area_km2`, the ground that
            counted. NaN where there is none.

        Raises
        ------
        CraterError, OutputError, ProjectError
            As `probability`.

        Examples
        --------
        >>> em.EjectaMap("project").spectra(3).columns.tolist()
        ['mean', 'std', 'area_km2']
        """
        crater = self._crater(crater_id)
        window, mask = self._reader.as_labels(crater.crater_id).masks[crater.crater_id]
        others = self._count.other_craters(window, mask)
        return band_means(self.project.mosaic, crater, window, mask & ~others)

    def azimuthal(
        self, crater_id: int, half_m: float | None = None, spacing_m: float | None = None
    ) -> xr.Dataset:
        """Map and mosaic in a crater's own frame, azimuthal equidistant: distances from its centre are true.

        Parameters
        ----------
        crater_id : int
        half_m : float, optional
            Half the side of the square, in metres; by default a little beyond the farthest ejecta.
        spacing_m : float, optional
            Side of a pixel in metres; by default that of the mosaic, or more if there would be over 2048 pixels a side.

        Returns
        -------
        Dataset
            `probability` (y, x), float32 in [0, 1], and `mosaic` (band, y, x), float32, both NaN where unknown. `x` and
            `y` are metres east and north of the crater's centre; `spatial_ref` holds the CRS.

        Raises
        ------
        ArgumentError
            If a length is not possible.
        CraterError, OutputError, ProjectError
            As `probability`.

        Examples
        --------
        >>> around = em.EjectaMap("project").azimuthal(3)
        >>> around.probability.dims, around.mosaic.dims
        (('y', 'x'), ('band', 'y', 'x'))
        """
        crater = self._crater(crater_id)
        return azimuthal_dataset(self.project.mosaic, self._reader, crater, half_m, spacing_m)

    def polar(
        self, crater_id: int, range_m: float | None = None, spacing_m: float | None = None
    ) -> xr.Dataset:
        """Map and mosaic by range and azimuth around a crater: rays run along the rows' axis.

        Parameters
        ----------
        crater_id : int
        range_m : float, optional
            Farthest range, in metres; by default a little beyond the farthest ejecta.
        spacing_m : float, optional
            Depth of a row in metres, and at most about the width of a cell; by default as in `azimuthal`.

        Returns
        -------
        Dataset
            `probability` (range, azimuth), float32 in [0, 1], and `mosaic` (band, range, azimuth), float32, both NaN
            where unknown. `range` is in metres from the centre, from half a crater radius on; `azimuth` in degrees,
            clockwise from north; `lon` and `lat` (range, azimuth) are the places in degrees.

        Raises
        ------
        ArgumentError
            If a length is not possible.
        CraterError, OutputError, ProjectError
            As `probability`.

        Examples
        --------
        >>> around = em.EjectaMap("project").polar(3)
        >>> profile = around.probability.mean("azimuth")
        >>> profile.dims
        ('range',)
        """
        crater = self._crater(crater_id)
        return polar_dataset(self.project.mosaic, self._reader, crater, range_m, spacing_m)

    def plot(self, crater_id: int | None = None, ax: "Axes | None" = None) -> "Axes":
        """Draw the map over the mosaic.

        Parameters
        ----------
        crater_id : int, optional
            Draw this crater's probability, in its azimuthal frame: x and y are metres east and north of its centre, and
            the line is the outline of the map. Without it, the planet: the ejecta of each crater in its own colour, x
            and y in the mosaic's CRS, labelled in degrees, so that `polygons().plot(ax=ax)` fits.
        ax : matplotlib Axes, optional
            Axes to draw on; new ones by default.

        Returns
        -------
        Axes

        Raises
        ------
        CraterError, OutputError, ProjectError
            As `probability`.

        Examples
        --------
        >>> ax = em.EjectaMap("project").plot(3)
        >>> ax.figure.savefig("crater-3.png")
        """
        crater = None if crater_id is None else self._crater(crater_id)
        axes = new_axes(square=crater is not None) if ax is None else ax
        if crater is None:
            draw_planet_on(axes, self.project, self._reader)
        else:
            extent_m = default_extent_m(self._reader, crater)
            draw_crater_on(axes, self.project, self._reader, crater, extent_m)
        return axes

    def explore(self) -> "Map":
        """Make a map to pan and zoom, in a notebook or, with `save`, as a page: polygons on a plain graticule.

        It needs folium (`pip install "ejectamap[notebook]"`), and the page loads Leaflet from the network.

        Returns
        -------
        folium.Map

        Raises
        ------
        ArgumentError
            If folium is not installed.
        OutputError
            If the map's polygons are missing or damaged.

        Examples
        --------
        >>> em.EjectaMap("project").explore().save("ejecta.html")
        """
        return explore_polygons(self.polygons(), self._maps.all, self.project)

    @cached_property
    def _count(self) -> EjectaCount:
        """How many craters have ejecta at each pixel."""
        count = EjectaCount(self.project.grid)
        for crater in self._maps.all:
            count.add(*self._reader.as_labels(crater.crater_id).masks[crater.crater_id])
        return count

    def _raster(
        self,
        crater_id: int,
        product: str,
        dtype: npt.DTypeLike,
        decode: Callable[[Bytes], npt.NDArray[Any]],
    ) -> xr.DataArray:
        """A raster of a crater, "probability" or "mask", decoded from what is stored."""
        crater, grid = self._crater(crater_id), self.project.grid
        path = crater_path(self.project.maps, crater.crater_id, product)
        attrs = {"long_name": f"{_LONG_NAMES[product]} of {crater.name}", "crater_id": crater_id}

        def read(part: Window) -> npt.NDArray[Any]:
            return decode(read_part(path, grid, part))

        return lazy_array(grid, stored_window(path, grid), read, dtype, product, attrs)

    def _crater(self, crater_id: int) -> Crater:
        """A crater that has a map."""
        (crater,) = self.project.chosen_craters(as_ids(crater_id))
        if crater not in self._maps.all:
            raise ProjectError(
                f"{self.project.maps}: crater {crater.crater_id} ({crater.name}) has no map:"
                f" run ejectamap map {self.project.folder} --craters {crater.crater_id}"
            )
        return crater

    def __repr__(self) -> str:
        return f"<EjectaMap of {self.project.folder}: {self._maps.counted(self.project)}>"

    def _repr_html_(self) -> str:
        return map_html(self.project, self._maps.counted(self.project), self.notes)
