/**
 * The virtual board's process: `node host.mjs OPTIONS.json`.
 *
 * OPTIONS.json (simulators/board/process.py writes it):
 *   name      the board's name
 *   flash     host directory that is the board's flash; beside it lie <flash>.nvs (NVS) and
 *             <flash>.reset (why the process died, after a watchdog or brown-out reset)
 *   flash_bytes  how much the flash holds (6 MiB)
 *   cut       the power fails with this byte written to flash, counted from the start (0: never)
 *   corrupt   the flash cannot be mounted (false)
 *   rom       host directory at /rom: what the firmware has frozen; its _boot.py runs first
 *   journal   host file that gets a line for each change of the flash
 *   heap      bytes of Python heap (8 MiB)
 *   repl      {host, port}: where the REPL listens, port 0 for any; none without it
 *   console   copy what the board prints to standard output (false)
 *   uarts     {"1": {"connect": "host:port"}}: what each UART is wired to
 *   pace      let received bytes take the time they take on a line (true)
 *   inputs    "host:port" of the simulator that sets pins, voltages and the Wi-Fi
 *   network   whether the Wi-Fi is connected at the start (true)
 *   stop_ms   how long the program may take to end, once it was asked to (10,000)
 *   step_ms   a program for which data keeps coming is stepped this often at most (2)
 *
 * The first line on standard output is {"repl": port}. After SIGTERM or SIGINT, or when whoever
 * started it is gone, the program may drain, then the process ends with 0. It ends with 2 if it
 * could not start, and says why on standard error. A watchdog or brown-out reset ends the process
 * with SIGKILL: start it again. A start without such a note is a power-on.
 */

import fs from 'node:fs';

import {Board} from './board.mjs';
import {Clock} from './clock.mjs';
import {Hardware, StartError} from './hardware.mjs';
import {installed} from './interpreter.mjs';
import {CAUSE} from './module.mjs';
import {takeState} from './state.mjs';

const DEFAULTS = {
  heap: 8 * 1024 * 1024,
  repl: null,
  console: false,
  uarts: {},
  pace: true,
  inputs: null,
  network: true,
  cut: 0,
  corrupt: false,
  rom: null,
  journal: null,
  stop_ms: 10_000,
  step_ms: 2,
};

/** The oldest Node with everything used here. */
const NODE_MAJOR = 22;

/** How often to look whether whoever started us still lives. */
const PARENT_MS = 1000;

function readOptions(file) {
  const options = {...DEFAULTS, ...JSON.parse(fs.readFileSync(file, 'utf8'))};
  if (!fs.statSync(options.flash, {throwIfNoEntry: false})?.isDirectory()) {
    throw new StartError(`no flash directory ${options.flash}`);
  }
  if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR) {
    throw new StartError(`Node ${process.versions.node} is too old: ${NODE_MAJOR} is needed`);
  }
  if (!installed()) {
    throw new StartError('the MicroPython package is missing: run npm ci in simulators/board');
  }
  options.nvs = `${options.flash}.nvs`;
  fs.mkdirSync(options.nvs, {recursive: true});
  return options;
}

async function main() {
  const options = readOptions(process.argv[2]);
  const stateFile = `${options.flash}.reset`;
  const state = takeState(stateFile);
  const hardware = new Hardware(options, stateFile);
  const clock = new Clock();
  const bitten = state?.cause === 'watchdog';
  if (bitten) {
    hardware.rtcMemory = state.rtc;
    clock.setCalendar(Date.now() + state.calendar);
  }
  hardware.calendar = clock.calendarMs();
  const report = (text) => process.stderr.write(`board ${options.name}: ${text}\n`);
  const ready = await hardware.start(report);
  process.stdout.on('error', () => {}); // whoever read it is gone; we notice that otherwise
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  const cause = bitten ? CAUSE.WATCHDOG : CAUSE.POWER_ON; // the ESP32's names for them
  const stdout = options.console ? process.stdout : null;
  const board = new Board(options, hardware, clock, cause, stdout);
  process.on('SIGTERM', () => board.stop());
  process.on('SIGINT', () => board.stop());
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && board.stop(), PARENT_MS);
  await board.run();
}

try {
  await main();
  process.exit(0);
} catch (error) {
  process.stderr.write(`board: ${error instanceof StartError ? error.message : error.stack}\n`);
  process.exit(2);
}
