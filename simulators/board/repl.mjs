/**
 * The interpreter's own REPL, driven byte by byte.
 *
 * Two things it cannot do here are done for it: the raw-paste request of mpremote is answered with
 * "understood, but not supported" (reading the code would block), and the driver knows whether the
 * REPL is raw, because a soft reset must come back in the same mode.
 */

const CTRL_A = 1;
const CTRL_B = 2;
const CTRL_C = 3;
const CTRL_D = 4;
const CTRL_E = 5;
const RAW_PROMPT = 'raw REPL; CTRL-B to exit\r\n>';
const PASTE_REFUSED = 'R\0';

export class Repl {
  #interpreter;
  #console;
  #raw = false;
  #lineStart = true;
  #request = [];

  constructor(interpreter, console) {
    this.#interpreter = interpreter;
    this.#console = console;
  }

  /** Whether the REPL is in raw mode. */
  get raw() {
    return this.#raw;
  }

  /** Begin, in the mode asked for: banner and prompt, or the raw prompt. */
  start(raw) {
    if (this.#raw) {
      this.#pass(CTRL_B); // a program that was started from raw mode has ended
      return;
    }
    this.#console.muted = raw;
    this.#interpreter.startRepl();
    this.#console.muted = false;
    if (raw) {
      this.#pass(CTRL_A);
    }
  }

  /** Take one typed byte; true: a soft reset is asked for. */
  type(byte) {
    if (this.#raw && (this.#request.length > 0 || (this.#lineStart && byte === CTRL_E))) {
      return this.#pasteRequest(byte);
    }
    return this.#pass(byte);
  }

  /** Ctrl-E, a letter, Ctrl-A at the start of a raw line ask for raw paste. */
  #pasteRequest(byte) {
    this.#request.push(byte);
    if (this.#request.length < 3) {
      return false;
    }
    const request = this.#request;
    this.#request = [];
    if (byte === CTRL_A) {
      this.#console.print(PASTE_REFUSED);
      return false;
    }
    return request.map((one) => this.#pass(one)).includes(true);
  }

  #pass(byte) {
    const reset = this.#interpreter.replByte(byte);
    if (this.#raw && byte === CTRL_B) {
      this.#raw = false;
    } else if (byte === CTRL_A) {
      this.#raw = this.#console.tail.endsWith(RAW_PROMPT);
    }
    this.#lineStart = [CTRL_A, CTRL_C, CTRL_D].includes(byte); // each empties a raw line
    return reset;
  }
}
