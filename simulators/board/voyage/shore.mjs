/**
 * The shore in simulated time: a broker with a gateway behind it, as far as a device can tell.
 *
 * It confirms what is published, acknowledges records, tells the time. Every record is kept by boot
 * and seq; one that comes again with other bytes is a conflict.
 */

import {array, sequence} from './cbor.mjs';

const PACKET = {CONNECT: 1, PUBLISH: 3, SUBSCRIBE: 8, PINGREQ: 12, DISCONNECT: 14};
const UNIX_2020_S = 1_577_836_800;
const CLOCK = 1; // first item of a `cmd` payload: what time is it?

export class Shore {
  /** Whether the broker accepts connections. */
  up = true;

  /** Whether the gateway is there. */
  gateway = true;

  rttMs;
  records = new Map(); // "boot:seq" -> the record's bytes as hex
  again = 0; // records that came once more
  conflicts = [];
  connects = 0;

  #clock;
  #startMs;
  #onRecord;
  #connections = new Set();

  /** startMs: Unix time at the clock's 0; onRecord(boot, seq, hex): a record that is new. */
  constructor({clock, startMs, rttMs, onRecord = () => {}}) {
    this.rttMs = rttMs;
    this.#clock = clock;
    this.#startMs = startMs;
    this.#onRecord = onRecord;
  }

  /** A board connects: returns its connection, or null. send(bytes), null to hang up. */
  accept(send) {
    if (!this.up) {
      return null;
    }
    this.connects += 1;
    const connection = new Connection(this, send);
    this.#connections.add(connection);
    return connection;
  }

  /** The broker goes away, with all connections. */
  fail() {
    this.up = false;
    this.#connections.forEach((connection) => connection.send(null));
    this.#connections.clear();
  }

  forget(connection) {
    this.#connections.delete(connection);
  }

  /** A payload for the gateway. Returns what it answers: [[kind, bytes], …]. */
  take(kind, payload) {
    if (!this.gateway) {
      return [];
    }
    if (kind === 'rec') {
      return [['ack', this.#keep(payload)]];
    }
    if (kind === 'cmd') {
      const [[message]] = sequence(payload);
      const now = this.#startMs + this.#clock.ms - UNIX_2020_S * 1000;
      const answer = [CLOCK, message[1], Math.floor(now / 1000), Math.floor(now % 1000), null];
      return message[0] === CLOCK ? [['cmd', array(answer)]] : [];
    }
    return [];
  }

  /** Keep records; returns the ranges to acknowledge. */
  #keep(payload) {
    const ranges = [];
    for (const [record, start, end] of sequence(payload)) {
      const [, boot, seq] = record;
      const key = `${boot}:${seq}`;
      const hex = payload.subarray(start, end).toString('hex');
      const known = this.records.get(key);
      if (known === undefined) {
        this.records.set(key, hex);
        this.#onRecord(boot, seq, hex);
      } else if (known === hex) {
        this.again += 1;
      } else {
        this.conflicts.push([key, known, hex]);
      }
      const last = ranges.at(-1);
      if (last && last[0] === boot && last[2] + 1 === seq) {
        last[2] = seq;
      } else {
        ranges.push([boot, seq, seq]);
      }
    }
    return Buffer.concat(ranges.map(array));
  }
}

/** One MQTT 3.1.1 connection. */
class Connection {
  #shore;
  #received = Buffer.alloc(0);
  #topic = ''; // the device's part of its topics

  constructor(shore, send) {
    this.#shore = shore;
    this.send = send;
  }

  receive(bytes) {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (;;) {
      const packet = this.#next();
      if (packet === null) {
        return;
      }
      this.#handle(...packet);
    }
  }

  closed() {
    this.#shore.forget(this);
  }

  /** The next packet, [first byte, body], or null. */
  #next() {
    const bytes = this.#received;
    let [length, at] = [0, 1];
    do {
      if (at >= bytes.length) {
        return null;
      }
      length += (bytes[at] & 127) * 128 ** (at - 1);
    } while (bytes[at++] & 128);
    if (bytes.length < at + length) {
      return null;
    }
    this.#received = bytes.subarray(at + length);
    return [bytes[0], bytes.subarray(at, at + length)];
  }

  #handle(first, body) {
    switch (first >> 4) {
      case PACKET.CONNECT:
        return this.send(Buffer.from([0x20, 2, 0, 0]));
      case PACKET.SUBSCRIBE:
        return this.#subscribe(body);
      case PACKET.PUBLISH:
        return this.#publish(first, body);
      case PACKET.PINGREQ:
        return this.send(Buffer.from([0xd0, 0]));
      default:
        return undefined; // PUBACK, DISCONNECT
    }
  }

  #subscribe(body) {
    const granted = [];
    for (let at = 2; at < body.length;) {
      const length = body.readUInt16BE(at);
      granted.push(body[at + 2 + length]);
      at += 3 + length;
    }
    this.send(Buffer.from([0x90, 2 + granted.length, body[0], body[1], ...granted]));
  }

  #publish(first, body) {
    const length = body.readUInt16BE(0);
    const parts = body.subarray(2, 2 + length).toString().split('/'); // fw/1/shard/device/up/kind
    const qos = (first >> 1) & 3;
    const payload = body.subarray(2 + length + (qos ? 2 : 0));
    if (qos) {
      this.send(Buffer.from([0x40, 2, body[2 + length], body[3 + length]]));
    }
    for (const [kind, answer] of this.#shore.take(parts[5], payload)) {
      const topic = Buffer.from([...parts.slice(0, 4), 'dn', kind].join('/'));
      const rest = Buffer.concat([Buffer.from([0, topic.length]), topic, answer]);
      this.send(Buffer.concat([Buffer.from([0x30]), remaining(rest.length), rest]));
    }
  }
}

/** MQTT's "remaining length". */
function remaining(length) {
  const bytes = [];
  for (let rest = length; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest % 128 | (rest >= 128 ? 128 : 0));
    if (rest < 128) {
      return Buffer.from(bytes);
    }
  }
}
