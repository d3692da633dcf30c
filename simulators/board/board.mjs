/**
 * One board: it boots, runs its program's `step`, gives a REPL, and is reset.
 *
 * Everything happens in one loop, one thing after the other, and between two things Node's event
 * loop runs. So no call into Python may last for ever; a program's own endless loop lies in the
 * `step` that it hands over with `_board.run(step, stop)`.
 */

import {fileURLToPath} from 'node:url';

import {Clock} from './clock.mjs';
import {Console} from './console.mjs';
import {Devices} from './devices.mjs';
import {Flash, ReadOnly} from './filesystem.mjs';
import {Interpreter, PythonFailure, guard} from './interpreter.mjs';
import {Kernel} from './kernel.mjs';
import {CAUSE, boardModule} from './module.mjs';
import {Repl} from './repl.mjs';

const CTRL_C = 3;

/** A program for which data keeps coming is stepped this often at most … */
const MIN_STEP_MS = 2;

/** … and one that would sleep longer is stepped all the same. */
const MAX_STEP_MS = 1000;

/** How long a program may take to end, once it was asked to. */
const STOP_MS = 10_000;

/** The time a step is given wraps like `time.ticks_ms()`. */
const TICKS_MASK = 0x3fff_ffff;

/** The board's own modules: machine, network, socket, esp32. */
const MODULES = fileURLToPath(new URL('lib', import.meta.url));

/** Python raises a KeyboardInterrupt at a jump; a step may have ended without one. */
const JUMPS = 'for _ in range(9): pass';

const SET_UP = 'import sys; sys.path.append("/.board/lib"); del sys; import _boot; del _boot';

export class Board {
  #options;
  #hardware;
  #clock = new Clock();
  #console;
  #flash;
  #kernel = null;
  #interpreter = null;
  #repl = null;
  #program = null; // {step, stop, due, notBefore}, while one runs
  #cause;
  #reset = null; // the cause of a reset that was asked for
  #typed = [];
  #typing = false; // the REPL is at work on a typed byte
  #interrupted = false; // running code was told of a Ctrl-C that is still among the typed bytes
  #stopBy = Infinity;
  #wake = () => {};

  /** options: see host.mjs; cause: why the board starts; stdout: copy of its console, or null. */
  constructor(options, hardware, cause, stdout) {
    this.#options = options;
    this.#hardware = hardware;
    this.#cause = cause;
    this.#console = new Console(hardware, stdout);
    this.#flash = new Flash(options.flash);
    hardware.onWake = () => this.#alarm();
    hardware.onInterrupt = () => this.#interrupt();
  }

  /** Run until `stop`. */
  async run() {
    await this.#boot(false);
    while (this.#program ? performance.now() < this.#stopBy : this.#stopBy === Infinity) {
      this.#readConsole();
      if (this.#reset !== null) {
        await this.#restart();
      } else if (this.#program && performance.now() >= this.#program.due) {
        this.#step();
      } else {
        await this.#sleep();
      }
    }
    this.#kernel.release();
  }

  /** Ask the program to end, and end the board when it has. */
  stop() {
    if (this.#stopBy !== Infinity) {
      return; // asked before: a terminal's Ctrl-C and a supervisor both ask
    }
    const stop = this.#program?.stop;
    this.#stopBy = performance.now() + (stop ? STOP_MS : 0);
    if (stop) {
      this.#enter(stop);
    }
    this.#alarm();
  }

