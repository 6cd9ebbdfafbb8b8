"""Text tables as other programs write them: their encoding, separator and decimal sign are found, not asked for."""

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from ejectamap.errors import EjectamapError
from ejectamap.texts import without_guard

SUFFIXES = (".csv", ".tsv", ".tab", ".txt")
"""Names of text tables end in one of these."""
_SEPARATORS = ",;\t|"
_EXCEL_SEPARATOR = re.compile(r"sep=(.)\s*", re.IGNORECASE)
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_POINT_NUMBER = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_SNIFFED_ROWS = 50


@dataclass(frozen=True)
class TextTable:
    """The cells of a text table.

    Attributes
    ----------
    header : tuple of str
        Names of the columns, as in the file.
    rows : list of list of str
        Cells of each row, without surrounding blanks, and without an apostrophe that keeps a spreadsheet from reading a
        formula; as many as columns.
    decimal_comma : bool
        Whether a comma in a number is its decimal sign.
    """

    header: tuple[str, ...]
    rows: list[list[str]]
    decimal_comma: bool


def read_text_table(path: Path, error: type[EjectamapError]) -> TextTable:
    """Read a table whose columns are separated by commas, semicolons, tabs or bars, in UTF-8 or UTF-16.

    Blank lines, and lines that begin with # before the header, are skipped.

    Raises
    ------
    EjectamapError
        Of the type `error`, if it is none, is empty, or a row has more cells than the header.
    """
    lines = _skip_to_header(_decode(path, error))
    if not lines:
        raise error(f"{path}: is empty: give a table with a header and at least one row")
    declared = _EXCEL_SEPARATOR.fullmatch(lines[0])
    separator = declared[1] if declared else _find_separator(lines)
    cells = _split(path, lines[1:] if declared else lines, separator, error)
    if not cells:
        raise error(f"{path}: has no header: give the columns their names in the first line")
    header = _without_empty_end(cells[0])
    rows = [_fit_row(path, number, row, len(header), error) for number, row in _filled(cells)]
    return TextTable(tuple(header), rows, _has_decimal_comma(rows))


def _decode(path: Path, error: type[EjectamapError]) -> str:
    """Text of a file in UTF-8 or UTF-16; the latter is also recognised without a byte order mark."""
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif content[1:2] == b"\0" and content[:1] != b"\0":
        encoding = "utf-16-le"
    elif content[:1] == b"\0" and content[1:2] != b"\0":
        encoding = "utf-16-be"
    else:
        encoding = "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise error(
            f"{path}: is not a CSV table in UTF-8 or UTF-16: save it again as CSV with the encoding UTF-8"
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _skip_to_header(text: str) -> list[str]:
    """Lines of a text, with their ends, without blank ones and comments before the header."""
    lines = io.StringIO(text).readlines()
    for index, line in enumerate(lines):
        if line.strip(" \t\n") and not line.startswith("#"):
            return lines[index:]
    return []


def _find_separator(lines: list[str]) -> str:
    """The separator that divides the header into most cells, and the rows below it into about as many."""
    scores = {}
    for separator in _SEPARATORS:
        try:
            rows = csv.reader(lines[:_SNIFFED_ROWS], delimiter=separator)
            counts = [len(row) for row in rows if row]
        except csv.Error:  # `_split` says what is wrong
            return separator
        alike = sum(count == counts[0] for count in counts) / len(counts)
        scores[separator] = (counts[0] > 1, alike > 0.5, counts[0])
    return max(scores, key=lambda separator: scores[separator])


def _split(
    path: Path, lines: list[str], separator: str, error: type[EjectamapError]
) -> list[list[str]]:
    """Cells of all lines, without surrounding blanks."""
    try:
        rows = list(csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True))
    except csv.Error as problem:
        raise error(
            f"{path}: is not a CSV table ({problem}): close every quote, and double quotes within a cell"
        ) from None
    return [[without_guard(cell.strip()) for cell in row] for row in rows]


def _without_empty_end(header: list[str]) -> list[str]:
    while header and not header[-1]:
        header = header[:-1]
    return header


def _filled(cells: list[list[str]]) -> list[tuple[int, list[str]]]:
    """Rows below the header that have any content, numbered from 1."""
    return [(i, row) for i, row in enumerate((r for r in cells[1:] if any(r)), start=1)]


def _fit_row(
    path: Path, number: int, row: list[str], width: int, error: type[EjectamapError]
) -> list[str]:
    """A row with as many cells as there are columns; what lacks is empty, empty surplus is left out."""
    if any(row[width:]):
        raise error(
            f"{path}: row {number} has {len(row)} fields, the header {width}: quote text that contains the separator,"
            " or name the column"
        )
    return (row + [""] * width)[:width]


def _has_decimal_comma(rows: list[list[str]]) -> bool:
    """Whether numbers have decimal commas: some do, none has a point, and the comma cannot group thousands in all."""
    cells = [cell for row in rows for cell in row if "," in cell or "." in cell]
    commas = [cell for cell in cells if _COMMA_NUMBER.fullmatch(cell)]
    points = any(_POINT_NUMBER.fullmatch(cell) for cell in cells)
    return not points and any(not _GROUPED.fullmatch(cell) for cell in commas)
