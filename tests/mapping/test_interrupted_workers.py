"""Ctrl-C, which a terminal sends to all processes of a command, ends `map --workers` with one line."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import signal, sys, time
from pathlib import Path
import typer
from ejectamap import cli
from ejectamap.mapping.cluster import run_on_dask

folder = Path(sys.argv.pop())
# As in a terminal: processes of a shell's background jobs, which tests may be, ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)

def work(number):
    (folder / f"begun_{number}").touch()
    time.sleep(1000)

app = typer.Typer(pretty_exceptions_enable=False)

@app.command()
def command():
    (folder / "started").touch()
    list(run_on_dask(work, [0, 1], 2, None))

if __name__ == "__main__":
    cli.app = app
    cli.main()
"""


@pytest.mark.parametrize("when", ["started", "begun_1"])
def test_one_line_and_no_tracebacks(tmp_path: Path, when: str) -> None:
    """As the workers start, and while they work."""
    call = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    with subprocess.Popen(
        call, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None and not (tmp_path / when).exists():
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130, err
    assert err == "interrupted: run the same command again to continue\n"
    assert out == ""
