"""All attacks, among them those by names of craters and by the environment."""

import os
from collections.abc import Iterator
from pathlib import Path

from argument_attacks import arguments
from case import QUICK, SLOW, Case, verbs
from file_attacks import damaged_files
from setting_attacks import settings

NAMES = (
    '=HYPERLINK("http://x")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "-2+3",
    "De\x07gas\x1b[31m",
    "<script>alert(1)</script>",
    "$x_{$^$",
    "a\tb\x0bc",
    "\u202eevil",
    "\ufffe\uffff]]>",
    "x" * 5000,
    "../../evil",
    'a,"b";c',
    "'quoted",
    "%s{0}\\n",
    "&amp;",
)


def names() -> Iterator[Case]:
    """Names of craters that are code elsewhere, in every verb that writes them."""
    for k in range(0, len(NAMES), 6):
        some = [*NAMES[k : k + 6], *NAMES[:6]][:6]

        def rename(folder: Path, some: list[str] = some) -> None:
            path = folder / "inputs" / "craters.csv"
            header, *rows = path.read_text().splitlines()
            column = header.split(",").index("name")
            lines = [header]
            for row, name in zip(rows, some, strict=False):
                cells = row.split(",")
                cells[column] = '"' + name.replace('"', '""') + '"'
                lines.append(",".join(cells))
            path.write_text("\n".join(lines) + "\n")

        for verb in (
            "map",
            "evaluate",
            "report",
            "analyze",
            "families",
            "suggest",
            "export stac",
            "export pds4",
            "export qgis",
            "view",
            "rank",
        ):
            code = None if verb == "rank" else 0  # it refuses maps that look alike
            yield Case(f"names {k}: {verb}", QUICK[verb], rename, code=code)


_ENVIRONMENT = {
    "OMP_NUM_THREADS": ("x", "0", "-1", "1e3", "", "99999999999"),
    "COLUMNS": ("0", "1", "-5", "x", "100000"),
    "TERM": ("", "dumb", "\x1b"),
    "TMPDIR": ("/nonexistent", "/dev/null"),
    "HOME": ("/nonexistent", ""),
    "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": ("/nonexistent",),
    "PROJ_DATA": ("/nonexistent",),
    "GDAL_DATA": ("/nonexistent",),
    "GDAL_NUM_THREADS": ("x",),
    "GDAL_CACHEMAX": ("-1",),
    "NO_COLOR": ("1",),
}


def environment() -> Iterator[Case]:
    """Environment variables that some library reads."""
    turn = ("evaluate", "map", "suggest", "export qgis", "runs")
    k = 0
    for key, values in _ENVIRONMENT.items():
        for value in values:
            k += 1

            def prepare(_: Path, key: str = key, value: str = value) -> None:
                os.environ[key] = value

            verb = turn[k % len(turn)]
            yield Case(f"{key}={value!r}: {verb}", QUICK[verb], prepare, code=0, same=True)


def cases() -> list[Case]:
    """All attacks."""
    assert verbs() == {*QUICK, *SLOW}, "a verb has no line in case.py"
    parts = (damaged_files, arguments, settings, names, environment)
    return [case for part in parts for case in part()]
