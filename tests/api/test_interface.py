"""What `import ejectamap as em` offers: names, tables, errors, silence."""

import ast
import pydoc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import matplotlib
import numpy as np
import pandas as pd
import pytest
import rasterio
import rich.console

import ejectamap as em
from ejectamap import progress
from ejectamap.errors import ArgumentError, CraterError, OutputError, ProjectError
from ejectamap.world.sphere import distance

# rioxarray multiplies transforms in the way that affine 3 is about to give up.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

HEAVY = ("torch", "lightning", "timm", "numpy", "pandas", "rasterio", "matplotlib", "xarray")


def run(code: str, folder: Path) -> str:
    """Run Python code in a process of its own, and return what it prints on both streams."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, check=True, text=True, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return done.stdout


def test_type_checkers_see_the_names_that_there_are() -> None:
    tree = ast.parse(Path(em.__file__).read_text())
    (checked,) = (node for node in tree.body if isinstance(node, ast.If))
    imported = {a.name for node in checked.body for a in node.names}
    assert imported == set(em.__all__) == {n for n in dir(em) if n in em.__all__}
    assert all(getattr(em, name) is not None for name in em.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'mpa'"):
        em.mpa  # noqa: B018


def test_the_help_is_a_contents_page() -> None:
    text = pydoc.render_doc(em, renderer=pydoc.plaintext)
    first = text[: text.index("PACKAGE CONTENTS")]
    assert all(name in first for name in em.__all__ if name != "Counts")
    assert len(first.splitlines()) < 60


def test_the_import_loads_no_library(tmp_path: Path) -> None:
    code = f"import sys, ejectamap; print([m for m in {HEAVY} if m in sys.modules])"
    assert run(code, tmp_path) == "[]\n"


def test_reading_a_map_loads_no_pytorch_and_prints_nothing(workplace: Path) -> None:
    code = (
        "import sys, ejectamap as em; help; ejecta = em.EjectaMap('project');"
        "ejecta.probability(1).load(); ejecta.polygons(); ejecta.spectra(1); ejecta._repr_html_();"
        "dir(em), em.train, em.map; em.evaluate('project');"
        "sys.exit(any(m in sys.modules for m in ('torch', 'lightning', 'timm')))"
    )
    assert run(code, workplace) == ""


def test_a_project_is_a_project_a_text_or_a_path(workplace: Path) -> None:
    folder = workplace / "project"
    for project in (em.Project.open(folder), folder, str(folder)):
        assert em.EjectaMap(project).ids == [1, 2, 3, 4]
        assert len(em.read_craters(project)) == 5
    assert em.Project.open(str(folder)).settings == em.Project.open(folder).settings


def test_craters_are_points_of_the_mosaic(workplace: Path, finished: em.Project) -> None:
    craters = em.read_craters(finished)
    assert craters.crater_id.tolist() == [1, 2, 3, 4, 5]
    assert craters.radius_m.tolist() == [60e3, 60e3, 70e3, 60e3, 50e3]
    assert craters.crs == em.EjectaMap(finished).polygons().crs
    col, row = ~finished.grid.transform @ (craters.geometry.x[0], craters.geometry.y[0])
    assert finished.grid.to_lonlat(col, row) == pytest.approx((20, 10))
    alone = em.read_craters(
        str(workplace / "planet/craters.csv"), mosaic=str(workplace / "planet/mosaic.tif")
    )
    pd.testing.assert_frame_equal(alone, craters)


def test_tables_of_the_map(finished: em.Project) -> None:
    ejecta = em.EjectaMap(finished)
    polygons = ejecta.polygons()
    assert polygons.crater_id.tolist() == [1, 2, 3, 4]
    in_file = gpd.read_file(finished.maps / "ejecta.gpkg")
    assert polygons.crs == in_file.crs
    assert polygons.area_km2.tolist() == in_file.area_km2.tolist()
    assert polygons.geometry.geom_equals(in_file.geometry).all()
    assert ejecta.craters.current.all()
    assert ejecta.connections().columns.tolist()[:2] == ["crater_id", "tile"]
    assert ejecta.notes == []


def test_spectra_leave_out_interior_and_shared_ground(finished: em.Project) -> None:
    ejecta = em.EjectaMap(finished)
    mosaic, mask = em.read_mosaic(finished), ejecta.mask(1)
    others = ejecta.mask(3).reindex_like(mask, fill_value=False)
    for other in (ejecta.mask(2), ejecta.mask(4)):
        others = others | other.reindex_like(mask, fill_value=False)
    assert bool((mask & others).any())
    col, row = ~finished.grid.transform @ (mask.x.values[0], mask.y.values[0])
    rows, cols = np.ogrid[: mask.shape[0], : mask.shape[1]]
    lon, lat = finished.grid.to_lonlat(col + cols, row + rows)
    beyond = distance(20.0, 10.0, lon, lat, finished.grid.radius_m) > 60e3
    weights = np.cos(np.radians(lat)) * (mask & ~others).values * beyond
    bands = mosaic.sel(x=mask.x, y=mask.y).values
    weights = weights * ~np.isnan(bands[0])
    expected = [np.average(np.nan_to_num(band), weights=weights) for band in bands]
    spectra = ejecta.spectra(1)
    assert spectra.index.tolist() == list(mosaic.band.values)
    np.testing.assert_allclose(spectra["mean"], expected, rtol=1e-4)
    spread = [
        np.sqrt(np.average((np.nan_to_num(band) - mean) ** 2, weights=weights))
        for band, mean in zip(bands, expected, strict=True)
    ]
    np.testing.assert_allclose(spectra["std"], spread, rtol=1e-3)
    area = weights.sum() * (finished.grid.pixel_m / 1e3) ** 2
    np.testing.assert_allclose(spectra["area_km2"], area, rtol=1e-3)


def test_rays_are_those_of_the_analysis(finished: em.Project) -> None:
    measurements = em.analyze(finished)
    rays, table = em.EjectaMap(finished).rays(), pd.read_csv(finished.folder / "rays.csv")
    assert rays.columns.tolist() == [*table.columns, "geometry"]
    numbers = ["crater_id", "ray", "azimuth_deg", "length_km", "width_km"]
    np.testing.assert_allclose(rays[numbers], table[numbers], rtol=1e-4)
    assert set(rays.crater_id) <= set(measurements.crater_id)
    of_first = em.EjectaMap(finished).rays(1)
    assert of_first.ray.tolist() == table[table.crater_id == 1].ray.tolist()


def test_an_evaluation_is_a_table(finished: em.Project) -> None:
    evaluation = em.evaluate(finished)
    table = evaluation.to_frame()
    assert table.loc[("all", "pixel"), "f1"] > 0.95
    assert {"f1_low", "f1_high", "tp", "tn"} <= set(table.columns)
    craters = evaluation.to_frame("crater")
    assert craters.index.tolist() == [1, 2, 3, 4]
    assert craters.tp.sum() == table.loc[("all", "pixel"), "tp"]
    for by in ("distance", "decile", "sector"):
        assert evaluation.to_frame(by).index.names == ["subset", by]
    assert "Inland" in evaluation._repr_html_()
    with pytest.raises(ArgumentError, match="there is no table 'craters'"):
        evaluation.to_frame("craters")


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda e: e.probability(99), CraterError, "crater 99: is not in"),
        (lambda e: e.mask(5), ProjectError, r"crater 5 \(Unmapped\) has no map: run ejectamap map"),
        (lambda e: e.probability("3"), ArgumentError, r"write it as in \[12, 17\]"),
        (lambda e: em.read_craters("nowhere.csv"), ArgumentError, "name the mosaic"),
        (lambda e: em.read_mosaic("nowhere.tif"), em.EjectamapError, "nowhere.tif"),
        (lambda e: em.Project.open("nowhere"), ProjectError, "holds no project.yaml"),
        (lambda e: em.EjectaMap("nowhere"), ProjectError, "holds no project.yaml"),
        (lambda e: em.simulate("new", width=3), ArgumentError, "width: 3 .* give 256 or more"),
        (lambda e: em.map(e.project, workers=0), ArgumentError, "workers: 0 .* give 1 or more"),
        (lambda e: em.map(e.project, family="A"), CraterError, "family 'A'"),
        (lambda e: em.train(e.project, "long"), ArgumentError, "max_minutes: 'long'"),
        (lambda e: em.score([1, 0], [1, 0, 0]), ArgumentError, "give both on the same pixels"),
        (lambda e: em.score([1, 0], [0.2, 0]), ArgumentError, "give a mask"),
        (lambda e: em.score([1, 0], [1, 0], latitude=[1, 2, 3]), ArgumentError, "latitude: "),
    ],
)
def test_errors_are_one_line_of_the_package(
    finished: em.Project, call: Callable[[em.EjectaMap], object], kind: type, message: str
) -> None:
    with pytest.raises(kind, match=message) as error:
        call(em.EjectaMap(finished))
    assert isinstance(error.value, em.EjectamapError)
    assert "\n" not in str(error.value)


def test_rays_of_another_map_are_refused(workplace: Path, finished: em.Project) -> None:
    class Older(em.EjectaMap):
        """A map in another folder, which was not analysed."""

    ejecta = Older(finished)
    ejecta.project = finished.with_method("distance-only")
    with pytest.raises(OutputError, match="is missing: run ejectamap analyze"):
        ejecta.rays()


def test_scores_count_pixels_or_ground() -> None:
    truth, guess = np.array([[1, 1], [1, 0]], bool), np.array([[1, 0], [1, 1]], bool)
    assert em.score(truth, guess) == em.Counts(2, 1, 1, 0)
    assert em.score(truth, guess, where=[[1, 1], [1, 0]]) == em.Counts(2, 0, 1, 0)
    counts = em.score(truth, guess, latitude=[0.0, 60.0])
    assert (counts.tp, counts.fp, counts.fn) == pytest.approx((1.5, 0.5, 1.0))


def test_pictures(finished: em.Project, tmp_path: Path) -> None:
    matplotlib.use("agg")
    ejecta = em.EjectaMap(finished)
    figure = matplotlib.figure.Figure()
    axes = figure.subplots()
    assert ejecta.plot(2, ax=axes) is axes
    assert axes.get_xlim()[1] > 1_200e3
    planet = ejecta.plot()
    assert planet.figure is not figure
    left, right = planet.get_xlim()
    west, _, east, _ = em.read_mosaic(finished).rio.bounds()
    assert (left, right) == pytest.approx((west, east))
    matplotlib.pyplot.close("all")
    assert "data:image/jpeg" in ejecta._repr_html_()
    assert "4 of 5 craters" in repr(ejecta)
    assert "<table" in finished._repr_html_()


def test_a_page_to_explore_has_no_tiles_of_the_earth(finished: em.Project, tmp_path: Path) -> None:
    em.EjectaMap(finished).explore().save(tmp_path / "ejecta.html")
    text = (tmp_path / "ejecta.html").read_text()
    assert "Dateline (2)" in text
    assert "openstreetmap" not in text.lower()
    assert "L.tileLayer" not in text


def test_progress_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    console = rich.console.Console(file=None, force_terminal=True)
    monkeypatch.setattr(progress, "progress_console", lambda: console)
    assert progress.shows_progress()
    with progress.progress_wanted(False):
        assert not progress.shows_progress()
        with progress.progress_wanted(True):
            assert not progress.shows_progress()
    assert progress.shows_progress()


def test_training_and_mapping_return_results_and_print_nothing(
    make_project: Callable[..., em.Project], capfd: pytest.CaptureFixture[str]
) -> None:
    project = make_project("method=polar", "map.backend=eager")
    result = em.train(str(project.folder))
    assert result.trained == ("context/member-00",)
    assert result.to_frame().kind.tolist() == ["context"]
    assert "context" in result._repr_html_()
    again = em.train(project)
    assert again.trained == ()
    assert "all networks are trained" in again.notes[0]
    ejecta = em.map(project, craters=[3])
    assert ejecta.ids == [3]
    assert ejecta.kept is None
    with rasterio.open(project.maps / "crater_3_probability.tif") as source:
        assert ejecta.probability(3).shape == source.shape
    assert (project.maps / "global.png").exists()
    assert capfd.readouterr() == ("", "")
