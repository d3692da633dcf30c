"""Polls a meter and gives out what was read lately.

    meter = MeterReader(line, protocol="dlt645", address="202410010001", ct=40)
    wait_ms = meter.poll(now_ms)            # until it wants to run again
    meter.meter_values(now_ms, values, 1)   # the `meter` schema behind its flags
    meter.quality(now_ms)                   # the first eight values of `supply`
    meter.energy(now_ms)                    # for `energy-count`
    meter.silent_ms(now_ms)                 # since the meter answered last

Once a period it asks for everything, one request at a time, each after the line has been silent.
A meter that does not answer the first question is left alone until the next period; from then on
another question is the first, so that one datum the meter is mute about does not hide the others. A
value not read within two of its periods is not given out, and one that jumps only when it is read
twice.

`order` has the meter's relay switched between two requests; a new reading follows at once.
"""

from agent.compat import const
from agent.meter.master import ANSWER, ERROR, IDLE, NOISE, WAITING
from agent.meter.questions import AGAIN, LATER, OVER, check, check_settings, questions_for
from agent.meter.readings import Readings
from agent.meter.talk import Talk

# The states of one request:
#   REST  the line is drained; leaves when it is due and the line has been silent     -> SEND
#   SEND  the line has not taken the whole request yet                                -> WAIT
#   WAIT  for the answer; leaves with it, with a refusal, or when the time is up      -> REST
# A telegram with the time has no answer: SEND -> REST.
_REST = const(0)
_SEND = const(1)
_WAIT = const(2)

# What the present request is.
_QUESTION = const(0)
_ORDER = const(1)
_TIME = const(2)

_POLL_MS = const(10)  # while bytes may come: 35 characters at 38400 baud, an UART keeps 256
_GAP_MS = const(20)  # least silence before a request: the shortest answer delay of DL/T 645
_SLACK_MS = const(50)  # an answer at the last moment, seen one late poll later
_AGAIN_MAX = const(2)  # times that a step is asked again for values that jumped
_PERIOD_MAX_MS = const(3600000)  # an hour
_ORDER_CHARACTERS = const(60)  # of an order and its answer, wake-up bytes included
_ORDER_MAX_MS = const(20000)  # an order that the line did not let through by then is void
_TIME_FIRST_MS = const(3600000)  # a board that starts again and again tells no meter the time
_TIME_EVERY_MS = const(86400000)  # meters take it once a day
_DEFAULT_BAUD = {"dlt645": 2400}  # of meters as delivered; the others: 9600


