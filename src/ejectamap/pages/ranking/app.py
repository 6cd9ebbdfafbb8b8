"""The page on which judges choose between two maps, and its HTTP routes."""

import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ejectamap.errors import RankingError
from ejectamap.evaluation.ranking.choices import OUTCOMES, UNDO, Choice, append_choice, read_choices
from ejectamap.pages.access import Pages
from ejectamap.pages.ranking.study import Question, Study
from ejectamap.pages.server import build_app, read_body
from ejectamap.world.georeference import one_line

_FILES = Path(__file__).parent / "static"
_LONGEST_NAME = 40

State = dict[str, Any]


def ranking_app(study: Study) -> Pages:
    """Build the application that shows questions to judges and stores their choices.

    `/` is the page. `/question?judge=NAME` returns a judge's next question; a POST of {judge, question, answer} to
    `/choices` stores an answer, or undoes the last one, and returns the next question. A judge continues after their
    last valid choice, in any browser. No response contains the name of a map.
    """

    async def page(_: Request) -> Response:
        return FileResponse(_FILES / "ranking.html")

    async def question(request: Request) -> State:
        return _state(study, _parse_judge(request.query_params.get("judge")))

    async def choose(request: Request) -> State:
        body = json.loads(await read_body(request))
        if not isinstance(body, dict):
            raise RankingError("a choice is an object with judge, question and answer")
        judge = _parse_judge(body.get("judge"))
        _store_choice(study, judge, body.get("question"), body.get("answer"))
        return _state(study, judge)

    routes = [
        Route("/", page),
        Route("/question", _json_route(question)),
        Route("/choices", _json_route(choose), methods=["POST"]),
        Mount("/pictures", StaticFiles(directory=study.folder / "pictures")),
    ]
    return build_app(routes, own_files=_FILES)


def _store_choice(study: Study, judge: str, number: object, answer: object) -> None:
    """Append a choice to the file; a choice about any other than the present question (a second click) is ignored."""
    if not isinstance(answer, str) or answer not in (*OUTCOMES, UNDO):
        raise RankingError(f"answer {answer!r} is none of {', '.join(OUTCOMES)}, {UNDO}")
    questions, present = study.questions(judge), _count_answers(study, judge)
    index = present - 1 if answer == UNDO else present
    if number == present and 0 <= index < len(questions):
        question = questions[index]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        choice = Choice(
            judge, index, question.crater_id, question.left, question.right, answer, now
        )
        append_choice(study.choices_path, choice)


def _state(study: Study, judge: str) -> State:
    """State of the page: the judge's progress, the present question, and the next one, whose pictures are preloaded."""
    questions, present = study.questions(judge), _count_answers(study, judge)
    current, following = (
        ([*questions, None, None][present : present + 2]) if questions else (None, None)
    )
    return {
        "judge": judge,
        "question": present,
        "questions": len(questions),
        "current": _describe(study, current),
        "next": _describe(study, following),
    }


def _describe(study: Study, question: Question | None) -> State | None:
    """Crater name, scale and addresses of pictures of a question; None after the last question."""
    if question is None:
        return None
    pictures = study.pictures[question.crater_id]
    files = {
        "ground": pictures.ground,
        "left": pictures.maps[question.left],
        "right": pictures.maps[question.right],
    }
    addresses = {name: f"/pictures/{file}" for name, file in files.items()}
    return {"crater": pictures.name, "half_km": pictures.half_km} | addresses


def _count_answers(study: Study, judge: str) -> int:
    """Number of a judge's valid answers, which is the index of the next question."""
    return sum(choice.judge == judge for choice in read_choices(study.choices_path))


def _parse_judge(name: object) -> str:
    """Validate a judge's name, and normalise its spaces."""
    text = " ".join(name.split()) if isinstance(name, str) else ""
    if not text or len(text) > _LONGEST_NAME or not text.isprintable():
        raise RankingError(f"a judge's name has 1 to {_LONGEST_NAME} letters")
    return text


def _json_route(
    handler: Callable[[Request], Coroutine[Any, Any, State]],
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Respond with a handler's JSON, or with its error in one line and status 400."""

    async def respond(request: Request) -> Response:
        try:
            return JSONResponse(await handler(request))
        except (RankingError, ValueError, RecursionError) as error:
            return PlainTextResponse(one_line(error), 400)

    return respond
