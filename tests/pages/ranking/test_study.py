"""A ranking study: its questions, their order, stored choices, and the report."""

import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ejectamap.cli import app
from ejectamap.errors import LabelError, RankingError
from ejectamap.evaluation.ranking.choices import read_choices
from ejectamap.pages.ranking.app import ranking_app
from ejectamap.pages.ranking.study import Pictures, Study, open_study
from page_clients import client_of


@pytest.fixture
def study(project, maps):
    return open_study(project, maps, None)


@pytest.fixture
def client(study):
    return client_of(ranking_app(study))


def choose(client, answer, question, judge="Ann"):
    body = {"judge": judge, "question": question, "answer": answer}
    return client.post("/choices", json=body)


def large_study(craters=12):
    drawn = {
        k: Pictures("", 1.0, "", {"a": f"{k}a", "b": f"{k}b", "c": f"{k}c"}, {})
        for k in range(craters)
    }
    return Study(Path(), {"a": Path(), "b": Path(), "c": Path()}, drawn, 0)


def test_every_judge_is_asked_about_every_pair_in_another_order():
    study = large_study()
    questions = study.questions("Ann")
    pairs = [(q.crater_id, *sorted((q.left, q.right))) for q in questions]
    assert set(pairs) == set(study.pairs)
    assert len(set(pairs)) == 36
    assert len(questions) == 39  # one in ten is repeated
    repeated = [k for k, pair in enumerate(pairs) if pair in pairs[:k]]
    assert repeated == [10, 21, 32]
    for k in repeated:
        first = pairs.index(pairs[k])
        assert k - first >= 5
        assert (questions[k].left, questions[k].right) == (
            questions[first].right,
            questions[first].left,
        )
    assert study.questions("Ann") == questions != study.questions("Bo")
    left = Counter(q.left for judge in "abcdefgh" for q in study.questions(judge))
    assert all(80 < left[name] < 130 for name in "abc")  # 104 each on average


def test_equal_maps_are_not_compared(study):
    assert [crater_id for crater_id, *_ in study.pairs] == [0, 1, 2]
    assert set(study.pictures) == {0, 1, 2, 3}


def test_choices_are_stored_and_judges_continue(client, study, project, maps):
    assert client.get("/question?judge=Ann").json()["questions"] == 3
    questions = study.questions("Ann")
    assert choose(client, "left", 0).json()["question"] == 1
    assert choose(client, "left", 0).json()["question"] == 1  # a second click
    assert choose(client, "undo", 1).json()["question"] == 0
    assert choose(client, "undo", 0).json()["question"] == 0  # nothing to undo
    choose(client, "tie", 0)
    choose(client, "right", 0, "Bo")
    lines = [json.loads(line) for line in study.choices_path.read_text().splitlines()]
    assert [line["answer"] for line in lines] == ["left", "undo", "tie", "right"]
    tie, right = read_choices(study.choices_path)
    assert (tie.left, tie.right, tie.crater_id) == (
        questions[0].left,
        questions[0].right,
        questions[0].crater_id,
    )
    assert right.judge == "Bo"
    later = client_of(ranking_app(open_study(project, {}, None)))
    assert later.get("/question?judge=%20Ann%20").json()["question"] == 1
    for question in (1, 2):
        choose(later, "left", question)
    assert later.get("/question?judge=Ann").json()["current"] is None
    assert choose(later, "left", 3).json()["question"] == 3


def test_names_of_maps_are_not_sent_to_the_page(client):
    state = client.get("/question?judge=Ann")
    assert "secretly" not in state.text
    for part in ("ground", "left", "right"):
        answer = client.get(state.json()["current"][part])
        assert answer.headers["content-type"] == "image/png"
        assert b"secretly" not in answer.content
    for path in ("/pictures/../study.json", "/pictures/..%2fstudy.json", "/study.json"):
        assert client.get(path).status_code == 404


INVALID_CHOICES = (
    "no json",
    "[]",
    '{"judge": "Ann", "question": 0, "answer": "both"}',
    '{"judge": "Ann", "question": 0, "answer": ["left"]}',
    '{"judge": " ", "question": 0, "answer": "left"}',
    '{"judge": "a\\u0007", "question": 0, "answer": "left"}',
    '{"judge": 7, "question": 0, "answer": "left"}',
)


def test_invalid_choices_are_refused(client, study):
    for body in INVALID_CHOICES:
        answer = client.post("/choices", content=body)
        assert answer.status_code == 400
        assert len(answer.text.splitlines()) == 1
    assert not study.choices_path.exists()


def test_study_with_choices_keeps_its_maps_and_craters(client, study, project, maps):
    open_study(project, maps, [0, 1])  # there are no choices: this is a new study
    open_study(project, maps, None)
    choose(client, "left", 0)
    assert open_study(project, {}, None) == study
    assert open_study(project, maps, None) == study
    with pytest.raises(RankingError, match="other maps or craters"):
        open_study(project, {}, [0, 1])
    path = maps["secretly whole"] / "crater_0_mask.tif"
    path.write_bytes((maps["secretly whole"] / "crater_1_mask.tif").read_bytes())
    with pytest.raises(RankingError, match="crater 0 had other maps: move the folder away"):
        open_study(project, {}, None)


def test_invalid_maps_are_refused(project, maps, tmp_path):
    with pytest.raises(RankingError, match=r"compare: no crater has two maps"):
        open_study(project, {}, None)
    with pytest.raises(RankingError, match=r"--maps a=.*holds no crater_\{id\}_mask.tif"):
        open_study(project, {"a": tmp_path}, None)
    one = maps["secretly whole"]
    with pytest.raises(RankingError, match="all the same"):
        open_study(project, {"a": one, "b": one}, None)
    (maps["secretly holed"] / "crater_1_mask.tif").write_bytes(b"")
    with pytest.raises(LabelError, match=r"crater_1_mask\.tif"):
        open_study(project, maps, None)
    result = CliRunner().invoke(app, ["rank", str(project.folder), "--maps", "a"])
    assert isinstance(result.exception, RankingError)


def test_the_maps_of_a_comparison_are_found(project, maps):
    for name, folder in maps.items():
        (project.folder / "compare" / name).mkdir(parents=True)
        folder.rename(project.folder / "compare" / name / "map")
    study = open_study(project, {}, None)
    assert list(study.maps) == sorted(maps)


def test_the_report(client, project, maps, study):
    better = {"secretly whole": "left", "secretly holed": "right"}
    arguments = ["rank", str(project.folder), "--report"]
    result = CliRunner().invoke(app, arguments)
    assert "there are no choices yet" in str(result.exception)
    for judge in ("Ann", "Bo"):
        for number, question in enumerate(study.questions(judge)):
            choose(client, better[question.left], number, judge)
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "100"})
    assert result.exception is None
    assert "secretly whole" in result.stdout
    assert "Ann, Bo" in result.stdout
    ranking = json.loads((study.folder / "ranking.json").read_text())
    assert ranking["maps"][0]["map"] == "secretly whole"
    assert ranking["figures"]["pixel.f1"]["tau"] == 1
    assert ranking["combination"] is None  # three craters are too few
    for name in ("maps.csv", "figures.csv", "judges.csv", "ranking.png"):
        assert (study.folder / name).stat().st_size > 0