  /** Let Node run until the next step is due or something happens. */
  #sleep() {
    const until = Math.min(this.#program?.due ?? Infinity, this.#stopBy);
    return new Promise((resolve) => {
      const timer = until === Infinity
        ? null
        : setTimeout(resolve, Math.max(0, until - performance.now()));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #alarm() {
    if (this.#program) {
      this.#program.due = Math.min(this.#program.due, this.#program.notBefore);
    }
    this.#wake();
  }

  /** Call into Python; false: it raised, and the traceback is on the console. */
  #enter(call) {
    this.#hardware.busy = true;
    try {
      guard(call);
      return true;
    } catch (error) {
      if (!(error instanceof PythonFailure)) {
        throw error;
      }
      if (error.type === 'SystemExit') {
        this.#reset ??= CAUSE.SOFT;
      } else {
        this.#console.print(error.message);
      }
      return false;
    } finally {
      this.#hardware.busy = false;
    }
  }

  #step() {
    const program = this.#program;
    let wish = 0;
    const fine = this.#enter(() => {
      wish = program.step(this.#clock.ticksMs() & TICKS_MASK);
    });
    if (fine && this.#interrupted) {
      this.#enter(() => this.#interpreter.exec(JUMPS));
    }
    if (!fine || this.#interrupted) {
      this.#halt('');
    } else if (typeof wish !== 'number') {
      this.#halt('TypeError: step() must return the milliseconds until it wants to run again\n');
    } else if (wish < 0 && this.#stopBy < Infinity) {
      this.#program = null;
    } else {
      const now = performance.now();
      program.notBefore = now + MIN_STEP_MS;
      program.due = now + Math.min(Math.max(wish, MIN_STEP_MS), MAX_STEP_MS);
    }
  }

  /** End the program and give a prompt, as a board does when main.py ends. */
  #halt(reason) {
    this.#program = null;
    if (this.#reset === null) {
      this.#console.print(reason);
      this.#repl.start(false);
    }
  }

  #readConsole() {
    this.#typed.push(...this.#hardware.typed());
    while (this.#typed.length > 0 && this.#reset === null) {
      const byte = this.#typed.shift();
      if (byte === CTRL_C) {
        this.#hardware.forgetInterrupt();
      }
      if (this.#interrupted) { // what was typed before the Ctrl-C goes with it
        this.#interrupted = byte !== CTRL_C;
      } else if (!this.#program) {
        this.#type(byte);
      } else if (byte === CTRL_C) {
        this.#halt('KeyboardInterrupt: \n');
      }
    }
  }

  #type(byte) {
    this.#typing = true;
    this.#enter(() => {
      if (this.#repl.type(byte)) {
        this.#reset ??= CAUSE.SOFT;
      }
    });
    this.#typing = false;
  }

  /** Ctrl-C was typed; true: Python code was running, and ends. */
  #interrupt() {
    if (!this.#hardware.busy || (this.#typing && !this.#interpreter.runsTypedCode)) {
      return false;
    }
    this.#interpreter.interrupt();
    this.#interrupted = true;
    return true;
  }

  async #restart() {
    const cause = this.#reset;
    const raw = cause === CAUSE.SOFT && this.#repl.raw;
    if (cause === CAUSE.SOFT) {
      this.#console.print('MPY: soft reboot\n');
    } else {
      this.#hardware.setWatchdog(0);
      this.#clock.restart();
    }
    this.#cause = cause;
    this.#reset = null;
    this.#program = null;
    this.#kernel.release();
    await this.#boot(raw);
  }

  /** A new interpreter runs boot.py; then main.py, unless a tool holds the board in raw mode. */
  async #boot(raw) {
    await this.#hardware.reset();
    this.#kernel = new Kernel({
      '/': this.#flash,
      '/.board/lib': new ReadOnly(MODULES),
      '/.board/nvs': new Flash(this.#options.nvs),
      '/.board/dev': new Devices(this.#hardware),
    }, this.#console);
    this.#interpreter = await Interpreter.start({
      kernel: this.#kernel,
      clock: this.#clock,
      heap: this.#options.heap,
      modules: {_board: this.#module()},
      onTicks: () => this.#hardware.checkInterrupt(),
    });
    this.#repl = new Repl(this.#interpreter, this.#console);
    const booted = this.#enter(() => this.#interpreter.exec(SET_UP)) && this.#runFile('boot.py');
    if (booted && !raw) {
      this.#runFile('main.py');
    }
    if (!this.#program && this.#reset === null) {
      this.#repl.start(raw);
    }
  }

  /** Run a file of the flash, if it is there; false: it raised. */
  #runFile(name) {
    return !this.#flash.exists(`/${name}`) || this.#enter(() => this.#interpreter.execFile(name));
  }

  #module() {
    return boardModule({
      options: this.#options,
      hardware: this.#hardware,
      clock: this.#clock,
      cause: this.#cause,
      run: (step, stop) => {
        this.#program = {step, stop, due: 0, notBefore: 0};
      },
      reset: (cause) => {
        this.#reset = cause;
      },
    });
  }
}
