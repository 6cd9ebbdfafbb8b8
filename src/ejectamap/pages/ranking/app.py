"""The page on which people choose, and the few addresses behind it."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from ejectamap.errors import RankingError
from ejectamap.evaluation.ranking import OUTCOMES, UNDO, Choice, append_choice, read_choices
from ejectamap.pages.ranking.study import Question, Study
from ejectamap.pages.server import build_app

_FILES = Path(__file__).parent / "static"
_LONGEST_NAME = 40

State = dict[str, Any]


def ranking_app(study: Study) -> ASGIApp:
    """Make the application that asks judges and writes their choices down.

    `/` is the page. `/question?judge=NAME` says what this judge is asked next; a POST of {judge, question, answer} to
    `/choices` answers that, or takes the last answer back, and says what comes then. A judge goes on where the last
    choice that stands was made, in any browser. Nothing that the page gets names a map.
    """

    async def page(_: Request) -> Response:
        return FileResponse(_FILES / "ranking.html")

    async def question(request: Request) -> State:
        return _state(study, _judge(request.query_params.get("judge")))

    async def choose(request: Request) -> State:
        body = await request.json()
        if not isinstance(body, dict):
            raise RankingError("a choice is an object with judge, question and answer")
        judge = _judge(body.get("judge"))
        _write_down(study, judge, body.get("question"), body.get("answer"))
        return _state(study, judge)

    routes = [
        Route("/", page),
        Route("/question", _answering(question)),
        Route("/choices", _answering(choose), methods=["POST"]),
        Mount("/pictures", StaticFiles(directory=study.folder / "pictures")),
    ]
    return build_app(routes, own_files=_FILES)


def _write_down(study: Study, judge: str, number: object, answer: object) -> None:
    """Add a choice to the file; one about another question than the present one (a second click) is left out."""
    if not isinstance(answer, str) or answer not in (*OUTCOMES, UNDO):
        raise RankingError(f"answer {answer!r} is none of {', '.join(OUTCOMES)}, {UNDO}")
    questions, present = study.questions(judge), _answered(study, judge)
    meant = present - 1 if answer == UNDO else present
    if number == present and 0 <= meant < len(questions):
        asked = questions[meant]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        choice = Choice(judge, meant, asked.crater_id, asked.left, asked.right, answer, now)
        append_choice(study.choices_path, choice)


def _state(study: Study, judge: str) -> State:
    """What the page has to know: how far the judge is, what to show now and what comes then, to be fetched ahead."""
    questions, present = study.questions(judge), _answered(study, judge)
    now, then = ([*questions, None, None][present : present + 2]) if questions else (None, None)
    return {
        "judge": judge,
        "question": present,
        "questions": len(questions),
        "now": _shown(study, now),
        "then": _shown(study, then),
    }


def _shown(study: Study, question: Question | None) -> State | None:
    """What is shown of a question; None at the end."""
    if question is None:
        return None
    drawn = study.pictures[question.crater_id]
    files = {
        "ground": drawn.ground,
        "left": drawn.maps[question.left],
        "right": drawn.maps[question.right],
    }
    addresses = {name: f"/pictures/{file}" for name, file in files.items()}
    return {"crater": drawn.name, "half_km": drawn.half_km} | addresses


def _answered(study: Study, judge: str) -> int:
    """How many answers of a judge stand: the number of the question that comes next."""
    return sum(choice.judge == judge for choice in read_choices(study.choices_path))


def _judge(name: object) -> str:
    """A judge's name as it is written down."""
    text = " ".join(name.split()) if isinstance(name, str) else ""
    if not text or len(text) > _LONGEST_NAME or not text.isprintable():
        raise RankingError(f"a judge's name has 1 to {_LONGEST_NAME} letters")
    return text


def _answering(
    ask: Callable[[Request], Coroutine[Any, Any, State]],
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Answer with JSON; what cannot be is told in one line."""

    async def answer(request: Request) -> Response:
        try:
            return JSONResponse(await ask(request))
        except (RankingError, ValueError) as error:
            return PlainTextResponse(str(error), 400)

    return answer
