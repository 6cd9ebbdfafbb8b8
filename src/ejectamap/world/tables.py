"""Input tables: text tables, GeoPackage and shapefile read to the same form, with checks of columns and values."""

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import geopandas
import numpy as np
import pandas as pd
import pyogrio
from shapely.errors import ShapelyError

from ejectamap.errors import EjectamapError
from ejectamap.world.csv_files import SUFFIXES, read_text_table
from ejectamap.world.georeference import one_line
from ejectamap.world.sphere import Array

_STYLES = "layer_styles"  # name of the layer in which QGIS stores styles
_REPEATED = re.compile(r" \(column \d+\)$")  # added to the name of a column that the file has twice
_ADVICE_OF_GDAL = "; It might help"  # to name a driver, which a file of another format has not


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
    decimal_comma : bool
        Whether a comma in a number is its decimal sign.
    chosen : mapping of str to str
        Columns of the file that the user chose, by the name of what they hold; `find` prefers them.
    notes : list of str
        What the user should know about how the file was read, one line each; reading adds to it.
    """

    path: Path
    columns: Mapping[str, list[object]]
    rows: int
    error: type[EjectamapError]
    geometry: Any = None
    decimal_comma: bool = False
    chosen: Mapping[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def fail(self, problem: str) -> NoReturn:
        """Raise this table's type of error, with the file's name at the beginning of the message."""
        raise self.error(f"{self.path}: {problem}")

    def note(self, text: str) -> None:
        """Add a note, once, with the file's name at its beginning."""
        if (note := f"{self.path}: {text}") not in self.notes:
            self.notes.append(note)

    def find_all(self, *names: str) -> list[str]:
        """Columns that have any of these simple names, in the names' order; spelled as in the file.

        A chosen column excludes all others.
        """
        for name in names:
            if name in self.chosen:
                return [self.chosen[name]]
        return [c for name in names for c in self.columns if simple_name(c) == name]

    def find(self, *names: str) -> str | None:
        """First column of `find_all`; columns of the same simple name must have the same values."""
        found = self.find_all(*names)
        if not found:
            return None
        first, *others = found
        for other in others:
            if simple_name(other) == simple_name(first):
                self._check_equal(first, other)
        return first

    def require(self, *names: str) -> str:
        """Like `find`, but a missing column is an error."""
        column = self.find(*names)
        if column is None:
            self.fail(
                f"has no column {' or '.join(names)}: add it (columns present: {self.present})"
            )
        return column

    @property
    def present(self) -> str:
        """Names of all columns, for messages."""
        return ", ".join(self.columns) or "none"

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
        self.check_ids(column, ids)
        return ids

    def check_ids(self, column: str, ids: Iterable[int]) -> None:
        """Check that ids read from a column are 0 or more and unique."""
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

    def texts(self, column: str | None) -> list[str]:
        """Values of a column as text, "" for empty cells and for a column of None."""
        if column is None:
            return [""] * self.rows
        return ["" if pd.isna(value) else str(value).strip() for value in self.columns[column]]  # type: ignore[call-overload]

    def to_number(self, text: str) -> float:
        """Convert the text of a cell to a number; nan if it is none, or not finite."""
        text = text.replace("\N{MINUS SIGN}", "-")
        try:
            value = float(text.replace(",", ".") if self.decimal_comma else text)
        except ValueError:
            return np.nan
        return value if np.isfinite(value) else np.nan

    def _number(self, column: str, row: int, text: str, default: float | None) -> float:
        """Convert the text of a cell to a finite number; `row` counts from 0."""
        if text == "" and default is not None:
            return default
        value = self.to_number(text)
        if np.isnan(value):
            problem = "is empty" if text == "" else f"is {text!r}, not a number"
            hint = (
                "write numbers with a decimal point and without separators of thousands, as in 31000 or 31.5"
                if "," in text
                else "give a number"
            )
            self.fail(f"column {column}, row {row + 1} {problem}: {hint}")
        return value

    def _check_equal(self, first: str, second: str) -> None:
        """Check that two columns with one name hold the same values, and note that the first is used."""
        pairs = zip(self.texts(first), self.texts(second), strict=True)
        for row, (one, other) in enumerate(pairs, start=1):
            if one != other and not np.isclose(self.to_number(one), self.to_number(other)):
                self.fail(
                    f"columns {first} and {second} differ in row {row} ({one} and {other}): remove one of them, or"
                    " choose one of a catalogue's columns in inputs.columns of project.yaml"
                )
        self.note(f"columns {first} and {second} agree: {first} is used")


