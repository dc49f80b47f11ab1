"""How often the drift alerts sound for nothing, and how soon they hear a shift.

What deploy/monitoring/prometheus/rules/drift.yml computes, on paper: hourly counts in 20 buckets, the last day against
the 28 before, an alarm when the distance has stayed above the threshold for an hour. Recordings come in working hours,
either all of one kind or from three sites that differ, whose shares change from day to day. Prints two tables.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BUCKETS = 20
DAY, BEFORE = 24, 28 * 24
LEAST_DAY, LEAST_BEFORE = 50, 500
FLOOR = 0.15
HOURS_OF_WORK = np.where((np.arange(24) >= 8) & (np.arange(24) < 18), 1.0, 0.05)
Counts = NDArray[np.int64]


def distribution(mean: float) -> NDArray[np.float64]:
    """Chances of the buckets: a bell whose standard deviation is 3 of 20 buckets."""
    bell = np.exp(-0.5 * ((np.arange(BUCKETS) + 0.5 - mean) / 3.0) ** 2)
    return np.asarray(bell / bell.sum())


def arrivals(rng: np.random.Generator, days: int, a_day: float) -> Counts:
    """Recordings in each hour; a tenth as many at weekends."""
    weekday = np.where(np.arange(days) % 7 < 5, 1.0, 0.1)
    profile = np.outer(weekday, HOURS_OF_WORK / HOURS_OF_WORK.sum()).ravel()
    return rng.poisson(profile * a_day)


def recordings(rng: np.random.Generator, days: int, a_day: float, spread: float, shift: float = 0.0) -> Counts:
    """Counts (hour, bucket). `spread`: how far three sites lie apart; `shift`: what is added from day 29 on, both in
    standard deviations."""
    shares = rng.dirichlet([6.0, 6.0, 6.0], size=days)
    moved = np.where(np.arange(days) < 29, 0.0, shift)
    made = np.empty((days * 24, BUCKETS), dtype=np.int64)
    for hour, number in enumerate(arrivals(rng, days, a_day)):
        day = hour // 24
        means = 10 + 3 * (moved[day] + spread * np.array([-1, 0, 1]))
        made[hour] = rng.multinomial(number, sum(s * distribution(m) for s, m in zip(shares[day], means, strict=True)))
    return made


def alarms(counts: Counts, factor: float) -> NDArray[np.bool_]:
    """For each hour from the 29th day on, whether the alert fires."""
    total = np.concatenate([np.zeros((1, BUCKETS), dtype=np.int64), np.cumsum(counts, axis=0)])
    at = np.arange(DAY + BEFORE, len(counts) + 1)
    day = total[at] - total[at - DAY]
    before = total[at - DAY] - total[at - DAY - BEFORE]
    n, m = day.sum(axis=1), before.sum(axis=1)
    judged = (n >= LEAST_DAY) & (m >= LEAST_BEFORE)
    n, m = np.maximum(n, 1), np.maximum(m, 1)
    distance = np.abs(np.cumsum(day, axis=1) / n[:, None] - np.cumsum(before, axis=1) / m[:, None]).max(axis=1)
    above = judged & (distance > np.maximum(factor * np.sqrt(1 / n + 1 / m), FLOOR))
    return above & np.concatenate([[False], above[:-1]])


def episodes(firing: NDArray[np.bool_]) -> int:
    """How many times it began to fire."""
    return int(firing[0]) + int((firing[1:] & ~firing[:-1]).sum())


def false_alarms() -> None:
    """Alarms a year and measure when nothing changes."""
    print("\nFalse alarms a year, one measure\n")
    print("| recordings a day | sites apart (SD) | factor 1.63 | factor 1.95 | factor 2.3 | factor 2.6 |")
    print("| --- | --- | --- | --- | --- | --- |")
    years = 12
    for a_day in (60, 200, 1000):
        for spread in (0.0, 0.5, 1.0):
            rng = np.random.default_rng(7)
            worlds = [recordings(rng, 29 + 365, a_day, spread) for _ in range(years)]
            rates = [sum(episodes(alarms(world, f)) for world in worlds) / years for f in (1.63, 1.95, 2.3, 2.6)]
            print(f"| {a_day} | {spread} | " + " | ".join(f"{rate:.2f}" for rate in rates) + " |")


def power() -> None:
    """How many hours after a shift the alert fires, within two weeks."""
    print("\nA shift that stays, factor 2.3, one kind of recording\n")
    print("| recordings a day | shift (SD) | heard of 40 | median hours until then |")
    print("| --- | --- | --- | --- |")
    for a_day in (60, 200, 1000):
        for shift in (0.3, 0.5, 1.0):
            rng = np.random.default_rng(11)
            heard = []
            for _ in range(40):
                firing = alarms(recordings(rng, 29 + 14, a_day, 0.0, shift), 2.3)
                if firing.any():
                    heard.append(int(np.argmax(firing)))
            hours = f"{np.median(heard):.0f}" if heard else "-"
            print(f"| {a_day} | {shift} | {len(heard)} | {hours} |")


if __name__ == "__main__":
    false_alarms()
    power()
