"""Checks what `make dist` built: `python archives.py dist`, in a checkout with git.

The wheel, which is built from the source archive, has to hold the files of src/ejectamap that git knows, byte for byte,
and nothing else; the source archive these and what describes and builds the project, but no tests, documents or
examples.
"""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
PACKAGE = "src/ejectamap"
NEEDED = ("py.typed", "presets/laptop.yaml", "weights/context/member-00/weights.safetensors")
BESIDES = ("CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md", "pyproject.toml")
WRITTEN_BY_BUILD = ("MANIFEST.in", "PKG-INFO", "setup.cfg")


def package_files() -> dict[str, bytes]:
    """Content of the package's files in git, by their names below the package."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", PACKAGE], cwd=ROOT, check=True, capture_output=True, text=True
    )
    names = [name for name in listed.stdout.split("\0") if name]
    return {name.removeprefix(f"{PACKAGE}/"): (ROOT / name).read_bytes() for name in names}


def wheel_files(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        return {name.removeprefix("ejectamap/"): archive.read(name) for name in names}


def source_files(path: Path) -> set[str]:
    """Names in the source archive, without its own folder and the metadata that the build writes."""
    with tarfile.open(path) as archive:
        names = [member.name for member in archive.getmembers() if member.isfile()]
    inner = {str(PurePosixPath(*PurePosixPath(name).parts[1:])) for name in names}
    return {name for name in inner if ".egg-info/" not in name} - set(WRITTEN_BY_BUILD)


def complain(what: str, found: set[str], wanted: set[str]) -> list[str]:
    surplus, lacking = sorted(found - wanted), sorted(wanted - found)
    texts = [f"{what} holds {name}, which is not of the package" for name in surplus]
    return texts + [f"{what} lacks {name}" for name in lacking]


def main(folder: Path) -> list[str]:
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    package, built = package_files(), wheel_files(wheel)
    problems = complain(wheel.name, set(built), set(package))
    problems += [f"{wheel.name} lacks {name}" for name in NEEDED if name not in built]
    common = package.keys() & built.keys()
    problems += [f"{wheel.name}: {n} is another" for n in common if package[n] != built[n]]
    wanted = {f"{PACKAGE}/{name}" for name in package} | set(BESIDES)
    problems += complain(source.name, source_files(source), wanted)
    print(f"{wheel.name}: {len(built)} files of the package; {source.name}")
    return problems


if __name__ == "__main__":
    sys.exit("\n".join(main(Path(sys.argv[1]))) or 0)