def simple_name(column: str) -> str:
    """A column's name in lower case, with _ for blanks, brackets and all else but letters and digits."""
    return re.sub(r"[^a-z0-9]+", "_", _REPEATED.sub("", column).lower()).strip("_")


def read_table(path: Path, error: type[EjectamapError]) -> Table:
    """Read a text table, recognised by its suffix, or the only layer of a vector file.

    Raises
    ------
    EjectamapError
        Of the type `error`, if the file is missing or unreadable, has no rows, or has several layers.
    """
    if not path.exists():
        raise error(f"{path}: does not exist: check the path")
    if not (path.is_file() or path.is_dir()):
        raise error(f"{path}: is a device or a pipe, not a file: give a file")
    table = _read_text(path, error) if path.suffix.lower() in SUFFIXES else _read_layer(path, error)
    if table.rows == 0:
        raise error(f"{path}: has no rows: give it at least one")
    return table


def _read_text(path: Path, error: type[EjectamapError]) -> Table:
    text = read_text_table(path, error)
    names = _distinct(text.header)
    columns: dict[str, list[object]] = {
        name: [row[index] for row in text.rows] for index, name in enumerate(names)
    }
    return Table(path, columns, len(text.rows), error, decimal_comma=text.decimal_comma)


def _distinct(header: Iterable[str]) -> list[str]:
    """Names of columns; one that the file has twice gets its position added."""
    names: list[str] = []
    seen: Counter[str] = Counter()
    for position, name in enumerate(header, start=1):
        seen[name] += 1
        names.append(f"{name} (column {position})" if seen[name] > 1 else name)
    return names


def _read_layer(path: Path, error: type[EjectamapError]) -> Table:
    try:
        # What GDAL warns of is checked here, where it matters, with messages that name row and remedy.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            layer = _only_layer(path, error)
            frame = _read_frame(path, layer)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as problem:
        reason = one_line(problem).split(_ADVICE_OF_GDAL)[0].rstrip(".")
        raise error(
            f"{path}: cannot be read ({reason}): give a CSV, GeoPackage or shapefile"
        ) from problem
    except UnicodeDecodeError:
        raise error(
            f"{path}: its text is not in the encoding that {path.with_suffix('.cpg').name} names: delete that file"
        ) from None
    except (ShapelyError, ValueError) as problem:
        raise error(
            f"{path}: cannot be read ({one_line(problem)}): save it again as a GeoPackage"
        ) from problem
    geometry = frame.geometry if isinstance(frame, geopandas.GeoDataFrame) else None
    names = [name for name in frame.columns if geometry is None or name != geometry.name]
    columns = {str(name): list(frame[name]) for name in names}
    return Table(path, columns, len(frame), error, geometry)


def _only_layer(path: Path, error: type[EjectamapError]) -> str:
    listed = [(name, kind) for name, kind in pyogrio.list_layers(path) if name != _STYLES]
    # Layers without geometry count only if no layer has one.
    layers = [str(name) for name, kind in listed if kind] or [str(name) for name, _ in listed]
    if len(layers) != 1:
        names = ", ".join(layers) or "none"
        raise error(f"{path}: should have one layer, has {names}: save only the one to read")
    return layers[0]


def _read_frame(path: Path, layer: str) -> pd.DataFrame:
    """Read a layer; a shapefile that does not say its encoding is UTF-8 if it can be, else what GDAL assumes."""
    undeclared = path.suffix.lower() in (".shp", ".dbf") and not any(
        path.with_suffix(suffix).exists() for suffix in (".cpg", ".CPG")
    )
    frame: pd.DataFrame
    if undeclared:
        try:
            frame = geopandas.read_file(path, layer=layer, encoding="utf-8")
            return frame
        except UnicodeDecodeError:
            pass
    frame = geopandas.read_file(path, layer=layer)
    return frame
