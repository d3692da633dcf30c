/**
 * One board: it boots, runs its program's `step`, gives a REPL, and is reset.
 *
 * Everything happens in one loop, one thing after the other, and between two things Node's event
 * loop runs. So no call into Python may last for ever; a program's own endless loop lies in the
 * `step` that it hands over with `_board.run(step, stop)`.
 */

import {fileURLToPath} from 'node:url';

import {Console} from './console.mjs';
import {Devices} from './devices.mjs';
import {ReadOnly} from './filesystem.mjs';
import {Chip, Flash, Unmounted} from './flash.mjs';
import {Interpreter, PythonFailure, guard} from './interpreter.mjs';
import {Kernel} from './kernel.mjs';
import {CAUSE, boardModule} from './module.mjs';
import {Repl} from './repl.mjs';

const CTRL_C = 3;

/** A program that would sleep longer is stepped all the same. */
const MAX_STEP_MS = 1000;

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
  #clock;
  #console;
  #chip;
  #flash;
  #nvs;
  #kernel = null;
  #interpreter = null;
  #repl = null;
  #program = null; // {step, stop, due, notBefore}, while one runs
  #cause;
  #reset = null; // the cause of a reset that was asked for
  #sleepMs = 0; // how long it sleeps before that
  #typed = [];
  #typing = false; // the REPL is at work on a typed byte
  #interrupted = false; // running code was told of a Ctrl-C that is still among the typed bytes
  #stopBy = Infinity;
  #measured = 0;
  #wake = () => {};

  /** options: see host.mjs; cause: why the board starts; stdout: copy of its console, or null. */
  constructor(options, hardware, clock, cause, stdout) {
    this.#options = options;
    this.#hardware = hardware;
    this.#clock = clock;
    this.#cause = cause;
    this.#console = new Console(hardware, stdout);
    this.#chip = new Chip(options, () => clock.now());
    this.#flash = options.corrupt
      ? new Unmounted()
      : new Flash(options.flash, this.#chip, options.flash_bytes);
    this.#nvs = new Flash(options.nvs, this.#chip);
    hardware.onWake = () => this.#alarm();
    hardware.onInterrupt = () => this.#interrupt();
  }

  /** Run until `stop`. */
  async run() {
    await this.#boot(false);
    while (this.#program ? this.#clock.now() < this.#stopBy : this.#stopBy === Infinity) {
      this.#readConsole();
      if (this.#reset !== null) {
        await this.#restart();
      } else if (this.#program && this.#clock.now() >= this.#program.due) {
        this.#step();
      } else {
        await this.#sleep();
      }
    }
    this.#kernel.release(false);
  }

  /** Ask the program to end, and end the board when it has. */
  stop() {
    if (this.#stopBy !== Infinity) {
      return; // asked before: a terminal's Ctrl-C and a supervisor both ask
    }
    const stop = this.#program?.stop;
    this.#stopBy = this.#clock.now() + (stop ? this.#options.stop_ms : 0);
    if (stop) {
      this.#enter(stop);
    }
    this.#alarm();
  }

  /** Reset the board from outside, between two steps. */
  reset(cause) {
    this.#reset = cause;
    this.#alarm();
  }

  /** Bytes of Python heap in use when all garbage is collected; to be asked between two steps. */
  heapUsed() {
    this.#interpreter.exec('__import__("gc").collect()'); // takes place when the call returns
    this.#interpreter.exec('__import__("_board").measured(__import__("gc").mem_alloc())');
    return this.#measured;
  }

  /** The chip of its flash. */
  get chip() {
    return this.#chip;
  }

  /** Let Node run until the next step is due or something happens. */
  #sleep() {
    return this.#sleepUntil(Math.min(this.#program?.due ?? Infinity, this.#stopBy));
  }

  #sleepUntil(until) {
    const [promise, wake] = this.#clock.sleep(until);
    this.#wake = wake;
    return promise;
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
      const now = this.#clock.now();
      program.notBefore = now + this.#options.step_ms;
      program.due = now + Math.max(Math.min(wish, MAX_STEP_MS), this.#options.step_ms);
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
      this.#hardware.releaseOutputs();
    }
    this.#cause = cause;
    this.#reset = null;
    this.#program = null;
    this.#kernel.release(cause === CAUSE.SOFT);
    if (cause === CAUSE.DEEP_SLEEP) {
      await this.#rest(this.#sleepMs);
    }
    if (cause !== CAUSE.SOFT) {
      this.#clock.restart();
    }
    if (this.#stopBy === Infinity) {
      await this.#boot(raw);
    }
  }

  /** Sleep deeply: nothing runs, nothing is heard. */
  async #rest(ms) {
    await this.#hardware.reset();
    const until = this.#clock.now() + ms;
    while (this.#clock.now() < until && this.#stopBy === Infinity) {
      await this.#sleepUntil(until);
    }
    this.#hardware.typed();
  }

  /**
   * A new interpreter runs the firmware's own _boot.py, where there is one, and boot.py; then
   * main.py, unless a tool holds the board in raw mode.
   */
  async #boot(raw) {
    await this.#hardware.reset();
    const {rom} = this.#options;
    this.#kernel = new Kernel({
      '/': this.#flash,
      ...(rom ? {'/rom': new ReadOnly(rom)} : {}),
      '/.board/lib': new ReadOnly(MODULES),
      '/.board/nvs': this.#nvs,
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
    let booted = this.#enter(() => this.#interpreter.exec(SET_UP));
    for (const file of ['/rom/_boot.py', 'boot.py', ...(raw ? [] : ['main.py'])]) {
      booted &&= this.#program !== null || this.#runFile(file);
    }
    if (!this.#program && this.#reset === null) {
      this.#repl.start(raw);
    }
  }

  /** Run a file, if it is there; false: it raised. */
  #runFile(name) {
    return !this.#kernel.exists(name) || this.#enter(() => this.#interpreter.execFile(name));
  }

  #module() {
    return boardModule({
      options: this.#options,
      hardware: this.#hardware,
      clock: this.#clock,
      chip: this.#chip,
      cause: this.#cause,
      run: (step, stop) => {
        this.#program = {step, stop, due: 0, notBefore: 0};
      },
      reset: (cause) => {
        this.#reset = cause;
      },
      measured: (bytes) => {
        this.#measured = bytes;
      },
      deepSleep: (ms) => {
        this.#reset = CAUSE.DEEP_SLEEP;
        this.#sleepMs = ms;
      },
    });
  }
}
