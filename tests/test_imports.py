"""What importing the packages loads: whatever only reads maps loads no networks and no PyTorch."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import ejectamap

ROOT = Path(ejectamap.__file__).parent
PYPROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
(CONTRACT,) = [
    contract
    for contract in PYPROJECT["tool"]["importlinter"]["contracts"]
    if contract["name"].startswith("Who only reads maps")
]
READERS = [name.removeprefix("ejectamap.") for name in CONTRACT["source_modules"]]
WITH_NETWORKS = {
    line.partition(" -> ")[0].removeprefix("ejectamap.") for line in CONTRACT["ignore_imports"]
}
HEAVY = [name for name in CONTRACT["forbidden_modules"] if not name.startswith("ejectamap")]


def modules(package: str) -> list[str]:
    """All modules of a package by their dotted names below ejectamap."""
    files = sorted((ROOT / package).rglob("*.py"))
    names = (".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files)
    return [name.removesuffix(".__init__") for name in names]


def run(code: str) -> str:
    """Run Python code in a process of its own, and return what it prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_reading_maps_loads_no_pytorch() -> None:
    names = [
        f"ejectamap.{name}"
        for package in READERS
        for name in modules(package)
        if name not in WITH_NETWORKS
    ]
    code = f"import sys, {', '.join(names)}; print([m for m in {HEAVY} if m in sys.modules])"
    assert run(code) == "[]\n"


def test_importing_the_package_loads_nothing_but_itself() -> None:
    libraries = (*HEAVY, "numpy", "pandas", "rasterio", "matplotlib", "scipy")
    code = f"import sys, ejectamap; print([m for m in {libraries} if m in sys.modules])"
    assert run(code) == "[]\n"


def test_init_files_import_nothing() -> None:
    for file in ROOT.rglob("__init__.py"):
        if file.parent.name in ("cli", "ejectamap"):
            continue  # the command line's own, and the version
        tree = ast.parse(file.read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not imports, file
