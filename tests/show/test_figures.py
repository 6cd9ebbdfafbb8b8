"""Figures are drawn and not blank, also with names that are hard to print."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from ejectamap.errors import OutputError
from ejectamap.maps.colours import crater_colours
from ejectamap.maps.crater_map import in_memory
from ejectamap.maps.origin import OriginMap
from ejectamap.maps.outlines import write_polygons
from ejectamap.maps.rasters import quantise, write_mask, write_probability
from ejectamap.maps.state import crater_path, mask_path, probability_path
from ejectamap.project.folder import Project
from ejectamap.show.card import panel_boxes, plot_crater_card
from ejectamap.show.globe import plot_global_map
from ejectamap.show.graticule import draw_graticule
from ejectamap.show.ground import colour_ground, origin_colours
from ejectamap.show.map_elements import Name, nice_length, place_names, printable, read_credit
from ejectamap.show.panels import CylindricalPanel, Pole
from ejectamap.show.run import draw_maps
from ejectamap.world.body import cylindrical_crs
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import distance

RADIUS_M = 2_439_400.0
PIXEL_M = np.pi * RADIUS_M / 128
GRID = Grid(
    128,
    256,
    RADIUS_M,
    -180.0,
    cylindrical_crs(RADIUS_M).to_wkt(),
    Affine(PIXEL_M, 0, -128 * PIXEL_M, 0, -PIXEL_M, 64 * PIXEL_M),
)
HARD_NAMES = (
    '"Quotes" & <b>brackets</b>',
    "Bartók $x^2$ $",
    '漢字 Χαλκίς \U0001f30b <b> " $_^',
    "one\nline\ttwo \\frac{1}{2} %s {0}",
    "x" * 200,
    "_^$\\",
    "",
)
CRATERS = (
    *(Crater(k, name, -150.0 + 50 * k, 20.0 * (-1) ** k, 4e4) for k, name in enumerate(HARD_NAMES)),
    Crater(20, "Pole", 0.0, 89.0, 4e4),
    Crater(21, "Edge", -180.0, -70.0, 4e4),
)


AREAS: dict[str, Any] = {"areas_km2": {0: 1e5}, "threshold": 0.3}


def make_mosaic(bands: int = 3) -> Mosaic:
    values = np.random.default_rng(3).integers(20, 200, (bands, *GRID.shape)).astype(np.uint8)
    valid = np.ones(GRID.shape, bool)
    valid[:3] = False
    return Mosaic.from_array(values, valid, GRID, tuple(f"b{i}" for i in range(bands)))


def blob(crater: Crater, size_m: float = 400_000.0):
    """A round patch of ejecta that fades out."""

    def sample(lon: np.ndarray, lat: np.ndarray, spacing_m: float = 0.0) -> np.ndarray:
        distance_m = distance(crater.lon, crater.lat, lon, lat, RADIUS_M)
        faded = np.clip(1.5 - distance_m / size_m, 0, 1).astype(np.float32)
        return np.where(distance_m < 3 * size_m, faded, np.float32(np.nan))

    return sample


def make_origin() -> np.ndarray:
    origin = OriginMap(GRID)
    lon, lat = GRID.centres(GRID.whole)
    for crater in CRATERS[:-1]:
        origin.add(crater.crater_id, GRID.whole, quantise(blob(crater)(lon, lat)))
    return origin.origin


def has_colour(picture: np.ndarray, crater_id: int) -> bool:
    colour = np.array(crater_colours(CRATERS)[crater_id]) / 255
    return bool((np.abs(picture[..., :3] - colour).max(axis=-1) < 0.02).any())


def test_global_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ejectamap.show.globe._DPI", 72)
    path = tmp_path / "map.png"
    areas_km2 = {crater.crater_id: 1e5 for crater in CRATERS[:-1]}
    plot_global_map(
        path,
        make_mosaic(),
        CRATERS,
        make_origin(),
        areas_km2=areas_km2,
        threshold=0.3,
        credit="$x_2$ <b> 漢字 & NASA",
    )
    picture = imread(path)
    assert picture.shape == (835, 1152, 4)
    # Swatches of the legend, which lists mapped craters only.
    assert all(has_colour(picture, crater.crater_id) for crater in CRATERS[:-1])
    assert [p.name for p in tmp_path.iterdir()] == ["map.png"]


def test_overlaps_are_striped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ejectamap.show.globe._DPI", 50)
    first = np.ones((16, 32), np.uint8)
    plot_global_map(tmp_path / "plain.png", make_mosaic(1), CRATERS[:1], first, **AREAS)
    plot_global_map(tmp_path / "map.png", make_mosaic(1), CRATERS[:1], first, 3 * first, **AREAS)
    plain, striped = (imread(tmp_path / name)[60:280, 60:740] for name in ("plain.png", "map.png"))
    changed = (np.abs(plain - striped) > 0.02).any(axis=-1)
    assert 0.4 < changed.mean() < 0.6
    assert 0.4 < changed[100].mean() < 0.6


def test_global_map_without_ejecta_or_craters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ejectamap.show.globe._DPI", 50)
    nothing = np.zeros((16, 32), np.uint8)
    plot_global_map(tmp_path / "map.png", make_mosaic(1), (), nothing, areas_km2={}, threshold=0.3)
    picture = imread(tmp_path / "map.png")[..., :3]
    assert np.ptp(picture, axis=-1).max() < 0.02  # grey: no colour of a crater
    ground = (picture.max(axis=-1) < 0.9) & (picture.min(axis=-1) > 0.1)
    assert ground.mean() > 0.3


@pytest.mark.parametrize("crater", CRATERS[2:5] + CRATERS[-2:], ids=lambda c: str(c.crater_id))
def test_card_with_any_name_and_place(tmp_path: Path, crater: Crater) -> None:
    path = tmp_path / "card.png"
    plot_crater_card(
        path,
        make_mosaic(),
        crater,
        blob(crater),
        0.5,
        lambda lon, lat: blob(crater)(lon, lat) > 0.8,
    )
    picture = imread(path)[..., :3]
    left, right = (
        picture[upper : upper + width - x, x:width] for x, upper, width, _ in panel_boxes()
    )
    yellow = np.array([0.5, 0.5, -1.0])
    middle = right.shape[0] // 2
    near = right[middle - 40 : middle - 15, middle - 40 : middle - 15]
    assert (near @ yellow).mean() > 0.2  # the colour of certain ejecta
    assert np.median(np.ptp(right[12:40, 20:50], axis=-1)) < 0.04  # grey ground without ejecta
    assert np.median(np.ptp(left, axis=-1)) > 0.1  # bands as red, green, blue
    assert abs((left @ yellow).mean()) < 0.1  # without ejecta


def test_card_with_one_band_and_nothing_mapped(tmp_path: Path) -> None:
    def sample_nothing(lon: np.ndarray, lat: np.ndarray, spacing_m: float) -> np.ndarray:
        return np.zeros(np.broadcast_shapes(np.shape(lon), np.shape(lat)), np.float32)

    plot_crater_card(tmp_path / "a.png", make_mosaic(1), CRATERS[0], sample_nothing, 0.5)
    plot_crater_card(tmp_path / "b.png", make_mosaic(1), CRATERS[0], sample_nothing, 0.5)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_picture_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file"):
        plot_crater_card(
            tmp_path / "missing" / "a.png", make_mosaic(1), CRATERS[0], blob(CRATERS[0]), 0.5
        )


def write_map(folder: Path, crater_id: int, values: np.ndarray) -> None:
    probability = crater_path(folder, crater_id, "probability")
    write_probability(probability, GRID, GRID.whole, in_memory(GRID.whole, values))
    write_mask(crater_path(folder, crater_id, "mask"), GRID, probability)


def test_draw_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(tmp_path)
    crater = project.craters[0]
    probability = blob(crater)(*GRID.centres(GRID.whole))
    write_map(project.maps, 0, probability)
    origin = OriginMap(GRID)
    origin.add(0, GRID.whole, quantise(probability))
    origin.write(project.maps / "origin.tif", project.craters, crater_colours(project.craters))
    monkeypatch.setattr("ejectamap.show.globe._DPI", 50)
    write_polygons(project.maps / "ejecta.gpkg", GRID, {})
    draw_maps(project)
    first = {path.name: path.stat().st_mtime_ns for path in project.maps.glob("*.png")}
    assert sorted(first) == ["crater_0.png", "global.png"]
    monkeypatch.setattr("ejectamap.show.run.plot_global_map", lambda *_, **__: None)
    write_map(project.maps, 7, probability)
    draw_maps(project)
    assert (project.maps / "crater_7.png").exists()
    assert (project.maps / "crater_0.png").stat().st_mtime_ns == first["crater_0.png"]
    probability_0, mask_0 = probability_path(project, crater), mask_path(project, crater)
    write_mask(mask_0, GRID, probability_0, 0.9)  # the card shows the threshold
    draw_maps(project)
    assert (project.maps / "crater_0.png").stat().st_mtime_ns > first["crater_0.png"]


def make_project(folder: Path) -> Project:
    import rasterio

    values = make_mosaic(1).levels[0][..., 0]
    profile = {"driver": "GTiff", "count": 1, "height": 128, "width": 256, "dtype": "uint8"}
    with rasterio.open(
        folder / "m.tif", "w", crs=GRID.crs, transform=GRID.transform, **profile
    ) as target:
        target.write(values, 1)
    (folder / "c.csv").write_text(
        "crater_id,name,lon,lat,radius_m\n0,A,5,5,40000\n7,B,50,5,40000\n"
    )
    project = Project.create(folder / "p", folder / "m.tif", folder / "c.csv")
    project.maps.mkdir()
    return project


@pytest.mark.parametrize("name", HARD_NAMES)
def test_printable(name: str) -> None:
    text = printable(name)
    assert len(text) <= 28
    assert "\n" not in text
    assert printable("Bashō (é)") == "Bashō (é)"
    assert printable("漢字") == "??"


def test_names_do_not_overlap() -> None:
    figure = Figure(figsize=(4, 4), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    rng = np.random.default_rng(0)
    names = [Name(f"name {k}", *rng.uniform(0, 100, 2), 4.0, bold=k % 2 == 0) for k in range(80)]
    place_names(axes, names, axes.patch, fontsize=8)
    boxes = [text.get_window_extent() for text in axes.texts]
    assert 20 < len(boxes) < 80
    shrunk = [box.padded(-1.5) for box in boxes]
    assert not any(a.overlaps(b) for k, a in enumerate(shrunk) for b in shrunk[:k])
    assert all(box.x0 > -1 and box.x1 < 401 for box in boxes)


@pytest.mark.parametrize(
    ("length", "nice"), [(1.0, 1), (4.9, 2), (5.0, 5), (999.0, 500), (0.3, 0.2)]
)
def test_nice_length(length: float, nice: float) -> None:
    assert nice_length(length) == pytest.approx(nice)


@pytest.mark.parametrize("lat", [90, -90])
def test_panel_projections_are_inverted(lat: int) -> None:
    for panel in (
        Pole((0, 0, 1, 1), 50, RADIUS_M, lat),
        CylindricalPanel((0, 0, 2, 1), 50, RADIUS_M),
    ):
        places = panel.pixel_places(0.0, 0.0)
        x, y = panel.to_plane(*places)
        left, right, bottom, top = panel.extent
        assert x.shape == (50, 50 * round(panel.box[2]))
        np.testing.assert_allclose(x[0], np.linspace(left, right, 2 * x.shape[1] + 1)[1::2])
        np.testing.assert_allclose(y[:, 0], np.linspace(top, bottom, 2 * len(y) + 1)[1::2])


def test_pole_is_not_stretched() -> None:
    panel = Pole((0, 0, 1, 1), 50, RADIUS_M, 90)
    lon, lat = panel.pixel_places(0.0, 0.0)
    step_m = distance(lon[24, :-1], lat[24, :-1], lon[24, 1:], lat[24, 1:], RADIUS_M)
    np.testing.assert_allclose(step_m, panel.pixel_m, rtol=0.01)


def test_origin_colours_at_any_resolution() -> None:
    origin = np.zeros((4, 8), np.uint16)
    origin[1, 6] = 13  # lat 0 to 45, lon 90 to 135
    colour = origin_colours(
        origin, {12: (9, 8, 7)}, GRID, np.array([[100.0, 80.0]]), np.array([[20.0]])
    )
    np.testing.assert_allclose(colour[0, 0], (9 / 255, 8 / 255, 7 / 255, 1.0), atol=1e-6)
    assert not colour[0, 1].any()


def test_no_data_is_dark() -> None:
    picture = colour_ground(make_mosaic(), np.zeros((1, 2)), np.array([[89.9, 0.0]]), 0.0)
    assert picture[0, 0].max() < 0.1
    assert picture.shape == (1, 2, 3)


def test_a_card_names_projection_graticule_and_credit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = []
    draw = Text.draw
    monkeypatch.setattr(
        Text, "draw", lambda self, *a, **k: (texts.append(self.get_text()), draw(self, *a, **k))[1]
    )
    path = tmp_path / "card.png"
    plot_crater_card(path, make_mosaic(), CRATERS[0], blob(CRATERS[0]), 0.3, credit="NASA & $x$")
    written = " | ".join(texts)
    for words in (
        "azimuthal equidistant",
        "images: NASA & $x$",
        "probability 0.3",
        "b0, b1, b2 as",
    ):
        assert words in written, words
    assert "20° N" in texts
    assert "150° W" in texts
    assert read_credit(path) == "NASA & $x$"
    plot_crater_card(path, make_mosaic(), CRATERS[0], blob(CRATERS[0]), 0.3)
    assert read_credit(path) is None


@pytest.mark.parametrize("half_m", [1e4, 3e5, 2e6, 7.6e6])
@pytest.mark.parametrize("crater", CRATERS[-2:], ids=lambda c: c.name)
def test_graticule_anywhere_and_of_any_size(crater: Crater, half_m: float) -> None:
    """Lines do not jump across the picture, and there are some."""
    figure = Figure()
    axes = figure.add_subplot()
    draw_graticule(axes, crater, half_m, RADIUS_M)
    lines = [np.asarray(line.get_xydata()) for line in axes.lines]
    seen = [line for line in lines if np.isfinite(line).any()]
    assert 2 <= len(seen) <= 400
    for line in seen:
        steps = np.hypot(*np.diff(line, axis=0).T)
        assert np.nanmax(steps, initial=0.0) < 0.1 * half_m
