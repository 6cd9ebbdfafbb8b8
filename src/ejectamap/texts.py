"""Texts that people wrote, such as names of craters: one line of letters, and harmless in tables and XML."""

import re
import unicodedata
from typing import Any

import pandas as pd

_JOINERS = "\u200c\u200d"  # which some scripts need within words
# What spreadsheets take for the beginning of a formula, in both widths (OWASP, "CSV Injection").
_FORMULA = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
_GUARDED = re.compile(f"'(?=[{re.escape(_FORMULA)}])")
# What XML 1.0 has no place for, not even escaped.
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str, longest: int | None = None) -> str:
    """Make a text one line of letters, without control characters and without blanks at its ends.

    Parameters
    ----------
    text : str
    longest : int, optional
        Number of letters after which it is cut off, with "…" as the last one.

    Returns
    -------
    str
        Control characters and all kinds of blanks become single blanks; invisible marks, such as those that reverse
        the direction of writing, and code points that are no letters are left out.
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(map(_replacement, text))
    text = " ".join(text.split())
    if longest is not None and len(text) > longest:
        text = f"{text[: longest - 1].rstrip()}…"
    return text


def _replacement(letter: str) -> str:
    kind = unicodedata.category(letter)
    if kind in ("Cc", "Zs", "Zl", "Zp"):
        return " "
    is_none = kind == "Cs" or ord(letter) & 0xFFFE == 0xFFFE or "\ufdd0" <= letter <= "\ufdef"
    return "" if is_none or (kind == "Cf" and letter not in _JOINERS) else letter


def valid_xml(document: str) -> str:
    """Leave characters out of an XML document that XML 1.0 forbids, which would make all of it unreadable."""
    return _NOT_IN_XML.sub("", document)


def write_csv(table: pd.DataFrame, **options: Any) -> bytes:
    """Write a table as CSV that a spreadsheet shows as it is.

    A text that a spreadsheet would take for a formula, as it may stand in the name of a crater, gets an apostrophe
    before it; `without_guard` takes it away again. Numbers stay as they are, also in texts.

    Parameters
    ----------
    table : DataFrame
    **options
        Of `DataFrame.to_csv`.

    Returns
    -------
    bytes
        In UTF-8, without the table's index.
    """
    guarded = table.apply(lambda column: column.map(_guard)).rename(columns=_guard)
    return bytes(guarded.to_csv(index=False, lineterminator="\n", **options).encode())


def without_guard(text: str) -> str:
    """A text from a table as it was before `write_csv`."""
    return _GUARDED.sub("", text, count=1) if text.startswith("'") else text


def _guard(value: Any) -> Any:
    """A cell with an apostrophe before what would be a formula."""
    if not isinstance(value, str) or value[:1] not in _FORMULA or not value:
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
