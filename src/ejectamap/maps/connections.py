"""The table of connections: which chips a method found connected to their crater, and by what score."""

import io
from pathlib import Path

import pandas as pd

from ejectamap.files import replace_file
from ejectamap.outputs import reading

_TYPES = {
    "crater_id": "int64",
    "tile": "int64",
    "distance_m": "float64",
    "score": "float64",
    "votes": "int64",
    "connected": "bool",
}


def no_connections() -> pd.DataFrame:
    """The empty table, of a method that connects nothing."""
    return pd.DataFrame(columns=list(_TYPES))


def write_connections(path: Path, table: pd.DataFrame) -> None:
    """Write the connection table: a row for each chip within a crater's reach. Other columns are dropped.

    A vote stops as soon as it is decided, so `score` and `votes` are over the networks that had been run until then.

    Columns
    -------
    crater_id, tile
        The crater's id, and the index of the chip.
    distance_m
        From the crater's centre to the chip's.
    score
        Mean probability over the networks that were run, in [0, 1]; for `guided` the largest probability of the
        context networks in the chip.
    votes
        How many of these networks gave a probability above 0.5; for `guided` 1 if connected.
    connected
        Whether the fraction of positive votes in the full vote reaches the threshold; it never depends on where the
        vote stopped.
    """
    buffer = io.BytesIO()
    table[list(_TYPES)].astype(_TYPES).to_parquet(buffer, index=False, write_page_checksum=True)
    replace_file(path, buffer.getbuffer())


def read_connections(path: Path, remedy: str) -> pd.DataFrame:
    """Read what `write_connections` wrote.

    Raises
    ------
    OutputError
        If the file is missing or damaged; the message ends with the remedy.
    """
    with reading(path, remedy):
        table = pd.read_parquet(path, page_checksum_verification=True)
        return table[list(_TYPES)].astype(_TYPES)
