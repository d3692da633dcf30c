/** Simulated time: it moves on when the board sleeps, and runs what is due on the way. */

import {Clock} from '../clock.mjs';

/** Reading the time takes some, so that a program that waits for it comes to an end. */
const READ_MS = 0.01;

/** Node's own work is let in after this many sleeps. */
const SLEEPS = 500;

export class SimulatedClock extends Clock {
  /** Milliseconds since the start of the simulation. */
  ms = 0;

  #events = []; // [time, order, action], soonest last
  #order = 0;
  #sleeps = 0;

  now() {
    return this.ms ?? 0; // the base's constructor asks before `ms` is there
  }

  ticksMs() {
    this.ms += READ_MS;
    return super.ticksMs();
  }

  /** Call `action` in `ms` milliseconds. */
  after(ms, action) {
    const event = [this.ms + ms, this.#order++, action];
    let at = this.#events.length;
    while (at > 0 && compare(this.#events[at - 1], event) < 0) {
      at--;
    }
    this.#events.splice(at, 0, event);
  }

  /** Call `action` now and every `ms` milliseconds. */
  every(ms, action) {
    const again = () => {
      action();
      this.after(ms, again);
    };
    this.after(0, again);
  }

  /** Let time pass until `until`, an end of all things included. */
  advance(until) {
    while (this.#events.length > 0 && this.#events.at(-1)[0] <= until) {
      const [time, , action] = this.#events.pop();
      this.ms = Math.max(this.ms, time);
      action();
    }
    if (until < Infinity) {
      this.ms = Math.max(this.ms, until);
    }
  }

  sleep(until) {
    // A step at least is one of the sleeps: a program that is always due does not stop the world.
    this.advance(until === Infinity ? this.ms + 1000 : until);
    this.#sleeps += 1;
    const promise = this.#sleeps % SLEEPS ? Promise.resolve() : new Promise(setImmediate);
    return [promise, () => {}];
  }
}

/** Negative where `a` is due before `b`. */
function compare(a, b) {
  return a[0] - b[0] || a[1] - b[1];
}
