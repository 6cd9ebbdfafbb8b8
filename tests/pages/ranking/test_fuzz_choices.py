"""The ranking page's routes under any request: every stored choice can be read again, all else is refused."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from ejectamap.evaluation.ranking.choices import read_choices
from ejectamap.pages.ranking.app import ranking_app
from ejectamap.pages.ranking.study import Pictures, Study
from fuzzing import examples
from page_clients import client_of


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two maps of three craters; their pictures are never asked for."""
    folder = tmp_path_factory.mktemp("ranking")
    (folder / "pictures").mkdir()
    pictures = {
        k: Pictures(f"crater {k}", 100.0, "ground.png", {"one": "1.png", "two": "2.png"}, {})
        for k in range(3)
    }
    return Study(folder, {"one": folder, "two": folder}, pictures, seed=0)


@pytest.fixture(scope="module")
def client(study: Study) -> Iterator[TestClient]:
    # The client raises exceptions of the application.
    with client_of(ranking_app(study)) as client:
        yield client


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "judge": st.sampled_from(["Ann", " Bo\n", "Zoë"]) | JSON,
        "question": st.integers(-1, 4) | JSON,
        "answer": st.sampled_from(["left", "right", "tie", "undo"]) | JSON,
    },
)
BODIES = (
    CHOICES.map(lambda choice: json.dumps(choice).encode())
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=30)
    | st.sampled_from(
        [b"[" * 100_000, b'{"a":' * 50_000, b"1" * 10_000, bytes(2**21), b'{"judge": "\\ud800"}']
    )
)


@given(body=BODIES, judge=st.text(max_size=45))
@examples
def test_any_choice_is_stored_or_refused(
    client: TestClient, study: Study, body: bytes, judge: str
) -> None:
    assert client.post("/choices", content=body).status_code in (200, 400, 413)
    read_choices(study.choices_path)
    query = {"judge": judge.encode(errors="replace")}
    assert client.get("/question", params=query).status_code in (200, 400)
