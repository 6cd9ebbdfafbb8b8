"""What a map's products say of themselves: the mapped body, a title, whom to credit, and how to cite the map."""

from ejectamap.errors import MosaicError
from ejectamap.project.bundles import library_versions
from ejectamap.project.folder import Project
from ejectamap.world.body import SIMULATED, Body, body_near
from ejectamap.world.mosaic_files import mosaic_rasters
from ejectamap.world.raster_files import open_raster

RECIPE = "Lissoni, M., Doressoundiram, A. and Besse, S. (2025): Deep learning map of fresh crater ejecta on Mercury"
"""The work whose recipe the program follows."""
RECIPE_DOI = "10.5281/zenodo.18787894"
"""DOI of what its authors released: data, networks and maps."""


def mapped_body(project: Project) -> Body | None:
    """The body that the mosaic shows, by its radius; None if none has that radius, or the planet is simulated."""
    return None if is_simulated(project) else body_near(project.grid.radius_m)


def is_simulated(project: Project) -> bool:
    """Whether the mosaic was made by `ejectamap simulate`."""
    first = mosaic_rasters(project.mosaic_path)[0]
    with open_raster(first, MosaicError) as source:
        return bool(source.tags().get("TIFFTAG_IMAGEDESCRIPTION") == SIMULATED)


def body_name(project: Project) -> str:
    """Name of the mapped body; what it is, where it has none."""
    if is_simulated(project):
        return "a simulated planet"
    body = body_near(project.grid.radius_m)
    return "a body without a name" if body is None else body.name


def map_title(project: Project) -> str:
    """Title of a project's map."""
    return f"Ejecta of fresh craters on {body_name(project)}: {project.folder.resolve().name}"


def how_to_cite(project: Project) -> str:
    """A line to cite the map by; it says so where the authors are not set."""
    products = project.settings.products
    authors = ", ".join(products.authors) or "[authors: products.authors in project.yaml]"
    doi = f" doi:{products.doi}." if products.doi else ""
    version = library_versions()["ejectamap"]
    return f"{authors}: {map_title(project)}.{doi} Made with ejectamap {version}."


def recipe_citation() -> str:
    """The work whose recipe the program follows, with the DOI of its data."""
    return f"{RECIPE}; data: doi:{RECIPE_DOI}"


def note_on_networks(project: Project) -> str | None:
    """A sentence that says where the map's networks were trained, if that was not in this project; else None."""
    kinds = project.settings.network_configs
    if all((project.logs / kind / "members.csv").exists() for kind in kinds):
        return None
    if any(project.networks_folder(kind) == project.models / kind for kind in kinds):
        where = "in another project"
    elif project.settings.training.start_from == "builtin":
        where = "before the program was released, on simulated planets and on labels of Mercury"
    else:
        where = f"in {project.settings.training.start_from}"
    return (
        f"the networks were trained {where}, not in this project: look at the mosaic before you rely on the map, above"
        " all on far and faint rays"
    )
