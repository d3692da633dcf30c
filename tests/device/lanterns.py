"""A lantern whose current can be read, with all that makes its rhythm hard to see. Both interpreters.

lantern = FakeLantern(read("Fl(2) R 6s").phases, seed=1)
lantern.pwm_hz, lantern.duty = 200, 30
watched = Watched(light, lantern)
watched.run(60000)
"""


class Dice:
    """The same numbers on both interpreters."""

    def __init__(self, seed):
        self._x = seed * 2654435 + 12345 & 0x7FFFFFFF

    def below(self, n):
        self._x = self._x * 1103515245 + 12345 & 0x7FFFFFFF
        return (self._x >> 8) % n

    def about(self, value, percent):
        """Return `value` with as much as `percent` more or less."""
        off = value * percent // 100
        return value - off + self.below(2 * off + 1)


class FakeLantern:
    """Shows `phases` (light, dark … in ms; none: always lit). `read()` gives mA and takes `read_us`.

    noise     % by which the length of every phase may be off
    ramp_ms   it takes so long to come up, and to go out
    pwm_hz    it is dimmed by switching, `duty` % of the time on; `filtered`: its current is smoothed
    contact   it is a relay's contact that gives 0 or 1, and bounces for `bounce_us`
    dark      it has failed;  `stuck`: it is always lit;  `strength`: % of its current
    """

    def __init__(self, phases, seed=1, noise=5, ma=350):
        self.dice = Dice(seed)
        self.noise = noise
        self.ma = ma
        self.ramp_ms = 0
        self.pwm_hz = 0
        self.duty = 100
        self.filtered = False
        self.contact = False
        self.bounce_us = 8000
        self.read_us = 90
        self.dark = False
        self.stuck = False
        self.strength = 100
        self.now_us = 0
        self._noise = seed
        self.show(phases)

    def show(self, phases):
        """Show this from now on, beginning with light."""
        self.phases = list(phases)
        self._then = None
        self._i = -1
        self._from_us = self._until_us = self.now_us
        self._lit = False

    def rest_ms(self):
        """Return in how many ms about the next period begins."""
        return sum(self.phases[self._i + 1 :]) + (self._until_us - self.now_us) // 1000

    def change(self, phases):
        """Show this from the next period on; return in how many ms about that is."""
        self._then = list(phases)
        return self.rest_ms()

    def _next(self):
        if not self.phases:
            self._lit = True
            self._until_us += 1 << 40
            return
        self._i = (self._i + 1) % len(self.phases)
        if not self._i and self._then is not None:
            self.phases = self._then
            self._then = None
        self._lit = not self._i & 1
        self._from_us = self._until_us
        self._until_us += self.dice.about(self.phases[self._i] * 1000, self.noise)

    def read(self):
        now_us = self.now_us = self.now_us + self.read_us
        while now_us >= self._until_us:
            self._next()
        if self.contact:
            if self.dark or self.stuck:
                return int(self.stuck)
            bounces = now_us - self._from_us < self.bounce_us
            return self.dice.below(2) if bounces else int(self._lit)
        ma = self.ma * self.strength // 100 if self._lit or self.stuck else 0
        since_us = now_us - self._from_us
        ramp_us = self.ramp_ms * 1000
        if since_us < ramp_us and not self.stuck:
            part_us = since_us if self._lit else ramp_us - since_us
            ma = self.ma * self.strength * part_us // (100 * ramp_us)
        if self.dark:
            ma = 0
        if self.pwm_hz and ma:
            if self.filtered:
                ma = ma * self.duty // 100
            else:
                period_us = 1000000 // self.pwm_hz
                if now_us % period_us * 100 >= self.duty * period_us:
                    ma = 0
        # As much as 2 % of the current and 2 mA.
        self._noise = self._noise * 1103515245 + 12345 & 0x7FFFFFFF
        return ma + (ma + 100) * ((self._noise >> 8) % 5 - 2) // 100


class Watched:
    """Polls a part that looks at a lantern, as a board does: never early, a little late, at times very.

    `late` are (one time in so many, ms). `slow_ms`: it is never polled earlier, so that hours pass.
    """

    def __init__(self, part, lantern, late=((40, 100), (1500, 500)), now_ms=1000):
        self.part = part
        self.lantern = lantern
        self.late = late
        self.slow_ms = 0
        self.now_ms = now_ms
        self.dice = Dice(77)
        self._wait_ms = 0

    def run(self, ms, each=None):
        """Go on for so long; `each(now_ms)` after every poll ends it by returning True."""
        until = self.now_ms + ms
        lantern = self.lantern
        while self.now_ms < until:
            self.now_ms += max(self._wait_ms, self.slow_ms) + self.dice.below(4)
            for times, late_ms in self.late:
                if not self.dice.below(times):
                    self.now_ms += self.dice.below(late_ms)
            lantern.now_us = max(self.now_ms * 1000, lantern.now_us)
            self._wait_ms = self.part.poll(self.now_ms)
            if each and each(self.now_ms):
                return True
        return False
