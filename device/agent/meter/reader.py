"""Polls a meter and gives out what was read lately.

    meter = MeterReader(line, protocol="dlt645", address="202410010001", ct=40)
    wait_ms = meter.poll(now_ms)            # until it wants to run again
    meter.meter_values(now_ms, values, 1)   # the `meter` schema behind its flags
    meter.energy(now_ms)                    # for `energy-count`

Once a period it asks for everything, one request at a time, each after the line has been silent.
A meter that does not answer the first question is left alone until the next period; from then on
another question is the first, so that one datum the meter is mute about does not hide the others. A
value not read within two of its periods is not given out.

`order` has the meter's relay switched between two requests; a new reading follows at once.
"""

from agent.compat import const
from agent.meter.master import ANSWER, ERROR, IDLE, NOISE, WAITING
from agent.meter.questions import check, questions_for
from agent.meter.readings import Readings

# The states of one request:
#   REST  the line is drained; leaves when it is due and the line has been silent     -> SEND
#   SEND  the line has not taken the whole request yet                                -> WAIT
#   WAIT  for the answer; leaves with it, with a refusal, or when the time is up      -> REST
_REST = const(0)
_SEND = const(1)
_WAIT = const(2)

_POLL_MS = const(10)  # while bytes may come: 35 characters at 38400 baud, an UART keeps 256
_GAP_MS = const(20)  # least silence before a request: the shortest answer delay of DL/T 645
_SLACK_MS = const(50)  # an answer at the last moment, seen one late poll later
_CHUNK = const(64)  # bytes taken from the line at once
_CHUNKS_MAX = const(8)  # of them in one poll: 512 bytes, more than any answer
_BITS = const(11)  # bits of a character: start, eight, parity or second stop, stop
_RATIO_MAX = const(65535)  # `pt` and `ct` of `energy-count`
_PERIOD_MAX_MS = const(3600000)  # an hour
_ENERGY_EVERY_MAX = const(1000)
_RETRIES_MAX = const(3)
_ORDER_CHARACTERS = const(60)  # of an order and its answer, wake-up bytes included
_ORDER_MAX_MS = const(20000)  # an order that the line did not let through by then is void
_TIMEOUT_MAX_MS = const(5000)  # ten times what DL/T 645 allows: lines bridged over a radio
_BAUDS = (600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
_DEFAULT_BAUD = {"dlt645": 2400}  # of meters as delivered; the others: 9600


class MeterReader(Readings):
    """One meter on one line (`readinto(buf) -> int`, `write(data) -> int`, as in `agent.hal`).

    protocol      "dlt645" or a name in `maps.MODBUS`
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

    Counters: `frames` good answers, `bad` refused frames and refusals of the meter, `silent` tries
    without an answer, `noise` bytes that were no frame, `refused` values out of a record's range.
    Raises ValueError, with the key and what is allowed, for a bad setting.
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
    ):
        if baud is None:
            baud = _DEFAULT_BAUD.get(protocol, 9600)
        if baud not in _BAUDS:
            raise ValueError("baud: %r is none of %s" % (baud, ", ".join(map(str, _BAUDS))))
        check("pt", pt, 1, _RATIO_MAX)
        check("ct", ct, 1, _RATIO_MAX)
        check("energy_every", energy_every, 1, _ENERGY_EVERY_MAX)
        check("retries", retries, 0, _RETRIES_MAX)
        check("timeout_ms", timeout_ms, 20, _TIMEOUT_MAX_MS)
        questions = questions_for(protocol, address, unit, wakeups, password, operator)
        self._questions = questions
        self._baud = baud
        self._timeout_ms = timeout_ms + _SLACK_MS
        self._gap_ms = max(_GAP_MS, self._line_ms(7) // 2 + 1)  # 3.5 characters
        # A meter that takes its time must still be read within the two periods a value lives.
        slowest_ms = sum(self._patience_ms(i) + self._gap_ms for i in range(questions.steps))
        check("period_ms", period_ms, slowest_ms // 2 + 1, _PERIOD_MAX_MS)
        life_ms = 2 * period_ms
        super().__init__(
            questions.exponents, questions.meter_id, pt, ct, life_ms, life_ms * energy_every
        )
        self._period_ms = period_ms
        self._energy_every = energy_every
        self._retries = retries
        self._line = line
        self._chunk = bytearray(_CHUNK)
        self._state = _REST
        self._request = b""
        self._until_ms = 0  # REST: no request before; SEND and WAIT: given up then
        self._cycle = 0  # full readings so far
        self._cycle_ms = 0  # when the present one began
        self._plan = []  # its steps
        self._done = 0  # how many of them are over
        self._tries = 0  # of the present step
        self._answered = False  # anything in this cycle
        self._order = None  # to send: whether it permits
        self._order_until_ms = 0
        self._ordering = False  # sent; its answer is due
        self.ordered = (
            IDLE  # what became of the last order: WAITING, ANSWER, ERROR, or IDLE: no answer
        )
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
        if not self._plan:
            self._cycle_ms = now_ms - self._period_ms
            return self._begin_cycle(now_ms, 0)
        if self._order is not None and now_ms >= self._order_until_ms:
            self._close_order(now_ms, IDLE)
        if self._state == _REST:
            return self._rest(now_ms)
        if self._state == _SEND:
            return self._send(now_ms)
        return self._wait(now_ms)

    def _rest(self, now_ms):
        if self._drain():
            self._until_ms = max(self._until_ms, now_ms + self._gap_ms)
        if now_ms < self._until_ms:
            return self._until_ms - now_ms
        if self._order is not None:
            return self._send_order(now_ms)
        step = self._plan[self._done]
        self._tries += 1
        self._request = self._questions.request(step)
        self._until_ms = now_ms + self._patience_ms(step)
        return self._send(now_ms)

    def _send(self, now_ms):
        taken = self._line.write(self._request)
        if taken < len(self._request):
            self._request = self._request[taken:]
            self._state = _SEND
            return self._give_up(now_ms) if now_ms >= self._until_ms else _POLL_MS
        self._state = _WAIT
        return _POLL_MS

    def _wait(self, now_ms):
        result = self._receive()
        if self._ordering and result in (ANSWER, ERROR):
            return self._read_back(now_ms, result)
        if result == ANSWER:
            self.frames += 1
            self._answered = True
            over = self._questions.take(self._plan[self._done], self, now_ms)
            return self._advance(now_ms, 1 if over else 0)
        if result == ERROR:
            self._answered = True
            return self._advance(now_ms, 1)
        if now_ms >= self._until_ms:
            return self._give_up(now_ms)
        return min(_POLL_MS, self._until_ms - now_ms)

    def _send_order(self, now_ms):
        permit, self._order = self._order, None
        if not self._questions.switches():  # the meter fell silent, and may be another by now
            return self._read_back(now_ms, IDLE)
        self._request = self._questions.switch(permit)
        self._ordering = True
        self._until_ms = now_ms + self._timeout_ms + self._line_ms(_ORDER_CHARACTERS)
        return self._send(now_ms)

    def _read_back(self, now_ms, result):
        """Begin a new reading at once, to see how the relay stands now."""
        self._ordering = False
        self._close_order(now_ms, result)
        self._cycle_ms = now_ms - self._period_ms
        return self._begin_cycle(now_ms, self._questions.status)

    def _close_order(self, now_ms, result):
        self._order = None
        self.ordered = result
        self.ordered_ms = now_ms

    def _give_up(self, now_ms):
        self.silent += 1
        if self._ordering:
            return self._read_back(now_ms, IDLE)
        if self._tries <= self._retries:
            return self._pause(now_ms + self._gap_ms, now_ms)
        if self._answered:
            return self._advance(now_ms, 1)
        self._questions.lost()
        return self._begin_cycle(now_ms, self._plan[self._done] + 1)

    def _advance(self, now_ms, over):
        """Leave the present request; with it `over` steps of the cycle are done."""
        self._tries = 0
        self._done += over
        if self._done < len(self._plan):
            return self._pause(now_ms + self._gap_ms, now_ms)
        self._cycle += 1
        return self._begin_cycle(now_ms, self._plan[0])

    def _begin_cycle(self, now_ms, first):
        """Plan the next reading, `first` step first, a period after the last one began."""
        questions = self._questions
        energy = self._cycle % self._energy_every == 0
        self._plan = []
        for i in range(questions.steps):
            step = (first + i) % questions.steps
            if energy or not questions.is_energy(step):
                self._plan.append(step)
        self._done = 0
        self._tries = 0
        self._answered = False
        self._cycle_ms = max(now_ms + self._gap_ms, self._cycle_ms + self._period_ms)
        return self._pause(self._cycle_ms, now_ms)

    def _pause(self, until_ms, now_ms):
        self._state = _REST
        self._until_ms = until_ms
        return until_ms - now_ms

    def _receive(self):
        """Give the master what has come; return what it makes of it."""
        result = WAITING
        for _ in range(_CHUNKS_MAX):
            n = self._line.readinto(self._chunk)
            result = self._questions.master.feed(self._chunk, n)
            if result != WAITING or n < _CHUNK:
                break
        return result

    def _drain(self):
        """Throw away what has come unasked; return how many bytes."""
        dropped = 0
        for _ in range(_CHUNKS_MAX):
            n = self._line.readinto(self._chunk)
            dropped += n
            if n < _CHUNK:
                break
        self._questions.master.counts[NOISE] += dropped
        return dropped

    def _patience_ms(self, step):
        """Longest time from a request's first byte to its answer's last."""
        return self._timeout_ms + self._line_ms(self._questions.characters(step))

    def _line_ms(self, characters):
        return (characters * _BITS * 1000 + self._baud - 1) // self._baud
