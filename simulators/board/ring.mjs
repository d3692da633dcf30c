/**
 * A queue of bytes between two threads: one writes, the other reads, neither waits.
 *
 * Positions run from 0 to twice the capacity, so that a full ring and an empty one differ.
 */
export class Ring {
  #positions;
  #bytes;

  /** buffer: of `Ring.buffer(capacity)`, shared by both threads' rings. */
  constructor(buffer) {
    this.buffer = buffer;
    this.#positions = new Int32Array(buffer, 0, 2); // read, written
    this.#bytes = new Uint8Array(buffer, 8);
  }

  static buffer(capacity) {
    return new SharedArrayBuffer(8 + capacity);
  }

  get capacity() {
    return this.#bytes.length;
  }

  /** Bytes waiting. */
  get length() {
    const [read, written] = [Atomics.load(this.#positions, 0), Atomics.load(this.#positions, 1)];
    return (written - read + 2 * this.capacity) % (2 * this.capacity);
  }

  get room() {
    return this.capacity - this.length;
  }

  /** Append what fits of `bytes`; return how many that were. */
  write(bytes) {
    const count = Math.min(bytes.length, this.room);
    const position = Atomics.load(this.#positions, 1);
    const start = position % this.capacity;
    const first = Math.min(count, this.capacity - start);
    this.#bytes.set(bytes.subarray(0, first), start);
    this.#bytes.set(bytes.subarray(first, count), 0);
    Atomics.store(this.#positions, 1, (position + count) % (2 * this.capacity));
    return count;
  }

  /** Move what there is into `view`; return how many bytes that were. */
  read(view) {
    const count = Math.min(view.length, this.length);
    const position = Atomics.load(this.#positions, 0);
    const start = position % this.capacity;
    const first = Math.min(count, this.capacity - start);
    view.set(this.#bytes.subarray(start, start + first), 0);
    view.set(this.#bytes.subarray(0, count - first), first);
    Atomics.store(this.#positions, 0, (position + count) % (2 * this.capacity));
    return count;
  }

  /** Append a message with its length, whole or not at all; return whether it had room. */
  writeMessage(message) {
    if (message.length + 2 > this.room) {
      return false;
    }
    const bytes = new Uint8Array(message.length + 2);
    bytes.set([message.length >> 8, message.length & 255]);
    bytes.set(message, 2);
    this.write(bytes);
    return true;
  }

  /** Take out a message that was written so; null: there is none. */
  readMessage() {
    const length = new Uint8Array(2);
    if (this.read(length) === 0) {
      return null;
    }
    const message = new Uint8Array(length[0] * 256 + length[1]);
    this.read(message);
    return message;
  }

  /** Take everything out. */
  drain() {
    const bytes = new Uint8Array(this.length);
    this.read(bytes);
    return bytes;
  }

  /** Forget everything; for the reader. */
  clear() {
    Atomics.store(this.#positions, 0, Atomics.load(this.#positions, 1));
  }
}
