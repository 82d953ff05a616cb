"""Unmodified clients against a real server on the demo model.

    python clients/runner [--only NAME …] [--tests WORDS]

Every suite has an environment of its own, which is set up when it is not there. One table at the
end; the exit code is not 0 when anything failed, when a suite ran no test, when a skip has no
reason in the suite's skips.toml or a listed one did not happen, and when a client tried to reach
another machine.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from outcomes import Outcome, table
from running import KEY, install, run
from server import serving
from suites import SUITES


def check(names: list[str], wanted: str | None) -> tuple[list[Outcome], list[str]]:
    """What became of the suites, and what was wrong with the server."""
    wanted_suites = [s for s in SUITES if not names or s.name in names]
    outcomes = [install(suite) for suite in wanted_suites]
    with tempfile.TemporaryDirectory(prefix="clients-") as directory:
        root = Path(directory)
        with (
            serving(root / "open") as server,
            serving(root / "keyed", "--api-key", KEY, "--pool-size", "0") as keyed,
        ):
            well = [one for one in outcomes if one.is_well]
            run(well, {"BRIDGE_URL": server.url, "BRIDGE_KEYED_URL": keyed.url}, root, wanted)
        for one in (server, keyed):
            if one.problems:
                print(one.log.read_text()[-5000:], flush=True)
    return outcomes, [*server.problems, *keyed.problems]


def main() -> None:
    """Run, print, and say whether all was well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    known = [suite.name for suite in SUITES]
    parser.add_argument("--only", nargs="+", default=[], choices=known, metavar="NAME")
    parser.add_argument("--tests", metavar="WORDS", help="only tests with this in their names")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the server is ended too
    outcomes, problems = check(asked.only, asked.tests)
    print(f"\n{table(outcomes)}")
    for problem in problems:
        print(f"! {problem}")
    if problems or not all(outcome.is_well for outcome in outcomes):
        sys.exit(1)


if __name__ == "__main__":
    main()
