"""Masks as people have them: which value is ejecta, and on which pixels of the mosaic it lies."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from label_inputs import CRATERS, R, block, error_message
from pyproj import CRS
from rasterio.enums import ColorInterp

from ejectamap.world.body import azimuthal_crs, geographic_crs
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_files import load_labels

Write = Callable[..., Path]
ROWS, COLS = slice(30, 34), slice(60, 70)


@pytest.fixture
def ejecta(grid: Grid) -> np.ndarray:
    """Ejecta of crater 1, 40 pixels, bool."""
    return block(grid, ROWS, COLS).astype(bool)


def follow(message: str) -> None:
    """Do what a message says with gdal_calc.py or gdal_edit.py, to the letter."""
    if edited := re.search(r"gdal_edit\.py -unsetnodata (\S+\.tif)", message):
        with rasterio.open(edited[1], "r+") as raster:
            raster.nodata = None
        return
    command = re.search(
        r'gdal_calc\.py -A (\S+) --A_band=(\d+) --calc="([^"]+)" --type=Byte --hideNoData'
        r" --outfile=(\S+) && mv (\S+) (\S+)",
        message,
    )
    assert command, message
    source, band, expression, new, moved, target = command.groups()
    assert (new, source) == (moved, target)
    with rasterio.open(source) as raster:
        values = eval(expression, {"A": raster.read(int(band))})  # the expressions above
        profile = raster.profile | {"count": 1, "dtype": "uint8", "nodata": None}
    profile.pop("photometric", None)
    Path(source).unlink()
    with rasterio.open(target, "w", **profile) as raster:
        raster.write(values.astype(np.uint8), 1)


# --- which value is ejecta

READ = {
    "1 beside 0": (np.uint8, 1, 0, None),
    "255 beside 0": (np.uint8, 255, 0, None),
    "the crater's id": (np.int32, 1, 0, None),
    "1 beside no-data 0": (np.uint8, 1, 0, 0),
    "1 beside no-data 255": (np.uint8, 1, 255, 255),
    "1 beside no-data -9999": (np.int16, 1, -9999, -9999),
    "0.9 beside 0": (np.float32, 0.9, 0, None),
    "1 beside nan": (np.float32, 1, np.nan, None),
    "1 beside declared nan": (np.float32, 1, np.nan, np.nan),
    "1 beside infinity": (np.float64, 1, np.inf, None),
    "signed bytes": (np.int8, 1, 0, None),
    "64 bits": (np.uint64, 1, 0, None),
}


@pytest.mark.parametrize("name", READ)
def test_one_value_is_ejecta(
    tmp_path: Path, grid: Grid, write_raster: Write, ejecta: np.ndarray, name: str
) -> None:
    dtype, inside, outside, nodata = READ[name]
    values = np.where(ejecta, np.array(inside, dtype), np.array(outside, dtype))
    write_raster(tmp_path / "mask_crater_1.tif", values, grid, nodata=nodata)
    assert np.array_equal(load_labels(tmp_path, grid, CRATERS).read(1, grid.whole), ejecta)


def unlabelled(ejecta: np.ndarray) -> np.ndarray:
    """Where nobody labelled anything."""
    return np.arange(ejecta.size).reshape(ejecta.shape) % 7 == 0


AMBIGUOUS = {
    "255 where 1 is not": (lambda e: np.where(e, 1, 255).astype(np.uint8), None, "1, 255"),
    "255 where unlabelled": (
        lambda e: np.where(e, 1, np.where(unlabelled(e), 255, 0)).astype(np.uint8),
        None,
        "1, 255",
    ),
    "1 and 2": (lambda e: np.where(e, 1, 2 * unlabelled(e)).astype(np.uint8), None, "1, 2"),
    "probabilities": (
        lambda e: np.where(e, 0.9, 0.05).astype(np.float32),
        None,
        "0.05, 0.9",
    ),
    "-9999 where unlabelled": (
        lambda e: np.where(e, 1, np.where(unlabelled(e), -9999, 0)).astype(np.int16),
        None,
        "-9999, 1",
    ),
    "no-data 1": (lambda e: e.astype(np.uint8), 1, "declares 1 as no-data"),
    "no-data 255 that marks ejecta": (
        lambda e: 255 * e.astype(np.uint8),
        255,
        "declares 255 as no-data",
    ),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_several_values_are_refused_with_a_remedy(
    tmp_path: Path, grid: Grid, write_raster: Write, ejecta: np.ndarray, name: str
) -> None:
    make, nodata, words = AMBIGUOUS[name]
    path = write_raster(tmp_path / "mask_crater_1.tif", make(ejecta), grid, nodata=nodata)
    message = error_message(tmp_path, grid, at=path)
    assert words in message
    follow(message)
    assert np.array_equal(load_labels(tmp_path, grid, CRATERS).read(1, grid.whole), ejecta)


def test_a_mask_of_255_everywhere_is_refused(
    tmp_path: Path, grid: Grid, write_raster: Write
) -> None:
    path = write_raster(tmp_path / "mask_crater_1.tif", np.full(grid.shape, 255, np.uint8), grid)
    assert "every pixel is 255, none is 0" in error_message(tmp_path, grid, at=path)


def test_a_window_of_ones_is_ejecta(tmp_path: Path, grid: Grid, write_raster: Write) -> None:
    window = Window(30, 60, 4, 10)
    write_raster(
        tmp_path / "mask_crater_1.tif",
        np.ones(window.shape, np.uint8),
        grid,
        transform=grid.window_transform(window),
    )
    assert load_labels(tmp_path, grid, CRATERS).masks[1][0] == window


@pytest.mark.parametrize("no_data", [1, 200])
def test_no_data_of_one_mask_says_nothing_about_another(
    folder: Path, grid: Grid, write_raster: Write, ejecta: np.ndarray, no_data: int
) -> None:
    """Crater 2's ejecta would be all no-data, and it would count as a crater without ejecta."""
    dateline = no_data * block(grid, slice(31, 33), [125, 126, 127, 0, 1])
    path = write_raster(folder / "mask_crater_2.tif", dateline, grid, nodata=no_data)
    message = error_message(folder, grid, at=path)
    assert f"declares {no_data} as no-data" in message
    follow(message)
    assert load_labels(folder, grid, CRATERS).read(2, grid.whole).sum() == 10


