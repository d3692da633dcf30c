"""The agent: one loop over parts, one place where records are made.

    agent = Agent(given)            what a start knows (main.Start)
    hal.run(agent.step, agent.stop)

`step(ticks_ms)` polls every part once and says in how many milliseconds it wants to run again. A part
that raises is counted and polled again next time: one broken sensor does not silence the others. A
part that never returns is bitten by the watchdog, and named in the next birth.
"""

from agent.compat import const, traceback
from agent.link.supervisor import RAISING
from agent.version import VERSION
from agent.watch import name_of
from agent.wire import codes, messages, schema
from agent.wire.encode import Encoder
from agent.works import Works

_STEP_MAX_MS = const(1000)  # a loop that sleeps longer would let a watchdog bite
_FIRST_REPORT_MS = const(5000)  # sensors have said something by then
_DRAIN_MS = const(8000)  # for the last records, when it is asked to stop
_RESTART_MS = const(3000)  # for an answer to leave before the board goes
_TRACEBACKS_MAX = const(5)  # in the log; all are counted

# How far the month's budget must be gone for what is left out (see link.budget).
_BULK_OFF = const(1)
_DETAIL_OFF = const(2)

_RUNNING = const(0)
_DRAINING = const(1)
_STOPPED = const(2)

_LANES = {
    schema.ALARM: codes.LANE_ALARM,
    schema.SESSION: codes.LANE_SESSION,
    schema.AIS: codes.LANE_BULK,
    schema.AIS_STATIC: codes.LANE_BULK,
    schema.AIS_ATON: codes.LANE_BULK,
}


