"""Memory of one process that loads a bundle again and again, as workers do when bundles are exchanged.

    python bench/reload.py [--bundle examples/bundle] [--times 20] [--threads 2]

Each time the bundle is verified, opened, warmed up on its golden recording and closed. Status 1 when the resident
memory after the last time exceeds that after the third, when all has been met once, by more than a tenth.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path

from model.pipeline import Pipeline

ROOT = Path(__file__).resolve().parents[1]
SETTLED = 3
ALLOWED = 1.10


def resident() -> float:
    """Megabytes of this process in memory now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit("this system does not tell the resident memory of a process")


def reload(bundle: Path, threads: int) -> float:
    """Seconds of one time."""
    begun = time.perf_counter()
    pipeline = Pipeline.open(bundle, threads=threads)
    pipeline.warm_up()
    pipeline.close()
    del pipeline
    gc.collect()
    return time.perf_counter() - begun


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=ROOT / "examples" / "bundle")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    print(f"before: {resident():.1f} MB resident")
    print("time  seconds  MB resident")
    sizes = []
    for number in range(1, chosen.times + 1):
        seconds = reload(chosen.bundle, chosen.threads)
        sizes.append(resident())
        print(f"{number:4}  {seconds:7.2f}  {sizes[-1]:11.1f}")
    settled = sizes[min(SETTLED, len(sizes)) - 1]
    print(f"the last against the {SETTLED}rd: {sizes[-1] / settled:.3f} (at most {ALLOWED:.2f})")
    return int(sizes[-1] > ALLOWED * settled)


if __name__ == "__main__":
    sys.exit(main())
