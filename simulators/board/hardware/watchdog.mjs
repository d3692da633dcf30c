/**
 * The watchdog: a board that does not feed it in time loses its life, whatever it is doing.
 *
 * It notes why in the state file, with the RTC memory, which survives this kind of reset; whoever
 * supervises the process starts it again.
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
      const rtc = this.#shared.rtc.slice(0, this.#shared.get(CELL.RTC_LENGTH));
      saveState(this.#stateFile, {cause: 'watchdog', rtc});
      process.kill(process.pid, 'SIGKILL');
    }
  }
}
