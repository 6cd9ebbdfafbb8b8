from collections.abc import Callable
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
from label_inputs import R, layer
from pyproj import CRS
from shapely import MultiPolygon, Point, Polygon, box

from ejectamap.errors import CraterError
from ejectamap.world.body import azimuthal_crs, cylindrical_crs, geographic_crs
from ejectamap.world.craters import Crater, load_craters
from ejectamap.world.grid import Grid

HEADER = "crater_id,name,lon,lat,radius_m,reach,family\n"


@pytest.fixture(scope="module")
def fine(make_grid: Callable[..., Grid]) -> Grid:
    """Pixels of 4.3 km, so that craters have real sizes."""
    return make_grid(1800)


def csv(folder: Path, text: str) -> Path:
    path = folder / "craters.csv"
    path.write_text(text, encoding="utf-8")
    return path


def error_message(path: Path, grid: Grid) -> str:
    """Load a catalogue that is refused, check that the error is one line beginning with the file's name; return it."""
    with pytest.raises(CraterError) as caught:
        load_craters(path, grid)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message


# --- what is read


def test_csv(tmp_path: Path, fine: Grid) -> None:
    path = csv(
        tmp_path,
        HEADER + "17,Kuiper,-31.32,-11.34,31000,0.5,fresh\n8,Bashō,189.55,-32.39,37500,,\n",
    )
    basho, kuiper = load_craters(path, fine)
    assert kuiper == Crater(17, "Kuiper", -31.32, -11.34, 31000.0, 0.5, "fresh")
    assert (basho.crater_id, basho.name, basho.reach, basho.family) == (8, "Bashō", 0.25, "")
    assert basho.lon == pytest.approx(-170.45)


def test_columns_in_any_case_and_order_without_optional_ones(tmp_path: Path, fine: Grid) -> None:
    path = csv(tmp_path, "\ufeffLat, LON,Diameter_km,Crater_ID\n10,20,62,3\n")
    assert load_craters(str(path), fine) == (Crater(3, "crater 3", 20.0, 10.0, 31000.0),)


@pytest.mark.parametrize(
    ("column", "value"), [("radius_m", 31000), ("radius_km", 31), ("diameter_km", 62)]
)
def test_units_of_the_radius(tmp_path: Path, fine: Grid, column: str, value: float) -> None:
    path = csv(tmp_path, f"crater_id,lon,lat,{column}\n1,0,0,{value}\n")
    assert load_craters(path, fine)[0].radius_m == 31000


def test_reach_in_metres() -> None:
    assert Crater(0, "", 0, 0, 1e4, reach=0.5).reach_m(R) == pytest.approx(np.pi * R / 2)


def test_release_shapefile(tmp_path: Path, fine: Grid) -> None:
    """The column names of the release; its rim polygons are not used, because there are columns of centres."""
    path = layer(
        tmp_path / "fresh_craters.shp",
        [box(0, 0, 1, 1)],
        crat_FID=[17],
        center_lon=[-31.32],
        center_lat=[-11.34],
        radius=[31000.0],
        train=[1],
    )
    assert load_craters(path, fine) == (Crater(17, "crater 17", -31.32, -11.34, 31000.0),)


@pytest.mark.parametrize("suffix", [".gpkg", ".shp"])
def test_points(tmp_path: Path, fine: Grid, suffix: str) -> None:
    path = layer(
        tmp_path / f"points{suffix}",
        [Point(30, 40), Point(-179, -5)],
        crater_id=[2, 1],
        name=["b", None],
        diameter_km=[20.0, 30.0],  # a shapefile truncates this name to ten letters
    )
    first, second = load_craters(path, fine)
    assert (first.lon, first.lat, first.name) == (
        pytest.approx(-179),
        pytest.approx(-5),
        "crater 1",
    )
    assert (second.lon, second.lat, second.name) == (pytest.approx(30), pytest.approx(40), "b")
    assert second.radius_m == 10_000


def test_points_in_the_mosaics_own_crs(tmp_path: Path, fine: Grid) -> None:
    x_m, y_m = np.radians([30, -40]) * R
    path = layer(tmp_path / "c.gpkg", [Point(x_m, y_m)], fine.crs, crater_id=[1], radius_m=[9000.0])
    (crater,) = load_craters(path, fine)
    assert (crater.lon, crater.lat) == (pytest.approx(30), pytest.approx(-40))


def test_centroid_of_rim_polygons(tmp_path: Path, fine: Grid) -> None:
    rim = Point(0, 0).buffer(30_000)
    path = layer(
        tmp_path / "c.gpkg", [rim], azimuthal_crs(120, 75, R), crater_id=[1], radius_m=[3e4]
    )
    (crater,) = load_craters(path, fine)
    assert (crater.lon, crater.lat) == (pytest.approx(120), pytest.approx(75))


def test_centroid_of_a_rim_divided_at_the_dateline(tmp_path: Path, fine: Grid) -> None:
    rim = MultiPolygon([box(179, -1, 180, 1), box(-180, -1, -179, 1)])
    path = layer(tmp_path / "c.gpkg", [rim], crater_id=[1], radius_m=[3e4])
    (crater,) = load_craters(path, fine)
    assert abs(crater.lon) == pytest.approx(180)
    assert crater.lat == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("encoding", ["utf-8", "ISO-8859-1"])
