/**
 * One MicroPython interpreter: the official WebAssembly build on a kernel of our own.
 *
 * The package keeps its state in global variables, so a process has one interpreter at a time; a
 * new one takes the place of the old.
 */

import {existsSync} from 'node:fs';

const PACKAGE = '@micropython/micropython-webassembly-pyscript';

/**
 * Room for the garbage of one call, as a part of the heap. This build collects garbage only when a
 * call from JavaScript returns; until then its heap grows, by doubling.
 */
const GROWTH = 1.1;

/** Memory left to the C library itself: strings on their way between the two languages. */
const C_HEAP = 64 * 1024;

const CTRL_C = 3;

let compiled = null;

export class Interpreter {
  #micropython;

  /**
   * kernel: its system calls; clock: its time; heap: bytes of Python heap; modules: {name: object
   * of functions}, importable from Python; onTicks(): called when Python reads the time, as loops
   * that wait do. No function that Python calls may throw: the exception would tear down the
   * interpreter's stack.
   */
  static async start({kernel, clock, heap, modules = {}, onTicks = () => {}}) {
    const {loadMicroPython} = await import(PACKAGE);
    const memory = new Memory();
    const micropython = await substituteImports(
      (imports) => {
        const own = kernel.imports();
        memory.watch(imports.env);
        Object.assign(imports.env, own.env, {
          mp_js_ticks_ms: () => {
            onTicks();
            return clock.ticksMs();
          },
          mp_js_time_ms: () => clock.calendarMs(),
        });
        Object.assign(imports.wasi_snapshot_preview1, own.wasi_snapshot_preview1);
      },
      (exports) => kernel.attach(exports.memory),
      () => loadMicroPython({heapsize: heap}),
    );
    keepProxiesApart(micropython._module);
    memory.seal(micropython._module, Math.ceil(heap * GROWTH) + C_HEAP);
    return new Interpreter(micropython, modules);
  }

  constructor(micropython, modules) {
    this.#micropython = micropython;
    for (const [name, module] of Object.entries(modules)) {
      micropython.registerJsModule(name, module);
    }
  }

  /** Run Python source in __main__; an uncaught exception comes back as a PythonFailure. */
  exec(source) {
    guard(() => this.#micropython.runPython(source));
  }

  /** Run a file in __main__, as a board runs boot.py. */
  execFile(name) {
    this.exec(`execfile(${JSON.stringify(name)})`);
  }

  /** Start the REPL: prints the banner and a prompt. */
  startRepl() {
    this.#micropython.replInit();
  }

  /** Give the REPL one byte; true: a soft reset is asked for. */
  replByte(byte) {
    return (this.#micropython.replProcessChar(byte) & 0x100) !== 0;
  }

  /** Whether code typed at the REPL is running now. */
  get runsTypedCode() {
    return this.#micropython._module._mp_hal_get_interrupt_char() === CTRL_C;
  }

  /** Make the running Python code raise KeyboardInterrupt at its next jump. */
  interrupt() {
    this.#micropython._module._mp_sched_keyboard_interrupt();
  }
}

/** A Python exception nobody caught: `type` its class's name, `message` the traceback. */
export class PythonFailure extends Error {
  constructor(type, traceback) {
    // The frame of our own call into the interpreter means nothing to the reader.
    super(traceback.replace('  File "<stdin>", line 1, in <module>\n', ''));
    this.type = type;
  }
}

/** Call into Python; what it raises becomes a PythonFailure. */
export function guard(call) {
  try {
    return call();
  } catch (error) {
    if (error.name === 'PythonError') {
      throw new PythonFailure(error.type, error.message);
    }
    throw error;
  }
}

/** Whether the npm package is there. */
export function installed() {
  try {
    return existsSync(new URL(import.meta.resolve(PACKAGE)));
  } catch {
    return false;
  }
}

/** The package has no hook for its WebAssembly imports, so we stand in for `instantiate` once. */
async function substituteImports(change, attach, load) {
  const instantiate = WebAssembly.instantiate;
  WebAssembly.instantiate = async (binary, imports) => {
    change(imports);
    compiled ??= await WebAssembly.compile(binary);
    const instance = await instantiate.call(WebAssembly, compiled, imports);
    attach(instance.exports);
    return {instance, module: compiled};
  };
  try {
    return await load();
  } finally {
    WebAssembly.instantiate = instantiate;
  }
}

/**
 * JavaScript's collector tells the package when a proxy of a Python object died; the package then
 * frees it in the interpreter of the day. A proxy of an interpreter that is gone must not.
 */
function keepProxiesApart(module) {
  globalThis.pyProxyFinalizationRegistry = new FinalizationRegistry((reference) => {
    if (globalThis.Module === module) {
      globalThis.proxy_js_map.delete(reference);
      module.ccall('proxy_c_free_obj', 'null', ['number'], [reference]);
    }
  });
}

/**
 * The interpreter's memory: free to grow until `seal`, then what it has and `room` bytes more.
 *
 * Without a bound this build grows its heap by up to 128 MiB at a time, until the host is full.
 */
class Memory {
  #sealed = false;

  /** Put into the imports a say in whether memory may grow. */
  watch(env) {
    const grow = env.emscripten_resize_heap;
    env.emscripten_resize_heap = (size) => (this.#sealed ? 0 : grow(size));
  }

  /** Take up all memory but `room` bytes. What is never touched costs the host nothing. */
  seal(module, room) {
    const reserve = module._malloc(room);
    this.#sealed = true;
    for (let size = 2 ** 30; size >= 2 ** 12; size /= 2) {
      while (module._malloc(size) !== 0);
    }
    module._free(reserve);
  }
}
