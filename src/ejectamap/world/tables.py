"""Input tables: CSV, GeoPackage and shapefile read to the same form, with checks of columns and values."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import geopandas
import numpy as np
import pandas as pd
import pyogrio

from ejectamap.errors import EjectamapError
from ejectamap.world.georeference import one_line
from ejectamap.world.sphere import Array

_STYLES = "layer_styles"  # name of the layer in which QGIS stores styles


@dataclass(frozen=True)
class Table:
    """The rows of an input file; every error message names the file, the column and the row.

    Attributes
    ----------
    path : Path
    columns : mapping of str to list
        Values by column name, spelled as in the file.
    rows : int
    error : type
        The type of `EjectamapError` to raise.
    geometry : GeoSeries or None
        One shape per row, in a vector file.
    """

    path: Path
    columns: Mapping[str, list[object]]
    rows: int
    error: type[EjectamapError]
    geometry: Any = None

    def fail(self, problem: str) -> NoReturn:
        """Raise this table's type of error, with the file's name at the beginning of the message."""
        raise self.error(f"{self.path}: {problem}")

    def find(self, *names: str) -> str | None:
        """First of these columns that the file has, ignoring case; spelled as in the file."""
        present = {column.strip().lower(): column for column in self.columns}
        return next((present[name] for name in names if name in present), None)

    def require(self, *names: str) -> str:
        """Like `find`, but a missing column is an error."""
        column = self.find(*names)
        if column is None:
            present = ", ".join(self.columns) or "none"
            self.fail(f"has no column {' or '.join(names)}: add it (columns present: {present})")
        return column

    def numbers(self, column: str, default: float | None = None) -> Array:
        """Values of a column, checked to be finite, shape (rows,); empty cells take the default, if there is one."""
        texts = self.texts(column)
        values = [self._number(column, row, text, default) for row, text in enumerate(texts)]
        return np.array(values, np.float64)

    def integers(self, column: str) -> list[int]:
        """Values of a column as whole numbers, checked to be whole."""
        values = self.numbers(column)
        for row, value in enumerate(values, start=1):
            if value != np.floor(value):
                self.fail(
                    f"column {column}, row {row}: {value:g} is not a whole number: correct it"
                )
        return [int(value) for value in values]

    def unique_ids(self, column: str) -> list[int]:
        """Values of a column as whole numbers, checked to be 0 or more and unique."""
        ids = self.integers(column)
        first_row: dict[int, int] = {}
        for row, value in enumerate(ids, start=1):
            if value < 0:
                self.fail(
                    f"column {column}, row {row}: {value} is negative: give an id of 0 or more"
                )
            if first_row.setdefault(value, row) != row:
                self.fail(
                    f"column {column}: {value} stands in rows {first_row[value]} and {row}: give"
                    " each row an id of its own"
                )
        return ids

    def texts(self, column: str | None) -> list[str]:
        """Values of a column as text, "" for empty cells and for a column of None."""
        if column is None:
            return [""] * self.rows
        return ["" if pd.isna(value) else str(value).strip() for value in self.columns[column]]  # type: ignore[call-overload]

    def _number(self, column: str, row: int, text: str, default: float | None) -> float:
        """Convert the text of a cell to a finite number; `row` counts from 0."""
        if text == "" and default is not None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            problem = "is empty" if text == "" else f"is {text!r}, not a number"
            self.fail(f"column {column}, row {row + 1} {problem}: give a number")
        return value


def read_table(path: Path, error: type[EjectamapError]) -> Table:
    """Read a CSV, recognised by its suffix, or the only layer of a vector file.

    Raises
    ------
    EjectamapError
        Of the type `error`, if the file is missing or unreadable, has no rows, or has several layers.
    """
    if not path.exists():
        raise error(f"{path}: does not exist: check the path")
    frame = _read_csv(path, error) if path.suffix.lower() == ".csv" else _read_layer(path, error)
    if frame.empty:
        raise error(f"{path}: has no rows: give it at least one")
    geometry = frame.geometry if isinstance(frame, geopandas.GeoDataFrame) else None
    names = [name for name in frame.columns if geometry is None or name != geometry.name]
    columns = {str(name): list(frame[name]) for name in names}
    return Table(path, columns, len(frame), error, geometry)


def _read_csv(path: Path, error: type[EjectamapError]) -> pd.DataFrame:
    try:
        return pd.read_csv(
            path, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False
        )
    except (
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        UnicodeDecodeError,
        OSError,
    ) as problem:
        raise error(
            f"{path}: is not a CSV table ({one_line(problem)}): save it as comma-separated UTF-8"
        ) from problem


def _read_layer(path: Path, error: type[EjectamapError]) -> pd.DataFrame:
    try:
        listed = [(name, kind) for name, kind in pyogrio.list_layers(path) if name != _STYLES]
        # Layers without geometry count only if no layer has one.
        layers = [str(name) for name, kind in listed if kind] or [str(name) for name, _ in listed]
        if len(layers) != 1:
            names = ", ".join(layers) or "none"
            raise error(f"{path}: should have one layer, has {names}: save only the one to read")
        frame: pd.DataFrame = geopandas.read_file(path, layer=layers[0])
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as problem:
        raise error(
            f"{path}: cannot be read ({one_line(problem)}): give a CSV, GeoPackage or shapefile"
        ) from problem
    return frame
