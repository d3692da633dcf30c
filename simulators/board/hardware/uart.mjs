/**
 * A UART's outside: a cable to a simulator, and the pace of its line.
 *
 * What the simulator sends in one burst arrives in the board's receive buffer byte by byte, as
 * fast as the baud rate lets it; what finds the buffer full is lost and counted, as on a board.
 */

import {Ring} from '../ring.mjs';
import {CELL} from '../shared.mjs';
import {Cable} from './cable.mjs';

/** How often bytes move from the line into the buffer: 38 bytes at 38,400 baud. */
const TICK_MS = 10;

/** A host too busy to keep time makes the line slower, not its bursts bigger. */
const MAX_TICK_MS = 30;

/** Bytes on the line not yet arrived; beyond that the simulator's writes wait. */
const LINE_BYTES = 64 * 1024;

export class Uart {
  #shared;
  #signal;
  #number;
  #pace;
  #cable;
  #rx = null;
  #tx = null;
  #byteMs = 0;
  #line = [];
  #waiting = 0;
  #timer = null;
  #credit = 0;
  #ticked = 0;

  /** pace: whether bytes take the time they would on a line; otherwise the line waits for room. */
  constructor({shared, signal, number, address, pace}) {
    this.#shared = shared;
    this.#signal = signal;
    this.#number = number;
    this.#pace = pace;
    this.#cable = new Cable(address, {onData: (data) => this.#arrive(data)});
  }

  /** The program opened the UART: rx, tx: ring buffers; byteUs: time of a byte on the line. */
  open({rx, tx, byteUs}) {
    this.close();
    this.#rx = new Ring(rx);
    this.#tx = new Ring(tx);
    this.#byteMs = byteUs / 1000;
  }

  /** Nobody listens any more: what arrives is not even lost. */
  close() {
    this.#rx = null;
    this.#tx = null;
    this.#line = [];
    this.#waiting = 0;
    this.#schedule();
  }

  /** The program wrote, or made room. */
  pump() {
    if (this.#tx) {
      this.#cable.write(this.#tx.drain());
    }
    if (!this.#pace) {
      this.#move(Infinity);
    }
  }

  #arrive(data) {
    if (!this.#rx) {
      return;
    }
    if (this.#waiting === 0) {
      this.#credit = 0;
      this.#ticked = performance.now();
    }
    this.#line.push(data);
    this.#waiting += data.length;
    if (this.#waiting > LINE_BYTES) {
      this.#cable.pause();
    }
    if (this.#pace) {
      this.#schedule();
    } else {
      this.#move(Infinity);
    }
  }

  #schedule() {
    if (this.#waiting === 0) {
      clearInterval(this.#timer);
      this.#timer = null;
    } else {
      this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    }
  }

  #tick() {
    const now = performance.now();
    this.#credit += Math.min(now - this.#ticked, MAX_TICK_MS) / this.#byteMs;
    this.#ticked = now;
    this.#credit -= this.#move(Math.floor(this.#credit));
    this.#schedule();
  }

  /** Let up to `limit` bytes of the line into the buffer; return how many left the line. */
  #move(limit) {
    let moved = 0;
    while (this.#waiting > 0 && moved < limit) {
      const chunk = this.#line[0].subarray(0, limit - moved);
      const taken = this.#rx.write(chunk);
      const gone = this.#pace ? chunk.length : taken;
      if (this.#pace && taken < chunk.length) {
        Atomics.add(this.#shared.cells, CELL.OVERRUNS + this.#number, chunk.length - taken);
      }
      this.#line[0] = this.#line[0].subarray(gone);
      if (this.#line[0].length === 0) {
        this.#line.shift();
      }
      this.#waiting -= gone;
      moved += gone;
      if (gone === 0) {
        break; // an unpaced line waits until the program has read
      }
    }
    if (this.#waiting <= LINE_BYTES / 2 && this.#cable.connected) {
      this.#cable.resume();
    }
    if (moved > 0) {
      this.#signal.raise();
    }
    return moved;
  }
}
