"""A campaign: clients submit, faults strike at random, and at the end every 202 is accounted for."""

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import httpx

from service.storage.database import now
from tests.faults.accounting import Account, account_for, wait_until_settled
from tests.faults.faults import ALL, Timing
from tests.faults.load import Clients
from tests.faults.receiver import Receiver
from tests.faults.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many assessments, how fast, and which faults: all of the list in each round, in random order."""

    assessments: int
    a_second: float
    faults: Sequence[str]
    seed: int
    pause: tuple[float, float] = (2.0, 6.0)
    words: bytes = b""
    webhooks: bool = True


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What was done and what came of it."""

    plan: Plan
    account: Account
    struck: Counter[str] = field(default_factory=Counter)
    timings: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: dict[str, int] = field(default_factory=dict)
    attempts: int = 0
    seconds: float = 0.0
    not_accepted: list[str] = field(default_factory=list)


def run_campaign(site: Site, plan: Plan) -> Outcome:
    """Submit, strike until everything was accepted (each fault at least once), wait, and account."""
    begun, since = time.monotonic(), now()
    clients = Clients(site.url, site.key, a_second=plan.a_second, words=plan.words)
    with Receiver(failing=0.1, seed=plan.seed) if plan.webhooks else nullcontext() as receiver:
        if receiver is not None:
            _listen(site, receiver)
        sending = threading.Thread(target=clients.send, args=(range(plan.assessments),))
        sending.start()
        struck, timings = _strike(site, plan, sending)
        sending.join()
        wait_until_settled(site)
        account = account_for(site, clients.accepted, receiver, since)
    return Outcome(
        plan=plan,
        account=account,
        struck=struck,
        timings=timings,
        statuses=clients.statuses,
        attempts=0 if receiver is None else receiver.attempts,
        seconds=time.monotonic() - begun,
        not_accepted=clients.failures,
    )


def _strike(site: Site, plan: Plan, sending: threading.Thread) -> tuple[Counter[str], dict[str, list[float]]]:
    chance = random.Random(plan.seed)
    struck: Counter[str] = Counter()
    timings: dict[str, list[float]] = defaultdict(list)
    while sending.is_alive() or len(struck) < len(set(plan.faults)):
        for name in chance.sample(plan.faults, len(plan.faults)):
            if not sending.is_alive() and struck[name]:
                continue
            time.sleep(chance.uniform(*plan.pause))
            timing: Timing | None = ALL[name](site, chance)
            struck[name] += 1
            if timing is not None:
                timings[timing[0]].append(timing[1])
    return struck, timings


def _listen(site: Site, receiver: Receiver) -> None:
    """Register the receiver as a webhook of the tenant."""
    answer = httpx.post(
        f"{site.url}/v1/webhooks",
        json={"url": receiver.url},
        headers={"Authorization": f"Bearer {site.key}"},
        timeout=30,
        trust_env=False,
    )
    answer.raise_for_status()
