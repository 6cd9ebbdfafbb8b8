"""Craters have colours that readers can tell apart, the more so the nearer the craters are."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio

from ejectamap.maps.colours import colour_differences, crater_colours
from ejectamap.maps.crater_map import CraterMap, in_memory
from ejectamap.maps.rasters import recolour_mask, write_mask, write_probability
from ejectamap.maps.state import mask_path
from ejectamap.maps.writing import import_maps
from ejectamap.project.folder import Project
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.sphere import unit_vectors


def scattered(count: int, seed: int = 0, reach: float = 0.25) -> tuple[Crater, ...]:
    """Craters at random places, evenly spread over the sphere."""
    rng = np.random.default_rng(seed)
    lon = rng.uniform(-180, 180, count)
    lat = np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    return tuple(Crater(k, "", lon[k], lat[k], 3e4, reach) for k in range(count))


def separations(craters: tuple[Crater, ...]) -> np.ndarray:
    """Angle between every two craters over the sum of their reaches; inf on the diagonal."""
    vectors = unit_vectors([c.lon for c in craters], [c.lat for c in craters])
    angle = np.arccos(np.clip(vectors @ vectors.T, -1, 1)) / np.pi
    reach = np.array([crater.reach for crater in craters])
    return angle / (reach[:, None] + reach) + np.diag(np.full(len(craters), np.inf))


@pytest.mark.parametrize("seed", range(4))
def test_thirty_craters_can_be_told_apart_by_everybody(seed: int) -> None:
    """Differences (CIEDE2000) are the least of normal vision, deuteranopia and protanopia; about 2 can just be seen."""
    craters = scattered(30, seed)
    colours = crater_colours(craters)
    differences = colour_differences([colours[crater.crater_id] for crater in craters])
    separation = separations(craters)
    assert differences[np.triu_indices(30, 1)].min() > 6
    nearest = np.argsort(separation, axis=1)[:, :3]
    to_nearest = np.take_along_axis(differences, nearest, axis=1)
    assert differences[separation < 0.25].min(initial=99) > 9
    assert to_nearest.mean() > 25


def test_differences_are_those_of_the_standard() -> None:
    """Two colours that are one to a protanope, and the pure ones, which are far apart for all."""
    alike = colour_differences([(255, 40, 40), (91, 81, 41)])
    assert alike[0, 1] < 10
    pure = colour_differences([(255, 255, 0), (0, 0, 255)])
    assert pure[0, 1] > 60
    np.testing.assert_allclose(np.diag(pure), 0)


def test_an_added_crater_repaints_no_other() -> None:
    craters = scattered(40)
    added = Crater(1_000_000, "new", 3.0, 4.0, 2e4)
    colours = crater_colours((*craters, added))
    assert colours.items() > crater_colours(craters).items()
    assert crater_colours(craters[::-1]) == crater_colours(craters)


def test_more_craters_than_colours_share_them_at_a_distance() -> None:
    craters = scattered(119, reach=0.1)
    colours = crater_colours(craters)
    rgb = [colours[crater.crater_id] for crater in craters]
    assert len(set(rgb)) == 36
    same = np.array([[a == b for a in rgb] for b in rgb])
    assert separations(craters)[same].min() > 1
    assert crater_colours(()) == {}


def test_a_mask_gets_another_colour_and_stays_the_same_mask(tmp_path: Path, grid: Grid) -> None:
    values = np.random.default_rng(1).random(grid.shape, np.float32)
    write_probability(tmp_path / "p.tif", grid, grid.whole, in_memory(grid.whole, values))
    path = tmp_path / "m.tif"
    write_mask(path, grid, tmp_path / "p.tif", 0.4, (1, 2, 3))
    wanted = tmp_path / "wanted.tif"
    write_mask(wanted, grid, tmp_path / "p.tif", 0.4, (9, 8, 7))
    os.utime(path, ns=(10**18, 10**18))
    recolour_mask(path, grid, (9, 8, 7))
    assert path.read_bytes() == wanted.read_bytes()
    assert path.stat().st_mtime_ns == 10**18
    inode = path.stat().st_ino
    recolour_mask(path, grid, (9, 8, 7))
    assert path.stat().st_ino == inode


def test_masks_follow_a_changed_catalogue(
    make_project: Callable[..., Project], planet_files: Path, tmp_path: Path
) -> None:
    """A crater with a smaller id beside mapped ones changes their colours in all files."""
    table = pd.read_csv(planet_files / "craters.csv")
    project = make_project(labels=False)
    path = tmp_path / "craters.csv"
    first = table.assign(crater_id=table["crater_id"] + 1)
    first.to_csv(path, index=False)
    text = (project.folder / "project.yaml").read_text()
    catalogue = project.settings.inputs.craters
    (project.folder / "project.yaml").write_text(text.replace(catalogue, str(path)))

    def import_all() -> Project:
        opened = Project.open(project.folder)
        whole = opened.grid.whole
        values = np.full(whole.shape, 0.9, np.float32)
        mapped = [c for c in opened.craters if c.crater_id > 0]
        import_maps(opened, [CraterMap(c, whole, in_memory(whole, values)) for c in mapped[:2]])
        return opened

    before = import_all()
    added = first.iloc[[0]].assign(crater_id=0)
    pd.concat([added, first]).to_csv(path, index=False)
    after = import_all()
    colours = crater_colours(after.craters)
    assert colours[1] != crater_colours(before.craters)[1]
    for crater in after.craters[1:3]:
        with rasterio.open(mask_path(after, crater)) as mask:
            assert mask.colormap(1)[1][:3] == colours[crater.crater_id]
    with rasterio.open(after.maps / "origin.tif") as origin:
        assert origin.colormap(1)[2][:3] == colours[1]
