/**
 * Sensors from a tape: what a GNSS and an AIS receiver said in some seconds, again and again.
 *
 * GNSS sentences get the time and date of now; everything else stays as it was recorded.
 */

const TIME_FIELD = {GGA: 1, RMC: 1, ZDA: 1, GLL: 5};

export class Tape {
  #epochs;
  #heard;

  /** tape: {"gnss": [[sentence, …] per second], "ais": [[sentence, …] per second]}. */
  constructor(tape) {
    this.#epochs = tape.gnss;
    this.#heard = tape.ais;
  }

  /** The GNSS receiver's bytes in the second that ends at `unixMs`. */
  gnss(second, unixMs) {
    const sentences = this.#epochs[second % this.#epochs.length];
    return lines(sentences.map((sentence) => dated(sentence, new Date(unixMs))));
  }

  /** The AIS receiver's. */
  ais(second) {
    return lines(this.#heard[second % this.#heard.length]);
  }
}

function lines(sentences) {
  return Buffer.from(sentences.map((sentence) => `${sentence}\r\n`).join(''));
}

/** A sentence with the time and date of `now`, where it has any. */
function dated(sentence, now) {
  const fields = sentence.slice(1, sentence.lastIndexOf('*')).split(',');
  const kind = fields[0].slice(2);
  const at = TIME_FIELD[kind];
  if (!at || fields[at] === '') {
    return sentence;
  }
  const [year, month, day] = now.toISOString().slice(0, 10).split('-');
  fields[at] = `${now.toISOString().slice(11, 19).replaceAll(':', '')}.00`;
  if (kind === 'RMC') {
    fields[9] = `${day}${month}${year.slice(2)}`;
  } else if (kind === 'ZDA') {
    fields.splice(2, 3, day, month, year);
  }
  const body = fields.join(',');
  const sum = [...Buffer.from(body)].reduce((all, byte) => all ^ byte, 0);
  return `$${body}*${sum.toString(16).toUpperCase().padStart(2, '0')}`;
}
