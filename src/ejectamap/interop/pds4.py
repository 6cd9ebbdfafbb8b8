"""A map as PDS4 products: an uncompressed GeoTIFF and an XML label for each raster, by GDAL's own driver."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import rasterio.shutil
from rasterio.errors import RasterioError
from rich.progress import track

from ejectamap.errors import OutputError
from ejectamap.interop.papers import title_of, write_papers
from ejectamap.mapping import require_mapped
from ejectamap.mapping.files import replace_file
from ejectamap.mapping.state import mask_path, probability_path
from ejectamap.project import Project
from ejectamap.world.body import body_near
from ejectamap.world.craters import Crater

_TYPES = {"Moon": "Satellite", "Ganymede": "Satellite", "Ceres": "Dwarf Planet"}


def export_pds4(project: Project, mission: str, collection: str) -> Path:
    """Write pds4/{name}.xml and .tif for each raster of the map, CITATION.cff and MODEL-CARD.md.

    A label is a beginning: it follows GDAL's template (information model 1.16) and knows no instrument and no times.

    Parameters
    ----------
    project : Project
    mission : str
        That took the mosaic's pictures.
    collection : str
        Logical identifier of the collection that the products belong to, "urn:nasa:pds:..."; in small letters.

    Returns
    -------
    Path
        Of the folder.

    Raises
    ------
    ProjectError
        If no crater is mapped.
    OutputError
        If a file of the map is damaged, or one cannot be written.
    """
    mapped = require_mapped(project)
    folder = project.outputs / "pds4"
    folder.mkdir(exist_ok=True)
    body = body_near(project.mosaic.grid.radius_m)
    target = "Unknown" if body is None else body.name
    kind = "Planet" if body is None else _TYPES.get(body.name, "Planet")
    for path, title in track(list(_rasters(project, mapped)), "writing labels", transient=True):
        words = {
            "LOGICAL_IDENTIFIER": f"{collection}:{path.stem}".lower(),
            "TITLE": title,
            "INVESTIGATION_AREA_NAME": mission,
            "INVESTIGATION_AREA_LID_REFERENCE": "urn:nasa:pds:context:investigation:mission."
            + mission.lower().replace(" ", "_"),
            "OBSERVING_SYSTEM_NAME": mission,
            "TARGET": target,
            "TARGET_TYPE": kind,
        }
        _write_product(path, folder, words)
    write_papers(project, mapped, folder)
    return folder


def _rasters(project: Project, mapped: Sequence[Crater]) -> Iterator[tuple[Path, str]]:
    """All rasters of the map, with their titles."""
    yield project.maps / "origin.tif", f"{title_of(project)}: likeliest crater of origin"
    for crater in mapped:
        yield probability_path(project, crater), f"Probability of ejecta of {crater.name}"
        yield mask_path(project, crater), f"Ejecta of {crater.name}"


def _write_product(path: Path, folder: Path, words: Mapping[str, str]) -> None:
    """Write the label of a raster, and the raster without compression, as PDS4 wants it."""
    # rasterio writes all options in capitals; so they are marks, which are replaced in the label.
    marks = {f"VAR_{name}": f"@{name}@" for name in words}
    with tempfile.TemporaryDirectory() as made:
        label = Path(made) / f"{path.stem}.xml"
        try:
            rasterio.shutil.copy(path, label, driver="PDS4", IMAGE_FORMAT="GEOTIFF", **marks)
        except RasterioError as error:
            raise OutputError(f"{path}: cannot be made a PDS4 product ({error})") from error
        text = label.read_text(encoding="utf-8")
        for name, word in words.items():
            text = text.replace(f"@{name}@", escape(word))
            text = text.replace(f"@{name.lower()}@", escape(word.lower().replace(" ", "_")))
        replace_file(
            folder / f"{path.stem}.tif", memoryview(label.with_suffix(".tif").read_bytes())
        )
        replace_file(folder / label.name, memoryview(text.encode()))
