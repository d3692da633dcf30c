/** The interpreter's side of the hardware: what the board's Python modules reach. */

import {Worker} from 'node:worker_threads';

import {monotonicMs, processMs} from './clock.mjs';
import {SystemError} from './errno.mjs';
import {I2CBus} from './i2c.mjs';
import {Ring} from './ring.mjs';
import {CELL, PINS, RTC_BYTES, SOCKET, Shared, UARTS} from './shared.mjs';

/** A UART's send buffer; its cable takes bytes at once. */
const UART_TX_BYTES = 4096;

/** How long printing waits for a REPL client that does not read. */
const PRINT_WAIT_MS = 500;

/** How long a name server may take. */
const RESOLVE_MS = 10_000;

const POLL = {IN: 1, OUT: 4, ERR: 8, HUP: 16};

/** The board cannot start; the message is for people. */
export class StartError extends Error {}

export class Hardware {
  #options;
  #shared = new Shared();
  #worker;
  #uarts = new Map();
  #clientStuck = false;

  /** The I2C bus, with an accelerometer on it while the simulator says how it moves. */
  i2c = new I2CBus({
    now: processMs,
    felt: () => (this.#shared.get(CELL.MOTION) === 1
      ? [1, 2, 3].map((n) => this.#shared.get(CELL.MOTION + n))
      : null),
    blows: () => {
      const blows = [];
      for (let message; (message = this.#shared.blows.readMessage()) !== null;) {
        const [ms, forMs, ...mg] = new Float64Array(message.buffer);
        blows.push({ms, forMs, mg});
      }
      return blows;
    },
  });

  /** Called when something happened while no Python ran. */
  onWake = () => {};

  /** Called when Ctrl-C was typed while Python runs, from within a call it made; true: taken. */
  onInterrupt = () => false;

  constructor(options, stateFile) {
    this.#options = options;
    this.#shared.set(CELL.NETWORK, options.network ? 1 : 0);
    this.#worker = new Worker(new URL('hardware/worker.mjs', import.meta.url), {
      workerData: {options, buffers: this.#shared.buffers, stateFile},
    });
  }

  /** Start; resolves to {repl: port or null}, or rejects with a StartError. */
  start(report) {
    return new Promise((resolve, reject) => {
      this.#worker.on('message', (message) => {
        if (message.wake) {
          this.#shared.set(CELL.WOKEN, 0);
          this.onWake();
        } else if (message.ready) {
          resolve(message.ready);
        } else if (message.failure) {
          reject(new StartError(message.failure));
        } else if (message.report) {
          report(message.report);
        }
      });
    });
  }

  /** Detach everything from the program that ran; resolves when no byte of it moves any more. */
  reset() {
    this.#uarts.clear();
    return new Promise((resolve) => {
      const onMessage = (message) => {
        if (message.reset) {
          this.#worker.off('message', onMessage);
          resolve();
        }
      };
      this.#worker.on('message', onMessage);
      this.#worker.postMessage({reset: true});
    });
  }

  // Time and interruption

  /** Whether Python runs, so that Ctrl-C is to interrupt it. */
  get busy() {
    return this.#shared.get(CELL.BUSY) === 1;
  }

  set busy(flag) {
    this.#shared.set(CELL.BUSY, flag ? 1 : 0);
  }

  /** Forget a Ctrl-C that no running code took: its byte has been read. */
  forgetInterrupt() {
    this.#shared.set(CELL.INTERRUPT, 0);
  }

  /** Let a Ctrl-C typed meanwhile reach the running Python code. */
  checkInterrupt() {
    if (this.#shared.get(CELL.INTERRUPT) === 1 && this.onInterrupt()) {
      this.forgetInterrupt();
    }
  }

  /** Wait for `ready()`, at most `ms`; return whether it is. Ctrl-C ends the wait. */
  waitFor(ready, ms) {
    const deadline = performance.now() + ms;
    for (;;) {
      const seen = this.#shared.get(CELL.EVENT);
      const left = deadline - performance.now();
      if (ready()) {
        return true;
      }
      if (left <= 0 || this.#shared.get(CELL.INTERRUPT) === 1) {
        this.checkInterrupt();
        return false;
      }
      Atomics.wait(this.#shared.cells, CELL.EVENT, seen, left);
    }
  }

  // Console

  /** Show bytes to the REPL's client, if there is one. */
  print(bytes) {
    let rest = bytes;
    while (rest.length > 0 && this.#shared.get(CELL.CLIENT) === 1) {
      rest = rest.subarray(this.#shared.printed.write(rest));
      this.#worker.postMessage({console: true});
      if (rest.length > 0) {
        const wait = this.#clientStuck ? 0 : PRINT_WAIT_MS;
        this.#clientStuck = !this.waitFor(() => this.#shared.printed.room > 0, wait);
        if (this.#clientStuck) {
          return;
        }
      }
    }
  }

  /** What was typed since the last call. */
  typed() {
    const bytes = this.#shared.typed.drain();
    if (bytes.length > 0) {
      this.#worker.postMessage({console: true});
    }
    return bytes;
  }

  // Pins and Wi-Fi

  /** Microvolts at an analogue pin; 0 where nothing is connected. */
  microvolts(pin) {
    return pin >= 0 && pin < PINS ? this.#shared.get(CELL.ADC_UV + pin) : 0;
  }

  /** Level at a pin: 0, 1, or -1 where nothing drives it. */
  level(pin) {
    return pin >= 0 && pin < PINS ? this.#shared.get(CELL.LEVEL + pin) : -1;
  }

  /** Drive a pin to 0 or 1, or let go of it (-1). */
  setOutput(pin, level) {
    if (pin >= 0 && pin < PINS && this.#shared.swap(CELL.OUTPUT + pin, level) !== level) {
      this.#worker.postMessage({output: pin, level});
    }
  }

  /** Let go of all pins, as a reset does. */
  releaseOutputs() {
    for (let pin = 0; pin < PINS; pin++) {
      this.setOutput(pin, -1);
    }
  }

  get networkUp() {
    return this.#shared.get(CELL.NETWORK) === 1;
  }

  // Watchdog and what survives it: RTC memory and calendar

  /** The calendar's time now, milliseconds since 1970. */
  set calendar(ms) {
    this.#shared.calendar[0] = ms - Date.now();
  }

  /** Start the watchdog, or change its time; 0 stops it, which only a hard reset does. */
  setWatchdog(ms) {
    this.feed();
    this.#shared.set(CELL.WATCHDOG_MS, ms);
  }

  feed() {
    this.#shared.set(CELL.FED_MS, monotonicMs());
  }

  get rtcMemory() {
    return this.#shared.rtc.slice(0, this.#shared.get(CELL.RTC_LENGTH));
  }

  set rtcMemory(bytes) {
    if (bytes.length > RTC_BYTES) {
      throw new SystemError('EINVAL');
    }
    this.#shared.rtc.set(bytes);
    this.#shared.set(CELL.RTC_LENGTH, bytes.length);
  }

  // UARTs

  /** Open a UART: byteUs is a byte's time on the line, rxbuf the receive buffer in bytes. */
  openUart(number, byteUs, rxbuf) {
    const [rx, tx] = [Ring.buffer(rxbuf), Ring.buffer(UART_TX_BYTES)];
    const wired = String(number) in this.#options.uarts;
    this.#uarts.set(number, {rx: new Ring(rx), tx: new Ring(tx), byteUs, wired, quiet: 0});
    this.#shared.set(CELL.OVERRUNS + number, 0);
    this.#worker.postMessage({open: number, rx, tx, byteUs});
  }

  closeUart(number) {
    this.#uarts.delete(number);
    this.#worker.postMessage({shut: number});
  }

  /** Bytes received and not yet read. */
  uartWaiting(number) {
    return this.#uarts.get(number)?.rx.length ?? 0;
  }

  /** Bytes lost since the UART was opened. */
  uartOverruns(number) {
    return number >= 0 && number < UARTS ? this.#shared.get(CELL.OVERRUNS + number) : 0;
  }

  /** Milliseconds until everything written has left the line. */
  uartSendingMs(number) {
    return Math.max(0, Math.ceil((this.#uarts.get(number)?.quiet ?? 0) - performance.now()));
  }

  /** Wait for received bytes; return whether there are any. */
  waitUart(number, ms) {
    return this.waitFor(() => this.uartWaiting(number) > 0, ms);
  }

  readUart(number, view) {
    const uart = this.#uarts.get(number);
    const count = uart?.rx.read(view) ?? 0;
    if (count === 0) {
      this.checkInterrupt(); // a loop that waits for input can be ended
      throw new SystemError('EAGAIN');
    }
    if (!this.#options.pace) {
      this.#worker.postMessage({pump: number});
    }
    return count;
  }

  writeUart(number, view) {
    const uart = this.#uarts.get(number);
    if (!uart) {
      throw new SystemError('ENODEV');
    }
    const count = uart.wired ? uart.tx.write(view) : view.length; // into the air
    uart.quiet = Math.max(performance.now(), uart.quiet) + (count * uart.byteUs) / 1000;
    this.#worker.postMessage({pump: number});
    return count;
  }

  // Sockets

  /** A free socket's number, or -1. */
  createSocket(datagram) {
    const socket = this.#shared.sockets.find((one) => one.state === SOCKET.FREE);
    if (!socket) {
      return -1;
    }
    socket.rx.clear();
    socket.tx.clear();
    socket.error = 0;
    socket.ended = 0;
    socket.datagram = datagram;
    socket.state = SOCKET.CREATED;
    return socket.number;
  }

  connectSocket(number, host, port) {
    const socket = this.#shared.sockets[number];
    socket.state = socket.datagram ? SOCKET.OPEN : SOCKET.CONNECTING;
    this.#worker.postMessage({connect: number, host, port});
  }

  socketState(number) {
    return this.#shared.sockets[number].state;
  }

  socketError(number) {
    return this.#shared.sockets[number].error;
  }

  closeSocket(number) {
    this.#shared.sockets[number].state = SOCKET.CLOSING;
    this.#worker.postMessage({close: number});
  }

  /** What a socket is ready for, as MP_STREAM_POLL tells it. */
  pollSocket(number) {
    const {state, ended, rx, tx} = this.#shared.sockets[number];
    return (rx.length > 0 || ended ? POLL.IN : 0)
      | (state === SOCKET.OPEN && tx.room > 0 ? POLL.OUT : 0)
      | (state === SOCKET.FAILED ? POLL.ERR | POLL.HUP : 0)
      | (state === SOCKET.CREATED ? POLL.HUP : 0);
  }

  /** Wait until a socket is ready for one of `events`; return for what it is ready. */
  waitSocket(number, events, ms) {
    this.waitFor(() => (this.pollSocket(number) & events) !== 0, ms);
    return this.pollSocket(number);
  }

  readSocket(number, view) {
    const socket = this.#shared.sockets[number];
    const {state, ended} = socket; // before the bytes: what came before an end is read before it
    const count = socket.datagram ? readDatagram(socket.rx, view) : socket.rx.read(view);
    if (count > 0) {
      this.#worker.postMessage({kick: number});
    } else if (!ended) {
      this.checkInterrupt();
      throw socketTrouble(socket, state);
    }
    return count;
  }

  writeSocket(number, view) {
    const socket = this.#shared.sockets[number];
    const {state} = socket;
    let count = 0;
    if (state === SOCKET.OPEN) {
      count = socket.datagram
        ? view.length * socket.tx.writeMessage(view)
        : socket.tx.write(view);
    }
    if (count === 0) {
      throw socketTrouble(socket, state);
    }
    this.#worker.postMessage({kick: number});
    return count;
  }

  /** The IPv4 address of a name, or null; blocks as a board's getaddrinfo does. */
  resolve(host) {
    this.#shared.set(CELL.ANSWER, -1);
    this.#worker.postMessage({resolve: host});
    this.waitFor(() => this.#shared.get(CELL.ANSWER) >= 0, RESOLVE_MS);
    const length = Math.max(0, this.#shared.get(CELL.ANSWER));
    return Buffer.from(this.#shared.answer.slice(0, length)).toString() || null;
  }
}

/** Take a message out; what of it has no room in `view` is lost. */
function readDatagram(rx, view) {
  const message = rx.readMessage()?.subarray(0, view.length) ?? [];
  view.set(message);
  return message.length;
}

/** Why a socket in `state` moves no bytes. */
function socketTrouble(socket, state) {
  switch (state) {
    case SOCKET.FAILED:
      return SystemError.ofNumber(socket.error);
    case SOCKET.CREATED:
    case SOCKET.CLOSING:
    case SOCKET.FREE:
      return new SystemError('ENOTCONN');
    default:
      return new SystemError('EAGAIN');
  }
}
