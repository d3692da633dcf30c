/**
 * A LIS3DH accelerometer as far as a driver with its FIFO sees it (ST DocID17530 rev. 2): data rates,
 * ±2 to ±16 g, normal mode's ten bits, bypass and stream mode, auto-increment. Samples fall due
 * while nobody looks; they are worked out when somebody does.
 */

import {SystemError} from './errno.mjs';

const WHO_AM_I = 0x0f;
const IDENTITY = 0x33;
const [CTRL1, CTRL4, CTRL5] = [0x20, 0x23, 0x24];
const [OUT, OUT_END] = [0x28, 0x2d];
const [FIFO_CTRL, FIFO_SRC] = [0x2e, 0x2f];
const REGISTERS = 0x40;
const INCREMENT = 0x80;

/** Samples a second by the upper half of CTRL_REG1. */
const RATES = [0, 1, 10, 25, 50, 100, 200, 400];

/** Milligravities of a digit in normal mode, by the full-scale bits of CTRL_REG4. */
const DIGIT_MG = [4, 8, 16, 48];

const LEVELS = 32;
const STREAM = 2;

export const ADDRESS = 0x18;

export class LIS3DH {
  #registers = new Uint8Array(REGISTERS);
  #fifo = [];
  #overrun = false;
  #sampledMs = 0; // up to here samples are made
  #feel;
  #blows;
  #last = null; // what it felt when it was last looked at
  #struck = []; // blows that may still be in the making

  /** feel(): what acts on it now, [x, y, z] in mg; blows(): those since the last call, each
   * {ms, forMs, mg: [x, y, z]}: half a sine from `ms` on, of the clock that accesses name. */
  constructor(feel, blows) {
    this.#feel = feel;
    this.#blows = blows;
    this.#registers[WHO_AM_I] = IDENTITY;
    this.#registers[CTRL1] = 0x07;
  }

  /** Read from a register on into `view`, at the time `nowMs`. */
  read(register, view, nowMs) {
    this.#measure(nowMs);
    this.#registers[FIFO_SRC] = (this.#overrun ? 0x40 : 0)
      | (this.#fifo.length === 0 ? 0x20 : 0)
      | Math.min(this.#fifo.length, LEVELS - 1);
    let at = register & (INCREMENT - 1);
    for (let i = 0; i < view.length; i++) {
      if (at >= REGISTERS) {
        throw new SystemError('EIO');
      }
      if (at === OUT) {
        this.#next();
      }
      view[i] = this.#registers[at];
      if (register & INCREMENT) {
        at = at === OUT_END && this.#streaming ? OUT : at + 1;
      }
    }
  }

  /** Write bytes from a register on. */
  write(register, bytes, nowMs) {
    this.#measure(nowMs);
    let at = register & (INCREMENT - 1);
    for (const byte of bytes) {
      if (at >= REGISTERS || at === WHO_AM_I) {
        throw new SystemError('EIO');
      }
      this.#registers[at] = byte;
      if (at === FIFO_CTRL && byte >> 6 === 0) {
        this.#fifo = [];
        this.#overrun = false;
      }
      at += register & INCREMENT ? 1 : 0;
    }
  }

  get #streaming() {
    return (this.#registers[CTRL5] & 0x40) !== 0 && this.#registers[FIFO_CTRL] >> 6 === STREAM;
  }

  /** Put the oldest sample into the output registers. */
  #next() {
    if (this.#streaming && this.#fifo.length > 0) {
      this.#registers.set(this.#fifo.shift(), OUT);
      this.#overrun = false;
    }
  }

  /** Make the samples that have fallen due. */
  #measure(nowMs) {
    const rate = RATES[this.#registers[CTRL1] >> 4] ?? 0;
    const felt = this.#feel();
    this.#last ??= felt;
    this.#struck.push(...this.#blows());
    const sinceMs = this.#sampledMs;
    const due = rate === 0 ? 0 : Math.floor((nowMs - sinceMs) * rate / 1000);
    const stepMs = 1000 / rate;
    for (let n = Math.max(1, due - LEVELS); n <= due; n++) {
      const ms = sinceMs + n * stepMs;
      const share = nowMs > sinceMs ? (ms - sinceMs) / (nowMs - sinceMs) : 1;
      this.#sample(felt.map((mg, axis) => (
        this.#last[axis] + share * (mg - this.#last[axis]) + this.#blow(axis, ms))));
    }
    this.#sampledMs = rate === 0 ? nowMs : sinceMs + due * stepMs;
    if (due > 0 || rate === 0) {
      this.#last = felt;
      this.#struck = this.#struck.filter((blow) => blow.ms + blow.forMs > this.#sampledMs);
    }
  }

  /** What the blows do to an axis at a time. */
  #blow(axis, ms) {
    return this.#struck
      .filter((blow) => ms >= blow.ms && ms < blow.ms + blow.forMs)
      .reduce((sum, blow) => (
        sum + blow.mg[axis] * Math.sin(Math.PI * (ms - blow.ms) / blow.forMs)), 0);
  }

  #sample(mg) {
    const digitMg = DIGIT_MG[(this.#registers[CTRL4] >> 4) & 3];
    const bytes = new Uint8Array(6);
    const out = new DataView(bytes.buffer);
    mg.forEach((value, axis) => {
      const digits = Math.max(-512, Math.min(511, Math.round(value / digitMg)));
      out.setInt16(2 * axis, digits << 6, true);
    });
    if (!this.#streaming) {
      this.#registers.set(bytes, OUT);
      return;
    }
    this.#fifo.push(bytes);
    if (this.#fifo.length > LEVELS) {
      this.#fifo.shift();
    }
    this.#overrun = this.#fifo.length === LEVELS;
  }
}
