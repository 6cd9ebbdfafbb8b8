"""Figures of structure: computed by hand, against scikit-image and scipy, and their symmetries."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import binary_erosion, gaussian_filter
from scipy.spatial import KDTree
from scipy.spatial.distance import directed_hausdorff
from skimage.measure import label
from skimage.metrics import hausdorff_distance

from ejectamap.evaluation.crater_rasters import CraterRasters
from ejectamap.evaluation.structure import (
    edge,
    edge_distances_km,
    evaluate_structure,
    line_figures,
    ray_continuity,
    structure_figures,
    surface_figures,
)
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window
from ejectamap.world.labels import Labels, Tile
from ejectamap.world.sphere import azimuthal_forward


def rasters(truth, prediction, spacing_km=5.0, known=None, rim_km=5.0):
    centre = truth.shape[0] / 2, truth.shape[1] / 2
    known = np.ones_like(truth) if known is None else known
    return CraterRasters(truth, prediction, known, spacing_km, centre, rim_km)


def boxes(*slices, shape=(40, 40)):
    mask = np.zeros(shape, bool)
    for part in slices:
        mask[part] = True
    return mask


# HD95 (km) and surface Dice at 5, 10 and 20 km of MONAI 1.6.1 for `smooth_patterns`, cells of 4 km, single precision.
MONAI = {
    0: (24.0, 0.5917646884918213, 0.8164705634117126, 0.9523529410362244),
    1: (35.7770881652832, 0.5190126895904541, 0.7511674165725708, 0.885256826877594),
    2: (20.0, 0.6186491250991821, 0.8398087024688721, 0.9581589698791504),
    3: (24.331050872802734, 0.6008279323577881, 0.8243643045425415, 0.9503252506256104),
}
CROSS = boxes(np.s_[18:22, 2:38], np.s_[2:38, 18:22])


def blobs(seed):
    rng = np.random.default_rng(seed)
    return rng.random((2, 30, 30)) < 0.2


def test_surfaces_by_hand():
    # Two bars of 1 x 4 cells, three cells of 2 km apart, side by side.
    truth, prediction = boxes(np.s_[10, 5:9], shape=(20, 20)), boxes(np.s_[13, 5:9], shape=(20, 20))
    figures = surface_figures(rasters(truth, prediction, 2.0))
    # Both sums are 4 x 6 km; half of them over 4 cells.
    assert figures["balanced_hausdorff_km"] == pytest.approx(6)
    assert figures["hd95_km"] == pytest.approx(6)
    assert figures["surface_dice_5km"] == figures["boundary_f1_5km"] == 0
    assert figures["surface_dice_10km"] == figures["boundary_f1_10km"] == 1
    # A bar of half the length in place: 2 of 4 true cells are 2 and 4 km away, the mapped ones in place.
    figures = surface_figures(rasters(truth, boxes(np.s_[10, 5:7], shape=(20, 20)), 2.0))
    assert figures["balanced_hausdorff_km"] == pytest.approx((2 + 4) / 2 / 4)
    assert figures["hd95_km"] == pytest.approx(np.percentile([0, 0, 2, 4], 95))


def test_surface_dice_and_boundary_f1_by_hand():
    # Of four true cells two are within 5 km, of one mapped cell all: (2 + 1) / 5, and 2 x 1 x 1/2 / (3/2).
    truth, prediction = boxes(np.s_[10, 5:9], shape=(20, 20)), boxes(np.s_[10, 5], shape=(20, 20))
    figures = surface_figures(rasters(truth, prediction, 4.0))
    assert figures["surface_dice_5km"] == pytest.approx(3 / 5)
    assert figures["boundary_f1_5km"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("seed", range(4))
def test_distances_against_scikit_image_and_scipy(seed):
    truth, prediction = blobs(seed)
    everywhere = np.ones_like(truth)
    a, b = edge_distances_km(truth, prediction, everywhere, 3.0)
    edges = edge(truth, everywhere), edge(prediction, everywhere)
    points = [np.argwhere(e) * 3.0 for e in edges]
    assert a.max() == pytest.approx(directed_hausdorff(*points)[0])
    assert b.max() == pytest.approx(directed_hausdorff(*points[::-1])[0])
    assert max(a.max(), b.max()) == pytest.approx(3 * hausdorff_distance(*edges))


@pytest.mark.parametrize("seed", range(4))
def test_distances_against_a_tree_and_pieces_against_scikit_image(seed):
    truth, prediction = blobs(seed)
    crater_rasters = rasters(truth, prediction, 3.0)
    places = np.argwhere(truth) * 3.0, np.argwhere(prediction) * 3.0
    missed, false = (KDTree(b).query(a)[0] for a, b in (places, places[::-1]))
    assert crater_rasters.truth_to_map_km == pytest.approx(missed)
    assert crater_rasters.map_to_truth_km == pytest.approx(false)
    figures = surface_figures(crater_rasters) | line_figures(crater_rasters)
    summed = missed.sum() + false.sum()
    assert figures["balanced_hausdorff_km"] == pytest.approx(summed / 2 / truth.sum())
    pieces = [int(label(mask, connectivity=2).max()) for mask in (truth, prediction)]
    assert figures["betti0_error"] == abs(pieces[0] - pieces[1])
    near = (missed <= 5).sum() + (false <= 5).sum() - (truth & prediction).sum()
    assert figures["cal_area"] == pytest.approx(near / (truth | prediction).sum())


def smooth_patterns(seed):
    """A true and a mapped pattern of 96 x 96 cells that partly agree; nothing near the margin."""
    rng = np.random.default_rng(seed)
    noise = gaussian_filter(rng.normal(size=(2, 96, 96)), (0, 3, 3))
    masks = noise + 0.5 * noise[::-1] > 0.06
    masks[:, :3] = masks[:, -3:] = masks[:, :, :3] = masks[:, :, -3:] = False
    return masks


@pytest.mark.parametrize("seed", range(20))
def test_edges_against_plain_formulas(seed):
    """HD95 and surface Dice by their definitions, from the distances of all edge cells to all others."""
    truth, prediction = smooth_patterns(seed)
    edges = [np.argwhere(m & ~binary_erosion(m)) * 4.0 for m in (truth, prediction)]
    distances = np.hypot(*(edges[0][:, None] - edges[1][None]).transpose(2, 0, 1))
    missed, false = distances.min(axis=1), distances.min(axis=0)
    figures = surface_figures(rasters(truth, prediction, 4.0))
    expected = max(np.percentile(missed, 95), np.percentile(false, 95))
    assert figures["hd95_km"] == pytest.approx(expected)
    for tolerance_km in (5, 10, 20):
        near = (missed <= tolerance_km).sum() + (false <= tolerance_km).sum()
        dice = near / (missed.size + false.size)
        assert figures[f"surface_dice_{tolerance_km}km"] == pytest.approx(dice)


@pytest.mark.parametrize("seed", MONAI)
def test_edges_against_monai(seed):
    figures = surface_figures(rasters(*smooth_patterns(seed), 4.0))
    names = ("hd95_km", *(f"surface_dice_{km}km" for km in (5, 10, 20)))
    assert [figures[name] for name in names] == pytest.approx(MONAI[seed], rel=1e-6)


@settings(max_examples=25)
@given(arrays(bool, (2, 12, 12)), st.integers(0, 3), st.booleans(), st.sampled_from([1.0, 4.0]))
def test_surface_figures_are_invariant_to_rotation_and_reflection(masks, turns, mirrored, scale):
    truth, prediction = masks
    truth[5, 5] = prediction[6, 6] = True
    turned = [np.rot90(mask[::-1] if mirrored else mask, turns) for mask in (truth, prediction)]
    one = surface_figures(rasters(truth, prediction, 2.0 * scale))
    assert surface_figures(rasters(*turned, 2.0 * scale)) == pytest.approx(one)
    # Kilometres scale with the cells.
    for name in ("balanced_hausdorff_km", "hd95_km"):
        small = surface_figures(rasters(truth, prediction, 1.0))[name]
        assert one[name] == pytest.approx(2.0 * scale * small)


@pytest.mark.parametrize("seed", range(4))
def test_swapping_truth_and_map(seed):
    truth, prediction = blobs(seed)
    one = surface_figures(rasters(truth, prediction)) | line_figures(rasters(truth, prediction))
    other = surface_figures(rasters(prediction, truth)) | line_figures(rasters(prediction, truth))
    for name in (
        "hd95_km",
        "surface_dice_10km",
        "boundary_f1_5km",
        "cldice",
        "betti0_error",
        "cal_area",
    ):
        assert one[name] == pytest.approx(other[name])
    assert one["topology_precision"] == pytest.approx(other["topology_recall"])
    ratio = truth.sum() / prediction.sum()
    assert one["balanced_hausdorff_km"] * ratio == pytest.approx(other["balanced_hausdorff_km"])


def test_distances_scale_with_the_spacing():
    truth, prediction = blobs(7)
    small = surface_figures(rasters(truth, prediction, 2.0))
    large = surface_figures(rasters(truth, prediction, 6.0))
    for name in ("balanced_hausdorff_km", "hd95_km"):
        assert large[name] == pytest.approx(3 * small[name])
    assert line_figures(rasters(truth, prediction, 12.0))["cldice"] == pytest.approx(
        line_figures(rasters(truth, prediction, 24.0))["cldice"]
    )


def test_perfect_and_empty_maps():
    perfect = structure_figures(rasters(CROSS, CROSS))
    for name, figure in perfect.items():
        worst_is_high = name.endswith("_km") or name in ("betti0_error", "gaps_per_1000km")
        assert figure == pytest.approx(0 if worst_is_high else 1), name
    nothing = structure_figures(rasters(CROSS, np.zeros_like(CROSS)))
    for name in (
        "structure",
        "surface_dice_20km",
        "boundary_f1_5km",
        "cldice",
        "cal",
        "reached_length",
    ):
        assert nothing[name] == 0, name
    # As if only the centre were mapped.
    row, col = np.nonzero(CROSS)
    assert nothing["balanced_hausdorff_km"] == pytest.approx(
        5 * np.hypot(row - 20, col - 20).sum() / 2 / CROSS.sum()
    )


def test_cldice_cal_and_betti_by_hand():
    # A bar of which the middle third is missed.
    truth = boxes(np.s_[19:22, 5:35])
    prediction = truth & ~boxes(np.s_[:, 15:25])
    figures = line_figures(rasters(truth, prediction))
    assert figures["topology_precision"] == 1
    assert figures["topology_recall"] == pytest.approx(2 / 3, abs=0.03)
    assert figures["betti0_error"] == 1
    assert figures["cal_connectivity"] == pytest.approx(1 - 1 / 90)
    # True cells within one cell of the mapped parts count as mapped: 20 + 2 of 30 columns.
    assert figures["cal_area"] == pytest.approx(22 / 30)
    assert figures["cal"] == pytest.approx(
        figures["cal_connectivity"] * figures["cal_area"] * figures["cal_length"]
    )


def test_a_gap_ends_the_reached_part_of_a_ray():
    row, col = np.indices((80, 80)) + 0.5 - 40
    away = np.hypot(row, col)
    truth = away < 39
    # The rim is at 1 cell; a ring from 20 to 24 cells, 20 km wide, is missed.
    reached, gaps = ray_continuity(rasters(truth, truth & ((away < 20) | (away > 24))))
    assert reached == pytest.approx((20**2 - 1) / (39**2 - 1), rel=0.04)
    # A gap as wide as the circle at 24 cells, over all ground.
    assert gaps == pytest.approx(24 / ((39**2 - 1) / 2) / 5 * 1000, rel=0.04)
    short, still = ray_continuity(rasters(truth, truth & ((away < 20) | (away > 21.4))))
    assert short == 1
    assert still == pytest.approx(gaps * 22 / 24, rel=0.05)
    end, none = ray_continuity(rasters(truth, truth & (away < 20)))
    assert end == pytest.approx(reached)
    assert none == 0
    assert all(
        math.isnan(x) for x in ray_continuity(rasters(boxes(np.s_[20, 20]), truth, rim_km=50.0))
    )


def test_the_end_of_the_labelled_ground_is_not_an_edge():
    known = boxes(np.s_[:, :20])
    truth = boxes(np.s_[10:30, 5:20])
    edge_cells = edge(truth, known)
    assert edge_cells[15, 5]
    assert not edge_cells[15, 19]


def test_rasters_are_in_the_crater_s_azimuthal_frame(grid):
    crater = Crater(2, "A", -175.0, 60.0, 150e3, reach=0.3)
    rng = np.random.default_rng(0)
    masks = {2: (grid.whole, rng.random(grid.shape) < 0.3)}
    tiles = (Tile(0, Window(5, 120, 30, 30)),)
    labels = Labels(grid, masks, tiles)
    crater_rasters = CraterRasters.around(crater, labels, Labels(grid, masks, None))
    assert crater_rasters.spacing_km == pytest.approx(grid.pixel_m / 1000)
    assert (crater_rasters.truth == crater_rasters.prediction).all()
    lon, lat = grid.to_lonlat(127.5, 20.5)
    x_m, y_m = azimuthal_forward(lon, lat, crater.lon, crater.lat, grid.radius_m)
    row = int(crater_rasters.centre[0] - y_m / grid.pixel_m)
    col = int(crater_rasters.centre[1] + x_m / grid.pixel_m)
    assert crater_rasters.known[row, col]
    assert not crater_rasters.known.all()
    assert not (crater_rasters.truth & ~crater_rasters.known).any()


def test_whole_evaluation(planet):
    craters = planet.craters[:3]
    empty = Labels(planet.truth.grid, {}, None)
    perfect = evaluate_structure(planet.truth, craters, lambda _: planet.truth)
    nothing = evaluate_structure(planet.truth, craters, lambda _: empty)
    assert perfect.mean["structure"] == pytest.approx(1)
    assert nothing.mean["structure"] == 0
    assert list(perfect.craters) == [c.crater_id for c in craters]
    json.dumps(perfect.to_dict(), allow_nan=False)
    assert evaluate_structure(planet.truth, (), lambda _: empty).to_dict()["spacing_km"] is None
