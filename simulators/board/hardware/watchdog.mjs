/**
 * Resets that take the process with them, whatever it is doing: the watchdog that was not fed in
 * time, and the supply that fell too low.
 *
 * Why is noted in the state file, with RTC memory and calendar; whoever supervises the process
 * starts it again.
 */

import {elapsedMs, monotonicMs} from '../clock.mjs';
import {CELL} from '../shared.mjs';
import {saveState} from '../state.mjs';

const CHECK_MS = 50;

export class Watchdog {
  #shared;
  #stateFile;

  constructor(shared, stateFile) {
    this.#shared = shared;
    this.#stateFile = stateFile;
    setInterval(() => this.#check(), CHECK_MS);
  }

  #check() {
    const limit = this.#shared.get(CELL.WATCHDOG_MS);
    if (limit > 0 && elapsedMs(this.#shared.get(CELL.FED_MS), monotonicMs()) > limit) {
      this.end('watchdog');
    }
  }

  /** End the process now. */
  end(cause) {
    const rtc = this.#shared.rtc.slice(0, this.#shared.get(CELL.RTC_LENGTH));
    saveState(this.#stateFile, {cause, rtc, calendar: this.#shared.calendar[0]});
    process.kill(process.pid, 'SIGKILL');
  }
}
