/** The hardware of a board in simulated time: the same face as ../hardware.mjs, in one thread. */

import {SystemError} from '../errno.mjs';
import {I2CBus} from '../i2c.mjs';
import {PINS, RTC_BYTES, SOCKET, SOCKETS, SOCKET_BYTES} from '../shared.mjs';

const POLL = {IN: 1, OUT: 4, ERR: 8, HUP: 16};
const ECONNREFUSED = 111;

export class SimulatedHardware {
  /** Set by whoever builds the world: the UARTs' sensors, the shore. */
  uartWritten = () => {};
  shore = null;

  networkUp = true;
  busy = false;
  calendar = 0;
  rtcMemory = new Uint8Array(0);
  outputs = new Map();
  onWake = () => {};
  onInterrupt = () => false;

  /** What the accelerometer feels, [x, y, z] in mg; null: none is fitted. */
  motion = null;

  i2c = new I2CBus({
    now: () => this.#clock.ms,
    felt: () => this.motion,
    blows: () => this.#blows.splice(0),
  });

  /** Called when the watchdog was not fed. */
  onBite = () => {};

  #clock;
  #voltages = new Map();
  #levels = new Int8Array(PINS).fill(-1);
  #uarts = new Map();
  #sockets = [];
  #blows = [];
  #watchdogMs = 0;
  #fedMs = 0;

  constructor(clock) {
    this.#clock = clock;
    this.#sockets = Array.from({length: SOCKETS}, (_, number) => new SimulatedSocket(number));
  }

  async reset() {
    this.#uarts.clear();
    this.#sockets.forEach((socket) => socket.free());
  }

  // Time and interruption

  forgetInterrupt() {}

  /** Called whenever Python looks at the time. */
  checkInterrupt() {}

  waitFor(ready, ms) {
    const deadline = this.#clock.ms + ms;
    while (!ready() && this.#clock.ms < deadline) {
      this.#clock.advance(Math.min(deadline, this.#clock.ms + 10));
    }
    return ready();
  }

  // Console: nobody is connected

  print() {}

  typed() {
    return [];
  }

  // Pins

  /** millivolts(): what is at the pin now. */
  setVoltage(pin, millivolts) {
    this.#voltages.set(pin, millivolts);
  }

