"""What is done to a site, one function a fault; each returns what is to be timed, as (kind, seconds), or nothing."""

import os
import random
import signal
import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from service.assessments.states import StageState
from service.storage.database import now
from service.storage.tables import StageRow
from tests.faults.site import Part, Site

RECOVERED_WITHIN = 120.0
Timing = tuple[str, float]
Fault = Callable[[Site, random.Random], Timing | None]


def kill_worker(site: Site, chance: random.Random) -> Timing | None:
    """SIGKILL one worker; timed until what it had in hand is taken up again or done."""
    pid = chance.choice(site.children("prepare,encode,score") or [0])
    if not pid:
        return None
    held = _held_by(site, pid)
    _kill(pid)
    if not held:
        return None
    return "worker killed", _seconds_until(lambda: not _still_held(site, held))


def kill_api(site: Site, chance: random.Random) -> None:
    """SIGKILL the API in the middle of whatever it does."""
    for pid in site.children("listen-fd"):
        _kill(pid)


def kill_deliverer(site: Site, chance: random.Random) -> None:
    """SIGKILL the worker that delivers webhooks."""
    for pid in site.children("deliver"):
        _kill(pid)


def stop_worker_past_timeout(site: Site, chance: random.Random) -> None:
    """SIGSTOP a worker until others have taken its stage over, then let it go on: it must not write."""
    pid = chance.choice(site.children("prepare,encode,score") or [0])
    if pid:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(float(site.settings["HILBERT_WORKER_TIMEOUT"]) + 5)
        _signal(pid, signal.SIGCONT)


def restart_redis(site: Site, chance: random.Random) -> Timing:
    """SIGKILL Redis, start it again; timed until a worker claims."""
    return "Redis restarted", _restart(site, site.redis, killed=True)


def flush_redis(site: Site, chance: random.Random) -> Timing:
    """FLUSHALL: every message is gone."""
    site.broker.flushall()
    return "Redis flushed", _until_claimed(site)


def pause_redis(site: Site, chance: random.Random, seconds: float = 30.0) -> Timing:
    """SIGSTOP Redis: connections stay open and nothing answers."""
    os.kill(site.redis.pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(site.redis.pid, signal.SIGCONT)
    return "Redis paused", _until_claimed(site)


def restart_postgresql(site: Site, chance: random.Random) -> Timing:
    """A fast shutdown that breaks every connection, then a start; timed until a worker claims."""
    return "PostgreSQL restarted", _restart(site, site.postgresql, killed=False)


def kill_postgresql(site: Site, chance: random.Random) -> Timing:
    """SIGKILL the whole cluster: it recovers from its log."""
    return "PostgreSQL killed", _restart(site, site.postgresql, killed=True)


def double_messages(site: Site, chance: random.Random) -> None:
    """Every message that waits, once more."""
    broker = site.broker
    for queue in ("prepare", "encode", "score", "deliver"):
        for message in broker.lrange(f"hilbert:{queue}", 0, -1):
            broker.lpush(f"hilbert:{queue}", message)


def fill_disk(site: Site, chance: random.Random, seconds: float = 10.0) -> None:
    """No room in the object store for a while."""
    store = site.objects_folder
    ballast = store / "ballast"
    with ballast.open("wb") as file:
        try:
            while True:
                file.write(b"\0" * 65536)
                file.flush()
        except OSError:
            pass
        finally:
            time.sleep(seconds)
            ballast.unlink()


ALL: dict[str, Fault] = {
    "worker killed": kill_worker,
    "API killed": kill_api,
    "deliverer killed": kill_deliverer,
    "worker stopped past its timeout": stop_worker_past_timeout,
    "Redis killed and restarted": restart_redis,
    "Redis flushed": flush_redis,
    "Redis paused": pause_redis,
    "PostgreSQL restarted": restart_postgresql,
    "PostgreSQL killed": kill_postgresql,
    "messages doubled": double_messages,
    "disk full": fill_disk,
}


def _restart(site: Site, part: Part, *, killed: bool) -> float:
    part.end(killed=killed)
    time.sleep(2)
    part.start()
    return _until_claimed(site)


def _until_claimed(site: Site) -> float:
    moment = now()
    return _seconds_until(lambda: _claimed_since(site, moment))


def _kill(pid: int) -> None:
    _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _held_by(site: Site, pid: int) -> dict[str, int]:
    """Stages that the process has in hand, with their fences."""
    query = select(StageRow.id, StageRow.fence).where(
        StageRow.state == StageState.LEASED, StageRow.owner.like(f"%-{pid}-%")
    )
    with site.database.reading() as session:
        return {row.id: row.fence for row in session.execute(query)}


def _still_held(site: Site, held: dict[str, int]) -> bool:
    query = select(StageRow.id, StageRow.fence, StageRow.state).where(StageRow.id.in_(held))
    with site.database.reading() as session:
        rows = session.execute(query).all()
    return any(row.fence == held[row.id] and row.state in (StageState.LEASED, StageState.READY) for row in rows)


def _claimed_since(site: Site, moment: datetime) -> bool:
    """Whether a stage was claimed since then, or nothing is left to be claimed."""
    with site.database.reading() as session:
        if session.scalar(select(func.count()).where(StageRow.claimed_at > moment)):
            return True
        return not session.scalar(select(func.count()).where(StageRow.state == StageState.READY))


def _seconds_until(condition: Callable[[], bool]) -> float:
    begun = time.monotonic()
    while time.monotonic() - begun < RECOVERED_WITHIN:
        try:
            if condition():
                return time.monotonic() - begun
        except SQLAlchemyError:
            pass
        time.sleep(0.1)
    return float("inf")
