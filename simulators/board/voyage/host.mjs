/**
 * A voyage: one board in simulated time, with its sensors and its shore, faster than real.
 *
 *     node voyage/host.mjs OPTIONS.json
 *
 * OPTIONS.json (simulators/board/voyage.py writes it), besides flash, heap, console, cut, corrupt,
 * rom, journal, flash_bytes of ../host.mjs:
 *   hours     how long
 *   start     Unix time at which it begins
 *   step_ms   the program is stepped this often at most
 *   rtt_ms    round trip to the shore
 *   tape      host file: what the sensors say (sensors.mjs); a second of it every `sensor_s`
 *   uarts     {"gnss": number, "ais": number}
 *   adc       {pin: millivolts}; lamp {pin, millivolts, on_ms, period_ms}: one that flashes
 *   motion    what the accelerometer feels, [x, y, z] in mg; null: none is fitted
 *   blows     [{"at": s, "mg": [x, y, z], "ms": duration}]
 *   outages   [{"from": s, "to": s, "what": "broker", "gateway" or "network"}]
 *   records   host file that gets a line of JSON for each new record: {"boot", "seq", "hex", "ms"}
 *
 * The last line on standard output is a JSON report. With `cut` the process may die of SIGKILL.
 */

import fs from 'node:fs';

import {Board} from '../board.mjs';
import {CAUSE} from '../module.mjs';
import {SimulatedClock} from './clock.mjs';
import {SimulatedHardware} from './hardware.mjs';
import {Tape} from './sensors.mjs';
import {Shore} from './shore.mjs';

const HOUR_MS = 3_600_000;
const SECOND_MS = 1000;

const options = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
options.nvs = `${options.flash}.nvs`;
fs.mkdirSync(options.nvs, {recursive: true});

const clock = new SimulatedClock();
const hardware = new SimulatedHardware(clock);
const records = options.records ? fs.openSync(options.records, 'a') : null;
const shore = new Shore({
  clock,
  startMs: options.start * 1000,
  rttMs: options.rtt_ms,
  onRecord: (boot, seq, hex) => {
    if (records !== null) {
      fs.writeSync(records, `${JSON.stringify({boot, seq, hex, ms: Math.round(clock.ms)})}\n`);
    }
  },
});
hardware.shore = shore;

const stdout = options.console ? {write: (bytes) => fs.writeSync(1, bytes)} : null;
const board = new Board(options, hardware, clock, CAUSE.POWER_ON, stdout);
let bites = 0;
hardware.onBite = () => {
  bites += 1;
  board.reset(CAUSE.WATCHDOG);
};

// The world

const tape = new Tape(JSON.parse(fs.readFileSync(options.tape, 'utf8')));
let second = 0;
clock.every(options.sensor_s * SECOND_MS, () => {
  hardware.arrive(options.uarts.gnss, tape.gnss(second, options.start * 1000 + clock.ms));
  hardware.arrive(options.uarts.ais, tape.ais(second));
  second += 1;
});
clock.every(SECOND_MS, () => hardware.watch());
for (const [pin, millivolts] of Object.entries(options.adc)) {
  hardware.setVoltage(Number(pin), () => millivolts);
}
if (options.lamp) {
  const {pin, millivolts, on_ms: onMs, period_ms: periodMs} = options.lamp;
  hardware.setVoltage(pin, () => (clock.ms % periodMs < onMs ? millivolts : 0));
}
hardware.motion = options.motion ?? null;
for (const {at, mg, ms} of options.blows ?? []) {
  clock.after(at * 1000, () => hardware.strike(mg, ms));
}
const SWITCHES = {
  broker: (up) => (up ? Object.assign(shore, {up}) : shore.fail()),
  gateway: (up) => Object.assign(shore, {gateway: up}),
  network: (up) => hardware.setNetwork(up),
};
for (const {from, to, what} of options.outages) {
  clock.after(from * 1000, () => SWITCHES[what](false));
  clock.after(to * 1000, () => SWITCHES[what](true));
}

// The log book

const heap = []; // bytes in use after each hour
clock.after(HOUR_MS, function measure() {
  if (hardware.busy) { // time passes within a step; between two there is no garbage
    clock.after(1, measure);
  } else {
    heap.push(board.heapUsed());
    clock.after(HOUR_MS, measure);
  }
});
clock.after(options.hours * HOUR_MS, () => board.stop());

const began = performance.now();
await board.run();
const {programmed, erased} = board.chip;
const report = {
  hours: options.hours,
  took_s: Math.round(performance.now() - began) / 1000,
  heap,
  records: shore.records.size,
  again: shore.again,
  conflicts: shore.conflicts,
  connects: shore.connects,
  bites,
  programmed,
  erased,
  overruns: [options.uarts.gnss, options.uarts.ais].map((uart) => hardware.uartOverruns(uart)),
};
fs.writeSync(1, `\n${JSON.stringify(report)}\n`);
process.exit(0);
