"""Odd catalogues as text files: what a file holds, and the craters in it or words of the message that refuses it.

A pixel of the grid that they are read with is 4.3 km.
"""

from dataclasses import dataclass

from ejectamap.world.craters import Crater

KUIPER = (17, "Kuiper", -31.32, -11.34, 31000.0)
BASHO = (8, "Bashō", -170.45, -32.39, 37500.0)
BOTH = (BASHO, KUIPER)
"""Id, name, lon, lat and radius of two craters."""

HEAD = "crater_id,name,lon,lat,radius_m\n"
ROWS = "17,Kuiper,-31.32,-11.34,31000\n8,Bashō,189.55,-32.39,37500\n"
PLAIN = HEAD + ROWS
GERMAN = PLAIN.replace(",", ";").replace(".", ",")


@dataclass(frozen=True)
class Case:
    """One file.

    Attributes
    ----------
    name : str
        Of the case.
    content : bytes
    craters : tuple
        What must be read; empty if the file must be refused.
    words : tuple of str
        What the refusal, or a note about what was read, must contain.
    suffix : str
        Of the file.
    columns : dict
        The setting inputs.columns.
    """

    name: str
    content: bytes
    craters: tuple[tuple[int, str, float, float, float], ...] = ()
    words: tuple[str, ...] = ()
    suffix: str = ".csv"
    columns: tuple[tuple[str, str], ...] = ()


def read(
    name: str, text: str, craters: tuple = BOTH, *note: str, code: str = "utf-8", **more: object
) -> Case:
    """A file that must be read."""
    return Case(name, text.encode(code), craters, note, **more)  # type: ignore[arg-type]


def refuse(name: str, text: str, *words: str, code: str = "utf-8", **more: object) -> Case:
    """A file that must be refused."""
    return Case(name, text.encode(code), (), words, **more)  # type: ignore[arg-type]


def header(new: str) -> str:
    """The two craters under other column names, in the order of `HEAD`."""
    return new + "\n" + ROWS


DIALECTS = [
    read("plain", PLAIN),
    read("semicolons", PLAIN.replace(",", ";")),
    read("tabs", PLAIN.replace(",", "\t")),
    read("bars", PLAIN.replace(",", "|")),
    read("decimal commas", GERMAN),
    read("decimal commas and tabs", PLAIN.replace(",", "\t").replace(".", ",")),
    read("utf-16 of Excel", PLAIN.replace(",", "\t"), code="utf-16"),
    read("utf-16 without a mark", PLAIN, code="utf-16-le"),
    read("utf-16, big end first, with mark", "\ufeff" + PLAIN, code="utf-16-be"),
    read("utf-8 with mark", PLAIN, code="utf-8-sig"),
    read("Windows line ends", PLAIN.replace("\n", "\r\n")),
    read("old Macintosh line ends", PLAIN.replace("\n", "\r")),
    read("sep= of Excel", "sep=;\n" + GERMAN),
    read("empty rows at the end", GERMAN + ";;;;\n;;;;\n\n"),
    read("empty lines before the header", "\n\n" + PLAIN),
    read("comment lines before the header", "# fresh craters, 2024\n# by hand\n" + PLAIN),
    read("suffix txt", PLAIN.replace(",", "\t"), suffix=".txt"),
    read("suffix tsv", PLAIN.replace(",", "\t"), suffix=".tsv"),
    read("suffix CSV", PLAIN, suffix=".CSV"),
    read("quoted cells", '"' + PLAIN.strip().replace(",", '","').replace("\n", '"\n"') + '"\n'),
    read(
        "comma in a quoted name",
        HEAD + '17,"Kuiper, Gerard",-31.32,-11.34,31000\n',
        ((17, "Kuiper, Gerard", *KUIPER[2:]),),
    ),
    read("spaces around cells", PLAIN.replace(",", " , ")),
    read("empty column at the end", HEAD.strip() + ",\n" + ROWS.replace("\n", ",\n")),
    read("no line end at the end", PLAIN.strip()),
    read("typographic minus", PLAIN.replace("-", "\N{MINUS SIGN}")),
    read("exponents", PLAIN.replace("31000", "3.1e4")),
    read(
        "decimal commas in some cells",
        "crater_id;lon;lat;radius_m\n3;10,5;-20;31000\n",
        ((3, "crater 3", 10.5, -20.0, 31000.0),),
    ),
    refuse(
        "comma that may group thousands",
        "crater_id;lon;lat;radius_m\n3;10;-20;31,000\n",
        "column radius_m, row 1 is '31,000'",
        "31000",
    ),
    refuse(
        "comma that groups thousands beside decimal points",
        "crater_id;lon;lat;radius_m\n3;10.5;-20;31,000\n",
        "column radius_m, row 1 is '31,000'",
        "decimal point",
    ),
    refuse(
        "point that groups thousands beside decimal commas",
        "crater_id;lon;lat;radius_m\n3;10,5;-20;31.000\n",
        "column lon, row 1 is '10,5'",
        "decimal point",
    ),
    refuse(
        "thousands and decimals",
        "crater_id;lon;lat;radius_m\n3;10,5;-20;31.000,5\n",
        "column radius_m, row 1 is '31.000,5'",
    ),
    refuse("thousands with spaces", PLAIN.replace("31000", "31 000"), "row 1 is '31 000'"),
    refuse("degree signs", PLAIN.replace("-31.32", "31.32°W"), "column lon, row 1 is '31.32°W'"),
    refuse(
        "unquoted comma in a name",
        PLAIN.replace("Kuiper", "Kuiper, Gerard"),
        "row 1 has 6 fields, the header 5",
        "quote",
    ),
    refuse("surplus field", PLAIN.replace("31000", "31000,5"), "row 1 has 6 fields, the header 5"),
    refuse("missing field", PLAIN.replace(",31000", ""), "column radius_m, row 1 is empty"),
    refuse("blanks between columns", PLAIN.replace(",", " "), "no column lon"),
    refuse("nothing", "", "is empty"),
    refuse("only a mark", "", "is empty", code="utf-8-sig"),
    refuse("only blanks", "  \n \n", "is empty"),
    refuse("only a header", HEAD, "has no rows"),
    refuse("open quote", HEAD + '17,"Kuiper,-31,-11,31000\n', "not a CSV table", "quote"),
    refuse("Latin-1", PLAIN.replace("ō", "ô"), "UTF-8", code="latin-1"),
    Case("binary", b"PK\x03\x04" + bytes(range(256)) * 4, (), ("not a CSV table",)),
    Case("zeros", bytes(500), (), ("not a CSV table",)),
]