class MeterReader(Readings):
    """One meter on one line (`readinto(buf) -> int`, `write(data) -> int`, as in `agent.hal`).

    protocol      a name of `questions.PROTOCOLS`
    address       DL/T 645: twelve digits, "" for the only meter on the line (it is asked)
    unit          Modbus: 1 to 247
    baud          the line's, for the times; None: as meters are delivered
    pt, ct        transformer ratios, 1 to 65535
    period_ms     from one reading to the next
    energy_every  energy registers are read every so many periods
    retries       further tries of a request that got no answer, 0 to 3
    timeout_ms    the longest delay of an answer; DL/T 645 allows 20 to 500 ms
    wakeups       DL/T 645: FEh bytes before a request, 0 to 4
    password      DL/T 645: eight digits, level and password as the meter has them; "": its relay is
                  not switched
    operator      DL/T 645: eight digits that the meter notes with an order
    time          DL/T 645: `time(now_ms)` -> (year, month, day, hour, minute, second) as the meter's
                  clock should show it, or None while that is not known; told once a day. None: never

    Counters: `frames` good answers, `bad` refused frames and refusals of the meter, `silent` tries
    without an answer, `noise` bytes that were no frame, `refused` values out of a record's range,
    `doubted` values that jumped. Raises ValueError, with the key and what is allowed, for a bad setting.
    """

    def __init__(
        self,
        line,
        protocol="dlt645",
        address="",
        unit=1,
        baud=None,
        pt=1,
        ct=1,
        period_ms=10000,
        energy_every=1,
        retries=1,
        timeout_ms=500,
        wakeups=4,
        password="",
        operator="00000000",
        time=None,
    ):
        if baud is None:
            baud = _DEFAULT_BAUD.get(protocol, 9600)
        check_settings(pt, ct, energy_every, retries, timeout_ms)
        questions = questions_for(protocol, address, unit, wakeups, password, operator)
        self._questions = questions
        self._talk = Talk(line, questions.master, baud)
        self._timeout_ms = timeout_ms + _SLACK_MS
        self._gap_ms = max(_GAP_MS, self._talk.ms(7) // 2 + 1)  # 3.5 characters
        # A meter that takes its time must still be read within the two periods a value lives.
        slowest_ms = 0
        for step in range(questions.steps):
            if questions.wanted(step, True):
                slowest_ms += self._patience_ms(step) + self._gap_ms
        check("period_ms", period_ms, slowest_ms // 2 + 1, _PERIOD_MAX_MS)
        super().__init__(questions.meter_id, pt, ct, 2 * period_ms, energy_every)
        self._retries = retries
        self._state = _REST
        self._sending = _QUESTION
        self._until_ms = 0  # REST: no request before; SEND and WAIT: given up then
        self._cycle = 0  # full readings so far
        self._cycle_ms = None  # when the present one began
        self._step = 0  # the present one
        self._left = 0  # steps of the cycle, with the present one
        self._tries = 0  # of the present request
        self._again = 0  # times that the present step was asked again
        self._answered = False  # anything in this cycle
        self._heard_ms = 0  # the last answer
        self._time = time
        self._time_ms = 0  # not told before
        self._order = None  # to send: whether it permits
        self._order_until_ms = 0
        # What became of the last order: WAITING, ANSWER, ERROR, or IDLE: no answer.
        self.ordered = IDLE
        self.ordered_ms = 0  # when that was known
        self.frames = 0
        self.silent = 0

    @property
    def bad(self):
        return self._questions.master.bad

    @property
    def noise(self):
        return self._questions.master.counts[NOISE]

    @property
    def error(self):
        """The meter's last refusal: ERR bits of DL/T 645 or a Modbus exception; 0: none yet."""
        return self._questions.master.error

    def silent_ms(self, now_ms):
        """Time since the last good answer, at first since the first question."""
        return 0 if self._cycle_ms is None else now_ms - self._heard_ms

    def order(self, permit, now_ms):
        """Have the relay opened, or a hand permitted to close it; return whether that can be.

        It is sent once and never again. `ordered` says what became of it.
        """
        if not self._questions.switches() or self.ordered == WAITING:
            return False
        self._order = permit
        self._order_until_ms = now_ms + _ORDER_MAX_MS
        self.ordered = WAITING
        if self._state == _REST:
            self._until_ms = min(self._until_ms, now_ms + self._gap_ms)
        return True

    def poll(self, now_ms):
        """Do what can be done now; return the milliseconds until the next call is wanted."""
        if self._cycle_ms is None:
            self._heard_ms = now_ms
            self._time_ms = now_ms + _TIME_FIRST_MS
            self._cycle_ms = now_ms - (self._life_ms >> 1)
            return self._begin_cycle(now_ms, 0)
        if self._order is not None and now_ms >= self._order_until_ms:
            self._close_order(now_ms, IDLE)
        if self._state == _REST:
            return self._rest(now_ms)
        if self._state == _SEND:
            return self._sent(self._talk.go_on(), now_ms)
        return self._wait(now_ms)

    def _rest(self, now_ms):
        if self._talk.drain():
            self._until_ms = max(self._until_ms, now_ms + self._gap_ms)
        if now_ms < self._until_ms:
            return self._until_ms - now_ms
        if self._order is not None:
            return self._send_order(now_ms)
        parts = self._time(now_ms) if self._time and now_ms >= self._time_ms else None
        request = parts and self._questions.set_time(parts)
        if request:
            self._sending = _TIME
            self._time_ms = now_ms + _TIME_EVERY_MS
            return self._begin(request, now_ms, now_ms + self._timeout_ms)
        self._tries += 1
        request = self._questions.request(self._step)
        return self._begin(request, now_ms, now_ms + self._patience_ms(self._step))

    def _begin(self, request, now_ms, until_ms):
        self._until_ms = until_ms
        return self._sent(self._talk.say(request), now_ms)

    def _sent(self, whole, now_ms):
        if not whole:
            self._state = _SEND
            return self._give_up(now_ms) if now_ms >= self._until_ms else _POLL_MS
        if self._sending == _TIME:
            return self._resume(now_ms)
        self._state = _WAIT
        return _POLL_MS

    def _wait(self, now_ms):
        result = self._talk.hear()
        if self._sending == _ORDER and result in (ANSWER, ERROR):
            return self._read_back(now_ms, result)
        if result == ANSWER:
            self.frames += 1
            self._answered = True
            self._heard_ms = now_ms
            if self._questions.weak:
                self._hear(self.bad + self.noise)
            return self._advance(now_ms, self._questions.take(self._step, self, now_ms))
        if result == ERROR:
            self._answered = True
            return self._advance(now_ms, self._questions.refused(self._step, self.error))
        if now_ms >= self._until_ms:
            return self._give_up(now_ms)
        return min(_POLL_MS, self._until_ms - now_ms)

    def _resume(self, now_ms):
        """Go on with the questions when a telegram with the time has left."""
        self._sending = _QUESTION
        return self._pause(now_ms + self._talk.ms(_ORDER_CHARACTERS) + self._gap_ms, now_ms)

    def _send_order(self, now_ms):
        permit, self._order = self._order, None
        if not self._questions.switches():  # the meter fell silent, and may be another by now
            return self._read_back(now_ms, IDLE)
        self._sending = _ORDER
        until_ms = now_ms + self._timeout_ms + self._talk.ms(_ORDER_CHARACTERS)
        return self._begin(self._questions.switch(permit), now_ms, until_ms)

    def _read_back(self, now_ms, result):
        """Begin a new reading at once, to see how the relay stands now."""
        self._sending = _QUESTION
        self._close_order(now_ms, result)
        self._cycle_ms = now_ms - (self._life_ms >> 1)
        return self._begin_cycle(now_ms, self._questions.status)

    def _close_order(self, now_ms, result):
        self._order = None
        self.ordered = result
        self.ordered_ms = now_ms

    def _give_up(self, now_ms):
        if self._sending == _TIME:
            return self._resume(now_ms)
        self.silent += 1
        if self._sending == _ORDER:
            return self._read_back(now_ms, IDLE)
        if self._tries <= self._retries:
            return self._pause(now_ms + self._gap_ms, now_ms)
        if self._answered:
            return self._advance(now_ms, self._questions.refused(self._step, 0))
        self._questions.lost()
        return self._begin_cycle(now_ms, self._step + 1)

    def _advance(self, now_ms, result):
        """Leave the present request; the step goes on or is over, as `result` says."""
        self._tries = 0
        wait_ms = self._gap_ms
        if result == AGAIN:
            self._again += 1
        if result == LATER:
            wait_ms = self._patience_ms(self._step)
        elif result == OVER or self._again > _AGAIN_MAX:
            self._step += 1
            self._left -= 1
            self._again = 0
            if not self._find_step():
                self._cycle += 1
                return self._begin_cycle(now_ms, self._step)
        return self._pause(now_ms + wait_ms, now_ms)

    def _begin_cycle(self, now_ms, first):
        """Plan the next reading, step `first` first, a period after the last one began."""
        self._step = first
        self._left = self._questions.steps
        self._tries = 0
        self._again = 0
        self._answered = False
        self._find_step()
        self._cycle_ms = max(now_ms + self._gap_ms, self._cycle_ms + (self._life_ms >> 1))
        return self._pause(self._cycle_ms, now_ms)

    def _find_step(self):
        """Go on to the next step that is wanted; return whether there is one in this cycle."""
        energy = self._cycle % self._energy_every == 0
        while self._left:
            self._step %= self._questions.steps
            if self._questions.wanted(self._step, energy):
                return True
            self._step += 1
            self._left -= 1
        return False

    def _pause(self, until_ms, now_ms):
        self._state = _REST
        self._until_ms = until_ms
        return until_ms - now_ms

    def _register(self):
        return self._questions.modulus, self._questions.floats

    def _patience_ms(self, step):
        """Longest time from a request's first byte to its answer's last."""
        return self._timeout_ms + self._talk.ms(self._questions.characters(step))