@pytest.mark.parametrize("declared", [True, False])
def test_encoding_of_a_shapefile(tmp_path: Path, fine: Grid, encoding: str, declared: bool) -> None:
    """With or without a .cpg file: UTF-8 if it can be, else Latin-1."""
    frame = geopandas.GeoDataFrame(
        {"crater_id": [1], "name": ["Erté"], "radius_m": [3e4]},
        geometry=[Point(1, 2)],
        crs=geographic_crs(R),
    )
    frame.to_file(tmp_path / "c.shp", encoding=encoding)
    if not declared:
        (tmp_path / "c.cpg").unlink()
    assert load_craters(tmp_path / "c.shp", fine)[0].name == "Erté"


def test_a_wrong_encoding_is_named(tmp_path: Path, fine: Grid) -> None:
    """And the remedy works."""
    frame = geopandas.GeoDataFrame(
        {"crater_id": [1], "name": ["Erté"], "radius_m": [3e4]},
        geometry=[Point(1, 2)],
        crs=geographic_crs(R),
    )
    path = tmp_path / "c.shp"
    frame.to_file(path, encoding="ISO-8859-1")
    (tmp_path / "c.cpg").write_text("UTF-8")
    assert "that c.cpg names: delete that file" in error_message(path, fine)
    (tmp_path / "c.cpg").unlink()
    assert load_craters(path, fine)[0].name == "Erté"


def test_layer_of_qgis_styles_is_ignored(tmp_path: Path, fine: Grid) -> None:
    path = layer(tmp_path / "c.gpkg", [Point(1, 2)], crater_id=[1], radius_m=[3e4])
    styles = pd.DataFrame({"styleName": ["a"]})
    geopandas.GeoDataFrame(styles).to_file(path, layer="layer_styles", mode="a")
    assert load_craters(path, fine)[0].crater_id == 1


def test_small_craters_on_a_coarse_mosaic_are_not_kilometres(tmp_path: Path, grid: Grid) -> None:
    path = csv(tmp_path, HEADER + "1,a,0,0,20000,,\n")
    assert load_craters(path, grid)[0].radius_m == 20_000


# --- what is refused

GOOD = "1,a,10,20,30000,0.25,x\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: give a table"),
        (HEADER, "no rows"),
        (
            "crater_id,name,lon,radius_m\n1,a,1,30000\n",
            "no column lat.*present: crater_id, name, lon",
        ),
        ("crater_id,lon,radius_m\n1,1,30000\n", "no column lat"),
        ("crater_id,lon,lat\n1,1,2\n", "no column radius_m or .*diameter_km"),
        (HEADER + "1,a,east,20,30000,,\n", "column lon, row 1 is 'east', not a number"),
        (HEADER + GOOD + "2,a,0,,30000,,\n", "column lat, row 2 is empty: give a number"),
        (HEADER + "1,a,0,nan,30000,,\n", "column lat, row 1 is 'nan', not a number"),
        (HEADER + "1,a,0,0,inf,,\n", "column radius_m, row 1 is 'inf', not a number"),
        (HEADER + GOOD + GOOD, "column crater_id: 1 stands in rows 1 and 2"),
        (HEADER + "-1,a,10,20,30000,,\n", "column crater_id, row 1: -1 is negative"),
        (HEADER + "1.5,a,10,20,30000,,\n", "column crater_id, row 1: 1.5 is not a whole number"),
        (HEADER + "x,a,10,20,30000,,\n", "column crater_id, row 1 is 'x', not a number"),
        (HEADER + "7,a,20,-131,30000,,\n", "crater 7: lat is -131.*lon and lat may be swapped"),
        (HEADER + "7,a,361,10,30000,,\n", "crater 7: lon is 361.*degrees east"),
        (HEADER + "7,a,-181,10,30000,,\n", "crater 7: lon is -181"),
        (HEADER + "7,a,20,10,0,,\n", "column radius_m, crater 7: is not above 0"),
        (HEADER + "1,a,0,0,31,,\n2,a,5,5,12,,\n", "column radius_m: looks like kilometres"),
        (HEADER + "7,a,20,10,3e9,,\n", "column radius_m, crater 7: .*half of the body's: check"),
        (
            "crater_id,lon,lat,radius_km\n7,0,0,31000\n",
            "column radius_km, crater 7: 31000 .*looks like metres",
        ),
        (HEADER + "7,a,20,10,30000,25,\n", "column reach, crater 7: 25 is not a fraction"),
        (HEADER + "7,a,20,10,30000,0,\n", "column reach, crater 7: 0 is not a fraction"),
        (HEADER + "7,a,20,10,30000,far,\n", "column reach, row 1 is 'far', not a number"),
        ('crater_id,name\n1,"open\n', "not a CSV table"),
    ],
)
def test_bad_csv(tmp_path: Path, fine: Grid, text: str, message: str) -> None:
    path = csv(tmp_path, text)
    with pytest.raises(CraterError, match=message):
        load_craters(path, fine)
    error_message(path, fine)


