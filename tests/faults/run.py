"""`make faults`: a whole campaign, and its report."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tests.faults.campaign import Outcome, Plan, run_campaign
from tests.faults.faults import ALL
from tests.faults.site import open_site
from tests.faults.small_disk import can_mount, small_disk

MORE_OF_THESE = ("worker killed",) * 4 + ("API killed",) * 2 + ("deliverer killed", "messages doubled")
"""What costs little time; each round holds all faults once and these besides."""


def main(
    assessments: Annotated[int, typer.Option(help="How many assessments to submit.")] = 2000,
    a_second: Annotated[float, typer.Option(help="How many to submit in a second.")] = 5.0,
    seed: Annotated[int, typer.Option(help="Of the order and moments of the faults.")] = 5005,
    workers: Annotated[int, typer.Option(help="Worker processes.")] = 3,
    report: Annotated[Path | None, typer.Option(help="Write the report here too.")] = None,
) -> None:
    """Submit under random faults and account for every 202; status 1 unless all is well."""
    with tempfile.TemporaryDirectory(prefix="hilbert-faults-") as folder, _disk(Path(folder)) as store:
        faults = [name for name in (*ALL, *MORE_OF_THESE) if store is not None or name != "disk full"]
        plan = Plan(assessments=assessments, a_second=a_second, faults=faults, seed=seed)
        settings = {
            "worker_timeout": "30",
            "webhook_allow_http": "true",
            "webhook_networks": '["127.0.0.0/8"]',
            "webhook_retries": "[1, 2, 4, 8, 15, 30, 30, 30, 30]",
        }
        with open_site(Path(folder) / "site", workers=workers, store=store, **settings) as site:
            outcome = run_campaign(site, plan)
            if not passed(outcome):
                kept = Path(tempfile.mkdtemp(prefix="hilbert-faults-logs-"))
                shutil.copytree(site.folder / "logs", kept / "logs")
                sys.stdout.write(f"The logs are kept in {kept}\n")
    text = written(outcome, workers)
    sys.stdout.write(text)
    if report is not None:
        report.write_text(text)
    raise typer.Exit(0 if passed(outcome) else 1)


@contextmanager
def _disk(folder: Path) -> Iterator[Path | None]:
    if not can_mount():
        sys.stdout.write("No disk is filled: mounting a small one needs root.\n")
        yield None
        return
    with small_disk(folder / "disk", megabytes=64) as store:
        yield store


def passed(outcome: Outcome) -> bool:
    """Whether nothing was lost, doubled, stuck or unnotified."""
    return not any(outcome.account.faults().values()) and not outcome.not_accepted


def written(outcome: Outcome, workers: int) -> str:
    """The report, in Markdown."""
    plan, account = outcome.plan, outcome.account
    commit = subprocess.run(("git", "rev-parse", "--short", "HEAD"), capture_output=True, text=True, check=False)
    lines = [
        "# Faults: the report of a campaign",
        "",
        "Written by `make faults`; made anew with it. Real Redis, PostgreSQL, API and worker processes; the fake model",
        "stands in for the model, so that the time goes into the queue.",
        "",
        f"- {datetime.now(UTC):%Y-%m-%d}, commit {commit.stdout.strip()}, {platform.machine()}, {os.cpu_count()} cores",
        f"- seed {plan.seed}, {workers} workers and a deliverer, {plan.assessments} assessments at "
        f"{plan.a_second:g} a second, {outcome.seconds:.0f} s in all",
        f"- answers to POST: {_counts(outcome.statuses)}",
        f"- webhook deliveries: {outcome.attempts} attempts, a tenth of which the receiver refused",
        "",
        "| fault | times | recovery, longest | median |",
        "| --- | --- | --- | --- |",
    ]
    timed = {"Redis killed and restarted": "Redis restarted"}
    for name in dict.fromkeys(plan.faults):
        seconds = outcome.timings.get(timed.get(name, name), [])
        figures = f"{max(seconds):.1f} s | {statistics.median(seconds):.1f} s" if seconds else " | "
        lines.append(f"| {name} | {outcome.struck[name]} | {figures} |")
    lines += [
        "",
        "Recovery of a killed worker: until another has taken up or done what it had in hand. Of a server: from the",
        "moment it answers again until a worker claims a stage.",
        "",
        "| of every 202 | count |",
        "| --- | --- |",
        f"| accepted | {account.accepted} |",
        f"| final states | {_counts(account.states)} |",
        *(f"| {kind.replace('_', ' ')} | {count} |" for kind, count in account.faults().items()),
        f"| never accepted | {len(outcome.not_accepted)} |",
        "",
        "`doubled`: scored twice, announced under two messages, or two assessments for one key. `unexpected`: an",
        "assessment without a 202. `unnotified`: no webhook arrived. `material left`: objects other than the result.",
        "",
    ]
    return "\n".join(lines)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


if __name__ == "__main__":
    typer.run(main)
