"""A month in front of a lantern: nothing is said while it is healthy, and each fault is said in time.

A board looks fifty times a second, 65 million times in a month of nights. `make test` looks for 75 s
twice a night, in turn at dusk, as the agent begins to want light, at midnight and at dawn, and passes
over the rest as a board does that was not polled. `--prove` looks at every sample of three whole
nights and nine more dusks and dawns of six characters, and of all thirty nights of one.
"""

from random import Random

import pytest
from lanterns import FakeLantern, Watched

from agent.alarms import Alarms
from agent.sense import character
from agent.sense.light import Light
from agent.wire import codes

DAY_S = 86400
DUSK_S, DAWN_S = 18 * 3600, 30 * 3600  # from midnight; a night is 12 h
TWILIGHT_S = 1200


class Sky:
    """Day and night by the clock: `should` says either for as long as twilight lasts."""

    def __init__(self) -> None:
        self.lux: int | None = None
        self.sun_dd: int | None = None
        self.storms: list[tuple[int, int]] = []

    def of(self, now_ms: int) -> int:
        s = now_ms // 1000 % DAY_S
        if s < DAWN_S - DAY_S or s >= DUSK_S:
            since = (s - DUSK_S) % DAY_S
            return codes.SHOULD if since > TWILIGHT_S else codes.SHOULD_EITHER
        since = s - (DAWN_S - DAY_S)
        return codes.SHOULD_NOT if since > TWILIGHT_S else codes.SHOULD_EITHER

    def should(self, now_ms: int) -> int:
        should = self.of(now_ms)
        self.bright = should == codes.SHOULD_NOT
        self.lux = 30000 if self.bright else 1
        return should


class Buoy:
    """A light that is watched; the lantern switches itself some minutes after the agent's dusk."""

    def __init__(self, text: str, seed: int, start_s: int = DUSK_S - 60) -> None:
        self.dice = Random(seed)
        self.character = character.read(text)
        self.lantern = FakeLantern(self.character.phases, seed, noise=2)
        self.lantern.ramp_ms = self.dice.choice((0, 0, 60))
        self.sky = Sky()
        self.alarms = Alarms()
        self.told: list[tuple] = []
        self.light = Light(
            self.lantern, self.character, self.sky, self.alarms, lambda now_ms: None, 20, 280
        )
        self.watched = Watched(self.light, self.lantern, now_ms=start_s * 1000)
        self.failed = False
        self.by_day = False
        self.delay_s = 300

    def look(self, now_ms: int) -> bool:
        night = self.sky.of(now_ms - self.delay_s * 1000) == codes.SHOULD or (
            self.sky.of(now_ms) == codes.SHOULD
        )
        self.lantern.dark = self.failed or not (night or self.by_day)
        while alarm := self.alarms.next_alarm():
            self.told.append((now_ms, *alarm[:2]))
        return False

    def run_s(self, s: int) -> None:
        self.watched.run(s * 1000, self.look)

    def skip_to_s(self, s: int) -> None:
        """Let time pass with nobody looking, and the lantern go on."""
        now_s = self.watched.now_ms // 1000
        ahead = (s - now_s) % DAY_S
        self.watched.now_ms += ahead * 1000
        self.lantern.now_us = self.watched.now_ms * 1000
        self.lantern.show(self.lantern.phases)
        self.look(self.watched.now_ms)


PLACES = (DUSK_S - 60, DUSK_S + TWILIGHT_S - 60, DUSK_S + 6 * 3600, DAWN_S - 45)


@pytest.mark.parametrize("text", ["Fl(2) R 6s", "Q(6)+LFl 15s", "Iso 4s"])
def test_a_healthy_month_says_nothing(text):
    buoy = Buoy(text, len(text))
    for night in range(30):
        for place in PLACES[night % 4 :: 2]:
            buoy.skip_to_s(place)
            buoy.run_s(75)
    assert buoy.told == []
    values = buoy.light.values(buoy.watched.now_ms)
    assert values[-2] > 700
    assert values[-1] == 0


