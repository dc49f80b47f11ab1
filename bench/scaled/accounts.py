"""What processes have used: CPU and memory, as the kernel counts them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """CPU seconds so far, those of ended children included, and the most memory held, in bytes."""

    cpu_seconds: float
    peak_bytes: int


def account(pid: int) -> Account:
    """One process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return Account(
        cpu_seconds=sum(int(field) for field in fields[11:15]) / TICKS,
        peak_bytes=int(status["VmHWM"].split()[0]) * 1024,
    )


def family_cpu_seconds(pid: int) -> float:
    """CPU seconds of a process and of its children, living and ended: a PostgreSQL is many."""
    total = account(pid).cpu_seconds
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                total += sum(int(field) for field in fields[11:13]) / TICKS
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total
