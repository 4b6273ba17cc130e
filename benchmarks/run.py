"""`python -m benchmarks.run CASE [PART ...]`: measure a case, write benchmarks/RESULTS.md.

What the parts write on the way goes to a temporary folder, or to the one that IATROS_BENCH_KEEP names: there, long
parts that were stopped go on where they were. Such a folder is good for one state of the code.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from benchmarks.results import save

CASES = {
    "imaging": "benchmarks.imaging",
    "molecules-activity": "benchmarks.molecules_activity",
    "molecules-generate": "benchmarks.molecules_generate",
    "risk-tables": "benchmarks.risk_tables",
    "treatment": "benchmarks.treatment",
}


@contextmanager
def _folder(case: str) -> Iterator[Path]:
    """Where the parts of a case write."""
    kept = os.environ.get("IATROS_BENCH_KEEP")
    if kept:
        path = Path(kept) / case
        path.mkdir(parents=True, exist_ok=True)
        yield path
    else:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)


def main() -> None:
    """Run the parts of a case one after the other; every part prints its lines as it ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=sorted(CASES))
    parser.add_argument("part", nargs="*", help="only these parts of the case")
    chosen = parser.parse_args()
    parts = import_module(CASES[chosen.case]).PARTS
    with _folder(chosen.case) as folder:
        for name in chosen.part or parts:
            print(f"{chosen.case}: {name}", flush=True)
            found, numbers = parts[name](folder)
            for line in found:
                print(
                    f"  {'reached' if line.reached else 'NOT REACHED':12} {line.what}: {line.measured}",
                    flush=True,
                )
            save(chosen.case, name, found, numbers)


if __name__ == "__main__":
    main()
