"""STAC and PDS4 exports are valid, agree with the map, and cope with any crater name."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pystac
import pytest
import rasterio
import shapely
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import RasterExtension
from pystac.validation.local_validator import get_local_schema_cache
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from ruamel.yaml import YAML
from shapely import MultiPolygon, box
from shapely.geometry import shape

from ejectamap.errors import ProjectError
from ejectamap.interop.footprints import footprint
from ejectamap.interop.pds4 import export_pds4
from ejectamap.interop.stac import SSYS, export_stac
from ejectamap.maps.colours import crater_colours
from ejectamap.maps.crater_map import CraterMap, in_memory
from ejectamap.maps.outlines import outline_of
from ejectamap.maps.writing import import_maps
from ejectamap.project.folder import Project
from ejectamap.project.products import RECIPE_DOI
from ejectamap.project.settings import Products
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window

CRATER = Crater(0, "A", 5.0, 6.0, 3e4)
NAMES = ("\"Q\" <b> & 'x' |*_", "Bashō 漢字", "x" * 200)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory, planet_files: Path) -> Project:
    """A project with maps of three craters; their windows differ."""
    folder = tmp_path_factory.mktemp("archive")
    table = pd.read_csv(planet_files / "craters.csv").head(len(NAMES))
    table["name"] = NAMES
    table.to_csv(folder / "craters.csv", index=False)
    shutil.copy(planet_files / "mosaic.tif", folder)
    with rasterio.open(folder / "mosaic.tif", "r+") as mosaic:
        mosaic.update_tags(
            TIFFTAG_IMAGEDESCRIPTION="Mercury"
        )  # it said that the planet is simulated
    project = Project.create(folder / "A map", folder / "mosaic.tif", folder / "craters.csv", None)
    rng = np.random.default_rng(0)
    windows = (Window(20, 30, 40, 50), Window(0, 0, 64, 256), Window(70, 200, 50, 56))
    maps = [
        CraterMap(crater, window, in_memory(window, rng.random(window.shape, np.float32)))
        for crater, window in zip(project.craters, windows, strict=True)
    ]
    import_maps(project, maps)
    return project


def test_refuses_without_a_map(make_project: Callable[..., Project]) -> None:
    with pytest.raises(ProjectError, match="ejectamap map"):
        export_stac(make_project(labels=False))


def test_stac_is_valid(mapped: Project) -> None:
    path = export_stac(mapped)
    validator = JsonSchemaSTACValidator()
    validator.schema_cache = get_local_schema_cache()
    kinds = {"Feature": pystac.STACObjectType.ITEM, "Collection": pystac.STACObjectType.COLLECTION}
    files = [path, *path.parent.glob("*/*.json")]
    assert len(files) == 1 + len(NAMES)
    for file in files:
        content = json.loads(file.read_text(encoding="utf-8"))
        validator.validate_core(content, kinds[content["type"]], content["stac_version"])
        assert SSYS in content["stac_extensions"]


def test_the_stac_folder_can_be_sent_alone(mapped: Project, tmp_path: Path) -> None:
    shutil.copytree(export_stac(mapped).parent, tmp_path / "sent")
    collection = pystac.Collection.from_file(str(tmp_path / "sent" / "collection.json"))
    assert collection.summaries.get_list("ssys:targets") == ["Mercury"]
    assert {
        "origin.tif",
        "origin.qml",
        "ejecta.gpkg",
        "provenance.json",
    } <= collection.assets.keys()
    items = list(collection.get_items())
    assert [item.properties["title"] for item in items] == list(NAMES)
    for item in items:
        assert item.properties["ssys:targets"] == ["Mercury"]
        assert item.properties["ssys:target_class"] == "planet"
        assert item.properties["ejectamap:current"]
        probability = item.assets["probability"]
        path = Path(str(probability.get_absolute_href()))
        assert path.is_relative_to(tmp_path)
        with rasterio.open(path) as source:
            projection = ProjectionExtension.ext(item)
            assert projection.code == "IAU_2015:19910"
            assert projection.shape == list(source.shape)
            assert projection.transform == pytest.approx(list(source.transform)[:6])
            bands = RasterExtension.ext(probability).bands
            assert bands is not None
            assert bands[0].nodata == source.nodata
            assert bands[0].scale == pytest.approx(0.004)
            assert source.scales == (0.004,)
    for stac_object in (collection, *items):
        for asset in stac_object.assets.values():
            assert Path(str(asset.get_absolute_href())).is_file(), asset.href
            assert not asset.href.startswith("..")


def test_results_older_than_the_map_are_left_out_by_name(
    mapped: Project, caplog: pytest.LogCaptureFixture
) -> None:
    """So are the items of craters that are not on the map any more."""
    folder = mapped.outputs / "stac"
    analysis, evaluation = (mapped.outputs / name for name in ("analysis.csv", "evaluation.json"))
    analysis.write_text("a")
    export_stac(mapped)
    assert (folder / "analysis.csv").exists()
    os.utime(analysis, (0, 0))
    evaluation.write_text("{}")
    os.utime(evaluation, (0, 0))
    shutil.copytree(folder / "crater-0", folder / "crater-77")
    (folder / "crater-77" / "crater-0.json").rename(folder / "crater-77" / "crater-77.json")
    path = export_stac(mapped)
    for old, verb in ((evaluation, "evaluate"), (analysis, "analyze")):
        assert f"{old}: is older than the map and was left out" in caplog.text
        assert f"ejectamap {verb} {mapped.folder}" in caplog.text
        assert not (folder / old.name).exists()
        old.unlink()
    assert not (folder / "crater-77").exists()
    assert "evaluation.json" not in json.loads(path.read_text())["assets"]
    card = (folder / "MODEL-CARD.md").read_text(encoding="utf-8")
    assert "was made before the present map" in card


def test_two_stac_exports_have_equal_bytes(mapped: Project) -> None:
    files = export_stac(mapped).parent.rglob("*")
    first = {path: path.read_bytes() for path in files if path.is_file()}
    export_stac(mapped)
    assert {p: p.read_bytes() for p in first} == first


def outline(grid: Grid, *windows: Window) -> MultiPolygon:
    """Rectangles of ejecta in the CRS of a grid; windows may wrap around."""
    mask = np.zeros(grid.shape, bool)
    for window in windows:
        rows = slice(window.row, window.row + window.height)
        mask[rows, grid.columns(window)] = True
    return outline_of(mask, grid, grid.whole)


def test_footprint_is_that_of_the_ejecta(make_grid: Callable[..., Grid]) -> None:
    grid = make_grid(180)
    bounds, geometry = footprint(grid, CRATER, outline(grid, Window(60, 200, 20, 10)))
    assert bounds == [20.0, 10.0, 30.0, 30.0]
    (polygon,) = shapely.get_parts(shape(geometry))
    assert polygon.exterior.is_ccw
    assert polygon.area == pytest.approx(200, rel=0.01)
    nothing = footprint(grid, CRATER, MultiPolygon())
    assert nothing == ([5.0, 6.0, 5.0, 6.0], {"type": "Point", "coordinates": (5.0, 6.0)})


@pytest.mark.parametrize("lon_west", [-180.0, 0.0, -90.0])
def test_footprint_is_cut_at_180_degrees(make_grid: Callable[..., Grid], lon_west: float) -> None:
    """Wherever the grid begins; west of the bounding box is then larger than its east."""
    grid = make_grid(180, lon_west)
    first = int((170 - lon_west) % 360)
    bounds, geometry = footprint(grid, CRATER, outline(grid, Window(60, first, 20, 20)))
    assert bounds == [170.0, 10.0, -170.0, 30.0]
    parts = sorted(part.bounds for part in shape(geometry).geoms)
    assert parts == [(-180.0, 10.0, -170.0, 30.0), (170.0, 10.0, 180.0, 30.0)]


def test_footprint_of_ejecta_all_around(make_grid: Callable[..., Grid]) -> None:
    grid = make_grid(180)
    bounds, _ = footprint(grid, CRATER, outline(grid, Window(0, 0, 10, 360)))
    assert bounds == [-180.0, 80.0, 180.0, 90.0]


def test_footprint_of_scattered_ejecta_is_simple_and_valid(make_grid: Callable[..., Grid]) -> None:
    grid = make_grid(360)
    mask = np.random.default_rng(2).random(grid.shape) > 0.95
    mask[:, : grid.width // 2] = False
    mask[:100] = mask[300:] = False
    _, geometry = footprint(grid, CRATER, outline_of(mask, grid, grid.whole))
    assert shapely.is_valid(shape(geometry))
    assert len(json.dumps(geometry)) < 100_000
    assert shape(geometry).intersects(box(0, -60, 180, 40))


def test_pds4_products_have_the_values_of_the_map(mapped: Project) -> None:
    folder = export_pds4(mapped, "MESSENGER & <co>", "urn:nasa:pds:x:data")
    rasters = sorted(mapped.maps.glob("*.tif"))
    assert len(rasters) == 1 + 2 * len(NAMES)
    for path in rasters:
        label = folder / f"{path.stem}.xml"
        with rasterio.open(label) as product, rasterio.open(path) as original:
            assert product.driver == "PDS4"
            np.testing.assert_array_equal(product.read(), original.read())
            assert product.transform.almost_equals(original.transform)
            assert product.crs.to_dict()["R"] == original.crs.to_dict()["R"] == 2_440_530
        root = ElementTree.parse(label).getroot()
        space = {"p": "http://pds.nasa.gov/pds4/pds/v1"}
        area = "p:Identification_Area/p:"
        assert (
            root.findtext(f"{area}logical_identifier", "", space)
            == f"urn:nasa:pds:x:data:{path.stem}"
        )
        assert root.findtext(".//p:Investigation_Area/p:name", "", space) == "MESSENGER & <co>"
        assert root.findtext(".//p:Target_Identification/p:name", "", space) == "Mercury"
    root = ElementTree.parse(folder / "crater_0_probability.xml").getroot()
    array = ".//p:Array_3D_Image/p:"
    assert float(root.findtext(f"{array}Element_Array/p:scaling_factor", "", space)) == 0.004
    assert root.findtext(f"{array}Special_Constants/p:missing_constant", "", space) == "255"
    children = [element.tag.partition("}")[2] for element in root]
    assert children == [
        "Identification_Area",
        "Observation_Area",
        "Reference_List",
        "File_Area_Observational",
    ]
    cited = root.find("p:Identification_Area/p:Citation_Information", space)
    assert cited is not None
    assert [element.tag.partition("}")[2] for element in cited] == [
        "publication_year",
        "description",
    ]
    assert root.findtext(".//p:External_Reference/p:doi", "", space) == RECIPE_DOI
    root = ElementTree.parse(folder / "crater_0_mask.xml").getroot()
    assert root.findtext("p:Identification_Area/p:title", "", space) == f"Ejecta of {NAMES[0]}"


def test_a_simulated_planet_is_not_called_mercury(make_project: Callable[..., Project]) -> None:
    """Though it has Mercury's radius."""
    project = make_project(labels=False)
    whole = project.grid.whole
    values = np.full(whole.shape, 0.9, np.float32)
    import_maps(project, [CraterMap(project.craters[0], whole, in_memory(whole, values))])
    path = export_stac(project)
    assert "ssys:targets" not in path.read_text()
    card = (path.parent / "MODEL-CARD.md").read_text(encoding="utf-8")
    assert "Ejecta of fresh craters on a simulated planet" in card
    label = export_pds4(project, "none", "urn:nasa:pds:x:data") / "origin.xml"
    assert "<name>Mercury</name>" not in label.read_text()


