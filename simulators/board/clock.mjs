/**
 * The board's time: the one place that reads the host's clocks.
 *
 * A real board starts with its calendar unset, at 2000-01-01; `RTC.datetime()` sets it. The
 * calendar goes on through resets and starts over with a new process (power-on).
 */

const UNSET_MS = Date.UTC(2000, 0, 1);

/** Milliseconds of the monotonic clock, the same in every thread of the process, in 31 bits. */
export function monotonicMs() {
  return Number((process.hrtime.bigint() / 1_000_000n) & 0x7fff_ffffn);
}

/** Milliseconds from `earlier` to `later`, both of `monotonicMs`, across its wrap. */
export function elapsedMs(earlier, later) {
  return (later - earlier) & 0x7fff_ffff;
}

/** Milliseconds of one clock for every thread of the process, that never wraps. */
export function processMs() {
  return performance.timeOrigin + performance.now();
}

export class Clock {
  #started = this.now();
  #calendarMs = UNSET_MS;

  /** Milliseconds that only ever grow; the board's loop goes by them. */
  now() {
    return performance.now();
  }

  /** Let the host run until `now()` is `until`. Returns [promise, wake]; `wake()` ends it early. */
  sleep(until) {
    let wake;
    const promise = new Promise((resolve) => {
      const timer = until === Infinity
        ? null
        : setTimeout(resolve, Math.max(0, until - this.now()));
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    return [promise, wake];
  }

  /** Milliseconds since power-on or a hard reset; the interpreter wraps them to its `ticks_ms`. */
  ticksMs() {
    return Math.floor(this.now() - this.#started);
  }

  /** Milliseconds since 1970 by the board's own calendar. */
  calendarMs() {
    return this.#calendarMs + this.ticksMs();
  }

  /** Count ticks from 0 again, as a reset does; the calendar goes on. */
  restart() {
    this.#calendarMs = this.calendarMs();
    this.#started = this.now();
  }

  setCalendar(ms) {
    this.#calendarMs = ms - this.ticksMs();
  }
}