def test_alpha_is_no_band(
    tmp_path: Path, grid: Grid, write_raster: Write, ejecta: np.ndarray
) -> None:
    """Grey with alpha: what is transparent is not ejecta."""
    alpha = np.full(grid.shape, 255, np.uint8)
    alpha[30, 60:62] = 0
    path = write_raster(
        tmp_path / "mask_crater_1.tif", np.stack([255 * ejecta.astype(np.uint8), alpha]), grid
    )
    with rasterio.open(path, "r+") as raster:
        raster.colorinterp = (ColorInterp.gray, ColorInterp.alpha)
    read = load_labels(tmp_path, grid, CRATERS).read(1, grid.whole)
    assert np.array_equal(read, ejecta & (alpha > 0))


@pytest.mark.parametrize("background", [0, 255])
def test_a_rendering_is_refused_with_a_remedy(
    tmp_path: Path, grid: Grid, write_raster: Write, ejecta: np.ndarray, background: int
) -> None:
    """Red on black, or green on white, with alpha."""
    colours = np.full((4, *grid.shape), background, np.uint8)
    colours[3] = 255
    colours[:3, ejecta] = np.array([[200], [0], [0]]) if background == 0 else 0
    colours[1, ejecta] = 0 if background == 0 else 200
    path = write_raster(tmp_path / "mask_crater_1.tif", colours, grid)
    message = error_message(tmp_path, grid, at=path)
    assert re.search(r"has [34] bands, a mask has one", message)
    if background == 0:
        follow(message)
        assert np.array_equal(load_labels(tmp_path, grid, CRATERS).read(1, grid.whole), ejecta)


@pytest.mark.parametrize(
    "name", ["mask_crater_x.tif", "mask_crater_1 (copy).tif", "crater_1.tif", "mask_crater_3.png"]
)
def test_images_of_another_name_are_said(
    folder: Path, grid: Grid, write_raster: Write, name: str
) -> None:
    (folder / name).write_bytes((folder / "mask_crater_1.tif").read_bytes())
    notes: list[str] = []
    assert set(load_labels(folder, grid, CRATERS, notes=notes).masks) == {1, 2}
    (note,) = notes
    assert note.startswith(f"{folder}: ")
    assert name in note


# --- on which pixels it lies


def load_one(folder: Path, grid: Grid, notes: int) -> np.ndarray:
    """Load the label of crater 1, and check the number of notes."""
    said: list[str] = []
    labels = load_labels(folder, grid, CRATERS, notes=said)
    assert len(said) == notes, said
    return labels.read(1, grid.whole)


def test_south_up(tmp_path: Path, grid: Grid, write_raster: Write, ejecta: np.ndarray) -> None:
    up = grid.transform @ Affine.translation(0, 64) @ Affine.scale(1, -1)
    mask = np.flipud(ejecta).astype(np.uint8)
    write_raster(tmp_path / "mask_crater_1.tif", mask, grid, transform=up)
    assert np.array_equal(load_one(tmp_path, grid, 0), ejecta)


