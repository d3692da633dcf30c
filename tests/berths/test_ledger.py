"""The ledger's fold: any order, any subset, exact counts, and what it says where nothing is proven."""

import itertools
import random
from decimal import Decimal

import pytest

from agent.wire import codes, schema
from cloud.berths.events import Event, EventError, event, moved
from cloud.berths.ledger import State, fold, fold_all, reconcile, revise

METER = b"202410010001"
BASE = Event(
    "pile-1", 5, 0, 1000, codes.SESSION_STARTED, 5, 0, 0,
    uptime_s=500, read_age_s=0, imported=100, exported=0, import_t1=10, import_t2=20, import_t3=30,
    import_t4=40, count_e=-2, modulus=10**8, step=1, pt=1, ct=40, meter_id=METER,
)  # fmt: skip
COUNT = 400_000  # 10**-6 kWh of one count behind 200/5


def row(place, what, imported, **other):
    """An event `place` minutes after the start; its counts are all of tariff 3."""
    values = {
        "seq": place,
        "t": 1000 + 60 * place,
        "what": what,
        "event": place,
        "uptime_s": 500 + 60 * place,
        "imported": imported,
        "import_t3": None if imported is None else imported - 70,
    }
    return BASE._replace(**(values | other))


def plain():
    return [
        row(0, codes.SESSION_STARTED, 100, reason=codes.REASON_PLUG),
        row(1, codes.SESSION_GOING_ON, 103),
        row(2, codes.SESSION_IDENTIFIED, 104, ship_mmsi=413123456, ship_by=codes.SHIP_BY_QR),
        row(3, codes.SESSION_GOING_ON, 106),
        row(4, codes.SESSION_ENDED, 109, reason=codes.REASON_PLUG, bound_s=9),
    ]


def test_an_ordinary_session():
    session = fold(plain(), 100_000)
    assert session.state is State.CLOSED
    assert session.kwh == session.low_kwh == session.high_kwh == Decimal("3.6")
    assert session.tariffs == (0, 0, 9 * COUNT, 0)
    assert session.exported == 0
    assert session.reasons == ()
    assert not session.needs_review
    assert (session.started.t, session.started.bound_s) == (1000, 0)
    assert (session.ended.t, session.ended.bound_s) == (1240, 9)
    assert session.ship == (413123456, None, codes.SHIP_BY_QR, None)
    assert (
        session.stretches[0].first,
        session.stretches[0].last,
        session.stretches[0].counts,
    ) == (100, 109, 9)


def test_any_order_and_any_number_of_times():
    events = plain()
    whole = fold(events, 100_000)
    for order in itertools.permutations(events):
        assert fold(order, 100_000) == whole
        assert fold(order + order[1:3], 100_000) == whole


def test_any_subset_never_says_too_much():
    events = plain()
    whole = fold(events, 100_000)
    for n in range(1, len(events) + 1):
        for some in itertools.combinations(events, n):
            session = fold(some, 100_000)
            assert session.low <= whole.micro
            assert session.high is None or session.micro <= session.high
            assert set(session.missing) == set(range(some[-1].event)) - {e.event for e in some}
            is_closed = some[-1].what == codes.SESSION_ENDED and not session.missing
            assert (session.state is State.CLOSED) == is_closed


def test_the_live_view_never_goes_back():
    rng = random.Random(1)
    for _ in range(50):
        events = plain()
        rng.shuffle(events)
        views = [fold(events[:n], 100_000) for n in range(1, len(events) + 1)]
        for old, new in itertools.pairwise(views):
            assert new.events >= old.events
            assert new.micro >= old.micro


def test_an_end_before_the_start():
    session = fold(plain()[4:], 100_000)
    assert session.state is State.CLOSED_WITH_GAP
    assert session.micro == 0
    assert session.high is None  # nobody knows yet when it began
    assert session.missing == (0, 1, 2, 3)
    assert "events-missing" in session.reasons