class Agent:
    """A device: `given` is who it is, what it shall do and on what board."""

    def __init__(self, given):
        hal = given.hal
        self.part_errors = 0
        self._hal = hal
        self._given = given
        self._ticks = hal.ticks_ms()
        self._encoder = Encoder()
        self._state = _RUNNING
        self._stop_ms = 0
        self._restart = None  # (intent, when)
        self._report_ms = given.config["report_s"] * 1000
        self._detail_ms = given.config["detail_s"] * 1000
        self._hurry_ms = given.config["station.hurry_s"] * 1000
        self._reported_ms = 0
        self._loop_max_ms = 0
        self._certificate = None
        works = Works(given, self.restart, self._report_now)
        self.works = works
        self.clock = works.clock
        self.boot = works.boot
        self.outbox = works.outbox
        self.profile = works.profile
        self.link = works.link
        self.seq = works.seq
        self._next_report_ms = self.clock.now_ms + min(_FIRST_REPORT_MS, self._report_ms)
        self._next_detail_ms = self._next_report_ms
        if not works.resumed:
            self._birth()

    def step(self, ticks_ms):
        """Run every part once; return the milliseconds until the next step, -1 when stopped."""
        now_ms = self.clock.advance(self._hal.ticks_diff(ticks_ms, self._ticks))
        self._ticks = ticks_ms
        if self._state != _RUNNING:
            return self._drain(now_ms)
        watch = self.works.watch
        wait_ms = _STEP_MAX_MS
        for place, part in self.works.parts:
            watch.enter(place, self._ms())
            wait_ms = min(wait_ms, self._poll(part, now_ms))
        watch.enter(self.works.gathering, self._ms())
        try:
            self.profile.gather(self, now_ms)
            self._reports(now_ms)
            self._tell(now_ms)
            self._leave(now_ms)
        except Exception as error:  # noqa: BLE001  (the one place that keeps the loop alive)
            self._note(error)
        end_ms = self._ms()
        watch.end(end_ms)
        self._loop_max_ms = max(end_ms - now_ms, self._loop_max_ms)
        return max(wait_ms, 0)

    def stop(self):
        """Begin to stop: no new records; `step` sends what is kept, then gives -1."""
        if self._state == _RUNNING:
            self._state = _DRAINING
            self._stop_ms = self.clock.now_ms

    def restart(self, intent, now_ms):
        """Restart soon, for `intent` (codes.INTENT_*): answers have their time to leave."""
        if self._restart is None:
            self._restart = (intent, now_ms + _RESTART_MS)

    def emit(self, schema_id, values):
        """Make a record of `values` and keep it until the gateway has acknowledged it."""
        lane = _LANES.get(schema_id, codes.LANE_STATUS)
        if lane == codes.LANE_BULK and self.works.budget.level >= _BULK_OFF:
            return
        n = self._encoder.record(schema_id, self.boot.value, self.seq, self.clock.t(), values)
        seq = self.seq
        self.seq += 1  # first: what is kept twice under one number would be a conflict
        self.outbox.put(self._encoder.buf, n, self.boot.value, seq, lane)

    def _ms(self):
        return self.clock.now_ms + self._hal.ticks_diff(self._hal.ticks_ms(), self._ticks)

    def _drain(self, now_ms):
        if self._state == _STOPPED:
            return -1
        self._given.dog.feed()
        wait_ms = self._poll(self.link, now_ms)
        if not self.outbox.kept or now_ms - self._stop_ms > _DRAIN_MS:
            self._state = _STOPPED
            self._let_go()
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
            text = traceback(error)
            print(text)
            self.works.log.note(text)

    def _reports(self, now_ms):
        works = self.works
        if self.clock.changed:
            self.emit(schema.CLOCK, self.clock.take_change())
        profile = self.profile
        if profile.hurry:
            self._next_report_ms = min(self._next_report_ms, self._reported_ms + self._hurry_ms)
        if now_ms >= self._next_report_ms:
            stretch = max(works.power.stretch, works.budget.stretch, profile.stretch)
            self._next_report_ms = _later(self._next_report_ms, self._report_ms * stretch, now_ms)
            self._reported_ms = now_ms
            profile.report(self, now_ms)
        if now_ms >= self._next_detail_ms:
            self._next_detail_ms = _later(self._next_detail_ms, self._detail_ms, now_ms)
            if works.budget.level < _DETAIL_OFF:
                profile.detail(self, now_ms)
                self._health()

    def _report_now(self, arguments, now_ms):
        """Carry out the command "report": all that would be reported later, now."""
        self._next_report_ms = self._next_detail_ms = now_ms
        return messages.RESULT_DONE, b""

    def _tell(self, now_ms):
        """Raise the alarms of the parts, and say what is lost."""
        works = self.works
        works.budget.seen(works.link.bytes(), works.link.bearer.net.metered)
        works.link.rest(not works.power.open)
        for source in (works.power, works.budget, works.alarms):
            alarm = source.next_alarm()
            while alarm is not None:
                self.emit(schema.ALARM, alarm)
                if alarm[0] == codes.ALARM_LAST_GASP and alarm[1]:
                    self.outbox.sync()
                alarm = source.next_alarm()
        days = works.link.alarm()
        if (days is None) != (self._certificate is None):
            self.emit(schema.ALARM, (codes.ALARM_CERTIFICATE, int(days is not None), days, None))
        self._certificate = days
        gap = self.outbox.take_gap()
        if gap is not None:
            self.emit(schema.GAP, gap)

    def _leave(self, now_ms):
        """Reset or sleep, when there is a reason and it is time."""
        works = self.works
        if self.link.heard_ms is not None:
            works.update.prove()
        if works.update.reset:
            self._restart = (works.update.reset, now_ms)
        elif works.proof.reset:
            self.restart(works.proof.reset, now_ms)
        if self._restart is not None:
            intent, due_ms = self._restart
            if now_ms >= due_ms:
                self._restart = None
                self._let_go()
                self._hal.reset(intent)
        elif self._given.config["sleep"] == "yes":
            self._sleep(now_ms)

    def _sleep(self, now_ms):
        works = self.works
        ms = works.power.sleep_ms(
            now_ms, self._next_report_ms, self.outbox.kept, self.link.heard_ms, self._busy()
        )
        if ms:
            self._let_go()
            self._given.memo.leave(
                codes.INTENT_SLEEP,
                self.boot.value,
                self.seq,
                (now_ms + ms) // 1000,
                works.power.kept(),
                works.kept(),
            )
            self._hal.deep_sleep(ms)

    def _busy(self):
        """Return whether a sleep would cut something off, or could not be dated."""
        works = self.works
        return (
            self.clock.source is None
            or self._given.guard.trial
            or works.update.going
            or works.commands.going
            or self.profile.busy()
        )

    def _let_go(self):
        """Leave everything in order: the link said goodbye, and on flash what is only in RAM."""
        budget = self.works.budget
        now_ms = self.clock.now_ms
        for end in (
            self.profile.release,
            self.link.close,
            self.outbox.sync,
            lambda: budget.keep(now_ms),
        ):
            try:
                end()
            except Exception as error:  # noqa: BLE001  (each has its chance)
                self._note(error)

    def _birth(self):
        hal = self._hal
        given = self._given
        memo = given.memo
        cause = hal.reset_cause()
        hung = name_of(memo.part) if cause == codes.RESET_WATCHDOG else None
        self.emit(
            schema.BIRTH,
            (
                cause,
                self.profile.code,
                VERSION,
                hal.name.encode(),
                given.config_hash,
                self.boot.good,
                len(given.errors),
                memo.intent,
                hung,
                given.guard.mode,
                given.guard.failed,
                max(given.settings_slots.state, given.access_slots.state),
                self.works.update.state,
            ),
        )

    def _health(self):
        works = self.works
        outbox = self.outbox
        self.emit(
            schema.HEALTH,
            (
                self.clock.uptime_s(),
                self._hal.heap_free(),
                self._loop_max_ms,
                outbox.kept,
                outbox.kept_bytes,
                outbox.dropped,
                outbox.resent,
                outbox.quarantined,
                self._encoder.refused + self.profile.refused(),
                self.link.connects,
                self.link.errors,
                works.downlink.bad,
                len(self._given.errors),
                self.part_errors,
                outbox.erases,
                outbox.stored_bytes,
                self.link.bearer.net.kind if self.link.state > RAISING else codes.LINK_NONE,
                works.budget.month_kib(),
                works.commands.done,
                works.commands.refused,
            ),
        )
        self._loop_max_ms = 0


def _later(due_ms, period_ms, now_ms):
    """Return the next time after `due_ms`, or after now when whole periods were missed."""
    due_ms += period_ms
    return due_ms if due_ms > now_ms else now_ms + period_ms
