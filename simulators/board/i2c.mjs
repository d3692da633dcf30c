/** An I2C bus with the board's accelerometer on it, if there is one. */

import {SystemError, numberOf} from './errno.mjs';
import {ADDRESS, LIS3DH} from './lis3dh.mjs';

export class I2CBus {
  #now;
  #felt;
  #chip;
  #register = 0;

  /** now(): milliseconds; felt(): [x, y, z] in mg, null: no chip is fitted; blows(): see lis3dh. */
  constructor({now, felt, blows}) {
    this.#now = now;
    this.#felt = felt;
    this.#chip = new LIS3DH(() => felt() ?? [0, 0, 0], blows);
  }

  /** Address a register, 0x80 with auto-increment; return an error's number, 0: acknowledged. */
  select(address, register) {
    this.#register = register;
    return this.#answers(address) ? 0 : numberOf('ENODEV');
  }

  read(view) {
    this.#check();
    this.#chip.read(this.#register, view, this.#now());
    return view.length;
  }

  write(view) {
    this.#check();
    this.#chip.write(this.#register, view, this.#now());
    return view.length;
  }

  #answers(address) {
    return address === ADDRESS && this.#felt() !== null;
  }

  #check() {
    if (!this.#answers(ADDRESS)) {
      throw new SystemError('ENODEV');
    }
  }
}