def test_rows_beyond_a_pole_without_ejecta(
    tmp_path: Path, grid: Grid, write_raster: Write, ejecta: np.ndarray
) -> None:
    """One row further north than the mosaic."""
    north = grid.transform @ Affine.translation(0, -1)
    mask = np.roll(ejecta, 1, axis=0).astype(np.uint8)
    write_raster(tmp_path / "mask_crater_1.tif", mask, grid, transform=north)
    assert np.array_equal(load_one(tmp_path, grid, 0), ejecta)


@pytest.mark.parametrize("scale", [0.5, 0.25])
def test_finer_pixels(
    tmp_path: Path, grid: Grid, write_raster: Write, ejecta: np.ndarray, scale: float
) -> None:
    n = round(1 / scale)
    mask = ejecta.repeat(n, 0).repeat(n, 1).astype(np.uint8)
    finer = grid.transform @ Affine.scale(scale)
    write_raster(tmp_path / "mask_crater_1.tif", mask, grid, transform=finer)
    assert np.array_equal(load_one(tmp_path, grid, 1), ejecta)


@pytest.mark.parametrize(("right", "down"), [(0.3, 0), (0, 0.3), (-0.3, 0.3)])
def test_pixels_off_the_grid(
    tmp_path: Path,
    grid: Grid,
    write_raster: Write,
    ejecta: np.ndarray,
    right: float,
    down: float,
) -> None:
    """A third of a pixel away, the nearest pixels are the same."""
    moved = grid.transform @ Affine.translation(right, down)
    write_raster(tmp_path / "mask_crater_1.tif", ejecta.astype(np.uint8), grid, transform=moved)
    assert np.array_equal(load_one(tmp_path, grid, 1), ejecta)


def test_degrees(tmp_path: Path, grid: Grid, write_raster: Write, ejecta: np.ndarray) -> None:
    step = 180 / 64
    write_raster(
        tmp_path / "mask_crater_1.tif",
        ejecta.astype(np.uint8),
        grid,
        crs=geographic_crs(R),
        transform=Affine(step, 0, -180, 0, -step, 90),
    )
    assert np.array_equal(load_one(tmp_path, grid, 0), ejecta)


@pytest.mark.parametrize("crs", ["EPSG:4326", geographic_crs(2_440_530)])
def test_degrees_of_another_radius(
    tmp_path: Path, grid: Grid, write_raster: Write, ejecta: np.ndarray, crs: object
) -> None:
    step = 180 / 64
    write_raster(
        tmp_path / "mask_crater_1.tif",
        ejecta.astype(np.uint8),
        grid,
        crs=CRS.from_user_input(crs),
        transform=Affine(step, 0, -180, 0, -step, 90),
    )
    assert np.array_equal(load_one(tmp_path, grid, 1), ejecta)


def test_another_projection(tmp_path: Path, grid: Grid, write_raster: Write) -> None:
    """A disc around a crater in its own azimuthal frame: all pixels within its radius of the crater."""
    side = 400
    pixel_m = 2e6 / side
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    disc = np.hypot(x, y) * pixel_m < 8e5
    write_raster(
        tmp_path / "mask_crater_1.tif",
        disc.astype(np.uint8),
        grid,
        crs=azimuthal_crs(0, 0, R),
        transform=Affine(pixel_m, 0, -1e6, 0, -pixel_m, 1e6),
    )
    read = load_one(tmp_path, grid, 1)
    lon, lat = grid.centres(grid.whole)
    away_m = R * np.arccos(np.cos(np.radians(lat)) * np.cos(np.radians(lon)))
    assert np.array_equal(
        read[np.abs(away_m - 8e5) > pixel_m], (away_m < 8e5)[np.abs(away_m - 8e5) > pixel_m]
    )


def test_many_masks_on_another_grid_make_one_note(
    folder: Path, grid: Grid, write_raster: Write, ejecta: np.ndarray
) -> None:
    for crater_id, rows, cols in ((1, ROWS, COLS), (2, slice(31, 33), [125, 126, 127, 0, 1])):
        mask = block(grid, rows, cols).repeat(2, 0).repeat(2, 1)
        finer = grid.transform @ Affine.scale(0.5)
        write_raster(folder / f"mask_crater_{crater_id}.tif", mask, grid, transform=finer)
    notes: list[str] = []
    labels = load_labels(folder, grid, CRATERS, notes=notes)
    assert labels.any_ejecta(grid.whole).sum() == 50
    (note,) = notes
    assert "and 1 other masks: is on another grid" in note
