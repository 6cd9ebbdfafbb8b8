"""`make mutants`: draw mutants at random, run the tests that reach them, and count those that no test notices.

Results go to build/mutants/results.jsonl at once; the same command continues. survivors.txt beside it lists those to
look at. Which test reaches what is known from `make coverage`.
"""

import argparse
import json
import random
import time
from collections.abc import Iterable
from pathlib import Path

from mutants import Mutant, list_mutants
from reach import Reach
from trial import (
    KILLED,
    SURVIVED,
    TIMED_OUT,
    UNTESTED,
    Bench,
    failing_without_mutant,
    load_libraries,
)

ROOT = Path(__file__).parents[2]
PACKAGE = Path("src/ejectamap")
GROUPS = {
    "world": ["world/*.py"],
    "views": ["views/*.py"],
    "counts": [
        f"evaluation/{name}.py" for name in ("counts", "pixels", "rings", "scores", "origin_counts")
    ],
    "merging": ["mapping/merge.py"],
    "map store": [
        f"maps/{name}.py"
        for name in ("files", "rasters", "state", "writing", "origin", "ejecta_map")
    ],
}
COVERAGE = ROOT / "build" / "coverage"
EQUIVALENT = Path(__file__).with_name("equivalent.json")
_BUDGET_S = 20.0
_TIMEOUT_S = 150.0


def main() -> None:
    """Read the options, draw, try, report."""
    options = _options()
    load_libraries()
    options.out.mkdir(parents=True, exist_ok=True)
    results = options.out / "results.jsonl"
    chosen = draw(options.mutants // len(GROUPS), options.seed)
    known = _read(results)
    redo = {key for key, each in known.items() if each["outcome"] in (SURVIVED, UNTESTED)}
    todo = [
        (group, mutant)
        for group, mutant in chosen
        if mutant.key not in known or (options.again and mutant.key in redo)
    ]
    bench = Bench(ROOT, options.out)
    reach = Reach(COVERAGE / "data", COVERAGE / "times.xml", ROOT)
    end = time.monotonic() + options.seconds
    for done, (group, mutant) in enumerate(todo):
        if time.monotonic() > end:
            print(f"{len(todo) - done} mutants are left: run the same command again")
            break
        outcome, test = bench.try_mutant(mutant, reach.tests(mutant, _BUDGET_S), _TIMEOUT_S)
        print(f"{outcome}: {mutant}", flush=True)
        record = {"mutant": mutant.key, "group": group, "outcome": outcome, "test": test}
        with results.open("a") as file:
            file.write(json.dumps(record) + "\n")
    report(options.out, chosen, _read(results), bench)


def draw(each: int, seed: int) -> list[tuple[str, Mutant]]:
    """Draw as many mutants from each group, in random order; a longer draw begins with those of a shorter one."""
    chosen = []
    for group, patterns in GROUPS.items():
        files = sorted(
            path.relative_to(ROOT)
            for pattern in patterns
            for path in (ROOT / PACKAGE).glob(pattern)
        )
        every = [mutant for path in files for mutant in list_mutants(path)]
        random.Random(f"{seed} {group}").shuffle(every)
        right = (mutant for mutant in every if mutant.text() is not None)
        chosen += [(group, next(right)) for _ in range(min(each, len(every)))]
        print(f"{group}: {len(every)} mutants in {len(files)} files")
    return chosen


def report(
    out: Path, chosen: Iterable[tuple[str, Mutant]], known: dict[str, dict[str, str]], bench: Bench
) -> None:
    """Print the table, write the survivors, and make sure that the tests pass without mutants."""
    equivalent = json.loads(EQUIVALENT.read_text(encoding="utf-8"))
    tried = [(group, mutant.key) for group, mutant in chosen if mutant.key in known]
    print(f"\n{'':<10} tried  killed  survived  equivalent  killed of the others (95 % interval)")
    for group in [*GROUPS, "all"]:
        mine = [key for of, key in tried if group in (of, "all")]
        dead = sum(known[key]["outcome"] in (KILLED, TIMED_OUT) for key in mine)
        same = sum(known[key]["outcome"] == SURVIVED and key in equivalent for key in mine)
        live = len(mine) - dead - same
        low, high = wilson(dead, dead + live)
        share = f"{dead / max(dead + live, 1):.1%} ({low:.1%} to {high:.1%})"
        print(f"{group:<10} {len(mine):5}  {dead:6}  {live:8}  {same:10}  {share}")
    survivors = [key for _, key in tried if known[key]["outcome"] in (SURVIVED, UNTESTED)]
    lines = [f"{known[key]['outcome']}: {key}" for key in survivors if key not in equivalent]
    (out / "survivors.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
    killers = {test for _, key in tried if (test := known[key]["test"])}
    if killers and (failing := failing_without_mutant(bench, killers, 20 * _TIMEOUT_S)):
        print(f"{failing} fails without a mutant: these figures count for nothing")


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a fraction."""
    if total == 0:
        return 0.0, 1.0
    z, p = 1.96, hits / total
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * (p * (1 - p) / total + z * z / (4 * total**2)) ** 0.5
    return middle - half, middle + half


def _read(path: Path) -> dict[str, dict[str, str]]:
    """The last result of each mutant."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {record["mutant"]: record for record in map(json.loads, lines)}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--mutants", type=int, default=400, help="how many to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after that time")
    parser.add_argument("--again", action="store_true", help="try survivors again")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "mutants")
    return parser.parse_args()


if __name__ == "__main__":
    main()
