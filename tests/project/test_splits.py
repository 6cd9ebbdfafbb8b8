"""Splits: by place no test tile overlaps a training tile; by crater; leakage; given by the user; on disk."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ejectamap.errors import LabelError
from ejectamap.project.folder import Project
from ejectamap.project.pairs import Pair, make_pairs
from ejectamap.project.splits import (
    Leakage,
    count_leakage,
    crater_folds,
    leakage_of,
    make_split,
    pair_key,
    read_split,
    split_by_place,
    write_split,
)
from ejectamap.training.sources import gather_sources, split_validation
from ejectamap.views.chip import largest_chip
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window, overlap_matrix
from ejectamap.world.labels import Tile
from ejectamap.world.world import World

MakeProject = Callable[..., Project]
WIDTH, HEIGHT = 128, 64


@st.composite
def windows(draw: st.DrawFn) -> Window:
    height, width = draw(st.integers(2, 14)), draw(st.integers(2, 20))
    row = draw(st.integers(0, HEIGHT - height))
    return Window(row, draw(st.integers(0, WIDTH - 1)), height, width)


def window_mask(window: Window) -> np.ndarray:
    """Mask of the pixels of the grid in a window."""
    covered = np.zeros((HEIGHT, WIDTH), bool)
    cols = np.arange(window.col, window.col + window.width) % WIDTH
    covered[window.row : window.row + window.height, cols] = True
    return covered


def pairs_of(tiles: list[Window], seed: int) -> list[Pair]:
    """Pairs of every tile with some of five craters, at random distances."""
    rng = np.random.default_rng(seed)
    craters = [Crater(k, f"{k}", 0, 0, 1e4) for k in range(5)]
    return [
        Pair(crater, k, window, rng.uniform(0, 1e6), bool(rng.random() < 0.4), 1.0)
        for k, window in enumerate(tiles)
        for crater in craters
        if rng.random() < 0.7
    ]


@settings(max_examples=40)
@given(st.lists(windows(), min_size=1, max_size=40), st.integers(0, 99), st.floats(0.05, 0.6))
def test_by_place_no_pixel_is_in_both_parts(
    tiles: list[Window], seed: int, fraction: float
) -> None:
    pairs = pairs_of(tiles, seed)
    large, small = split_by_place(pairs, fraction, seed, WIDTH)
    assert sorted(map(pair_key, large + small)) == sorted(map(pair_key, pairs))
    trained = np.any([window_mask(p.window) for p in large], axis=0) if large else np.zeros(1, bool)
    for pair in small:
        assert not (trained & window_mask(pair.window)).any()
    assert split_by_place(pairs, fraction, seed, WIDTH) == (large, small)
    parts = {pair_key(p): "train" for p in large} | {pair_key(p): "test" for p in small}
    pixels = sum(p.window.height * p.window.width for p in small)
    assert count_leakage(parts, dict(enumerate(tiles)), WIDTH) == Leakage(pixels, 0)


@settings(max_examples=40)
@given(st.lists(windows(), min_size=1, max_size=12), st.integers(0, 99))
def test_leakage_is_the_test_pixels_in_training_tiles(tiles: list[Window], seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = {pair_key(p): str(rng.choice(["train", "test", "unused"])) for p in pairs_of(tiles, 1)}
    trained = np.zeros((HEIGHT, WIDTH), bool)
    for (_, tile_id), part in parts.items():
        if part == "train":
            trained |= window_mask(tiles[tile_id])
    tested = [window_mask(tiles[tile_id]) for (_, tile_id), part in parts.items() if part == "test"]
    expected = Leakage(
        sum(int(g.sum()) for g in tested), sum(int((g & trained).sum()) for g in tested)
    )
    assert count_leakage(parts, dict(enumerate(tiles)), WIDTH) == expected


def test_by_place_takes_about_the_fraction_of_every_stratum() -> None:
    tiles = [Window(row, col, 8, 8) for row in range(0, HEIGHT, 8) for col in range(0, WIDTH, 8)]
    pairs = pairs_of(tiles, 3)
    _, small = split_by_place(pairs, 0.25, 0, WIDTH)
    assert len(small) == pytest.approx(0.25 * len(pairs), rel=0.1)
    connected = [sum(p.connected for p in part) for part in (small, pairs)]
    assert connected[0] == pytest.approx(0.25 * connected[1], rel=0.25)
    assert split_by_place(pairs, 0.0, 0, WIDTH) == (pairs, [])
    assert split_by_place(pairs, 1.0, 0, WIDTH) == ([], pairs)
    assert split_by_place([], 0.2, 0, WIDTH) == ([], [])


def test_a_chip_lies_within_its_tile(make_world: Callable[..., World], grid: Grid) -> None:
    """So that tiles without overlap give chips without overlap."""
    tiles = (Tile(0, Window(20, 60, 10, 10)), Tile(1, Window(14, 70, 9, 25)))
    pairs = make_pairs(make_world(tiles), 8)
    assert {p.tile_id for p in pairs} == {0, 1}
    for pair in pairs:
        places = largest_chip(pair.crater, pair.window, grid).places(pair.crater, grid.radius_m, 64)
        col, row = grid.to_pixel(*places)
        w = pair.window
        assert (col >= w.col - 0.1).all()
        assert (col <= w.col + w.width + 0.1).all()
        assert (row >= w.row - 0.1).all()
        assert (row <= w.row + w.height + 0.1).all()


# --- a project's


def test_a_project_s_split_by_place_has_no_leakage(make_project: MakeProject) -> None:
    leakage = {}
    for split in ("pairs", "place"):
        changes = (f"training.split={split}", "training.test_fraction=0.3", "seed=2")
        project = make_project(*changes, name=split)
        gathered = gather_sources(project)
        assert list(gathered.split.values()).count("test") > 3
        leakage[split] = leakage_of(project, gathered.split)
        train, validation = split_validation(gathered.sources, 0.2, 1, split)
        tiles = [{p.tile_id for s in part for p in s.pairs} for part in (train, validation)]
        assert (not tiles[0] & tiles[1]) == (split == "place")
    assert leakage["place"].seen_px == 0 < leakage["place"].test_px
    assert leakage["pairs"].seen_px > 0.5 * leakage["pairs"].test_px
    assert "0 of" in str(leakage["place"])
    assert "(0%)" in str(leakage["place"])


def test_with_a_test_fraction_of_1_only_other_projects_are_trained_on(
    make_project: MakeProject,
) -> None:
    other = make_project(name="other")
    project = make_project("training.test_fraction=1", "training.also_train_on=[../other]")
    gathered = gather_sources(project)
    (source,) = gathered.sources
    assert len(source.pairs) == len(make_pairs(other.world, other.tile_side_px))
    assert set(gathered.split.values()) == {"test"}
    assert leakage_of(project, gathered.split).seen_px == 0
    with pytest.raises(LabelError, match="no training data"):
        gather_sources(make_project("training.test_fraction=1", name="alone"))


def test_a_given_split_is_used(make_project: MakeProject, tmp_path: Path) -> None:
    project = make_project("inputs.split=../split.csv")
    keys = list(map(pair_key, make_pairs(project.world, project.tile_side_px)))
    marks = {key: (0, 1, -1)[k % 3] for k, key in enumerate(keys[:-2])}
    rows = [(*key, mark) for key, mark in marks.items()]
    table = pd.DataFrame(rows, columns=["crater_id", "tile_id", "test"])
    table.to_csv(tmp_path / "split.csv", index=False)
    gathered = gather_sources(project)
    names = {0: "train", 1: "test", -1: "unused"}
    assert gathered.split == {key: names[marks.get(key, -1)] for key in keys}
    (own,) = gathered.sources
    assert {pair_key(p) for p in own.pairs} == {key for key, mark in marks.items() if mark == 0}
    write_split(project, gathered.split)
    assert read_split(project) == gathered.split


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "split.csv: does not exist"),
        ("crater_id,tile_id\n0,1\n", "no column test: add it"),
        ("crater_id,tile_id,test\n0,1,2\n", "column test, row 1: is 2: use 0"),
        ("crater_id,tile_id,test\n0,1,0\n0,1,1\n", "crater 0 with tile 1 stands in row 2 again"),
        ("crater_id,tile_id,test\n77,1,0\n", "names no crater with a tile in its reach"),
    ],
)
def test_an_invalid_split_is_refused_in_one_line(
    make_project: MakeProject, tmp_path: Path, content: str | None, words: str
) -> None:
    project = make_project("inputs.split=../split.csv")
    if content is not None:
        (tmp_path / "split.csv").write_text(content)
    with pytest.raises(LabelError, match=words) as caught:
        gather_sources(project)
    assert "\n" not in str(caught.value)


def test_a_split_by_crater_holds_whole_craters_out(make_project: MakeProject) -> None:
    """Their labels cannot even be read, as other craters' ejecta."""
    project = make_project("training.split=crater", "training.test_fraction=0.4")
    gathered = gather_sources(project)
    held_out = {crater_id for (crater_id, _), part in gathered.split.items() if part == "test"}
    assert len(held_out) == 2
    (source,) = gathered.sources
    assert not held_out & {pair.crater.crater_id for pair in source.pairs}
    assert source.world.labels is not None
    assert not held_out & source.world.labels.masks.keys()
    by_key = {pair_key(p): p for p in make_pairs(project.world, project.tile_side_px)}
    kept = {pair_key(pair): pair for pair in source.pairs}
    assert all(pair.ejecta_ratio <= by_key[key].ejecta_ratio for key, pair in kept.items())
    assert any(pair.ejecta_ratio < by_key[key].ejecta_ratio for key, pair in kept.items())


