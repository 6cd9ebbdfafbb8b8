"""A small project with every kind of output, copied for each attack, and commands that are run in it and watched."""

import contextlib
import hashlib
import io
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import pandas as pd
from starlette.testclient import TestClient

from ejectamap import cli
from ejectamap.pages import server
from ejectamap.pages.access import Pages

SETTINGS = (
    "views.polar_px=[32, 64]",
    "context.encoder=tu-test_resnet",
    "context.decoder_channels=[16, 16, 8, 8, 8]",
    "context.pretrained=false",
    "context.precision=full",
    "context.max_epochs=1",
    "training.start_from=none",
    "training.max_minutes=null",
    "map.threshold=0.45",
)
"""Of the smallest networks, which are not trained."""

MOST_SECONDS = 900  # of one command, by the clock: it waits for something
MOST_CPU_SECONDS = 90
MOST_BYTES = 1.5e9  # by which memory may grow


class Stopped(BaseException):
    """A command was stopped, and no code of the program may take this for an error of its own."""


@dataclass
class Outcome:
    """How a command ended.

    Attributes
    ----------
    code : int or None
        Exit code; None if it ended with an exception.
    out, err : str
        What it wrote, libraries in C included.
    problems : list of str
        What it should not have done.
    """

    code: int | None
    out: str
    err: str
    problems: list[str] = field(default_factory=list)


def run(folder: Path, *arguments: str) -> Outcome:
    """Run a command in this process, in a folder, and check how it behaves.

    It ends with exit code 0, or with 2 and one line on standard error; it writes no control characters.
    """
    before = Path.cwd(), sys.argv, dict(os.environ), tempfile.tempdir
    os.chdir(folder)
    sys.argv = ["ejectamap", *arguments]
    problems: list[str] = []
    code: int | None = None
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with _terminal() as texts:
        try:
            with _time_limits(), mock.patch.object(server, "serve", _request_pages):
                cli.main()
            code = 0
        except SystemExit as end:
            code = 0 if end.code is None else int(end.code)
        except BaseException:
            last = traceback.format_exc().strip().splitlines()
            problems.append(" / ".join(line.strip() for line in last[-5:]))
    os.chdir(before[0])
    sys.argv, tempfile.tempdir = before[1], before[3]
    os.environ.clear()
    os.environ.update(before[2])
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory)
    if grown > MOST_BYTES:
        problems.append(f"took {grown / 1e9:.1f} GB")
    out, err = texts
    outcome = Outcome(code, out, err, problems)
    problems += _manners(outcome)
    return outcome


def _manners(outcome: Outcome) -> Iterator[str]:
    text = outcome.out + outcome.err
    if "Traceback" in text:
        yield f"traceback: {outcome.err[-300:]}"
    if any(not letter.isprintable() and letter not in "\n\t" for letter in text):
        yield f"control characters: {text!r:.300}"
    if outcome.code is None:
        return
    if outcome.code not in (0, 2):
        yield f"exit code {outcome.code}: {outcome.err[-300:]}"
    if outcome.code == 2 and "Usage: " not in outcome.err:
        lines = outcome.err.splitlines()
        last = lines[-1] if lines else ""
        warnings = all(line.startswith("warning: ") for line in lines[:-1])
        if not last.startswith("ejectamap: ") or not warnings:
            yield f"not one line: {outcome.err[:400]!r}"


@contextlib.contextmanager
def _terminal() -> Iterator[list[str]]:
    """Take what is written to standard output and error, by Python or not; the list has it at the end."""
    texts: list[str] = []
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        kept = [os.dup(1), os.dup(2)]
        streams = [io.TextIOWrapper(os.fdopen(os.dup(f.fileno()), "wb")) for f in (out, err)]
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
                yield texts
        finally:
            for stream, number, old in zip(streams, (1, 2), kept, strict=True):
                stream.close()
                os.dup2(old, number)
                os.close(old)
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode(errors="replace"))


@contextlib.contextmanager
def _time_limits() -> Iterator[None]:
    def stop(number: int, _: object) -> None:
        raise Stopped("waits without end" if number == signal.SIGALRM else "computes without end")

    handlers = {number: signal.signal(number, stop) for number in (signal.SIGALRM, signal.SIGPROF)}
    signal.alarm(MOST_SECONDS)
    signal.setitimer(signal.ITIMER_PROF, MOST_CPU_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        for number, handler in handlers.items():
            signal.signal(number, handler)


PAGES = (
    "/",
    "/planet",
    "/labels",
    "/place?lon=10&lat=5",
    "/craters/0/connections",
    "/craters/0/inputs/polar.png",
    "/tiles/mosaic/0/0/0.png",
    "/tiles/origin/0/0/0.png",
    "/tiles/probability/0/0/0/0.png",
    "/corrections",
    "/question?judge=me",
)


def _request_pages(pages: Pages, **_: object) -> None:
    """Instead of serving pages until Ctrl-C: ask for each once; an exception within the server is raised here."""
    with TestClient(pages.app, base_url="http://127.0.0.1") as client:
        for address in (pages.address(80), *PAGES):
            client.get(address)


def make_template(folder: Path) -> None:
    """Write inputs/ and a project with all outputs into a new folder; commands must work in it as they are."""
    from ejectamap.project.folder import Project
    from ejectamap.simulation.files import write_planet
    from ejectamap.simulation.planet import simulate_planet
    from ejectamap.training.untrained import save_untrained_networks

    folder.mkdir()
    inputs, project = folder / "inputs", folder / "project"
    (folder / "home").mkdir()
    write_planet(simulate_planet(3, 256, 6), inputs)
    (inputs / "tiles.csv").write_text(
        "tile_id,row,col,height,width\n0,16,16,32,32\n1,64,96,32,32\n"
    )
    (inputs / "search.yaml").write_text(
        "maximise: test.pixel.f1\nsearch:\n  map.threshold: {float: [0.3, 0.6]}\n"
    )
    shutil.copytree(inputs / "labels", inputs / "corrected")
    paths = inputs / "mosaic.tif", inputs / "craters.csv", inputs / "labels"
    made = Project.create(project, *paths, changes=SETTINGS)
    import torch

    torch.manual_seed(0)
    save_untrained_networks(made)
    log = made.logs / "context" / "member-00"
    log.mkdir(parents=True)
    pd.DataFrame({"epoch": [0], "train_loss": [0.5], "val_loss": [0.4], "val_f1": [0.1]}).to_csv(
        log / "metrics.csv", index=False
    )
    for verb in ("map", "evaluate", "analyze", "families", "suggest", "runs"):
        more = (
            ("--keep", "first") if verb == "runs" else ("--tiles", "3") if verb == "suggest" else ()
        )
        outcome = run(folder, verb, "project", *more)
        assert outcome.code == 0, (verb, outcome)
        assert not outcome.problems, (verb, outcome)


def contents(folder: Path) -> dict[str, str]:
    """Digest of every file below a folder, by its path; of a link, where it leads."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_file():
            found[name] = hashlib.blake2b(path.read_bytes(), digest_size=12).hexdigest()
        elif not path.is_dir():
            found[name] = "special"
    return found
