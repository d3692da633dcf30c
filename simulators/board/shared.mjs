/**
 * What the two threads of a board share: the interpreter's (host.mjs) and the one that moves bytes
 * (hardware/worker.mjs). The second goes on while Python computes or sleeps, as a board's
 * peripherals do.
 */

import {Ring} from './ring.mjs';

/** GPIO numbers the board knows: 0 to 48 on an ESP32-S3. */
export const PINS = 49;

/** UARTs of an ESP32-S3. */
export const UARTS = 3;

/** Sockets at once, and their buffers: lwIP's usual numbers on that chip. */
export const SOCKETS = 16;
export const SOCKET_BYTES = 5760;

/** Blows on their way to the accelerometer: some twenty. */
const BLOWS_BYTES = 1024;

/** RTC memory of an ESP32: survives every reset but power-on. */
export const RTC_BYTES = 2048;

const CONSOLE_BYTES = 64 * 1024;

/** Bytes a name server's answer takes, at most. */
const ADDRESS_BYTES = 64;

const PER_SOCKET = 4;

/** Numbers both threads read and write; each is an index into `Shared.cells`. */
export const CELL = {
  EVENT: 0, // counts whatever happens in the hardware; waited on
  WOKEN: 1, // 1: a message to wake the main thread is on its way
  BUSY: 2, // 1: Python is running
  INTERRUPT: 3, // 1: Ctrl-C was typed while Python was running
  CLIENT: 4, // 1: somebody is connected to the REPL
  NETWORK: 5, // 1: the Wi-Fi is connected
  WATCHDOG_MS: 6, // the watchdog's time, 0: off
  FED_MS: 7, // when it was last fed, of `monotonicMs`
  RTC_LENGTH: 8, // bytes used of the RTC memory
  ANSWER: 9, // length of the name server's answer; -1: none yet, 0: unknown name
  OVERRUNS: 10, // + UART number: bytes lost because the receive buffer was full
  ADC_UV: 10 + UARTS, // + GPIO number: microvolts at the pin
  LEVEL: 10 + UARTS + PINS, // + GPIO number: 0, 1, or -1: nothing drives it
  OUTPUT: 10 + UARTS + 2 * PINS, // + GPIO number: what the board drives it to, -1: nothing
  MOTION: 10 + UARTS + 3 * PINS, // 1: an accelerometer is fitted; + 1 to 3: what it feels, mg
  SOCKET: 14 + UARTS + 3 * PINS, // + PER_SOCKET × number: STATE, ERROR, ENDED, DATAGRAM
};
const CELLS = CELL.SOCKET + PER_SOCKET * SOCKETS;

/** Where a socket stands. */
export const SOCKET = {FREE: 0, CREATED: 1, CONNECTING: 2, OPEN: 3, FAILED: 4, CLOSING: 5};

export class Shared {
  /** buffers: of another `Shared`, when its other thread has made them. */
  constructor(buffers = fresh()) {
    this.buffers = buffers;
    this.cells = new Int32Array(buffers.cells);
    this.rtc = new Uint8Array(buffers.rtc);
    this.calendar = new Float64Array(buffers.calendar); // its lead over the host's, in ms
    this.answer = new Uint8Array(buffers.answer);
    this.typed = new Ring(buffers.typed);
    this.printed = new Ring(buffers.printed);
    this.blows = new Ring(buffers.blows);
    this.sockets = buffers.sockets.map((pair, number) => new SharedSocket(this, pair, number));
  }

  get(cell) {
    return Atomics.load(this.cells, cell);
  }

  set(cell, value) {
    Atomics.store(this.cells, cell, value);
  }

  /** Store `value`; return what was there. */
  swap(cell, value) {
    return Atomics.exchange(this.cells, cell, value);
  }
}

/** One socket as both threads see it. */
class SharedSocket {
  #shared;
  #base;

  constructor(shared, {rx, tx}, number) {
    this.#shared = shared;
    this.#base = CELL.SOCKET + PER_SOCKET * number;
    this.number = number;
    this.rx = new Ring(rx);
    this.tx = new Ring(tx);
  }

  get state() {
    return this.#shared.get(this.#base);
  }

  set state(state) {
    this.#shared.set(this.#base, state);
  }

  /** The number of the error that ended it, 0: none. */
  get error() {
    return this.#shared.get(this.#base + 1);
  }

  set error(number) {
    this.#shared.set(this.#base + 1, number);
  }

  /** 1: the peer sends no more. */
  get ended() {
    return this.#shared.get(this.#base + 2);
  }

  set ended(flag) {
    this.#shared.set(this.#base + 2, flag);
  }

  /** 1: UDP; its rings hold messages. */
  get datagram() {
    return this.#shared.get(this.#base + 3);
  }

  set datagram(flag) {
    this.#shared.set(this.#base + 3, flag);
  }
}

function fresh() {
  const cells = new SharedArrayBuffer(4 * CELLS);
  new Int32Array(cells).fill(-1, CELL.LEVEL, CELL.LEVEL + PINS);
  new Int32Array(cells).fill(-1, CELL.OUTPUT, CELL.OUTPUT + PINS);
  return {
    cells,
    rtc: new SharedArrayBuffer(RTC_BYTES),
    calendar: new SharedArrayBuffer(8),
    answer: new SharedArrayBuffer(ADDRESS_BYTES),
    typed: Ring.buffer(CONSOLE_BYTES),
    printed: Ring.buffer(CONSOLE_BYTES),
    blows: Ring.buffer(BLOWS_BYTES),
    sockets: Array.from({length: SOCKETS}, () => (
      {rx: Ring.buffer(SOCKET_BYTES), tx: Ring.buffer(SOCKET_BYTES)})),
  };
}