def test_rollover():
    events = plain()
    events[3] = events[3]._replace(imported=10**8 - 1, import_t3=None)
    events[0] = events[0]._replace(imported=10**8 - 6)
    events[1] = events[1]._replace(imported=10**8 - 5)
    events[2] = events[2]._replace(imported=10**8 - 4)
    events[4] = events[4]._replace(imported=3)
    assert fold(events, 100_000).micro == 9 * COUNT
    events = [item._replace(modulus=None) for item in events]
    session = fold(events, 100_000)
    assert "register-went-back" in session.reasons
    assert session.micro == 5 * COUNT


@pytest.mark.parametrize(
    ("first", "last", "modulus", "counts"),
    [
        (5, 9, None, 4), (9, 5, None, None), (9, 5, 10, None), (9, 2, 10, 3),
        (2**32 - 1, 1, 0, 2), (0, 0, 0, 0), (5, 4, 10**8, None),
    ],
)  # fmt: skip
def test_moved(first, last, modulus, counts):
    assert moved(first, last, modulus) == counts


def test_segments_add_up_and_are_looked_at():
    events = plain()
    other = {"segment": 1, "meter_id": b"another", "ct": 10, "flaws": codes.FLAW_METER_REPLACED}
    events[3] = events[3]._replace(what=codes.SESSION_SEGMENT, imported=7, import_t3=1, **other)
    events[4] = events[4]._replace(imported=27, import_t3=21, **other)
    session = fold(events, 100_000)
    assert session.micro == 4 * COUNT + 20 * 100_000
    assert session.tariffs[2] == session.micro
    assert session.low == session.micro
    # A minute between the two meters' readings, and two counts of each.
    assert session.high == session.micro + 100_000 * 64 // 3 + 2 * COUNT + 2 * 100_000
    assert session.reasons == ("meter-replaced",)
    assert fold(events).high is None


def test_a_register_that_jumped():
    """The device says so; without the rated power the ledger could not."""
    events = plain()
    other = {"segment": 1, "flaws": codes.FLAW_IMPLAUSIBLE, "import_t3": None}
    events[3] = events[3]._replace(what=codes.SESSION_SEGMENT, imported=5000, **other)
    events[4] = events[4]._replace(imported=5003, **other)
    session = fold(events)
    assert session.micro == (4 + 3) * COUNT
    assert session.low == (3 + 3) * COUNT  # the reading before may have been the wrong one
    events[3] = events[3]._replace(imported=102)
    events[4] = events[4]._replace(imported=105)
    session = fold(events)
    assert (session.micro, session.low) == (7 * COUNT, 6 * COUNT)


def test_a_start_that_nobody_saw():
    events = plain()
    events[0] = events[0]._replace(reason=codes.REASON_LOAD, flaws=codes.FLAW_GAP)
    session = fold(events, 100_000)
    assert session.micro == 9 * COUNT
    assert session.high is None
    assert session.reasons == ("power-gap",)


def test_another_meter_without_a_word():
    events = plain()
    events[4] = events[4]._replace(meter_id=b"another", imported=900)
    session = fold(events, 100_000)
    assert session.micro == 6 * COUNT
    assert "meter-replaced" in session.reasons


def test_more_than_the_pile_can_deliver():
    events = plain()
    events[4] = events[4]._replace(imported=1000)
    session = fold(events, 100_000)
    assert session.reasons == ("implausible",)
    assert session.micro == 6 * COUNT


def test_a_late_baseline_is_bounded():
    events = plain()
    events[0] = row(0, codes.SESSION_STARTED, None, flaws=codes.FLAW_NO_BASELINE)
    events[0] = events[0]._replace(count_e=None, pt=None, ct=None, meter_id=None, modulus=None)
    session = fold(events, 100_000)
    assert session.micro == session.low == 6 * COUNT
    assert session.high == 6 * COUNT + 100_000 * 64 // 3 + 2 * COUNT
    assert session.reasons == ("no-baseline",)