def test_missing_and_unreadable_files(tmp_path: Path, fine: Grid) -> None:
    assert "does not exist" in error_message(tmp_path / "none.csv", fine)
    latin = tmp_path / "latin.csv"
    latin.write_bytes(HEADER.encode() + "1,Erté,0,0,30000,,\n".encode("latin-1"))
    assert "UTF-8" in error_message(latin, fine)
    text = tmp_path / "text.gpkg"
    text.write_text("not a database")
    assert "cannot be read" in error_message(text, fine)


@pytest.mark.parametrize(
    ("crs", "message"),
    [
        (None, "neither columns lon and lat nor a CRS"),
        (cylindrical_crs(2_440_530), "radius of 2440530 m, the mosaic's has 2439400 m"),
        (geographic_crs(1_737_400), "radius of 1737400 m.*two bodies"),
        (CRS.from_user_input("IAU_2015:30110"), "radius of 1737400 m"),
    ],
)
def test_bad_crs(tmp_path: Path, fine: Grid, crs: object, message: str) -> None:
    path = layer(tmp_path / "c.gpkg", [Point(1, 2)], crs, crater_id=[1], radius_m=[3e4])
    with pytest.raises(CraterError, match=message):
        load_craters(path, fine)
    error_message(path, fine)


@pytest.mark.parametrize(
    "crs",
    [
        "EPSG:4326",
        geographic_crs(2_439_700),
        geographic_crs(2_440_530),
        CRS.from_user_input("IAU_2015:19900"),
    ],
)
def test_degrees_on_another_radius_are_places_with_a_note(
    tmp_path: Path, fine: Grid, crs: object
) -> None:
    path = layer(tmp_path / "c.gpkg", [Point(190, 40)], crs, crater_id=[1], radius_m=[9000.0])
    notes: list[str] = []
    (crater,) = load_craters(path, fine, notes=notes)
    assert (crater.lon, crater.lat) == (pytest.approx(-170), pytest.approx(40))
    (note,) = notes
    assert note.startswith(f"{path}: its CRS")
    assert "places on the mosaic's sphere" in note


def test_degrees_west(tmp_path: Path, fine: Grid) -> None:
    """Mercury (2015) / Ographic has longitudes positive west."""
    crs = CRS.from_user_input("IAU_2015:19901")
    path = layer(tmp_path / "c.gpkg", [Point(30, 10)], crs, crater_id=[1], radius_m=[9000.0])
    (crater,) = load_craters(path, fine)
    assert crater.lon == pytest.approx(-30)
    assert crater.lat == pytest.approx(10, abs=0.06)  # Mercury is flattened by 1 / 1075


def test_rim_across_the_dateline_in_one_piece(tmp_path: Path, fine: Grid) -> None:
    """From 179 to -179, as programs write a rim whose longitudes they wrap: not a band around the planet."""
    rim = Polygon([(179, 10), (-179, 10), (-179, 12), (179, 12)])
    path = layer(tmp_path / "c.gpkg", [rim], crater_id=[1], radius_m=[3e4])
    notes: list[str] = []
    (crater,) = load_craters(path, fine, notes=notes)
    assert abs(crater.lon) == pytest.approx(180)
    assert crater.lat == pytest.approx(11)
    assert "dateline" in notes[0]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ((900, 10), "crater 1: its geometry is at lon 900"),
        ((10, 95), "crater 1: its geometry is at lon 10, lat 95"),
        ((np.inf, 10), "crater 1: a coordinate of its geometry is no number"),
    ],
)
def test_points_nowhere(tmp_path: Path, fine: Grid, place: tuple, words: str) -> None:
    path = layer(tmp_path / "c.gpkg", [Point(*place)], crater_id=[1], radius_m=[3e4])
    assert words in error_message(path, fine)


def test_degrees_in_columns_need_no_crs_of_the_same_radius(tmp_path: Path, fine: Grid) -> None:
    path = layer(
        tmp_path / "c.gpkg",
        [Point(1, 2)],
        geographic_crs(2_440_530),
        **{"crater_id": [1], "lon": [3.0], "lat": [4.0], "radius_m": [3e4]},
    )
    notes: list[str] = []
    (crater,) = load_craters(path, fine, notes=notes)
    assert (crater.lon, crater.lat) == (3, 4)
    assert "2440530" in notes[0]


def test_crater_without_geometry_is_refused(tmp_path: Path, fine: Grid) -> None:
    path = layer(
        tmp_path / "c.gpkg", [Point(1, 2), Polygon()], crater_id=[1, 2], radius_m=[3e4, 3e4]
    )
    assert "crater 2 has no geometry" in error_message(path, fine)


def test_several_layers_are_refused(tmp_path: Path, fine: Grid) -> None:
    path = layer(tmp_path / "c.gpkg", [Point(1, 2)], crater_id=[1], radius_m=[3e4])
    geopandas.read_file(path).to_file(path, layer="other", mode="a")
    assert "has c, other" in error_message(path, fine)
