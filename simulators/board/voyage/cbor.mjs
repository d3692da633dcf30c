/** As much of CBOR as the wire contract uses (docs/wire.md). */

/** Read the items of a sequence: [[value, start, end], …]. Throws a RangeError at bad bytes. */
export function sequence(bytes) {
  const items = [];
  for (let at = 0; at < bytes.length;) {
    const [value, end] = item(bytes, at);
    items.push([value, at, end]);
    at = end;
  }
  return items;
}

function item(bytes, at) {
  const major = bytes[at] >> 5;
  const short = bytes[at] & 31;
  if (bytes[at] === 0xf6) {
    return [null, at + 1];
  }
  const size = short < 24 ? 0 : 2 ** (short - 24);
  if (size > 4 || at + 1 + size > bytes.length) {
    throw new RangeError(`CBOR item ${bytes[at]} at ${at}`);
  }
  const number = size === 0 ? short : bytes.readUIntBE(at + 1, size);
  const next = at + 1 + size;
  switch (major) {
    case 0:
      return [number, next];
    case 1:
      return [-1 - number, next];
    case 2:
      return [bytes.subarray(next, next + number), next + number];
    case 4: {
      const values = [];
      let end = next;
      for (let i = 0; i < number; i++) {
        const [value, after] = item(bytes, end);
        values.push(value);
        end = after;
      }
      return [values, end];
    }
    default:
      throw new RangeError(`CBOR major type ${major} at ${at}`);
  }
}

/** Write an array of integers and nulls. */
export function array(values) {
  return Buffer.concat([head(4, values.length), ...values.map(one)]);
}

function one(value) {
  if (value === null) {
    return Buffer.from([0xf6]);
  }
  return value < 0 ? head(1, -1 - value) : head(0, value);
}

function head(major, number) {
  const size = [1, 2, 4].find((bytes) => number < 2 ** (8 * bytes));
  if (number < 24) {
    return Buffer.from([(major << 5) | number]);
  }
  const out = Buffer.alloc(1 + size);
  out[0] = (major << 5) | (24 + Math.log2(size));
  out.writeUIntBE(number, 1, size);
  return out;
}
