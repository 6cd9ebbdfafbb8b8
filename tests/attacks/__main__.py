"""Attack every verb and input (`make attack`), and list what was not answered well.

python tests/attacks [--only TEXT] [--every N]
"""

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path

from attack import References, attack
from attack_cases import cases
from sandbox import make_template


def main() -> int:
    """Run the attacks; returns 1 if one succeeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="attacks whose name contains this")
    parser.add_argument("--every", type=int, default=1, help="one attack in so many")
    options = parser.parse_args()
    chosen = [case for case in cases() if options.only in case.name][:: options.every]
    warnings.simplefilter("ignore")
    started, failed = time.process_time(), 0
    references: References = {}
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template"
        make_template(template)
        for case in chosen:
            problems = attack(template, Path(folder) / "attacked", case, references)
            failed += bool(problems)
            for problem in problems:
                print(f"{case.name}\n    {problem}", flush=True)
    seconds = time.process_time() - started
    print(f"{len(chosen)} attacks, {failed} not answered well, {seconds:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
