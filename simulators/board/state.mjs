/** What a board remembers of a reset that took its process: a small file beside its flash. */

import fs from 'node:fs';

/**
 * state: {cause: "watchdog" or "brown-out", rtc: Uint8Array, calendar: ms ahead of the host's}.
 * Written whole or not at all.
 */
export function saveState(file, {cause, rtc, calendar}) {
  const text = JSON.stringify({cause, rtc: Buffer.from(rtc).toString('hex'), calendar});
  fs.writeFileSync(`${file}.new`, text);
  fs.renameSync(`${file}.new`, file);
}

/** Read the state and remove the file; null: the board was switched on. */
export function takeState(file) {
  let text;
  try {
    text = fs.readFileSync(file, 'utf8');
    fs.unlinkSync(file);
  } catch (error) {
    if (error.code === 'ENOENT') {
      return null;
    }
    throw error;
  }
  const {cause, rtc, calendar} = JSON.parse(text);
  return {cause, rtc: Buffer.from(rtc, 'hex'), calendar};
}
