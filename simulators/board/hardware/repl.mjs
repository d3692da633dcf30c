/**
 * The board's console on a TCP port, one client at a time.
 *
 * Ctrl-C also raises a flag, so that it reaches a running program past everything typed before.
 */

import net from 'node:net';

import {CELL} from '../shared.mjs';

const CTRL_C = 3;
const TAKEN = 'This board\'s REPL is in use by another client.\r\n';

export class ReplServer {
  #shared;
  #signal;
  #client = null;
  #waiting = [];

  constructor(shared, signal) {
    this.#shared = shared;
    this.#signal = signal;
  }

  /** Listen; resolves to the port (`port` 0: any), or rejects with node:net's error. */
  listen({host = '127.0.0.1', port = 0}) {
    const server = net.createServer({noDelay: true}, (socket) => this.#accept(socket));
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => resolve(server.address().port));
    });
  }

  /** The interpreter printed, or read what was typed. */
  pump() {
    if (!this.#client) {
      this.#shared.printed.clear();
    } else if (!this.#client.writableNeedDrain && this.#shared.printed.length > 0) {
      this.#client.write(this.#shared.printed.drain());
      this.#signal.raise(); // somebody may wait for room
    }
    this.#type();
  }

  #accept(socket) {
    socket.on('error', () => {}); // 'close' follows
    if (this.#client) {
      socket.end(TAKEN);
      return;
    }
    this.#client = socket;
    this.#shared.set(CELL.CLIENT, 1);
    socket.on('data', (data) => this.#receive(data));
    socket.on('drain', () => this.pump());
    socket.on('close', () => {
      this.#client = null;
      this.#waiting = [];
      this.#shared.set(CELL.CLIENT, 0);
      this.#signal.raise();
    });
  }

  #receive(data) {
    if (data.includes(CTRL_C) && this.#shared.get(CELL.BUSY) === 1) {
      this.#shared.set(CELL.INTERRUPT, 1); // before its byte: who meets the byte lowers the flag
    }
    this.#waiting.push(data);
    this.#type();
  }

  /** Hand over what was typed, as far as there is room. */
  #type() {
    let changed = false;
    while (this.#waiting.length > 0) {
      const taken = this.#shared.typed.write(this.#waiting[0]);
      changed ||= taken > 0;
      if (taken < this.#waiting[0].length) {
        this.#waiting[0] = this.#waiting[0].subarray(taken);
        this.#client.pause();
        break;
      }
      this.#waiting.shift();
    }
    if (this.#waiting.length === 0) {
      this.#client?.resume();
    }
    if (changed) {
      this.#signal.raise();
    }
  }
}