def test_citation_and_model_card(mapped: Project) -> None:
    folder = export_stac(mapped).parent
    cited = YAML(typ="safe").load((folder / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["title"] == "Ejecta of fresh craters on Mercury: A map"
    assert "products.authors" in cited["authors"][0]["name"]
    assert cited["references"][1]["authors"][0]["family-names"] == "Lissoni"
    assert cited["references"][1]["doi"] == RECIPE_DOI
    card = (folder / "MODEL-CARD.md").read_text(encoding="utf-8")
    assert "3 craters, method `polar`" in card
    assert "not compared with any labels" in card
    assert "products.credit in project.yaml" in card.replace("\\", "")


def test_credit_licence_and_authors_are_in_every_export(mapped: Project) -> None:
    products = Products(
        credit="NASA/JHUAPL <b>", authors=("A. Ö", "B: C"), licence="CC-BY-4.0", doi="10.5281/z.1"
    )
    project = replace(mapped, settings=mapped.settings.model_copy(update={"products": products}))
    path = export_stac(project)
    collection = json.loads(path.read_text(encoding="utf-8"))
    assert collection["license"] == "CC-BY-4.0"
    roles = {provider["name"]: provider["roles"] for provider in collection["providers"]}
    assert roles == {"A. Ö": ["processor"], "B: C": ["processor"], "NASA/JHUAPL <b>": ["producer"]}
    assert collection["sci:doi"] == "10.5281/z.1"
    assert collection["sci:citation"].startswith("A. Ö, B: C: Ejecta of fresh craters")
    assert collection["sci:publications"][0]["doi"] == RECIPE_DOI
    cite_as = [link["href"] for link in collection["links"] if link["rel"] == "cite-as"]
    assert cite_as == ["https://doi.org/10.5281/z.1", f"https://doi.org/{RECIPE_DOI}"]
    cited = YAML(typ="safe").load((path.parent / "CITATION.cff").read_text(encoding="utf-8"))
    assert [author["name"] for author in cited["authors"]] == ["A. Ö", "B: C"]
    assert (cited["license"], cited["doi"]) == ("CC-BY-4.0", "10.5281/z.1")
    card = (path.parent / "MODEL-CARD.md").read_text(encoding="utf-8")
    for text in ("NASA/JHUAPL \\<b\\>", "CC-BY-4.0", RECIPE_DOI):
        assert text in card
    export_stac(mapped)


def test_the_programs_own_citation() -> None:
    path = Path(__file__).parents[2] / "CITATION.cff"
    cited = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    assert cited["license"] == "BSD-3-Clause"
    assert cited["cff-version"] == "1.2.0"


def test_rasters_have_descriptions_colours_and_crs_for_a_gis(mapped: Project) -> None:
    with rasterio.open(mapped.maps / "crater_0_mask.tif") as mask:
        assert mask.descriptions[0].startswith("1 = ejecta")
        assert mask.colormap(1)[1] == (*crater_colours(mapped.craters)[0], 255)
        assert mask.crs.to_authority() == ("IAU_2015", "19910")
    with rasterio.open(mapped.maps / "origin.tif") as origin:
        assert origin.colormap(1)[2] == (*crater_colours(mapped.craters)[1], 255)