def test_an_end_without_a_reading():
    events = plain()
    events[4] = events[4]._replace(imported=106, read_age_s=60, flaws=codes.FLAW_NO_END)
    session = fold(events, 100_000)
    assert session.micro == 6 * COUNT
    assert session.high == 6 * COUNT + 100_000 * 64 // 3 + 4 * COUNT
    assert session.reasons == ("no-end-reading",)


def resumed(bound_s):
    return [
        *plain()[:2],
        row(2, codes.SESSION_RESUMED, 110, boot=6, seq=0, uptime_s=22, t=1600, bound_s=bound_s,
            reason=codes.REASON_POWER_LOSS, flaws=codes.FLAW_GAP),
        row(3, codes.SESSION_ENDED, 112, boot=6, seq=1, uptime_s=82, t=1660, flaws=codes.FLAW_GAP),
    ]  # fmt: skip


def test_a_gap_that_it_went_on_after():
    assert fold(resumed(540), 100_000).reasons == ()
    assert fold(resumed(None), 100_000).reasons == ()  # the records' times tell
    assert fold(resumed(4000), 100_000).reasons == ("power-gap",)
    for session in (fold(resumed(540), 100_000), fold(resumed(4000), 100_000)):
        assert session.micro == session.low == session.high == 12 * COUNT


def test_what_was_counted_in_a_gap_that_nobody_can_date_is_not_proven():
    """A register that was wrong before the gap would otherwise be billed whole."""
    events = [
        row(0, codes.SESSION_STARTED, 100, t=None),
        row(1, codes.SESSION_GOING_ON, 103, t=None),
        row(2, codes.SESSION_RESUMED, 900, boot=6, uptime_s=20, t=None),
        row(3, codes.SESSION_ENDED, 905, boot=6, uptime_s=80, t=None),
    ]
    session = fold(events, 100_000)
    assert session.micro == 805 * COUNT
    assert session.low == 8 * COUNT
    assert "undated-gap" in session.reasons


def test_a_power_loss_that_it_ended_in():
    events = [
        *plain()[:2],
        row(2, codes.SESSION_ENDED, 110, boot=6, seq=0, uptime_s=22, t=1600, bound_s=540,
            reason=codes.REASON_POWER_LOSS, flaws=codes.FLAW_GAP),
    ]  # fmt: skip
    session = fold(events, 100_000)
    assert (session.low, session.micro, session.high) == (3 * COUNT, 10 * COUNT, 10 * COUNT)
    assert session.reasons == ("power-gap",)
    assert session.ended.bound_s == 540


def test_told_again_after_a_restart():
    events = plain()
    again = events[4]._replace(boot=6, seq=0, uptime_s=None, t=5000, bound_s=3000)
    whole = fold(events, 100_000)
    assert fold([*events, again], 100_000) == whole
    only = fold([*events[:4], again], 100_000)
    assert only.micro == whole.micro
    assert (only.ended.t, only.ended.bound_s) == (5000, 3000)
    earlier = again._replace(boot=4)  # boots are drawn when both stores are lost
    assert fold([*events, earlier], 100_000) == whole
    differs = again._replace(imported=110)
    session = fold([*events, differs], 100_000)
    assert session.conflicts == ((6, 0),)
    assert session.micro == whole.micro
    assert session.reasons == ("conflict",)


def test_the_same_identity_with_other_content():
    events = plain()
    session = fold([*events, events[1]._replace(imported=104)], 100_000)
    assert session.conflicts == ((5, 1),)
    assert session.needs_review
    later = events[1]._replace(t=None)  # the same record before it was dated
    assert fold([*events, later], 100_000) == fold(events, 100_000)


def test_what_comes_after_the_end_does_not_move_it():
    events = plain()
    closed = fold(events, 100_000)
    session = fold([*events, row(5, codes.SESSION_GOING_ON, 200)], 100_000)
    assert session.micro == closed.micro
    assert session.reasons == ("conflict",)


