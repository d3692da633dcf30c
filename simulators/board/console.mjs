/** What a board prints: to its REPL's client, and to standard output where that is wanted. */

const NEWLINE = 10;
const RETURN = 13;

/** Enough to recognise the REPL's longest prompt. */
const TAIL = 40;

export class Console {
  #hardware;
  #stdout;
  #last = 0;

  /** What was printed last, as text; the REPL's driver reads its mode from it. */
  tail = '';

  /** While true, nothing is shown. */
  muted = false;

  /** stdout: a writable stream, or null. */
  constructor(hardware, stdout) {
    this.#hardware = hardware;
    this.#stdout = stdout;
  }

  /** Print bytes; a terminal at the other end needs "\r\n" where Python writes "\n". */
  write(bytes) {
    if (this.muted) {
      return;
    }
    const cooked = [];
    for (const byte of bytes) {
      if (byte === NEWLINE && this.#last !== RETURN) {
        cooked.push(RETURN);
      }
      cooked.push(byte);
      this.#last = byte;
    }
    this.tail = (this.tail + Buffer.from(cooked.slice(-TAIL)).toString('latin1')).slice(-TAIL);
    this.#stdout?.write(bytes);
    this.#hardware.print(Uint8Array.from(cooked));
    this.#hardware.checkInterrupt();
  }

  print(text) {
    this.write(Buffer.from(text));
  }

  /** A board has no standard input but the REPL: always at its end. */
  read() {
    return 0;
  }
}
