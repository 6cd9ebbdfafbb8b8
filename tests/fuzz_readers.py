"""Readers of people's files under bytes that libFuzzer makes up, guided by the code that they reach (atheris).

`python tests/fuzz_readers.py --seconds 60` tries each reader for that time; with names, those alone. What a reader
neither reads nor refuses in one line ends the run; the bytes are in build/fuzz/, and `--again FILE` with the reader's
name tries them once more.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

PACKAGE = Path(__file__).parents[1] / "src" / "ejectamap"
# numba can't compile instrumented code.
_COMPILED = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if "njit" in path.read_text(encoding="utf-8")
]
with atheris.instrument_imports(include=["ejectamap"], exclude=_COMPILED):
    from conftest import build_grid
    from ejectamap.networks.bundle import Bundle, build_network, load_bundle, save_bundle
    from ejectamap.project.bundle_views import CorridorViews
    from ejectamap.project.bundles import BundleDescription, read_description
    from ejectamap.project.yaml import make_settings, read_settings, write_settings
    from ejectamap.views.scaling import ChannelScaling
    from ejectamap.world.craters import load_craters
    from ejectamap.world.label_files import load_tiles
    from ejectamap.world.label_polygons import read_polygons
    from fuzzing import read_or_refuse

GRID = build_grid()
FOUND = Path(__file__).parents[1] / "build" / "fuzz"
Reader = Callable[[Path], object]


def catalogue(folder: Path) -> tuple[str, list[bytes], Reader]:
    seeds = [
        b'crater_id,name,lon,lat,radius_m\n1,A,20,10,60000\n2,"B, C",-30.5,5,8e4\n',
        "sep=;\nId;Länge;Longitude;Latitude;Diameter_km\n1;x;20,5;10,25;120\n".encode("utf-16"),
        b"# Robbins\nCRATER_ID\tLAT_CIRC_IMG\tLON_CIRC_IMG\tDIAM_CIRC_IMG\n01-1-000\t5\t350\t90\n",
    ]
    return "craters.csv", seeds, lambda path: load_craters(path, GRID)


def tiles(folder: Path) -> tuple[str, list[bytes], Reader]:
    seeds = [b"tile_id,row,col,height,width,labelled_craters\n0,0,0,8,8,1 2\n1,8,120,8,16,\n"]
    return "tiles.csv", seeds, lambda path: load_tiles(path, GRID)


def settings(folder: Path) -> tuple[str, list[bytes], Reader]:
    inputs = {"mosaic": "m.tif", "craters": "c.csv"}
    write_settings(make_settings({"version": 2, "inputs": inputs}, "seed"), folder / "seed.yaml")
    seeds = [
        (folder / "seed.yaml").read_bytes(),
        b"inputs: {mosaic: m.tif, craters: c.csv}\nmap: {threshold: 0.5}\n",
    ]
    return "project.yaml", seeds, read_settings


def polygons(folder: Path) -> tuple[str, list[bytes], Reader]:
    square = [[20, 10], [30, 10], [30, 20], [20, 10]]
    shapes = [
        {"type": "Polygon", "coordinates": [square]},
        {
            "type": "MultiPolygon",
            "coordinates": [[square], [[[170, 0], [190, 0], [180, 9], [170, 0]]]],
        },
    ]
    features = [
        {"type": "Feature", "properties": {"crater_id": k}, "geometry": shape}
        for k, shape in enumerate(shapes)
    ]
    seeds = [
        json.dumps({"type": "FeatureCollection", "features": chosen}).encode()
        for chosen in (features, features[:1])
    ]
    return "labels.geojson", seeds, lambda path: list(read_polygons(path, GRID, []))


def description(folder: Path) -> tuple[str, list[bytes], Reader]:
    _save_bundle(folder)
    seeds = [(folder / "bundle.json").read_bytes()]
    return "bundle.json", seeds, lambda path: read_description(path.parent)


def weights(folder: Path) -> tuple[str, list[bytes], Reader]:
    _save_bundle(folder)
    seeds = [(folder / "weights.safetensors").read_bytes()]
    return "weights.safetensors", seeds, lambda path: load_bundle(path.parent)


def _save_bundle(folder: Path) -> None:
    """The smallest network there is."""
    network = {"architecture": "test_resnet", "in_channels": 4}
    description = BundleDescription(
        kind="connection",
        network=network,
        views=CorridorViews(bands=3, scaling="255", corridor_px=(64, 16)),
        normalisation=ChannelScaling.identity(4),
        metadata_normalisation=None,
        training={},
        versions={},
    )
    save_bundle(Bundle(description, build_network("connection", **network)), folder, half=True)


READERS = {
    each.__name__: each for each in (catalogue, tiles, settings, polygons, description, weights)
}


def fuzz(name: str, arguments: list[str]) -> None:
    """Try a reader until libFuzzer's limits are reached; this never returns."""
    with tempfile.TemporaryDirectory() as folder:
        file, seeds, read = READERS[name](Path(folder))
        path = Path(folder) / file
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for k, seed in enumerate(seeds):
            (corpus / str(k)).write_bytes(seed)

        def once(content: bytes) -> None:
            path.write_bytes(content)
            read_or_refuse(lambda: read(path))

        limits = ["-rss_limit_mb=6000", "-timeout=300", "-max_len=1000000"]
        corpora = [] if any(Path(each).is_file() for each in arguments) else [str(corpus)]
        atheris.Setup([sys.argv[0], *limits, *arguments, *corpora], once)
        atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", choices=[*READERS, []], default=list(READERS))
    parser.add_argument("--seconds", type=int, default=60, help="time for each reader")
    parser.add_argument("--again", type=Path, help="bytes that a run found")
    options = parser.parse_args()
    FOUND.mkdir(parents=True, exist_ok=True)
    if options.again:
        fuzz(options.readers[0], [str(options.again)])
    for name in options.readers:
        print(f"{name}: {options.seconds} s", flush=True)
        limits = [f"-max_total_time={options.seconds}", f"-artifact_prefix={FOUND}/{name}-"]
        code = f"import fuzz_readers; fuzz_readers.fuzz({name!r}, {limits!r})"
        folder = Path(__file__).parent
        done = subprocess.run([sys.executable, "-c", code], cwd=folder, check=False)
        if done.returncode:
            sys.exit(f"{name}: found {sorted(map(str, FOUND.glob(f'{name}-*')))}")


if __name__ == "__main__":
    main()
