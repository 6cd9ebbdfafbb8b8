"""Rasters as arrays: the values on the disk, at the right places, read when they are asked for."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import odc.geo.xr  # noqa: F401  (the accessor .odc)
import pytest
import rasterio
import xarray as xr
from affine import Affine
from pyproj import CRS

import ejectamap as em
from ejectamap.errors import OutputError
from ejectamap.world.body import azimuthal_crs
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import azimuthal_forward

# rioxarray and odc-geo multiply transforms in the way that affine 3 is about to give up.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


@pytest.fixture(scope="module")
def ejecta(finished: em.Project) -> em.EjectaMap:
    return em.EjectaMap(finished)


def same(one: Affine, other: Affine) -> bool:
    """Whether two transforms differ by less than a millimetre."""
    return np.allclose(one, other, rtol=0, atol=1e-3)


def stored(project: em.Project, name: str) -> tuple[np.ndarray, rasterio.DatasetReader]:
    with rasterio.open(project.maps / name) as source:
        return source.read(1), source


@pytest.mark.parametrize("crater_id", [1, 2, 4])
def test_probabilities_are_those_of_the_file(ejecta: em.EjectaMap, crater_id: int) -> None:
    values, source = stored(ejecta.project, f"crater_{crater_id}_probability.tif")
    array = ejecta.probability(crater_id)
    assert array.dims == ("y", "x")
    assert array.dtype == np.float32
    np.testing.assert_allclose(array.values, np.where(values == 255, np.nan, values / 250), 1e-6)
    assert array.isnull().any()
    assert CRS.from_user_input(array.rio.crs).equals(CRS.from_user_input(source.crs))
    assert same(array.rio.transform(), source.transform)
    assert np.isnan(array.rio.nodata)


def test_masks_are_those_of_the_file(ejecta: em.EjectaMap) -> None:
    values, _ = stored(ejecta.project, "crater_3_mask.tif")
    mask = ejecta.mask(3)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask.values, values == 1)
    xr.testing.assert_equal(mask.drop_attrs(), (ejecta.probability(3) > 0.5).drop_attrs())


def test_origins_are_ids(ejecta: em.EjectaMap) -> None:
    values, source = stored(ejecta.project, "origin.tif")
    origin = ejecta.origin()
    np.testing.assert_array_equal(origin.values, np.where(values == 0, np.nan, values - 1.0))
    assert set(np.unique(origin.values[origin.notnull()])) == {1, 2, 3, 4}
    assert same(origin.rio.transform(), source.transform)


@pytest.mark.parametrize("crater_id", [1, 2, 3, 4])
def test_a_crater_lies_at_its_centre(ejecta: em.EjectaMap, crater_id: int) -> None:
    centre = ejecta.craters.set_index("crater_id").geometry[crater_id]
    probability = ejecta.probability(crater_id)
    nearest = probability.sel(x=centre.x, y=centre.y, method="nearest")
    assert abs(float(nearest.x) - centre.x) <= ejecta.project.grid.pixel_m / 2
    assert abs(float(nearest.y) - centre.y) <= ejecta.project.grid.pixel_m / 2
    assert float(nearest) == pytest.approx(0.9)


def test_arrays_of_a_project_have_the_same_pixels(ejecta: em.EjectaMap) -> None:
    mosaic = em.read_mosaic(ejecta.project)
    for crater_id in ejecta.ids:
        mask = ejecta.mask(crater_id)
        assert np.isin(mask.x, mosaic.x).all()
        assert np.isin(mask.y, mosaic.y).all()
        inside = mosaic.where(mask)
        assert inside.shape[1:] == mask.shape
    assert ejecta.origin().indexes["x"].equals(mosaic.indexes["x"])


def test_over_the_edge_of_the_mosaic_arrays_have_whole_rows(ejecta: em.EjectaMap) -> None:
    width = ejecta.project.grid.width
    for crater_id in (2, 4):
        ejecta_of = ejecta.mask(crater_id)
        assert ejecta_of.sizes["x"] == width
        assert ejecta_of[:, 0].any()
        assert ejecta_of[:, -1].any()
    assert ejecta.mask(1).sizes["x"] < width


def test_a_mosaic_has_the_values_of_its_file(finished: em.Project) -> None:
    with rasterio.open(finished.mosaic_path) as source:
        values = source.read(masked=True).astype(np.float32).filled(np.nan)
        names = source.descriptions
        transform = source.transform
    for source_of in (finished, str(finished.folder), finished.mosaic_path):
        mosaic = em.read_mosaic(source_of)
        assert mosaic.dims == ("band", "y", "x")
        assert tuple(mosaic.band.values) == names
        np.testing.assert_array_equal(mosaic.values, values)
        assert same(mosaic.rio.transform(), transform)


@pytest.mark.parametrize(
    "part",
    [
        {"y": 3, "x": 5},
        {"y": slice(2, 9, 3), "x": slice(-1, -8, -2)},
        {"y": [1, 7, 2], "x": slice(4, 4)},
        {"y": slice(None), "x": 0},
    ],
)
def test_a_part_is_what_it_is_of_the_whole(ejecta: em.EjectaMap, part: dict) -> None:
    for make in (lambda: ejecta.probability(1), lambda: em.read_mosaic(ejecta.project)):
        whole = make().load()
        np.testing.assert_array_equal(make().isel(part).values, whole.isel(part).values)


def test_only_what_is_asked_for_is_read(
    ejecta: em.EjectaMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ejectamap.api import ejecta_map

    windows = []
    real = ejecta_map.read_part
    monkeypatch.setattr(
        ejecta_map, "read_part", lambda *args: windows.append(args[2]) or real(*args)
    )
    opened: list[Path] = []
    open_mosaic = Mosaic.open
    monkeypatch.setattr(
        Mosaic, "open", lambda path, *more: opened.append(path) or open_mosaic(path, *more)
    )
    probability = ejecta.probability(1)
    mosaic = em.read_mosaic(ejecta.project.mosaic_path)
    assert not windows
    assert not opened
    assert probability.isel(y=slice(3, 6), x=slice(2, 4)).values.shape == (3, 2)
    assert [window.shape for window in windows] == [(3, 2)]
    for _ in range(2):
        assert mosaic.isel(y=0, x=0).values.shape == (mosaic.sizes["band"],)
    assert len(opened) == 1


def test_dask_reads_in_chunks(ejecta: em.EjectaMap) -> None:
    probability = ejecta.probability(1)
    mean = probability.chunk({"y": 16}).mean()
    assert float(mean.compute(scheduler="synchronous")) == pytest.approx(float(probability.mean()))


def test_a_damaged_file_is_one_line_when_it_is_read(workplace: Path, finished: em.Project) -> None:
    folder = shutil.copytree(finished.folder, workplace / "damaged")
    ejecta = em.EjectaMap(folder)
    probability = ejecta.probability(1)
    path = folder / "map" / "crater_1_probability.tif"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(OutputError, match=r"crater_1_probability\.tif: is damaged") as error:
        probability.load()
    assert "\n" not in str(error.value)
    path.unlink()
    with pytest.raises(em.EjectamapError, match=r"is missing: run ejectamap map again"):
        ejecta.probability(1)


def test_odc_geo_finds_the_same_place(ejecta: em.EjectaMap) -> None:
    probability = ejecta.probability(3)
    box = probability.odc.geobox
    assert box.shape == probability.shape
    assert same(box.transform, probability.rio.transform())
    assert box.crs.proj.equals(CRS.from_user_input(probability.rio.crs))


def test_arrays_survive_a_file(ejecta: em.EjectaMap, tmp_path: Path) -> None:
    probability = ejecta.probability(3)
    probability.rio.to_raster(tmp_path / "p.tif")
    with rasterio.open(tmp_path / "p.tif") as source:
        np.testing.assert_array_equal(source.read(1), probability.values)
        assert same(source.transform, probability.rio.transform())
    xr.testing.assert_equal(pickle.loads(pickle.dumps(probability.load())), probability)


def test_azimuthal_distances_are_true(ejecta: em.EjectaMap) -> None:
    """Blanket and rays are where they were made, whatever lies between: dateline, pole or nothing."""
    for crater_id in (1, 2, 4):
        around = ejecta.azimuthal(crater_id, half_m=1_500e3, spacing_m=20e3)
        assert around.sizes == {"band": 3, "y": 150, "x": 150}
        range_m = np.hypot(around.x, around.y)
        azimuth_deg = np.degrees(np.arctan2(around.x, around.y)) % 360
        probability = around.probability.transpose("y", "x")
        margin_m = 2 * ejecta.project.grid.pixel_m
        assert float(probability.where(range_m < 350e3 - margin_m).min()) == pytest.approx(0.9)
        between = (range_m > 350e3 + margin_m) & (np.abs(azimuth_deg - 180) < 20)
        assert float(probability.where(between).max()) == pytest.approx(0.1)
        on_ray = (range_m > 700e3) & (range_m < 1_000e3) & (np.abs(azimuth_deg - 130) < 1)
        assert float(probability.where(on_ray).mean()) > 0.7
        (crater,) = ejecta.project.chosen_craters([crater_id])
        expected = azimuthal_crs(crater.lon, crater.lat, ejecta.project.grid.radius_m)
        assert CRS.from_user_input(around.rio.crs).equals(expected)
        assert around.odc.geobox.shape == (150, 150)


def test_azimuthal_mosaic_is_that_of_the_places(ejecta: em.EjectaMap) -> None:
    around = ejecta.azimuthal(2, spacing_m=30e3)
    lon, lat = np.array([178.0, -178.5]), np.array([-19.0, -21.0])
    x, y = azimuthal_forward(lon, lat, 179.0, -20.0, ejecta.project.grid.radius_m)
    picked = around.mosaic.interp(x=xr.DataArray(x), y=xr.DataArray(y))
    values, valid = ejecta.project.mosaic.sample(lon, lat)
    assert valid.all()
    np.testing.assert_allclose(picked.values, values, rtol=0.1)


def test_polar_coordinates_are_range_and_azimuth(ejecta: em.EjectaMap) -> None:
    for crater_id in (1, 2, 4):
        around = ejecta.polar(crater_id, range_m=1_400e3)
        blanket = around.probability.sel(range=slice(None, 230e3))
        assert float(blanket.min()) == pytest.approx(0.9)
        along = around.probability.sel(range=slice(600e3, 1_000e3)).mean("range")
        for ray_deg in (40, 130, 260):
            assert float(along.sel(azimuth=ray_deg, method="nearest")) > 0.7
        assert float(along.sel(azimuth=slice(170, 220)).max()) == pytest.approx(0.1, abs=0.01)
        assert float(around.azimuth[0]) > 0
        assert float(around.azimuth[-1]) < 360
        assert around.lon.dims == around.probability.dims == ("range", "azimuth")


def test_arrays_show_all_ejecta_by_default(ejecta: em.EjectaMap) -> None:
    farthest_m = 1_200e3
    assert float(ejecta.azimuthal(1).x.max()) > farthest_m
    assert float(ejecta.polar(1).range.max()) > farthest_m


@pytest.mark.parametrize(
    "wrong",
    [
        lambda ejecta: ejecta.azimuthal(1, half_m=10.0),
        lambda ejecta: ejecta.azimuthal(1, half_m=1e8),
        lambda ejecta: ejecta.azimuthal(1, spacing_m=0.0),
        lambda ejecta: ejecta.polar(1, range_m=float("nan")),
        lambda ejecta: ejecta.polar(1, spacing_m=-5.0),
    ],
)
def test_impossible_lengths_are_refused(
    ejecta: em.EjectaMap, wrong: Callable[[em.EjectaMap], object]
) -> None:
    with pytest.raises(em.EjectamapError, match=r"(half_m|range_m|spacing_m): .* give a length"):
        wrong(ejecta)
