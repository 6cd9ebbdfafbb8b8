"""Errors in input files: one line that names the file, the field and the remedy."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS

Run = Callable[..., Any]


def rewrite(
    path: Path, change: Callable[[np.ndarray], np.ndarray] | None = None, **profile: object
) -> None:
    """Write a raster again with other values or another profile."""
    with rasterio.open(path) as source:
        values, kept = source.read(), source.profile
    values = values if change is None else change(values)
    kept.update(driver="GTiff", height=values.shape[1], width=values.shape[2], **profile)
    for key in ("blockxsize", "blockysize", "tiled", "predictor"):
        kept.pop(key, None)
    path.unlink()
    with rasterio.open(path, "w", **kept) as target:
        target.write(values)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


# --- mosaics


def test_mosaic_without_crs(refused: Callable[..., None], files: Path) -> None:
    rewrite(files / "mosaic.tif", crs=None)
    refused("mosaic.tif", "no CRS", "gdal_edit.py -a_srs")


def test_mosaic_and_labels_of_different_radius(refused: Callable[..., None], files: Path) -> None:
    with rasterio.open(files / "mosaic.tif") as source:
        transform, shape = source.transform, source.shape
    moon = CRS.from_dict({"proj": "eqc", "R": 1_737_400.0})
    pixel = np.pi * 1_737_400.0 / shape[0]
    corner = Affine(pixel, 0, -np.pi * 1_737_400.0, 0, -pixel, np.pi * 1_737_400.0 / 2)
    assert transform.a > pixel
    rewrite(files / "mosaic.tif", crs=moon, transform=corner)
    refused("mask_crater_0.tif", "radius of 2440530 m", "1737400 m", "two bodies")


def test_mosaic_with_the_crs_of_earth(refused: Callable[..., None], files: Path) -> None:
    step = 180.0 / 128
    rewrite(files / "mosaic.tif", crs="EPSG:4326", transform=Affine(step, 0, -180, 0, -step, 90))
    refused("mosaic.tif", "WGS 84", "is Earth's", "rio edit-info --crs IAU_2015:19900")


def test_truncated_mosaic(refused: Callable[..., None], files: Path) -> None:
    path = files / "mosaic.tif"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused("mosaic.tif", "cannot be read", "copy it again")


def test_mosaic_without_data(refused: Callable[..., None], files: Path) -> None:
    rewrite(files / "mosaic.tif", np.zeros_like)
    refused("mosaic.tif", "every pixel is no-data", "check the no-data value")


# --- craters


def test_craters_with_swapped_lon_and_lat(refused: Callable[..., None], files: Path) -> None:
    edit(files / "craters.csv", "lon,lat", "lat,lon")
    refused("craters.csv", "lat is", "beyond 90 degrees", "swapped")


def test_craters_with_kilometres_in_a_column_of_metres(
    refused: Callable[..., None], files: Path
) -> None:
    lines = (files / "craters.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines]
    column = rows[0].index("radius_m")
    for row in rows[1:]:
        row[column] = str(float(row[column]) / 1000)
    (files / "craters.csv").write_text("\n".join(map(",".join, rows)) + "\n")
    refused("craters.csv", "column radius_m", "kilometres", "radius_km")


def test_craters_with_duplicate_ids(refused: Callable[..., None], files: Path) -> None:
    edit(files / "craters.csv", "\n1,", "\n2,")
    refused("craters.csv", "column crater_id", "rows 2 and 3", "an id of its own")


def test_craters_with_a_missing_column(refused: Callable[..., None], files: Path) -> None:
    edit(files / "craters.csv", "radius_m", "size")
    refused("craters.csv", "no column radius_m", "columns present: crater_id")


def test_empty_crater_table(refused: Callable[..., None], files: Path) -> None:
    (files / "craters.csv").write_text("crater_id,lon,lat,radius_m\n")
    refused("craters.csv", "has no rows")


# --- labels and tiles


def test_label_of_an_unknown_crater(refused: Callable[..., None], files: Path) -> None:
    (files / "labels" / "mask_crater_0.tif").rename(files / "labels" / "mask_crater_99.tif")
    refused("mask_crater_99.tif", "crater 99 is not in the catalogue", "remove its label")


def test_labels_without_ejecta(refused: Callable[..., None], files: Path) -> None:
    for path in (files / "labels").iterdir():
        rewrite(path, np.zeros_like)
    refused("labels", "every mask is empty", "draw the ejecta")


def test_label_folder_without_masks(refused: Callable[..., None], files: Path) -> None:
    shutil.rmtree(files / "labels")
    (files / "labels").mkdir()
    refused("labels", "has no mask_crater_{id}.tif")


def test_tile_outside_the_mosaic(refused: Callable[..., None], files: Path) -> None:
    (files / "tiles.csv").write_text("tile_id,row,col,height,width\n0,120,10,16,16\n")
    refused("tiles.csv", "tile 0", "not in the mosaic of 128 x 256", "mosaic pixels", tiles=True)


def test_tiles_beyond_every_reach(refused: Callable[..., None], files: Path) -> None:
    edit(files / "craters.csv", "\n", "\n")
    lines = [line.split(",") for line in (files / "craters.csv").read_text().splitlines()]
    column = lines[0].index("reach")
    for line in lines[1:]:
        line[column] = "0.06"
    (files / "craters.csv").write_text("\n".join(map(",".join, lines)) + "\n")
    (files / "tiles.csv").write_text("tile_id,row,col,height,width\n0,0,10,4,4\n")
    refused("no training data", tiles=True)


# --- settings


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("context.encoder=resnet43", ("project.yaml", "context", "resnet43", "resnet34")),
        ("context.decoder=Unett", ("project.yaml", "context", "Unett", "unet")),
        (
            "context.encoder=efficientnet-b0",
            ("project.yaml", "not circular in azimuth", "use Unet"),
        ),
        (
            "context.decoder=FPN",
            ("project.yaml", "FPN has no decoder_channels", "set them to null"),
        ),
        ("context.loss={name: dise}", ("project.yaml", "context", "dise", "dice")),
        ("context.loss={name: dice, arguments: {alpha: 1}}", ("context", "alpha", "smooth")),
        ("context.optimiser={name: AdamX}", ("project.yaml", "context", "AdamX", "Adam")),
        ("context.scheduler={name: StepLR}", ("project.yaml", "context", "StepLR", "step_size")),
        ("training.start_from=../none", ("none/context", "training.start_from")),
        ("training.also_train_on=[../none]", ("none", "holds no project.yaml")),
    ],
)
def test_settings_of_impossible_networks(
    refused: Callable[..., None], change: str, words: tuple[str, ...]
) -> None:
    refused(*words, changes=("training.start_from=none", "context.encoder=tu-test_resnet", change))


def test_project_file_that_is_not_yaml(run: Run, tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text("inputs: [mosaic\nseed: {")
    run("check", tmp_path).is_refusal("project.yaml", "is not YAML")


def test_unknown_settings(run: Run, files: Path, tmp_path: Path) -> None:
    new = [
        "new",
        tmp_path / "p",
        "--mosaic",
        files / "mosaic.tif",
        "--craters",
        files / "craters.csv",
    ]
    run(*new, "--set", "views.chip=64").is_refusal("views.chip", "views.chip_px")
    run(*new, "--set", "views.chip_px").is_refusal("KEY=VALUE")
    run(*new, "--set", "views.chip_px=small").is_refusal("views.chip_px", "small")
    run(*new, "--preset", "huge").is_refusal("huge", "laptop", "poster")
    assert not (tmp_path / "p").exists()
