"""Counts against scikit-learn; an evaluation against numbers that were counted by hand."""

import io
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from sklearn.metrics import confusion_matrix, f1_score, jaccard_score, precision_score, recall_score

from ejectamap.errors import OutputError
from ejectamap.evaluation.counts import Counts, compare
from ejectamap.evaluation.pixels import evaluate
from ejectamap.evaluation.tables import is_independent, print_tables, subset_titles, unrecorded_note
from ejectamap.maps.colours import crater_colours
from ejectamap.maps.crater_map import in_memory
from ejectamap.maps.origin import OriginMap
from ejectamap.maps.rasters import quantise, write_mask, write_probability
from ejectamap.maps.reader import MapReader
from ejectamap.pages.report.summary import headline_scores
from ejectamap.world.body import cylindrical_crs
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.labels import Labels, Tile
from ejectamap.world.sphere import distance

RADIUS_M = 1_000_000.0
PIXEL_M = np.pi * RADIUS_M / 90  # 2 degrees
GRID = Grid(
    90,
    180,
    RADIUS_M,
    -180.0,
    cylindrical_crs(RADIUS_M).to_wkt(),
    Affine(PIXEL_M, 0, -90 * PIXEL_M, 0, -PIXEL_M, 45 * PIXEL_M),
)
# At the corner of the pixels (44, 89), (44, 90), (45, 89), (45, 90); its radius is a pixel.
ALPHA = Crater(0, "Alpha", 0.0, 0.0, PIXEL_M, reach=0.25)
BETA = Crater(4, "Bêta [bold]", 20.0, 0.0, PIXEL_M, reach=0.25)
GAMMA = Crater(9, "Gamma", -180.0, 0.0, PIXEL_M, reach=0.25)
CRATERS = (ALPHA, BETA, GAMMA)
TILES = (Tile(0, Window(40, 85, 10, 10)), Tile(1, Window(40, 95, 10, 10)))