PUBLISHED = [
    read(
        "Robbins, Moon",
        "CRATER_ID,LAT_CIRC_IMG,LON_CIRC_IMG,LAT_ELLI_IMG,LON_ELLI_IMG,DIAM_CIRC_IMG,DIAM_CIRC_SD_IMG\n"
        "00-1-000017,-11.34,328.68,-11.3,-31.3,62,0.5\n00-1-000008,-32.39,189.55,-32.4,189.6,75,0.6\n",
        ((1_000_008, "00-1-000008", *BASHO[2:]), (1_000_017, "00-1-000017", *KUIPER[2:])),
        "CRATER_ID",
        "digits",
    ),
    read(
        "Robbins, Mars",
        "CRATER_ID,CRATER_NAME,LATITUDE_CIRCLE_IMAGE,LONGITUDE_CIRCLE_IMAGE,DIAM_CIRCLE_IMAGE\n"
        "01-000017,Kuiper,-11.34,-31.32,62\n01-000008,Bashō,-32.39,189.55,75\n",
        ((1_000_008, *BASHO[1:]), (1_000_017, *KUIPER[1:])),
    ),
    read(
        "Gazetteer",
        "Feature ID,Feature Name,Clean Feature Name,Target,Diameter,Center Latitude,Center Longitude\n"
        "17,Kuiper,Kuiper,Mercury,62,-11.34,328.68\n8,Bashō,Basho,Mercury,75,-32.39,189.55\n",
        BOTH,
        "Diameter",
        "kilometres",
    ),
    read(
        "Gazetteer, degrees west",
        "Feature_ID,Feature_Name,Diameter,Center_Latitude,Center_Longitude,Coordinate_System\n"
        '17,Kuiper,62,-11.34,31.32,"Planetographic, +West, 0 - 360"\n'
        '8,Bashō,75,-32.39,170.45,"Planetographic, +West, 0 - 360"\n',
        BOTH,
        "west",
    ),
    read(
        "craterpy",
        "diam(km),lat,lon\n62,-11.34,-31.32\n75,-32.39,189.55\n",
        ((1, "crater 1", *KUIPER[2:]), (2, "crater 2", *BASHO[2:])),
        "no column crater_id",
        "numbered from 1",
    ),
    read(
        "Head",
        "Lon,Lat,Diam_km\n-31.32,-11.34,62\n",
        ((1, "crater 1", *KUIPER[2:]),),
        "numbered from 1",
    ),
    read(
        "LROC",
        "Diam_km,Lat,Long\n62,-11.34,-31.32\n",
        ((1, "crater 1", *KUIPER[2:]),),
    ),
    read("Latitude, Longitude", header("ID,Name,Longitude,Latitude,Radius (m)")),
    read("units in brackets", header("crater id,name,Lon (deg),Lat (deg),radius [m]")),
    read("degrees east", header("crater-id,Crater name,Longitude (E),Latitude (deg),Radius_m")),
    read(
        "degrees west",
        "crater_id,name,lonW,lat,radius_m\n17,Kuiper,31.32,-11.34,31000\n8,Bashō,170.45,-32.39,37500\n",
        BOTH,
        "lonW",
        "west",
    ),
    read(
        "west longitude from 0 to 360",
        "crater_id,name,West Longitude,lat,radius_km\n17,Kuiper,31.32,-11.34,31\n8,Bashō,170.45,-32.39,37.5\n",
    ),
    read(
        "metres of diameter",
        PLAIN.replace("radius_m", "diameter_m").replace("31000", "62000").replace("37500", "75000"),
    ),
    read(
        "diameter without a unit, in metres",
        "crater_id,lon,lat,diameter\n3,0,0,62000\n4,9,9,75000\n",
        ((3, "crater 3", 0.0, 0.0, 31000.0), (4, "crater 4", 9.0, 9.0, 37500.0)),
        "metres",
    ),
    refuse(
        "diameter without a unit that is neither",
        "crater_id,lon,lat,diameter\n3,0,0,1e9\n",
        "column diameter",
        "diameter_km",
    ),
]