@pytest.mark.prove
@pytest.mark.parametrize("text", ["Fl G 4s", "VQ(9) 10s", "Mo(A) 8s", "Oc(2) 8s", "VQ", "F R"])
def test_whole_nights_say_nothing(text):
    buoy = Buoy(text, len(text))
    for _ in range(3):
        buoy.skip_to_s(DUSK_S - 600)
        buoy.run_s(DAWN_S - DUSK_S + TWILIGHT_S + 1200)
    for _ in range(9):
        buoy.skip_to_s(DUSK_S - 600)
        buoy.run_s(TWILIGHT_S + 1200)
        buoy.skip_to_s(DAWN_S - 600)
        buoy.run_s(TWILIGHT_S + 1200)
    assert buoy.told == []


@pytest.mark.prove
def test_every_sample_of_a_month_says_nothing():
    """Twenty minutes, for one character; the days between the nights are passed over."""
    buoy = Buoy("Fl(2) R 6s", 30)
    for _ in range(30):
        buoy.skip_to_s(DUSK_S - 600)
        buoy.run_s(DAWN_S - DUSK_S + TWILIGHT_S + 1200)
    assert buoy.told == []


# Each returns in how many ms it shows: until then the light is as it should be.


def dark(buoy: Buoy) -> int:
    buoy.failed = True
    return 0


def stuck(buoy: Buoy) -> int:
    buoy.lantern.stuck = True
    return 0


def slow(buoy: Buoy) -> int:
    phases = buoy.lantern.phases
    return buoy.lantern.change([*phases[:-1], phases[-1] + 1500]) + sum(phases)


def weak(buoy: Buoy) -> int:
    buoy.lantern.strength = 60
    return buoy.lantern.rest_ms()


@pytest.mark.parametrize("text", ["Fl(2) R 6s", "Q(6)+LFl 15s", "Iso 4s", "Mo(A) 8s", "Oc(2) 8s"])
@pytest.mark.parametrize(
    ("fail", "alarm"),
    [
        (dark, codes.ALARM_UNLIT),
        (stuck, codes.ALARM_ALWAYS_ON),
        (slow, codes.ALARM_WRONG_RHYTHM),
        (weak, codes.ALARM_REDUCED),
    ],
)
def test_each_fault_is_said_in_time_and_alone(text, fail, alarm):
    buoy = Buoy(text, 5, DUSK_S + 3 * 3600)
    buoy.watched.late = ((40, 50),)  # all of it is seen
    period_s = buoy.character.period_ms // 1000
    buoy.run_s(10 * period_s + buoy.dice.randrange(period_s))
    assert buoy.told == []
    shows_ms = buoy.watched.now_ms + fail(buoy)
    buoy.run_s(5 * period_s + 5)
    assert [told[1:] for told in buoy.told] == [(alarm, 1)]
    # Periods are up to 2 % longer, and what takes its time is looked at once a second.
    assert buoy.told[0][0] - shows_ms <= 3 * period_s * 1020 + 1200
    whole_ms = buoy.watched.now_ms
    buoy.failed = buoy.lantern.stuck = False
    buoy.lantern.strength = 100
    buoy.lantern.show(buoy.character.phases)
    buoy.run_s(6 * period_s + 15)
    assert [told[1:] for told in buoy.told[1:]] == [(alarm, 0)]
    assert buoy.told[1][0] - whole_ms > 2 * period_s * 1000


def test_a_light_that_fails_at_dusk():
    buoy = Buoy("Fl(2) R 6s", 3, DUSK_S - 60)
    buoy.failed = True
    buoy.run_s(TWILIGHT_S + 60)
    assert buoy.told == []  # it may still be dark
    buoy.run_s(19 + 5)
    assert [told[1:] for told in buoy.told] == [(codes.ALARM_UNLIT, 1)]


def test_a_light_that_does_not_go_out_at_dawn():
    buoy = Buoy("Iso 4s", 3, DAWN_S - 60)
    buoy.by_day = True
    buoy.run_s(60 + TWILIGHT_S + 890)
    assert buoy.told == []
    buoy.run_s(40)
    assert [told[1:] for told in buoy.told] == [(codes.ALARM_LIT_BY_DAY, 1)]