def globe(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros(GRID.shape, bool)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


# Alpha: 4 x 4 pixels about the crater and a ray of 1 x 12 to the east; Beta: 2 x 2 about it.
TRUTH = {0: globe((43, 47, 88, 92), (45, 46, 92, 104)), 4: globe((44, 46, 99, 101))}
# The map finds Alpha's blanket, one row too many, and no ray; Beta takes the ray's end.
MAP = {0: globe((43, 48, 88, 92)), 4: globe((44, 46, 99, 104)), 9: globe()}
LABELS = Labels(GRID, {i: (GRID.whole, mask) for i, mask in TRUTH.items()}, TILES)


def predicted(crater_id: int, window: Window) -> np.ndarray:
    rows = slice(window.row, window.row + window.height)
    return MAP[crater_id][rows][:, GRID.columns(window)]


def origin(window: Window) -> np.ndarray:
    value = np.where(MAP[4], 5, np.where(MAP[0], 1, 0)).astype(np.uint8)
    return value[window.row : window.row + window.height][:, GRID.columns(window)]


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_counts_against_scikit_learn(seed: int, some: float, more: float) -> None:
    rng = np.random.default_rng(seed)
    truth, prediction = rng.random((20, 30)) < some, rng.random((20, 30)) < more
    truth[0, :2] = prediction[0, 1:3] = True
    weight = rng.random((20, 1))
    counts = compare(prediction, truth, weight=weight)
    flat = truth.ravel(), prediction.ravel()
    weights = np.broadcast_to(weight, truth.shape).ravel()
    for figure, score in {
        "f1": f1_score,
        "precision": precision_score,
        "recall": recall_score,
        "iou": jaccard_score,
    }.items():
        assert getattr(counts, figure) == pytest.approx(score(*flat, sample_weight=weights))
    plain = compare(prediction, truth)
    assert [plain.tn, plain.fp, plain.fn, plain.tp] == confusion_matrix(*flat).ravel().tolist()


def test_where_and_sums() -> None:
    rng = np.random.default_rng(0)
    truth, prediction, where = rng.random((3, 40, 50)) < 0.4
    inside = compare(prediction, truth, where)
    assert inside == compare(prediction[where], truth[where])
    assert inside + compare(prediction, truth, ~where) == compare(prediction, truth)


def test_empty_cases() -> None:
    assert all(math.isnan(x) for x in (Counts(tn=5).f1, Counts(tn=5).iou, Counts().precision))
    missed, invented = Counts(fn=3), Counts(fp=3)
    assert (missed.f1, missed.iou, missed.recall) == (0, 0, 0)
    assert math.isnan(missed.precision)
    assert math.isnan(invented.recall)
    assert json.dumps(missed.to_dict(), allow_nan=False)


def test_labelled_tiles_by_hand() -> None:
    evaluation = evaluate(LABELS, CRATERS, predicted, None, tile_px=10, origin=origin)
    # Alpha: 16 right, 4 too many, 12 of the ray missed. Beta: 4 right, 6 too many.
    pixels = evaluation.all.pixel
    assert (pixels.tp, pixels.fp, pixels.fn) == (16 + 4, 4 + 6, 12)
    assert pixels.tp + pixels.fp + pixels.fn + pixels.tn == 4 * 100
    assert evaluation.test == evaluation.all
    assert not evaluation.has_training_pairs
    # Alpha's ray reaches into tile 1 and is missed; Beta is in tile 1 only.
    assert evaluation.all.tile == Counts(tp=2, fp=0, fn=1, tn=1)
    # Gamma is on the far side: no tile in reach.
    assert [row.crater_id for row in evaluation.craters] == [0, 4]
    alpha = evaluation.craters[0].scores
    assert alpha.tile == Counts(tp=1, fp=0, fn=1, tn=0)
    # 16 of Alpha go to Alpha; its ray loses 5 pixels to Beta, of which its label holds 2.
    assert alpha.origin is not None
    assert (alpha.origin.mapped_px, alpha.origin.correct_px) == (16 + 5, 16 + 2)


def test_distances_by_hand() -> None:
    evaluation = evaluate(LABELS, (ALPHA,), predicted, None, tile_px=10)
    # Distance of the ray's pixels from the crater in radii: 2.5 + k along, half a pixel aside.
    near, middle, far = (evaluation.all.distance[name] for name in ("0-3", "3-10", ">10"))
    assert (near.tp, near.fn) == (16, 1)
    # Added row: |y| = 2.5, x = +-0.5 within 3 radii; x = +-1.5 is at 2.9.
    assert (near.fp, middle.fp) == (4, 0)
    assert (middle.fn, far.fn) == (7, 4)
    assert evaluation.all.origin is None


def test_areas_are_true_ground() -> None:
    polar = Labels(
        GRID, {0: (GRID.whole, globe((0, 10, 0, 180)))}, (Tile(3, Window(0, 0, 20, 180)),)
    )
    pole = Crater(0, "Pole", 0.0, 90.0, PIXEL_M, reach=0.5)
    evaluation = evaluate(polar, (pole,), lambda _, w: np.ones(w.shape, bool), None, tile_px=10)
    cap_km2 = 2 * np.pi * RADIUS_M**2 * (1 - np.cos(np.radians(20.0))) / 1e6
    assert evaluation.all.area_km2.tp == pytest.approx(cap_km2)
    assert evaluation.all.pixel.tp == 1800


def test_split_separates_the_test_pairs() -> None:
    split = {(0, 0): "train", (0, 1): "test", (4, 0): "validation"}
    evaluation = evaluate(LABELS, CRATERS, predicted, split, tile_px=10, origin=origin)
    assert evaluation.has_training_pairs
    # Left: Alpha in tile 1 (9 ray pixels missed) and Beta in tile 1, which the split does not know.
    assert evaluation.test.pixel == Counts(tp=4, fp=6, fn=9, tn=181)
    assert evaluation.test.tile == Counts(tp=1, fp=0, fn=1, tn=0)
    assert evaluation.test.origin is not None
    assert evaluation.test.origin.mapped_px == 4 + 5
    assert evaluation.all.pixel.tp == 20


def test_pairs_that_were_seen_before_are_told_apart() -> None:
    def seen(crater: Crater, windows: Sequence[Window]) -> np.ndarray:
        return np.array([crater == ALPHA and window == first.window for window in windows])

    assert LABELS.tiles is not None
    first = LABELS.tiles[0]

    known = {"tile_px": 10, "origin": origin, "seen": seen}
    evaluation = evaluate(LABELS, CRATERS, predicted, None, **known)  # type: ignore[arg-type]
    whole = evaluate(LABELS, CRATERS, predicted, None, tile_px=10, origin=origin)
    assert evaluation.all.pixel == evaluation.test.pixel == whole.all.pixel
    without = evaluate(LABELS, CRATERS, predicted, {(0, 0): "train"}, tile_px=10, origin=origin)
    assert evaluation.unseen.pixel == without.test.pixel
    assert [row.seen_fraction for row in evaluation.craters] == [0.5, 0.0]
    titles = subset_titles(replace(evaluation, unrecorded=()).to_dict())
    assert titles == {
        "all": "All labels (the networks were trained on 25.0% of them)",
        "unseen": "Labels that no network was trained on",
    }
    assert not is_independent(evaluation.to_dict())
    split = {(0, 1): "train"}
    held_out = evaluate(LABELS, CRATERS, predicted, split, **known)  # type: ignore[arg-type]
    assert held_out.unseen.pixel.total == 200
    note = unrecorded_note(replace(evaluation, unrecorded=("context/member-00",)).to_dict())
    assert note is not None
    assert "context/member-00" in note
    assert unrecorded_note(evaluation.to_dict()) is None


def test_a_headline_says_whether_its_labels_were_seen_before() -> None:
    unit = {"pixel": {"f1": 0.855}, "tile": {"f1": None}}
    seen = {"test_px": 10, "seen_px": 10, "unrecorded": []}
    content = {"split": "split.csv", "test": unit, "all": unit, "unseen": unit, "seen": seen}
    assert headline_scores(content) == (
        "Test set (training started from networks trained on all of it): pixel F1 0.855;"
        " this is no independent test"
    )
    fresh = content | {"seen": seen | {"seen_px": 0}}
    assert headline_scores(fresh) == "Test set only: pixel F1 0.855"
    assert is_independent(fresh)


def test_whole_pattern_counts_all_ground_in_reach() -> None:
    labels = Labels(GRID, LABELS.masks, None)
    evaluation = evaluate(labels, CRATERS, predicted, None, tile_px=12)
    assert [row.crater_id for row in evaluation.craters] == [0, 4]
    for row, crater in zip(evaluation.craters, (ALPHA, BETA), strict=True):
        lon, lat = GRID.centres(GRID.whole)
        within = distance(crater.lon, crater.lat, lon, lat, RADIUS_M) <= crater.reach_m(RADIUS_M)
        mask, truth = MAP[crater.crater_id], TRUTH[crater.crater_id]
        assert row.scores.pixel == compare(mask, truth, within)
        weighed = compare(mask, truth, within, GRID.row_area_m2[:, None] / 1e6)
        assert row.scores.area_km2.tp == pytest.approx(weighed.tp)
        assert row.scores.area_km2.tn == pytest.approx(weighed.tn)


def test_whole_pattern_over_the_dateline_and_a_pole() -> None:
    everywhere = globe((0, 90, 0, 180))
    for lon, lat in ((-180.0, 10.0), (50.0, 88.0)):
        crater = Crater(0, "Edge", lon, lat, PIXEL_M, reach=0.1)
        labels = Labels(GRID, {0: (GRID.whole, everywhere)}, None)
        evaluation = evaluate(
            labels, (crater,), lambda _, w: np.ones(w.shape, bool), None, tile_px=12
        )
        cap_km2 = 2 * np.pi * RADIUS_M**2 * (1 - np.cos(0.1 * np.pi)) / 1e6
        assert evaluation.all.area_km2.tp == pytest.approx(cap_km2, rel=0.03)


def test_tables_and_json() -> None:
    evaluation = evaluate(LABELS, CRATERS, predicted, {(0, 0): "train"}, tile_px=10, origin=origin)
    json.dumps(evaluation.to_dict(), allow_nan=False)
    console = Console(file=io.StringIO(), width=120)
    print_tables(evaluation, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for word in ("Train & test set", "Test set only", "F1 score", "IoU", ">10", "Bêta [bold] (4)"):
        assert word in text
    assert f"{evaluation.all.pixel.f1:.3f}" in text
    assert "–" in text
    print_tables(evaluate(LABELS, CRATERS, predicted, None, tile_px=10), console)
    assert "none were held out" in console.file.getvalue()  # type: ignore[attr-defined]


def write_map(folder: Path, crater_id: int, window: Window, values: np.ndarray) -> None:
    probability = folder / f"crater_{crater_id}_probability.tif"
    write_probability(probability, GRID, window, in_memory(window, values))
    write_mask(folder / f"crater_{crater_id}_mask.tif", GRID, probability)


@pytest.mark.parametrize("step", [1, 2])
def test_overlaps_are_pixels_with_ejecta_of_another_crater(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr("ejectamap.maps.reader._OVERVIEW_PX", GRID.width // step)
    origins = OriginMap(GRID)
    windows = {0: Window(40, 80, 10, 30), 4: Window(44, 150, 20, 30), 9: Window(46, 100, 10, 60)}
    for crater_id, window in windows.items():
        probability = np.full(window.shape, 0.9 - crater_id / 100, np.float32)
        write_map(tmp_path, crater_id, window, probability)
        origins.add(crater_id, window, quantise(probability))
    origins.write(tmp_path / "origin.tif", CRATERS, crater_colours(CRATERS))
    expected = np.zeros(GRID.shape, np.uint8)
    expected[46:50, 100:110] = 10  # of Gamma, below Alpha
    expected[46:56, 150:160] = 10  # below Beta
    overlaps = MapReader(tmp_path, GRID).overlaps_overview(windows)
    np.testing.assert_array_equal(overlaps, expected[::step, ::step])


def test_map_files_read_back(tmp_path: Path) -> None:
    window = Window(40, 80, 10, 30)
    inside = np.s_[40:50, 80:110]
    probability = np.where(MAP[0][inside], np.float32(0.8), np.float32(0.1))
    probability[:, 20:] = np.nan
    write_map(tmp_path, 0, window, probability)
    origins = OriginMap(GRID)
    origins.add(0, window, quantise(probability))
    origins.write(tmp_path / "origin.tif", CRATERS, crater_colours(CRATERS))
    files = MapReader(tmp_path, GRID)
    np.testing.assert_array_equal(files.mask(0, GRID.whole), MAP[0])
    np.testing.assert_array_equal(
        files.mask(0, Window(44, 170, 2, 100)), MAP[0][44:46, np.r_[170:180, 0:90]]
    )
    np.testing.assert_array_equal(
        files.origin(Window(44, 170, 2, 100)), MAP[0][44:46, np.r_[170:180, 0:90]]
    )
    lon, lat = GRID.centres(window)
    np.testing.assert_allclose(files.sample(0, lon, lat), probability, atol=1e-6)
    assert np.isnan(files.sample(0, 0.0, 60.0))
    halfway = files.sample(0, *GRID.to_lonlat(88.0, 45.5))
    assert halfway == pytest.approx(0.45, abs=1e-6)
    with pytest.raises(OutputError, match="run ejectamap map again"):
        files.mask(4, window)
    (tmp_path / "origin.tif").unlink()
    with pytest.raises(OutputError, match="run ejectamap map again"):
        MapReader(tmp_path, GRID).origin(window)


def test_distant_places_are_sampled_from_an_overview(tmp_path: Path) -> None:
    """On a slope of 0.01 a pixel an overview of four pixels is right within two of them."""
    window = Window(20, 60, 40, 80)
    rows, cols = np.mgrid[0:40, 0:80]
    write_map(tmp_path, 0, window, (0.01 * cols + 0 * rows).astype(np.float32))
    files, places = MapReader(tmp_path, GRID), GRID.centres(Window(24, 64, 32, 72))
    near = files.sample(0, *places)
    far = files.sample(0, *places, 4.5 * GRID.pixel_m)
    assert 0.005 < np.abs(far - near).max() < 0.021


def test_unused_pairs_are_not_evaluated() -> None:
    split = {(0, 0): "train", (0, 1): "unused", (4, 0): "test"}
    evaluation = evaluate(LABELS, CRATERS, predicted, split, tile_px=10)
    whole = evaluate(LABELS, CRATERS, predicted, {(0, 0): "train"}, tile_px=10)
    assert (
        whole.all.pixel.tp + whole.all.pixel.fn
        == evaluation.all.pixel.tp + evaluation.all.pixel.fn + 9
    )
    assert evaluation.all.tile.fn == 0


def test_an_evaluation_without_ejecta_says_so() -> None:
    labels = Labels(GRID, {0: (GRID.whole, np.zeros(GRID.shape, bool))}, None)
    nothing = evaluate(
        labels, CRATERS, lambda _, window: np.zeros(window.shape, bool), None, tile_px=10
    )
    console = Console(file=io.StringIO(), width=200)
    print_tables(nothing, console)
    assert nothing.is_empty
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.startswith("There is nothing to judge")
