/**
 * The board's pins, its Wi-Fi and its supply, as a simulator sets and sees them: lines of JSON over
 * TCP, {"adc": {pin: millivolts}}, {"pin": {pin: 0 or 1}}, {"network": true or false},
 * {"brown_out": true}, {"motion": [x, y, z] in mg, or null: no chip is fitted},
 * {"blow": {"mg": [x, y, z], "ms": duration}}. Back go {"board": name}, and the pins that the board
 * drives or lets go of: {"out": {pin: 0, 1 or null}}. Whoever loses the connection knows that all are
 * let go of.
 */

import {processMs} from '../clock.mjs';
import {CELL, PINS} from '../shared.mjs';
import {Cable} from './cable.mjs';

/** The longest line taken; more without a line end is not JSON lines. */
const MAX_LINE = 64 * 1024;

const MICROVOLTS_MAX = 0x7fff_ffff;

/** What a buoy feels is far below; it keeps cells and samples within their numbers. */
const MG_MAX = 1_000_000;
const BLOW_MS_MAX = 10_000;

export class Inputs {
  #shared;
  #signal;
  #onNetwork;
  #onBrownOut;
  #report;
  #cable;
  #partial = '';

  /**
   * onNetwork(): the Wi-Fi changed; onBrownOut(): the supply fell too low; report(text): something
   * is wrong with a line.
   */
  constructor({shared, signal, address, name, onNetwork, onBrownOut, report}) {
    this.#shared = shared;
    this.#signal = signal;
    this.#onNetwork = onNetwork;
    this.#onBrownOut = onBrownOut;
    this.#report = report;
    this.#cable = new Cable(address, {
      onConnect: () => {
        this.#partial = '';
        this.#send({board: name});
        const levels = Array.from({length: PINS}, (_, pin) => shared.get(CELL.OUTPUT + pin));
        this.tell(Object.fromEntries(Object.entries(levels).filter(([, level]) => level >= 0)));
      },
      onData: (data) => this.#receive(data),
    });
  }

  /** Tell what the board does with pins: {pin: level, or -1 where it lets go}. */
  tell(outputs) {
    const levels = Object.entries(outputs);
    if (levels.length > 0) {
      this.#send({out: Object.fromEntries(levels.map(([pin, x]) => [pin, x < 0 ? null : x]))});
    }
  }

  #send(message) {
    this.#cable.write(`${JSON.stringify(message)}\n`);
  }

  #receive(data) {
    const lines = (this.#partial + data.toString()).split('\n');
    this.#partial = lines.pop();
    if (this.#partial.length > MAX_LINE) {
      this.#report(`inputs: a line of more than ${MAX_LINE} characters is dropped`);
      this.#partial = '';
    }
    lines.filter((line) => line.trim() !== '').forEach((line) => this.#apply(line));
    this.#signal.raise();
  }

  #apply(line) {
    try {
      const {adc = {}, pin = {}, network, motion, blow, brown_out: brownOut} = JSON.parse(line);
      for (const [number, millivolts] of Object.entries(adc)) {
        const microvolts = Math.round(Number(millivolts) * 1000);
        this.#set(CELL.ADC_UV, number, microvolts, 0, MICROVOLTS_MAX);
      }
      for (const [number, level] of Object.entries(pin)) {
        this.#set(CELL.LEVEL, number, level, 0, 1);
      }
      if (network !== undefined) {
        this.#shared.set(CELL.NETWORK, network ? 1 : 0);
        this.#onNetwork();
      }
      if (motion !== undefined) {
        const felt = motion === null ? null : acceleration(motion);
        felt?.forEach((mg, axis) => this.#shared.set(CELL.MOTION + 1 + axis, mg));
        this.#shared.set(CELL.MOTION, felt === null ? 0 : 1);
      }
      if (blow !== undefined) {
        const {mg, ms} = blow;
        if (!(ms > 0 && ms <= BLOW_MS_MAX)) {
          throw new RangeError('a blow takes up to ten seconds');
        }
        const message = Float64Array.of(processMs(), ms, ...acceleration(mg));
        this.#shared.blows.writeMessage(new Uint8Array(message.buffer));
      }
      if (brownOut) {
        this.#onBrownOut();
      }
    } catch (error) {
      this.#report(`inputs: ${error.message} in ${line.slice(0, 80)}`);
    }
  }

  #set(cell, number, value, low, high) {
    const index = Number(number);
    if (!(Number.isInteger(index) && index >= 0 && index < PINS)) {
      throw new RangeError(`no pin ${number} (0 to ${PINS - 1})`);
    }
    if (!(Number.isInteger(value) && value >= low && value <= high)) {
      throw new RangeError(`pin ${number}: a value out of range`);
    }
    this.#shared.set(cell + index, value);
  }
}

/** Three accelerations as whole milligravities. */
function acceleration(mg) {
  if (!(Array.isArray(mg) && mg.length === 3 && mg.every((one) => Math.abs(one) <= MG_MAX))) {
    throw new RangeError('an acceleration is three numbers, in mg');
  }
  return mg.map(Math.round);
}
