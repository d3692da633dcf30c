/** How the hardware thread tells the interpreter's thread that something happened. */

import {parentPort} from 'node:worker_threads';

import {CELL} from '../shared.mjs';

export class Signal {
  #shared;

  constructor(shared) {
    this.#shared = shared;
  }

  /** Wake the other thread, whether it waits in a call or for its event loop. */
  raise() {
    Atomics.add(this.#shared.cells, CELL.EVENT, 1);
    Atomics.notify(this.#shared.cells, CELL.EVENT);
    if (this.#shared.swap(CELL.WOKEN, 1) === 0) {
      parentPort.postMessage({wake: true});
    }
  }
}
