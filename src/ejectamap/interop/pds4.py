"""A map as PDS4 products: an uncompressed GeoTIFF and an XML label for each raster, written by GDAL's PDS4 driver."""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

import rasterio.shutil

from ejectamap.errors import SettingsError
from ejectamap.files import replace_file
from ejectamap.interop.map_metadata import body_class, write_citation_and_model_card
from ejectamap.maps.mapped import require_maps
from ejectamap.maps.rasters import copy_probability
from ejectamap.maps.state import mask_path, probability_path
from ejectamap.outputs import reading
from ejectamap.progress import track
from ejectamap.project.folder import Project
from ejectamap.project.products import RECIPE, RECIPE_DOI, how_to_cite, map_title, mapped_body
from ejectamap.texts import clean, valid_xml
from ejectamap.world.craters import Crater

_COLLECTION = re.compile(r"(?i)urn(:[a-z0-9._-]+){4}")
_LONGEST_MISSION = 200  # letters
_MARK = re.compile("@([A-Z_]+|[a-z_]+)@")
_AFTER_CITATION = "</Identification_Area>"
_AFTER_REFERENCES = "<File_Area_Observational>"
_REFERENCES = f"""<Reference_List>
    <External_Reference>
      <doi>{RECIPE_DOI}</doi>
      <reference_text>{RECIPE}</reference_text>
      <description>The recipe that the program follows; the DOI is that of its authors' data.</description>
    </External_Reference>
  </Reference_List>
  """


def export_pds4(project: Project, mission: str, collection: str) -> Path:
    """Write pds4/{name}.xml and .tif for each raster of the map, CITATION.cff and MODEL-CARD.md.

    Labels follow GDAL's template (information model 1.16), with citation and references added. They name no instrument
    and no times; these have to be added before the products can be archived.

    Parameters
    ----------
    project : Project
    mission : str
        Mission whose images the mosaic was made of.
    collection : str
        Logical identifier of the collection that the products belong to, "urn:nasa:pds:..."; written in lower case.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ProjectError
        If no crater is mapped.
    OutputError
        If a file of the map is damaged, or one cannot be written.
    SettingsError
        If `collection` is no identifier.
    """
    if not _COLLECTION.fullmatch(collection):
        raise SettingsError(
            f"--collection {collection}: is no identifier of a PDS4 collection: write it as in"
            " urn:nasa:pds:bundle:collection, in letters, digits, -, _ and ."
        )
    mission = clean(mission, _LONGEST_MISSION)
    maps = require_maps(project)
    folder = project.outputs / "pds4"
    folder.mkdir(exist_ok=True)
    body = mapped_body(project)
    target, target_type = ("Unknown", "planet") if body is None else (body.name, body_class(body))
    for path, title in track(list(_rasters(project, maps.all)), "writing labels"):
        values = {
            "LOGICAL_IDENTIFIER": f"{collection}:{path.stem}".lower(),
            "TITLE": title,
            "INVESTIGATION_AREA_NAME": mission,
            "INVESTIGATION_AREA_LID_REFERENCE": "urn:nasa:pds:context:investigation:mission."
            + re.sub(r"[^a-z0-9._-]+", "_", mission.lower()),
            "OBSERVING_SYSTEM_NAME": mission,
            "TARGET": target,
            "TARGET_TYPE": target_type.title(),
        }
        _write_product(project, path, folder, values)
    write_citation_and_model_card(project, maps, folder)
    return folder


def _rasters(project: Project, mapped: Sequence[Crater]) -> Iterator[tuple[Path, str]]:
    """All rasters of the map with their titles."""
    yield project.maps / "origin.tif", f"{map_title(project)}: likeliest crater of origin"
    for crater in mapped:
        yield probability_path(project, crater), f"Probability of ejecta of {crater.name}"
        yield mask_path(project, crater), f"Ejecta of {crater.name}"


def _write_product(project: Project, path: Path, folder: Path, values: Mapping[str, str]) -> None:
    """Write a raster's label, with values for the template's variables, and the raster without compression.

    PDS4 allows no compressed rasters.
    """
    # rasterio changes all options to upper case. The driver therefore gets marks, which are replaced in the label.
    marks = {f"VAR_{name}": f"@{name}@" for name in values}
    with tempfile.TemporaryDirectory() as temporary:
        source, label = path, Path(temporary) / f"{path.stem}.xml"
        if path.stem.endswith("_probability"):
            source = Path(temporary) / f"scaled_{path.name}"
            copy_probability(path, source, project.grid)
        with reading(path, "run ejectamap map again, or free space for temporary files"):
            rasterio.shutil.copy(source, label, driver="PDS4", IMAGE_FORMAT="GEOTIFF", **marks)
        text = label.read_text(encoding="utf-8")
        text = _MARK.sub(lambda mark: _value(values, mark[1]), text)
        text = text.replace(_AFTER_CITATION, _citation(project, path) + _AFTER_CITATION, 1)
        text = text.replace(_AFTER_REFERENCES, _REFERENCES + _AFTER_REFERENCES, 1)
        raster = label.with_suffix(".tif").read_bytes()
        replace_file(folder / f"{path.stem}.tif", memoryview(raster))
        replace_file(folder / label.name, valid_xml(text).encode())


def _value(values: Mapping[str, str], name: str) -> str:
    """Value for a mark in the label; the driver writes some marks in lower case into identifiers."""
    value = values[name.upper()]
    return escape(value if name.isupper() else value.lower().replace(" ", "_"))


def _citation(project: Project, path: Path) -> str:
    """Who made the map and when, how to cite it, credit of the images and licence, as an element of the label."""
    products = project.settings.products
    texts = [how_to_cite(project)]
    texts += [f"Images: {products.credit}."] if products.credit else []
    texts += [f"Licence: {products.licence}."] if products.licence else []
    year = datetime.fromtimestamp(path.stat().st_mtime, UTC).year
    elements = {
        "author_list": "; ".join(products.authors),
        "publication_year": str(year),
        "doi": products.doi or "",
        "description": " ".join(texts),
    }
    lines = "".join(f"      <{k}>{escape(text)}</{k}>\n" for k, text in elements.items() if text)
    return f"  <Citation_Information>\n{lines}    </Citation_Information>\n  "
