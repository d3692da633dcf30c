/**
 * The board's sockets: TCP, and UDP (datagrams.mjs).
 *
 * Each has the board's small buffers: a peer that sends more waits, and so does a program that
 * writes more. While the Wi-Fi is away the connections stand still: nobody is told, as on the air.
 */

import dns from 'node:dns';
import net from 'node:net';

import {numberOf} from '../errno.mjs';
import {CELL, SOCKET} from '../shared.mjs';
import {Datagrams} from './datagrams.mjs';

/** How long a closed socket may take to hand over what was written before. */
const LINGER_MS = 5000;

export class Tcp {
  #shared;
  #signal;
  #connections = new Map();

  constructor(shared, signal) {
    this.#shared = shared;
    this.#signal = signal;
  }

  connect(number, host, port) {
    const socket = this.#shared.sockets[number];
    const Kind = socket.datagram ? Datagrams : Connection;
    const connection = new Kind(this.#shared, this.#signal, socket, {host, port});
    this.#connections.set(number, connection);
  }

  /** The program wrote, or made room. */
  pump(number) {
    this.#connections.get(number)?.pump();
  }

  close(number) {
    const connection = this.#connections.get(number);
    this.#connections.delete(number);
    connection?.close();
    this.#shared.sockets[number].state = SOCKET.FREE;
  }

  /** The Wi-Fi came or went. */
  networkChanged() {
    this.#connections.forEach((connection) => connection.pump());
  }

  /** The board was reset: every connection is gone. */
  reset() {
    this.#connections.forEach((connection) => connection.destroy());
    this.#connections.clear();
    this.#shared.sockets.forEach((socket) => {
      socket.state = SOCKET.FREE;
    });
  }

  /** Look up a name; the answer is left where the interpreter's thread waits for it. */
  resolve(host) {
    dns.lookup(host, {family: 4}, (error, address) => {
      const bytes = Buffer.from(error ? '' : address);
      this.#shared.answer.set(bytes);
      this.#shared.set(CELL.ANSWER, bytes.length);
      this.#signal.raise();
    });
  }
}

class Connection {
  #shared;
  #signal;
  #socket;
  #net;
  #received = [];

  constructor(shared, signal, socket, address) {
    this.#shared = shared;
    this.#signal = signal;
    this.#socket = socket;
    this.#net = net.connect({...address, noDelay: true, allowHalfOpen: true});
    this.#net.on('connect', () => {
      socket.state = SOCKET.OPEN;
      this.pump();
      signal.raise();
    });
    this.#net.on('data', (data) => {
      this.#received.push(data);
      this.pump();
    });
    this.#net.on('end', () => {
      this.#received.push(null);
      this.pump();
    });
    this.#net.on('drain', () => this.pump());
    this.#net.on('error', (error) => {
      socket.error = numberOf(error.code);
      socket.state = SOCKET.FAILED;
      signal.raise();
    });
  }

  /** Move bytes in both directions, as far as the buffers, the peer and the Wi-Fi let us. */
  pump() {
    if (this.#shared.get(CELL.NETWORK) === 0) {
      this.#net.pause();
      return;
    }
    if (this.#receive()) {
      this.#signal.raise();
    }
    if (this.#received.length > 0) {
      this.#net.pause();
    } else {
      this.#net.resume();
    }
    if (this.#socket.state === SOCKET.OPEN && !this.#net.writableNeedDrain
        && this.#socket.tx.length > 0) {
      this.#net.write(this.#socket.tx.drain());
      this.#signal.raise();
    }
  }

  /** Send what was written, then close; the socket's number is free for others at once. */
  close() {
    this.#detach();
    this.#net.on('error', () => {}); // nobody is left to be told
    this.#net.setTimeout(LINGER_MS, () => this.#net.destroy());
    this.#net.end(this.#socket.tx.drain());
    this.#net.resume();
  }

  destroy() {
    this.#detach();
    this.#net.on('error', () => {});
    this.#net.destroy();
  }

  #detach() {
    this.#net.removeAllListeners();
  }

  /** Fill the receive buffer; return whether anything changed. */
  #receive() {
    let changed = false;
    while (this.#received.length > 0) {
      const data = this.#received[0];
      if (data === null) {
        this.#socket.ended = 1;
      } else {
        const taken = this.#socket.rx.write(data);
        changed ||= taken > 0;
        if (taken < data.length) {
          this.#received[0] = data.subarray(taken);
          return changed;
        }
      }
      this.#received.shift();
      changed = true;
    }
    return changed;
  }
}
