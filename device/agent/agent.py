"""The agent: one loop over parts, one place where records are made.

    agent = Agent(hal, config, errors, config_hash, identity)
    hal.run(agent.step, agent.stop)

`step(ticks_ms)` polls every part once and says in how many milliseconds it wants to run again. A part
that raises is counted and polled again next time: one broken sensor does not silence the others.
"""

from agent.clock import Clock
from agent.compat import const, print_exception
from agent.keep.boots import BootNumber
from agent.keep.outbox import Outbox
from agent.link.downlink import Downlink
from agent.link.supervisor import Supervisor
from agent.version import BUILT, VERSION
from agent.wire import schema
from agent.wire.encode import Encoder

_STEP_MAX_MS = const(1000)  # a loop that sleeps longer would let a watchdog bite
_FIRST_REPORT_MS = const(5000)  # sensors have said something by then
_DRAIN_MS = const(8000)  # for the last records, when it is asked to stop
_TRACEBACKS_MAX = const(5)  # printed; all are counted

_RUNNING = const(0)
_DRAINING = const(1)
_STOPPED = const(2)


class Agent:
    """A device. `make_profile(hal, config)` gives what it senses and reports (see profiles)."""

    def __init__(self, hal, config, config_errors, config_hash, identity, make_profile):
        self.clock = Clock(BUILT)
        store_a, store_b = hal.boot_stores()
        self.boot = BootNumber(store_a, store_b, hal.random)
        self.outbox = Outbox(config["outbox_bytes"], hal.random)
        self.part_errors = 0
        self.seq = 0
        self._hal = hal
        self._config_errors = config_errors
        self._ticks = hal.ticks_ms()
        self._encoder = Encoder()
        self._state = _RUNNING
        self._stop_ms = 0
        self._report_ms = config["report_s"] * 1000
        self._detail_ms = config["detail_s"] * 1000
        self._next_report_ms = min(_FIRST_REPORT_MS, self._report_ms)
        self._next_detail_ms = self._next_report_ms
        self._loop_max_ms = 0
        self.profile = make_profile(hal, config, config_errors)
        self._birth(hal, config_hash)
        self.downlink = Downlink(self.boot, self.outbox, self.clock)
        self.link = Supervisor(
            hal,
            config["broker.host"],
            config["broker.port"],
            config["broker.keepalive_s"],
            identity.device,
            identity.password,
            self.boot.value,
            self.outbox,
            self.downlink,
        )
        self._parts = tuple(self.profile.parts) + (self.downlink, self.link)

    def step(self, ticks_ms):
        """Run every part once; return the milliseconds until the next step, -1 when stopped."""
        now_ms = self.clock.advance(self._hal.ticks_diff(ticks_ms, self._ticks))
        self._ticks = ticks_ms
        if self._state != _RUNNING:
            return self._drain(now_ms)
        wait_ms = _STEP_MAX_MS
        for part in self._parts:
            wait_ms = min(wait_ms, self._poll(part, now_ms))
        try:
            self.profile.gather(self, now_ms)
            self._reports(now_ms)
        except Exception as error:  # noqa: BLE001  (the one place that keeps the loop alive)
            self._note(error)
        took_ms = self._hal.ticks_diff(self._hal.ticks_ms(), ticks_ms)
        self._loop_max_ms = max(took_ms, self._loop_max_ms)
        return max(wait_ms, 0)

    def stop(self):
        """Begin to stop: no new records; `step` sends what is kept, then gives -1."""
        if self._state == _RUNNING:
            self._state = _DRAINING
            self._stop_ms = self.clock.now_ms

    def emit(self, schema_id, values):
        """Make a record of `values` and keep it until the gateway has acknowledged it."""
        n = self._encoder.record(schema_id, self.boot.value, self.seq, self.clock.t(), values)
        self.outbox.put(self._encoder.buf, n, self.seq)
        self.seq += 1

    def _drain(self, now_ms):
        if self._state == _STOPPED:
            return -1
        wait_ms = self._poll(self.link, now_ms)
        if not self.outbox.kept or now_ms - self._stop_ms > _DRAIN_MS:
            self.link.close()
            self._state = _STOPPED
            print(
                "fairway: stopped, boot %d: %d records made, %d not acknowledged"
                % (self.boot.value, self.seq, self.outbox.kept)
            )
            return -1
        return wait_ms

    def _poll(self, part, now_ms):
        try:
            return part.poll(now_ms)
        except Exception as error:  # noqa: BLE001  (the other one: a part alone)
            self._note(error)
            return _STEP_MAX_MS

    def _note(self, error):
        self.part_errors += 1
        if self.part_errors <= _TRACEBACKS_MAX:
            print_exception(error)

    def _reports(self, now_ms):
        if self.clock.changed:
            self.emit(schema.CLOCK, self.clock.take_change())
        if now_ms >= self._next_report_ms:
            self._next_report_ms = _later(self._next_report_ms, self._report_ms, now_ms)
            self.profile.report(self, now_ms)
        if now_ms >= self._next_detail_ms:
            self._next_detail_ms = _later(self._next_detail_ms, self._detail_ms, now_ms)
            self.profile.detail(self, now_ms)
            self._health()

    def _birth(self, hal, config_hash):
        self.emit(
            schema.BIRTH,
            (
                hal.reset_cause(),
                self.profile.code,
                VERSION,
                hal.name.encode(),
                config_hash,
                self.boot.good,
                len(self._config_errors),
            ),
        )

    def _health(self):
        self.emit(
            schema.HEALTH,
            (
                self.clock.uptime_s(),
                self._hal.heap_free(),
                self._loop_max_ms,
                self.outbox.kept,
                self.outbox.kept_bytes,
                self.outbox.dropped,
                self.outbox.resent,
                self.outbox.quarantined,
                self._encoder.refused + self.profile.refused(),
                self.link.connects,
                self.link.errors,
                self.downlink.bad,
                len(self._config_errors),
                self.part_errors,
            ),
        )
        self._loop_max_ms = 0


def _later(due_ms, period_ms, now_ms):
    """Return the next time after `due_ms`, or after now when whole periods were missed."""
    due_ms += period_ms
    return due_ms if due_ms > now_ms else now_ms + period_ms