MAPPED = [
    read(
        "columns by name",
        "who,x0,y0,size,note\n17,-31.32,-11.34,31000,a\n",
        ((17, "crater 17", *KUIPER[2:]),),
        columns=(("crater_id", "who"), ("lon", "x0"), ("lat", "y0"), ("radius_m", "size")),
    ),
    read(
        "diameter by name",
        "lon,lat,D\n-31.32,-11.34,62\n",
        ((1, "crater 1", *KUIPER[2:]),),
        columns=(("diameter_km", "D"),),
    ),
    read(
        "a rival chosen by name",
        "crater_id,lon,LON_ELLI,lat,radius_m,diameter_km\n17,0,-31.32,-11.34,5,62\n",
        ((17, "crater 17", *KUIPER[2:]),),
        columns=(("lon", "LON_ELLI"), ("diameter_km", "diameter_km")),
    ),
    read(
        "degrees west by name",
        "crater_id,L,lat,radius_m\n17,31.32,-11.34,31000\n",
        ((17, "crater 17", *KUIPER[2:]),),
        columns=(("lon_west", "L"),),
    ),
    refuse(
        "a column that is not there",
        PLAIN,
        "no column LONG",
        "inputs.columns",
        "columns present: crater_id, name",
        columns=(("lon", "LONG"),),
    ),
]

RIVALS = [
    read(
        "lon and LON alike",
        "crater_id,lon,LON,lat,radius_m\n3,10,10.0,0,9000\n",
        ((3, "crater 3", 10.0, 0.0, 9000.0),),
        "lon",
        "LON",
        "agree",
    ),
    refuse(
        "lon and LON that differ",
        "crater_id,lon,LON,lat,radius_m\n3,10,20,0,9000\n",
        "columns lon and LON",
        "crater 3",
        "10",
        "20",
        "inputs.columns",
    ),
    refuse(
        "a column twice",
        "crater_id,lon,lon,lat,radius_m\n3,10,20,0,9000\n",
        "lon (column 3)",
        "10",
        "20",
        "remove",
    ),
    read(
        "a column twice, alike",
        "crater_id,lon,lon,lat,radius_m\n3,10,10,0,9000\n",
        ((3, "crater 3", 10.0, 0.0, 9000.0),),
        "agree",
    ),
    refuse(
        "crater_id twice",
        "crater_id,Crater_ID,lon,lat,radius_m\n3,4,10,0,9000\n",
        "columns crater_id and Crater_ID",
        "row 1",
    ),
    read(
        "radius and diameter alike",
        "crater_id,lon,lat,radius_m,diameter_km\n3,10,0,31000,62\n",
        ((3, "crater 3", 10.0, 0.0, 31000.0),),
        "radius_m",
        "diameter_km",
        "agree",
    ),
    refuse(
        "radius and diameter that differ",
        "crater_id,lon,lat,radius_m,diameter_km\n3,10,0,31000,31\n",
        "columns radius_m and diameter_km",
        "crater 3",
        "inputs.columns",
    ),
    read(
        "lon and center_lon alike",
        "crater_id,lon,center_lon,lat,radius_m\n3,-10,350,0,9000\n",
        ((3, "crater 3", -10.0, 0.0, 9000.0),),
        "agree",
    ),
    refuse(
        "lat and center_lat that differ",
        "crater_id,lon,lat,center_lat,radius_m\n3,-10,5,6,9000\n",
        "columns lat and center_lat",
    ),
    read(
        "east and west alike",
        "crater_id,lon,lonW,lat,radius_m\n3,-10,10,0,9000\n",
        ((3, "crater 3", -10.0, 0.0, 9000.0),),
        "agree",
    ),
    refuse(
        "east and west that differ",
        "crater_id,lon,lonW,lat,radius_m\n3,10,10,0,9000\n",
        "columns lon and lonW",
    ),
    read(
        "names are no rivals",
        "crater_id,name,feature_name,lon,lat,radius_m\n3,a,b,10,0,9000\n",
        ((3, "a", 10.0, 0.0, 9000.0),),
    ),
]

