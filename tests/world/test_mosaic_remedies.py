"""The remedy that a refusal of a mosaic names, followed to the letter, works.

`rio` is installed with the program and run as it is; what a command of GDAL would do is done by GDAL's own functions.
"""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import mosaic_cases
import numpy as np
import odd_mosaics
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from click.testing import CliRunner
from mosaic_cases import CASES
from odd_mosaics import COLS, EQC, GLOBE, PX, ROWS, R
from rasterio.enums import Resampling
from rasterio.rio.main import main_group

from ejectamap.errors import MosaicError
from ejectamap.world.mosaic import Mosaic


def refusal(path: Path) -> str:
    with pytest.raises(MosaicError) as caught:
        Mosaic.open(path)
    return str(caught.value)


def run_rio(message: str, path: Path) -> Path:
    """Run the `rio` command in a message."""
    command = re.search(rf"rio (edit-info .*?{re.escape(str(path))})", message)
    assert command, message
    outcome = CliRunner().invoke(main_group, shlex.split(command[1]))
    assert outcome.exit_code == 0, outcome.output
    return path


@pytest.mark.parametrize("name", ["float_9999", "uint16_65535"])
def test_declared_no_data(tmp_path: Path, name: str) -> None:
    path = CASES[name].make(tmp_path)
    mosaic_cases.HALF(Mosaic.open(run_rio(refusal(path), path)))


def test_declared_zero(tmp_path: Path) -> None:
    path = CASES["zeros_undeclared"].make(tmp_path)
    (note,) = Mosaic.open(path).notes
    mosaic_cases.HALF(Mosaic.open(run_rio(note, path)))


def test_assigned_crs(tmp_path: Path) -> None:
    """The message's example is the Moon, in metres: the radius of these files."""
    path = CASES["no_crs"].make(tmp_path)
    mosaic_cases.is_ground()(Mosaic.open(run_rio(refusal(path), path)))


def test_crs_of_earth_replaced(tmp_path: Path) -> None:
    path = CASES["earth"].make(tmp_path)
    mosaic = Mosaic.open(run_rio(refusal(path), path))
    mosaic_cases.is_ground()(mosaic)
    assert mosaic.grid.radius_m == 2_440_530.0


@pytest.mark.parametrize("name", ["no_transform", "nan_transform", "infinite_transform"])
def test_assigned_edges(tmp_path: Path, name: str) -> None:
    """As gdal_translate -a_ullr LEFT TOP RIGHT BOTTOM, in the CRS's unit."""
    path = CASES[name].make(tmp_path)
    assert "gdal_translate -a_ullr LEFT TOP RIGHT BOTTOM" in refusal(path)
    with rasterio.open(path, "r+") as target:
        target.transform = GLOBE
    mosaic_cases.is_ground()(Mosaic.open(path))


def test_label_instead_of_its_pixels(tmp_path: Path) -> None:
    path = CASES["img_beside_lbl"].make(tmp_path)
    name = re.search(r"give (\S+), the label", refusal(path))
    assert name
    mosaic_cases.is_ground()(Mosaic.open(tmp_path / name[1]))


def test_amplitude_of_complex_numbers(tmp_path: Path) -> None:
    """As gdal_calc.py --calc='abs(A)' --type=Float32."""
    path = CASES["complex"].make(tmp_path)
    assert "--calc='abs(A)' --type=Float32" in refusal(path)
    with rasterio.open(path) as source:
        values = np.abs(source.read()).astype(np.float32)
    mosaic_cases.is_ground()(Mosaic.open(odd_mosaics.write(tmp_path / "amplitude.tif", values)))


def test_unequal_bands(tmp_path: Path) -> None:
    """As gdal_translate -b 1."""
    parts: dict[str, Callable[[Path], Path]] = {
        "a": odd_mosaics.part(-180, 0, 180, 90, name="a.tif"),
        "b": odd_mosaics.part(-180, -90, 180, 0, name="b.tif"),
    }
    (tmp_path / "tiles").mkdir()
    first, second = (make(tmp_path / "tiles") for make in parts.values())
    with rasterio.open(second) as source:
        values, profile = source.read(), source.profile
    with rasterio.open(second, "w", **(profile | {"count": 2})) as target:
        target.write(np.concatenate([values, values]))
    assert "gdal_translate -b" in refusal(first.parent)
    with rasterio.open(second, "w", **profile) as target:
        target.write(values)
    mosaic_cases.is_ground()(Mosaic.open(first.parent))


def test_larger_than_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As gdal_translate -r average -outsize 25% 25%."""
    fine = GLOBE @ Affine.scale(0.25)
    make = odd_mosaics.projected(EQC, fine, (4 * ROWS, 4 * COLS))
    path = make(tmp_path)

    class Memory:
        available = 300_000
        free = 0

    monkeypatch.setattr("ejectamap.world.mosaic_files.psutil.virtual_memory", Memory)
    monkeypatch.setattr("ejectamap.world.mosaic_files.psutil.swap_memory", Memory)
    assert "gdal_translate -r average -outsize 25% 25%" in refusal(path)
    with rasterio.open(path) as source:
        values = source.read(out_shape=(1, ROWS, COLS), resampling=Resampling.average)
    mosaic_cases.is_ground()(Mosaic.open(odd_mosaics.write(tmp_path / "coarse.tif", values)))


def test_other_radius_in_the_crs(tmp_path: Path) -> None:
    """The message gives the radius that the pixels were made for."""
    path = CASES["other_radius"].make(tmp_path)
    radius = re.search(r"another radius, ([\d,]+) m", refusal(path))
    assert radius
    radius_m = float(radius[1].replace(",", ""))
    assert radius_m == pytest.approx(R, rel=1e-6)
    with rasterio.open(path, "r+") as target:
        target.crs = rasterio.CRS.from_string(f"+proj=eqc +R={radius_m} +no_defs")
    mosaic_cases.is_ground()(Mosaic.open(path))
    assert pytest.approx(np.pi * R / ROWS) == PX