@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=12, unique=True),
    st.integers(2, 6),
    st.integers(0, 99),
)
def test_folds_hold_each_crater_once_and_share_giants_and_sizes(
    craters: list[tuple[int, bool]], folds: int, seed: int
) -> None:
    """Craters with 0 to 9 tiles of ejecta, some of them giants."""
    pairs = [
        Pair(Crater(k, "", 0, 0, 1e4, 0.5 if giant else 0.25), t, Window(0, 0, 2, 2), 0, t < n, 1)
        for k, (n, giant) in enumerate(craters)
        for t in range(10)
    ]
    labelled = {k for k, (tiles, _) in enumerate(craters) if tiles}
    members = crater_folds(pairs, folds, seed)
    assert sorted(k for ids in members for k in ids) == sorted(labelled)
    assert len(members) == min(folds, len(labelled))
    if members:
        sizes = [len(ids) for ids in members]
        giants = [sum(craters[k][1] for k in ids) for ids in members]
        assert max(sizes) - min(sizes) <= 1
        assert max(giants) - min(giants) <= 1
    assert members == crater_folds(pairs, folds, seed)


def test_the_parts_of_a_split_stay_when_pairs_are_added(make_project: MakeProject) -> None:
    for kind in ("pairs", "place", "crater"):
        project = make_project(f"training.split={kind}", "training.test_fraction=0.3", name=kind)
        pairs = make_pairs(project.world, project.tile_side_px)
        few = [pair for pair in pairs if pair.crater.crater_id != 3 and pair.tile_id % 5]
        before = make_split(project, few)
        write_split(project, before)
        after = make_split(project, pairs)
        assert after.keys() == set(map(pair_key, pairs))
        assert before.items() <= after.items()
        if kind == "place":
            parts = {
                part: [p for p in pairs if after[pair_key(p)] == part] for part in ("train", "test")
            }
            assert not overlap_matrix(
                [p.window for p in parts["train"]], [p.window for p in parts["test"]], 256
            ).any()
        if kind == "crater":
            assert all(
                len({part for (k, _), part in after.items() if k == crater_id}) == 1
                for crater_id in range(6)
            )


def test_other_settings_draw_another_split(make_project: MakeProject) -> None:
    project = make_project()
    pairs = make_pairs(project.world, project.tile_side_px)
    write_split(project, make_split(project, pairs))
    other = make_project("training.test_fraction=0.5", name="other")
    shutil.copy(project.split_path, other.split_path)
    shutil.copy(project.split_record_path, other.split_record_path)
    tests = [
        sum(part == "test" for part in make_split(p, pairs).values()) for p in (project, other)
    ]
    assert tests[1] > 2 * tests[0]
