/**
 * A bare interpreter: `node exec.mjs OPTIONS.json` runs a Python file and ends.
 *
 * OPTIONS.json (simulators/board/interpreter.py writes it):
 *   script    host path of the Python file, run in __main__
 *   scratch   host directory that is "/", writable
 *   mounts    {"/agent": host directory, …}, read only
 *   heap      bytes of Python heap
 *
 * The script may hand over a function with `_exec.run(step)`; it is then called until it returns a
 * negative number. Garbage is collected between two calls only, so work that makes much of it
 * should be cut into steps.
 *
 * The exit code is 0, 1 after an uncaught exception (its traceback is on standard error), or what
 * `sys.exit` was given.
 */

import fs from 'node:fs';
import path from 'node:path';

import {Clock} from './clock.mjs';
import {ReadOnly} from './filesystem.mjs';
import {Flash} from './flash.mjs';
import {Interpreter, PythonFailure, guard} from './interpreter.mjs';
import {Kernel} from './kernel.mjs';

const SCRIPT = '/.board/script';

/** Write all of `bytes`, also to a pipe whose reader is slow. */
function writeAll(fd, bytes) {
  for (let rest = bytes; rest.length > 0;) {
    try {
      rest = rest.subarray(fs.writeSync(fd, rest));
    } catch (error) {
      if (error.code !== 'EAGAIN') {
        throw error;
      }
    }
  }
}

async function main({script, scratch, mounts, heap}) {
  const systems = Object.fromEntries(
    Object.entries(mounts).map(([mount, directory]) => [mount, new ReadOnly(directory)]),
  );
  const kernel = new Kernel(
    {...systems, '/': new Flash(scratch), [SCRIPT]: new ReadOnly(path.dirname(script))},
    {write: (bytes) => writeAll(1, bytes), read: (view) => fs.readSync(0, view)},
  );
  let step = null;
  const interpreter = await Interpreter.start({
    kernel,
    clock: new Clock(),
    heap,
    modules: {
      _exec: {
        run: (function_) => {
          step = function_;
        },
      },
    },
  });
  interpreter.execFile(`${SCRIPT}/${path.basename(script)}`);
  while (step && guard(step) >= 0);
  kernel.release(true);
}

/** The exit code of a Python exception, telling of it where it is an error. */
function exitCode(failure) {
  if (failure.type === 'SystemExit') {
    const value = /SystemExit: (\S*)\s*$/.exec(failure.message)?.[1] ?? '';
    return /^\d*$/.test(value) ? Number(value) : 1;
  }
  writeAll(2, Buffer.from(failure.message));
  return 1;
}

try {
  await main(JSON.parse(fs.readFileSync(process.argv[2], 'utf8')));
} catch (error) {
  if (!(error instanceof PythonFailure)) {
    throw error;
  }
  process.exitCode = exitCode(error);
}
