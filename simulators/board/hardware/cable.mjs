/** A TCP connection to a simulator that comes back by itself, as a plugged cable does. */

import net from 'node:net';

/** How long a simulator may be away before we knock again. */
const RETRY_MS = 1000;

/** Bytes kept for a simulator that is slow to read. */
const MAX_UNREAD = 1024 * 1024;

export class Cable {
  #address;
  #onConnect;
  #onData;
  #socket = null;
  #connected = false;

  /** address: "host:port"; onConnect(): after each connect; onData(buffer). */
  constructor(address, {onConnect = () => {}, onData}) {
    const colon = address.lastIndexOf(':');
    this.#address = {host: address.slice(0, colon), port: Number(address.slice(colon + 1))};
    this.#onConnect = onConnect;
    this.#onData = onData;
    this.#connect();
  }

  get connected() {
    return this.#connected;
  }

  /** Send. Where nobody is there, or does not read, the bytes are lost. */
  write(bytes) {
    if (this.#connected && this.#socket.writableLength < MAX_UNREAD) {
      this.#socket.write(bytes);
    }
  }

  /** Take no more from the other end until `resume`. */
  pause() {
    this.#socket.pause();
  }

  resume() {
    this.#socket.resume();
  }

  #connect() {
    this.#socket = net.connect({...this.#address, noDelay: true});
    this.#socket.on('connect', () => {
      this.#connected = true;
      this.#onConnect();
    });
    this.#socket.on('data', this.#onData);
    this.#socket.on('error', () => {}); // 'close' follows, and we try again
    this.#socket.on('close', () => {
      this.#connected = false;
      setTimeout(() => this.#connect(), RETRY_MS);
    });
  }
}
