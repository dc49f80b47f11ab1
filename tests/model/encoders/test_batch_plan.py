"""Which entries make the next batch, at moments that the tests choose."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from model.encoders.batch_plan import BatchQueue, BatchRules, QueuedUnit, Unit

RULES = BatchRules(budget=100.0, max_wait=10.0)
OWNERS = ("ward", "clinic", "practice")


def entry(bucket, arrived=0.0, cost=None, owner="ward"):
    unit = Unit(material=None, used=bucket, bucket=bucket, cost=float(bucket if cost is None else cost))
    return QueuedUnit(unit=unit, owner=owner, row=0, arrived=arrived)


def waiting(*entries, rules=RULES):
    found: BatchQueue[None, str] = BatchQueue(rules)
    found.add(entries)
    return found


def buckets(batch):
    return [one.unit.bucket for one in batch]


def test_a_batch_has_one_bucket_and_stays_within_the_budget():
    line = waiting(*(entry(30) for _ in range(5)), entry(40))
    assert buckets(line.take(0.0)) == [30, 30, 30]
    assert buckets(line.take(0.0)) == [30, 30]
    assert buckets(line.take(0.0)) == [40]
    assert line.take(0.0) == ()


def test_an_entry_beyond_the_budget_is_a_batch_of_its_own():
    line = waiting(entry(500), entry(500))
    assert buckets(line.take(0.0)) == [500]
    assert len(line) == 1


def test_a_full_batch_goes_before_a_fuller_one_with_room_and_the_longest_full_one_first():
    line = waiting(entry(20), *(entry(30) for _ in range(3)), entry(60), entry(25), entry(25))
    assert [buckets(line.take(0.0))[0] for _ in range(4)] == [60, 30, 25, 20]


def test_whoever_has_waited_too_long_is_next():
    line = waiting(entry(10, arrived=0.0), *(entry(100, arrived=9.0) for _ in range(2)))
    assert buckets(line.take(9.9)) == [100]
    assert buckets(line.take(10.0)) == [10]


def test_an_incomplete_batch_waits_for_the_configured_time_and_a_full_batch_does_not():
    line = waiting(entry(30, arrived=1.0), rules=BatchRules(budget=100.0, linger=0.5))
    assert line.take(1.4) == ()
    assert line.ready_in(1.25) == 0.25
    assert buckets(line.take(1.5)) == [30]
    assert line.ready_in(1.5) is None
    line.add([entry(60, arrived=2.0)])
    assert buckets(line.take(2.0)) == [60]


def test_what_an_owner_drops_no_longer_waits():
    line = waiting(entry(30, owner="ward"), entry(30, owner="clinic"), entry(40, owner="ward"))
    assert line.drop("ward") == 2
    assert (len(line), line.cost) == (1, 30.0)
    assert [one.owner for one in line.take(0.0)] == ["clinic"]
    assert line.drop("ward") == 0


def test_there_is_room_up_to_the_bound_and_for_anything_when_nothing_waits():
    line = waiting(rules=BatchRules(budget=100.0, max_waiting_cost=150.0))
    assert line.has_room(1000.0)
    line.add([entry(100)])
    assert line.has_room(50.0)
    assert not line.has_room(51.0)


arrivals = st.lists(
    st.tuples(
        st.sampled_from([1, 2, 3, 7, 20, 60, 150]),  # bucket
        st.floats(0.0, 3.0),  # seconds since the one before
        st.sampled_from(OWNERS),
    ),
    max_size=60,
)


class Simulation:
    """Entries arrive while batches run; it checks every batch, and keeps who was taken when."""

    def __init__(self, line, entries):
        self.line, self.left = line, sorted(entries, key=lambda one: one.arrived)
        self.now, self.present, self.taken = 0.0, [], []

    def arrive(self):
        fresh = [one for one in self.left if one.arrived <= self.now]
        self.left = self.left[len(fresh) :]
        self.line.add(fresh)
        self.present += fresh

    def step(self, seconds):
        self.arrive()
        batch = self.line.take(self.now)
        self.check(batch)
        self.present = [one for one in self.present if one not in batch]
        self.taken += batch
        self.now += seconds

    def check(self, batch):
        assert bool(batch) == bool(self.present)  # without a linger an idle runner never waits
        assert len({one.unit.bucket for one in batch}) <= 1
        assert len(batch) <= 1 or sum(one.unit.cost for one in batch) <= RULES.budget
        overdue = [one for one in self.present if self.now - one.arrived >= RULES.max_wait]
        if overdue:
            assert min(one.arrived for one in overdue) == min(one.arrived for one in batch)


@settings(max_examples=60)
@given(arrivals, st.floats(0.5, 20.0))
def test_every_unit_is_taken_once_and_no_overdue_unit_waits_for_a_later_one(found, seconds):
    moments, at = [], 0.0
    for _, pause, _ in found:
        at += pause
        moments.append(at)
    entries = [entry(one[0], moment, owner=one[2]) for one, moment in zip(found, moments, strict=True)]
    run = Simulation(BatchQueue(RULES), entries)
    while run.left or run.present:
        run.step(seconds)
    assert Counter(map(id, run.taken)) == Counter(map(id, entries))
    assert (len(run.line), run.line.cost) == (0, 0.0)


@settings(max_examples=30)
@given(st.integers(1, 40), st.floats(0.5, 9.0))
def test_a_lone_short_entry_is_taken_by_its_bound_however_many_full_batches_wait(rounds, seconds):
    line = waiting(entry(1, arrived=0.0))
    now, batch = 0.0, ()
    while buckets(batch) != [1]:
        line.add([entry(100, arrived=now) for _ in range(rounds)])
        batch = line.take(now)
        assert now < RULES.max_wait + seconds
        now += seconds


@settings(max_examples=50)
@given(arrivals, st.sampled_from(OWNERS))
def test_dropping_an_owner_leaves_the_others_as_they_were(found, owner):
    entries = [entry(bucket, owner=whose) for bucket, _, whose in found]
    line, others = waiting(*entries), waiting(*(one for one in entries if one.owner != owner))
    assert line.drop(owner) == len(entries) - len(others)
    assert line.cost == others.cost
    while batch := others.take(0.0):
        assert line.take(0.0) == batch
    assert len(line) == 0
