/** A UDP socket that speaks with one peer; whatever is lost on the way is lost without a word. */

import dgram from 'node:dgram';

import {CELL} from '../shared.mjs';

export class Datagrams {
  #shared;
  #signal;
  #socket;
  #peer;
  #udp = dgram.createSocket('udp4');

  constructor(shared, signal, socket, peer) {
    this.#shared = shared;
    this.#signal = signal;
    this.#socket = socket;
    this.#peer = peer;
    this.#udp.on('error', () => {}); // as on the air
    this.#udp.on('message', (message, from) => this.#receive(message, from));
  }

  /** Send what the program wrote. */
  pump() {
    const {tx} = this.#socket;
    while (tx.length > 0) {
      const message = tx.readMessage();
      if (this.#shared.get(CELL.NETWORK) === 1) {
        this.#udp.send(message, this.#peer.port, this.#peer.host);
      }
    }
  }

  close() {
    this.pump();
    this.#udp.close();
  }

  destroy() {
    this.#udp.close();
  }

  #receive(message, {address, port}) {
    const known = address === this.#peer.host && port === this.#peer.port;
    if (known && this.#shared.get(CELL.NETWORK) === 1 && this.#socket.rx.writeMessage(message)) {
      this.#signal.raise();
    }
  }
}