  microvolts(pin) {
    return Math.round(1000 * (this.#voltages.get(pin)?.() ?? 0));
  }

  /** Let a blow begin: half a sine of so many milliseconds, [x, y, z] in mg at its height. */
  strike(mg, forMs) {
    this.#blows.push({ms: this.#clock.ms, forMs, mg});
  }

  level(pin) {
    return pin >= 0 && pin < PINS ? this.#levels[pin] : -1;
  }

  setOutput(pin, level) {
    this.outputs.set(pin, level);
  }

  releaseOutputs() {
    this.outputs.clear();
  }

  // Watchdog and RTC memory

  setWatchdog(ms) {
    this.feed();
    this.#watchdogMs = ms;
  }

  feed() {
    this.#fedMs = this.#clock.ms;
  }

  /** Look whether the watchdog bites. */
  watch() {
    if (this.#watchdogMs > 0 && this.#clock.ms - this.#fedMs > this.#watchdogMs) {
      this.onBite();
    }
  }

  // UARTs

  openUart(number, byteUs, rxbuf) {
    this.#uarts.set(number, {rx: Buffer.alloc(rxbuf), length: 0, byteUs, overruns: 0});
  }

  closeUart(number) {
    this.#uarts.delete(number);
  }

  /** Let bytes arrive; what finds the buffer full is lost. */
  arrive(number, bytes) {
    const uart = this.#uarts.get(number);
    if (uart) {
      const taken = bytes.copy(uart.rx, uart.length);
      uart.length += taken;
      uart.overruns += bytes.length - taken;
    }
  }

  uartWaiting(number) {
    return this.#uarts.get(number)?.length ?? 0;
  }

  uartOverruns(number) {
    return this.#uarts.get(number)?.overruns ?? 0;
  }

  uartSendingMs() {
    return 0;
  }

  waitUart(number, ms) {
    return this.waitFor(() => this.uartWaiting(number) > 0, ms);
  }

  readUart(number, view) {
    const uart = this.#uarts.get(number);
    const count = Math.min(view.length, uart?.length ?? 0);
    if (count === 0) {
      throw new SystemError('EAGAIN');
    }
    view.set(uart.rx.subarray(0, count));
    uart.rx.copy(uart.rx, 0, count, uart.length);
    uart.length -= count;
    return count;
  }

  writeUart(number, view) {
    this.uartWritten(number, Buffer.from(view));
    return view.length;
  }

  // TCP sockets

  /** The Wi-Fi came or went: connections stand still meanwhile. */
  setNetwork(up) {
    this.networkUp = up;
    this.#sockets.forEach((socket) => socket.pump(this));
  }

  createSocket(datagram) {
    const socket = this.#sockets.find((one) => one.state === SOCKET.FREE);
    if (!socket) {
      return -1;
    }
    socket.free();
    socket.datagram = Boolean(datagram);
    socket.state = SOCKET.CREATED;
    return socket.number;
  }

  connectSocket(number) {
    const socket = this.#sockets[number];
    if (socket.datagram) {
      socket.state = SOCKET.OPEN; // and nobody answers
      return;
    }
    socket.state = SOCKET.CONNECTING;
    const life = socket.life;
    this.#clock.after(this.shore.rttMs, () => {
      if (socket.life !== life || !this.networkUp) {
        return; // given up meanwhile, or never answered
      }
      const connection = this.shore.accept((bytes) => this.#deliver(socket, life, bytes));
      if (connection === null) {
        socket.state = SOCKET.FAILED;
        socket.error = ECONNREFUSED;
      } else {
        socket.state = SOCKET.OPEN;
        socket.peer = connection;
      }
    });
  }

  socketState(number) {
    return this.#sockets[number].state;
  }

  socketError(number) {
    return this.#sockets[number].error;
  }

  closeSocket(number) {
    this.#sockets[number].free();
  }

  pollSocket(number) {
    const {state, ended, rx, tx} = this.#sockets[number];
    return (rx.length > 0 || ended ? POLL.IN : 0)
      | (state === SOCKET.OPEN && tx.length < SOCKET_BYTES ? POLL.OUT : 0)
      | (state === SOCKET.FAILED ? POLL.ERR | POLL.HUP : 0)
      | (state === SOCKET.CREATED ? POLL.HUP : 0);
  }

  waitSocket(number, events, ms) {
    this.waitFor(() => (this.pollSocket(number) & events) !== 0, ms);
    return this.pollSocket(number);
  }

  readSocket(number, view) {
    const socket = this.#sockets[number];
    const count = Math.min(view.length, socket.rx.length);
    if (count > 0) {
      view.set(socket.rx.subarray(0, count));
      socket.rx = socket.rx.subarray(count);
      return count;
    }
    if (socket.ended) {
      return 0;
    }
    throw this.#trouble(socket);
  }

  writeSocket(number, view) {
    const socket = this.#sockets[number];
    const count = Math.min(view.length, SOCKET_BYTES - socket.tx.length);
    if (socket.state !== SOCKET.OPEN || count === 0) {
      throw this.#trouble(socket);
    }
    if (socket.datagram) {
      return count;
    }
    socket.tx = Buffer.concat([socket.tx, view.subarray(0, count)]);
    socket.pump(this);
    return count;
  }

  /** Any name has an address. */
  resolve() {
    return '127.0.0.1';
  }

  /** Let a connection's bytes pass to the shore, half a round trip later. */
  carry(socket) {
    const [bytes, peer] = [socket.tx, socket.peer];
    socket.tx = Buffer.alloc(0);
    this.#clock.after(this.shore.rttMs / 2, () => peer.receive(bytes));
  }

  /** bytes: null, the shore hangs up. */
  #deliver(socket, life, bytes) {
    this.#clock.after(this.shore.rttMs / 2, () => {
      if (socket.life === life) {
        socket.late.push(bytes);
        socket.pump(this);
      }
    });
  }

  #trouble({state, error}) {
    if (state === SOCKET.FAILED) {
      return SystemError.ofNumber(error);
    }
    const open = state === SOCKET.OPEN || state === SOCKET.CONNECTING;
    return new SystemError(open ? 'EAGAIN' : 'ENOTCONN');
  }
}

class SimulatedSocket {
  life = 0;

  constructor(number) {
    this.number = number;
    this.free();
  }

  free() {
    this.peer?.closed();
    this.life += 1;
    this.state = SOCKET.FREE;
    this.error = 0;
    this.ended = false;
    this.peer = null;
    this.rx = Buffer.alloc(0);
    this.tx = Buffer.alloc(0);
    this.late = []; // what came over the air and is not delivered yet
  }

  /** Move what can be moved. */
  pump(hardware) {
    if (!hardware.networkUp) {
      return;
    }
    for (const bytes of this.late.splice(0)) {
      if (bytes === null) {
        this.ended = true;
      } else {
        this.rx = Buffer.concat([this.rx, bytes]);
      }
    }
    if (this.tx.length > 0 && this.peer !== null) {
      hardware.carry(this);
    }
  }
}