def test_a_closed_session_keeps_its_figures():
    events = plain()
    closed = fold(events, 100_000)
    assert revise(closed, fold(events, 100_000)) == closed
    odd = fold([*events[:4], events[4]._replace(imported=108, import_t3=38)], 100_000)
    kept = revise(closed, odd)
    assert kept.micro == closed.micro
    assert kept.reasons == ("changed-after-close",)
    still_open = fold(events[:2], 100_000)
    assert revise(still_open, closed) == closed


def test_one_that_never_told_its_end():
    events = plain()[:3]
    then = row(
        0, codes.SESSION_STARTED, 150, number=1, seq=50, t=4000, uptime_s=3500, import_t3=80
    )
    first, second = fold_all([then, *events], 100_000)
    assert first.state is State.CLOSED_WITH_GAP
    assert first.reasons == ("never-ended",)
    assert (first.micro, first.high) == (4 * COUNT, 50 * COUNT)
    assert second.state is State.OPEN
    assert second.reasons == ()


def test_tariffs():
    events = plain()
    assert fold([*events[:4], events[4]._replace(import_t3=90)], 100_000).reasons == (
        "tariffs-differ",
    )
    missing = [events[0]._replace(import_t2=None), *events[1:]]
    assert fold(missing, 100_000).tariffs == (0, None, 9 * COUNT, 0)
    none = [
        item._replace(import_t1=None, import_t2=None, import_t3=None, import_t4=None)
        for item in events
    ]
    assert fold(none, 100_000).tariffs == (None,) * 4
    assert fold(none, 100_000).reasons == ()


def test_a_certificate_that_ran_out_meanwhile():
    events = [item._replace(certified_t=1100) for item in plain()]
    assert fold(events, 100_000).reasons == ("certificate-expired",)


def test_reconcile():
    first = fold(plain(), 100_000)
    second = fold(
        [
            row(0, codes.SESSION_STARTED, 120, number=1, t=9000),
            row(1, codes.SESSION_ENDED, 130, number=1, t=9600, uptime_s=1100, seq=9),
        ],
        100_000,
    )
    other = fold([item._replace(meter_id=b"another") for item in plain()], 100_000)
    sessions = [first, second, other]

    def at(imported):
        return BASE._replace(imported=imported)

    whole = reconcile(sessions, at(90), at(150))
    assert (whole.counted, whole.assigned, whole.unassigned) == (60, 19, 41)
    assert reconcile(sessions, at(100), at(109)).unassigned == 0
    assert reconcile(sessions, at(105), at(125)).assigned == 4 + 5
    assert reconcile(sessions, at(110), at(119)).unassigned == 9
    with pytest.raises(ValueError, match="went back"):
        reconcile(sessions, at(150), at(90))
    with pytest.raises(ValueError, match="one meter"):
        reconcile(sessions, at(90), at(150)._replace(meter_id=b"another"))


def test_one_session_at_a_time():
    with pytest.raises(ValueError, match="one session"):
        fold([])
    with pytest.raises(ValueError, match="one session"):
        fold([*plain(), row(0, codes.SESSION_STARTED, 100, number=1)])


def test_events_of_records():
    values = list(BASE[4:])
    names = [field[0] for field in schema.SCHEMAS[schema.SESSION][3]]
    assert list(Event._fields[4:]) == names
    assert event("pile-1", 5, 0, 1000, values) == BASE
    assert event("pile-1", 5, 0, -7, values).t is None
    short = event("pile-1", 5, 0, None, [1, 5, 0, 0])
    assert (short.segment, short.flaws, short.read) == (0, 0, False)
    for wrong, code in (
        ([1, 5, 0], "missing"),
        ([None, 5, 0, 0], "missing"),
        ([1, b"5", 0, 0], "type"),
    ):
        with pytest.raises(EventError) as caught:
            event("pile-1", 5, 0, 1000, wrong)
        assert caught.value.code == code