IDS = [
    read(
        "text ids",
        "crater_id,lon,lat,radius_m\nM-17,10,0,9000\nM-8,20,0,9000\n",
        ((8, "M-8", 20.0, 0.0, 9000.0), (17, "M-17", 10.0, 0.0, 9000.0)),
        "digits",
    ),
    read(
        "text ids beside names",
        "crater_id,name,lon,lat,radius_m\nM-17,Kuiper,10,0,9000\n",
        ((17, "Kuiper", 10.0, 0.0, 9000.0),),
    ),
    refuse(
        "text ids without digits",
        "crater_id,lon,lat,radius_m\nKuiper,10,0,9000\n",
        "column crater_id, row 1 is 'Kuiper'",
        "rename the column to name",
    ),
    refuse(
        "text ids with equal digits",
        "crater_id,lon,lat,radius_m\n1a,10,0,9000\n1b,20,0,9000\n",
        "column crater_id",
        "'1a'",
        "'1b'",
    ),
    read(
        "largest id",
        "crater_id,lon,lat,radius_m\n4294967294,10,0,9000\n",
        ((4294967294, "crater 4294967294", 10.0, 0.0, 9000.0),),
    ),
    read(
        "id beyond 16 bits",
        "crater_id,lon,lat,radius_m\n65535,10,0,9000\n",
        ((65535, "crater 65535", 10.0, 0.0, 9000.0),),
    ),
    refuse(
        "id beyond 32 bits",
        "crater_id,lon,lat,radius_m\n4294967295,10,0,9000\n",
        "column crater_id, row 1",
        "4294967295",
        "4294967294",
    ),
    refuse("huge id", "crater_id,lon,lat,radius_m\n1e300,10,0,9000\n", "column crater_id, row 1"),
    refuse(
        "negative id",
        "crater_id,lon,lat,radius_m\n-4,10,0,9000\n",
        "column crater_id, row 1: -4 is negative",
    ),
    refuse(
        "broken id",
        "crater_id,lon,lat,radius_m\n1.5,10,0,9000\n",
        "column crater_id, row 1: 1.5 is not a whole number",
    ),
    refuse(
        "empty id",
        "crater_id,lon,lat,radius_m\n3,1,2,9000\n,10,0,9000\n",
        "column crater_id, row 2 is empty",
    ),
    refuse(
        "id twice",
        "crater_id,lon,lat,radius_m\n3,1,2,9000\n3,10,0,9000\n",
        "column crater_id: 3 stands in rows 1 and 2",
    ),
    read(
        "ids with a decimal",
        "crater_id,lon,lat,radius_m\n3.0,10,0,9000\n",
        ((3, "crater 3", 10.0, 0.0, 9000.0),),
    ),
]

PLACES = [
    refuse("lon of 900", "crater_id,lon,lat,radius_m\n3,900,0,9000\n", "crater 3: lon is 900"),
    refuse("lat of 95", "crater_id,lon,lat,radius_m\n3,9,95,9000\n", "crater 3: lat is 95"),
    read(
        "lon of 360",
        "crater_id,lon,lat,radius_m\n3,360,0,9000\n",
        ((3, "crater 3", 0.0, 0.0, 9000.0),),
    ),
    refuse("lonW of 900", "crater_id,lonW,lat,radius_m\n3,900,0,9000\n", "crater 3: lonW is 900"),
    refuse(
        "reach smaller than the crater",
        HEAD.strip() + ",reach\n17,a,0,0,31000,1e-9\n",
        "column reach, crater 17",
        "1e-09",
        "rim",
    ),
    refuse("reach of nan", HEAD.strip() + ",reach\n17,a,0,0,31000,nan\n", "column reach, row 1"),
    refuse("lon of infinity", "crater_id,lon,lat,radius_m\n3,inf,0,9000\n", "column lon, row 1"),
    refuse("radius of 1e300", "crater_id,lon,lat,radius_m\n3,0,0,1e300\n", "crater 3"),
    refuse("radius of 1e-300", "crater_id,lon,lat,radius_m\n3,0,0,1e-300\n", "radius_m"),
]

CASES = DIALECTS + PUBLISHED + MAPPED + RIVALS + IDS + PLACES


def as_tuple(crater: Crater) -> tuple[int, str, float, float, float]:
    """The part of a crater that the cases state."""
    return crater.crater_id, crater.name, crater.lon, crater.lat, crater.radius_m
