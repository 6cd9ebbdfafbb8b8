"""Catalogues in the many forms in which people and programs write them, and damaged ones: read right, or refused."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ejectamap.errors import LabelError
from ejectamap.world.craters import Crater, load_craters
from ejectamap.world.grid import Grid
from ejectamap.world.label_files import load_tiles
from ejectamap.world.tables import read_table
from fuzzing import examples, read_or_refuse

RADIUS_COLUMNS = {"radius_m": 1.0, "Radius_km": 1e3, "Diameter_km": 500.0, "diam_m": 0.5}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1")


@dataclass(frozen=True)
class Form:
    """How a table is written."""

    separator: str
    encoding: str
    newline: str
    quoting: int
    decimal_comma: bool
    radius_column: str
    east_360: bool
    comment: bool
    declared: bool
    surplus: int
    order: int

    def write(self, craters: list[Crater]) -> bytes:
        header = ["crater_id", "Name", "Longitude", "LAT", self.radius_column]
        rows = [self._row(crater) for crater in craters]
        order = np.random.default_rng(self.order).permutation(len(header))
        text = io.StringIO()
        writer = csv.writer(
            text, delimiter=self.separator, quoting=self.quoting, lineterminator=self.newline
        )
        for row in (header, *rows):
            writer.writerow([*(row[k] for k in order), *[""] * self.surplus])
        before = "# craters\n\n" if self.comment else ""
        before += f"sep={self.separator}\n" if self.declared else ""
        return (before + text.getvalue()).encode(self.encoding, errors="replace")

    def _row(self, crater: Crater) -> list[str]:
        lon = crater.lon % 360 if self.east_360 else crater.lon
        size = crater.radius_m / RADIUS_COLUMNS[self.radius_column]
        numbers = [f"{value:.9g}" for value in (lon, crater.lat, size)]
        if self.decimal_comma:
            numbers = [number.replace(".", ",") for number in numbers]
        return [str(crater.crater_id), crater.name, *numbers]


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda value: round(value, 6))


WORDS = st.text(st.characters(codec="latin-1", exclude_categories=("C", "Z")), max_size=12)
CRATERS = st.lists(
    st.builds(
        Crater,
        st.integers(0, 10_000),
        WORDS,
        numbers(-180, 179.999),
        numbers(-89, 89),
        numbers(4e3, 3e5),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda crater: crater.crater_id,
)
FORMS = st.builds(
    Form,
    separator=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(ENCODINGS),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    decimal_comma=st.booleans(),
    radius_column=st.sampled_from(sorted(RADIUS_COLUMNS)),
    east_360=st.booleans(),
    comment=st.booleans(),
    declared=st.booleans(),
    surplus=st.integers(0, 2),
    order=st.integers(0, 10),
)
PLAIN = Form(",", "utf-8", "\n", csv.QUOTE_MINIMAL, False, "radius_m", False, False, False, 0, 0)
CELLS = st.one_of(
    st.sampled_from(["", "nan", "inf", "-1", "1e400", "1_000", "0x10", "12,345", "--", "\x1b[31m"]),
    st.floats().map(str),
    st.text(max_size=10),
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("catalogues") / "craters.csv"


@given(craters=CRATERS, form=FORMS)
@examples
def test_a_catalogue_in_any_form_is_read_right_or_refused(
    file: Path, grid: Grid, craters: list[Crater], form: Form
) -> None:
    file.write_bytes(form.write(craters))
    read = read_or_refuse(lambda: load_craters(file, grid))
    if read is not None:
        assert_same(read, craters)


@given(craters=CRATERS)
@examples
def test_a_plain_catalogue_is_read(file: Path, grid: Grid, craters: list[Crater]) -> None:
    file.write_bytes(PLAIN.write(craters))
    assert_same(load_craters(file, grid), craters)


def assert_same(read: tuple[Crater, ...], written: list[Crater]) -> None:
    written = sorted(written, key=lambda crater: crater.crater_id)
    assert [crater.crater_id for crater in read] == [crater.crater_id for crater in written]
    for one, other in zip(read, written, strict=True):
        assert one.name == (other.name or f"crater {other.crater_id}")
        assert one.lat == pytest.approx(other.lat, abs=1e-6)
        assert abs((one.lon - other.lon + 180) % 360 - 180) < 1e-6
        assert one.radius_m == pytest.approx(other.radius_m, rel=1e-6)


@given(
    craters=CRATERS,
    form=FORMS,
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=3)), min_size=1, max_size=4),
)
@examples
def test_a_damaged_catalogue_has_possible_craters_or_is_refused(
    file: Path, grid: Grid, craters: list[Crater], form: Form, changes: list[tuple[float, bytes]]
) -> None:
    content = form.write(craters)
    for place, other in changes:
        start = int(place * len(content))
        content = content[:start] + other + content[start + len(other) :]
    file.write_bytes(content)
    assert_possible(read_or_refuse(lambda: load_craters(file, grid)))


@given(
    header=st.lists(
        st.sampled_from(["crater_id", "lon", "lat", "radius_m", "diameter_km", "name", "reach"])
        | st.text(max_size=8),
        min_size=1,
        max_size=7,
    ),
    rows=st.lists(st.lists(CELLS, max_size=7), max_size=4),
    columns=st.dictionaries(
        st.sampled_from(["crater_id", "lon", "lat", "radius_m"]), st.text(max_size=6), max_size=2
    ),
)
@examples
def test_any_cells_are_possible_craters_or_refused(
    file: Path, grid: Grid, header: list[str], rows: list[list[str]], columns: dict[str, str]
) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    file.write_bytes(text.getvalue().encode(errors="replace"))
    assert_possible(read_or_refuse(lambda: load_craters(file, grid, columns)))


def assert_possible(craters: tuple[Crater, ...] | None) -> None:
    for crater in craters or ():
        assert 0 <= crater.crater_id < 2**32
        assert -180 <= crater.lon < 180
        assert -90 <= crater.lat <= 90
        assert 0 < crater.radius_m < np.inf
        assert 0 < crater.reach <= 1
    ids = [crater.crater_id for crater in craters or ()]
    assert ids == sorted(set(ids))


@given(
    rows=st.lists(
        st.lists(st.integers(-3, 140).map(str) | CELLS, min_size=5, max_size=6), max_size=3
    )
)
@examples
def test_tiles_are_in_the_mosaic_or_refused(file: Path, grid: Grid, rows: list[list[str]]) -> None:
    text = io.StringIO()
    header = ["tile_id", "row", "col", "height", "width", "labelled_craters"]
    csv.writer(text).writerows([header, *rows])
    file.write_bytes(text.getvalue().encode(errors="replace"))
    for tile in read_or_refuse(lambda: load_tiles(file, grid)) or ():
        assert 0 <= tile.window.row < tile.window.row + tile.window.height <= grid.height
        assert 0 <= tile.window.col < grid.width
        assert 0 < tile.window.width <= grid.width


@given(content=st.binary(max_size=60), suffix=st.sampled_from([".csv", ".txt", ".shp", ".gpkg"]))
@examples
def test_any_bytes_are_a_table_or_refused(file: Path, content: bytes, suffix: str) -> None:
    path = file.with_name(f"bytes{suffix}")
    path.write_bytes(content)
    table = read_or_refuse(lambda: read_table(path, LabelError))
    if table is not None:
        assert all(len(values) == table.rows for values in table.columns.values())
