"""`python -m benchmarks.run CASE [PART ...]`: measure a case, write benchmarks/RESULTS.md."""

from __future__ import annotations

import argparse
import tempfile
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


def main() -> None:
    """Run the parts of a case one after the other; every part prints its lines as it ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=sorted(CASES))
    parser.add_argument("part", nargs="*", help="only these parts of the case")
    chosen = parser.parse_args()
    parts = import_module(CASES[chosen.case]).PARTS
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.part or parts:
            print(f"{chosen.case}: {name}", flush=True)
            found, numbers = parts[name](Path(folder))
            for line in found:
                print(
                    f"  {'reached' if line.reached else 'NOT REACHED':12} {line.what}: {line.measured}",
                    flush=True,
                )
            save(chosen.case, name, found, numbers)


if __name__ == "__main__":
    main()
