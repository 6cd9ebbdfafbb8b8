"""STAC and PDS4 exports are valid, agree with the map, and cope with any crater name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pystac
import pytest
import rasterio
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import RasterExtension
from pystac.validation.local_validator import get_local_schema_cache
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from ruamel.yaml import YAML

from ejectamap.errors import ProjectError
from ejectamap.interop.pds4 import export_pds4
from ejectamap.interop.stac import SSYS, export_stac, footprint
from ejectamap.maps.colours import crater_colours
from ejectamap.maps.crater_map import CraterMap, in_memory
from ejectamap.maps.writing import import_maps
from ejectamap.project.folder import Project
from ejectamap.world.grid import Grid, Window

NAMES = ("\"Q\" <b> & 'x' |*_", "Bashō 漢字", "x" * 200)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory, planet_files: Path) -> Project:
    """A project with maps of three craters; their windows differ."""
    folder = tmp_path_factory.mktemp("archive")
    table = pd.read_csv(planet_files / "craters.csv").head(len(NAMES))
    table["name"] = NAMES
    table.to_csv(folder / "craters.csv", index=False)
    project = Project.create(
        folder / "A map", planet_files / "mosaic.tif", folder / "craters.csv", None
    )
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
    files = sorted(path.parent.rglob("*.json"))
    assert len(files) == 1 + len(NAMES)
    for file in files:
        content = json.loads(file.read_text(encoding="utf-8"))
        validator.validate_core(content, kinds[content["type"]], content["stac_version"])
        assert SSYS in content["stac_extensions"]


def test_stac_links_to_the_maps_after_a_move(mapped: Project, tmp_path: Path) -> None:
    export_stac(mapped)
    shutil.copytree(mapped.folder, tmp_path / "moved")
    collection = pystac.Collection.from_file(str(tmp_path / "moved" / "stac" / "collection.json"))
    assert collection.summaries.get_list("ssys:targets") == ["Mercury"]
    assert {"origin.tif", "ejecta.gpkg", "provenance.json"} <= collection.assets.keys()
    items = list(collection.get_items())
    assert [item.properties["title"] for item in items] == list(NAMES)
    for item in items:
        assert item.properties["ssys:targets"] == ["Mercury"]
        assert item.properties["ssys:target_class"] == "planet"
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


def test_two_stac_exports_have_equal_bytes(mapped: Project) -> None:
    first = {p: p.read_bytes() for p in export_stac(mapped).parent.rglob("*") if p.is_file()}
    export_stac(mapped)
    assert {p: p.read_bytes() for p in first} == first


def test_footprint_is_split_at_180_degrees(make_grid: Callable[..., Grid]) -> None:
    bounds, shape = footprint(make_grid(64, 0.0), Window(16, 60, 16, 8))  # 168.75 to 191.25 E
    assert bounds == [168.75, 0.0, -168.75, 45.0]
    assert shape["type"] == "MultiPolygon"
    bounds, shape = footprint(make_grid(64), Window(16, 60, 16, 8))
    assert bounds == [-11.25, 0.0, 11.25, 45.0]
    assert shape["type"] == "Polygon"


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
    root = ElementTree.parse(folder / "crater_0_mask.xml").getroot()
    assert root.findtext("p:Identification_Area/p:title", "", space) == f"Ejecta of {NAMES[0]}"


def test_citation_and_model_card(mapped: Project) -> None:
    folder = export_stac(mapped).parent
    cited = YAML(typ="safe").load((folder / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["title"] == "Ejecta of fresh craters on Mercury: A map"
    assert cited["references"][1]["authors"][0]["family-names"] == "Lissoni"
    card = (folder / "MODEL-CARD.md").read_text(encoding="utf-8")
    assert "3 craters, method `polar`" in card
    assert "not compared with any labels" in card


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
