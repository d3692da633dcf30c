/**
 * The board's flash: a host directory with the promises of littlefs.
 *
 * What is written to a file is invisible, to everybody else and after a power cut, until `flush`
 * or `close`: then all of it is there at once. A rename takes place or not; a new file's empty
 * entry is there from its opening. In the host's directory lies what a power cut would leave, at
 * any moment, so that ending the process is cutting the power.
 *
 * The flash fills up (ENOSPC), counts what it programs and erases, and can lose power itself at a
 * given byte. Numbers of bytes and blocks are estimates in the manner of littlefs on an ESP32: a
 * file above 128 bytes fills whole blocks, writing into a block copies it, metadata are appended.
 */

import fs from 'node:fs';
import path from 'node:path';

import {SystemError} from './errno.mjs';
import {BLOCK_SIZE, HostDirectory} from './filesystem.mjs';

/** Flash of the reference board left to files (8 MB, less 2 MB of firmware). */
const CAPACITY = 6 * 1024 * 1024;

/** littlefs keeps smaller files beside their names: MicroPython's cache is 4 × 32 bytes. */
const INLINE_MAX = 128;

/** What a change of metadata programs at least: entry and checksum, in units of 32 bytes. */
const COMMIT_BYTES = 64;

/** Bytes of commits until a block of metadata is full and is erased and written anew. */
const METADATA_BYTES = 2048;

/** A directory's two blocks of metadata. */
const DIRECTORY_BLOCKS = 2;

const FILE_MODE = 0o100666;

const ACCESS = fs.constants.O_RDONLY | fs.constants.O_WRONLY | fs.constants.O_RDWR;

/** The chip under the file systems: its wear, and the moment at which its power fails. */
export class Chip {
  /** Bytes programmed and blocks erased since the start. */
  programmed = 0;
  erased = 0;

  #cut;
  #journal;
  #now;
  #metadata = 0;

  /**
   * cut: the power fails with this byte (0: never); journal: host file that gets a line of JSON for
   * each change that took place: {"op", "name", "size", "programmed", "ms"}; now(): the time of it.
   */
  constructor({cut = 0, journal = null} = {}, now = () => 0) {
    this.#cut = cut;
    this.#journal = journal === null ? null : fs.openSync(journal, 'a');
    this.#now = now;
  }

  /** Program `count` bytes; does not return if the power fails on the way. */
  program(count) {
    this.programmed += count;
    if (this.#cut > 0 && this.programmed >= this.#cut) {
      this.note('cut', '', 0);
      process.kill(process.pid, 'SIGKILL');
    }
  }

  erase(blocks) {
    this.erased += blocks;
  }

  /** Append to the metadata: `inline` bytes of contents with an entry. */
  commit(inline = 0) {
    const count = COMMIT_BYTES + inline;
    this.#metadata += count;
    if (this.#metadata >= METADATA_BYTES) {
      this.#metadata = 0;
      this.erase(1);
    }
    this.program(count);
  }

  /** Tell of a change that has taken place. */
  note(op, name, size) {
    if (this.#journal !== null) {
      const ms = Math.round(this.#now());
      const line = JSON.stringify({op, name, size, programmed: this.programmed, ms});
      fs.writeSync(this.#journal, `${line}\n`);
    }
  }
}

/** A file system on a chip. */
export class Flash extends HostDirectory {
  #chip;
  #capacity;
  #writers = new Set();
  #used = null; // blocks of what is committed, once they were counted

  /** root: the host directory that is the flash's "/"; capacity: bytes. */
  constructor(root, chip = new Chip(), capacity = CAPACITY) {
    super(root);
    this.#chip = chip;
    this.#capacity = Math.floor(capacity / BLOCK_SIZE);
  }

  /** flags: of `fs.constants` (O_RDWR | O_CREAT …). */
  open(name, flags) {
    if ((flags & ACCESS) === fs.constants.O_RDONLY) {
      return super.open(name, flags);
    }
    const host = this.host(name);
    const found = fs.statSync(host, {throwIfNoEntry: false});
    if (found?.isDirectory()) {
      throw new SystemError('EISDIR');
    }
    if (found && flags & fs.constants.O_EXCL) {
      throw new SystemError('EEXIST');
    }
    if (!found) {
      if (!(flags & fs.constants.O_CREAT)) {
        throw new SystemError('ENOENT');
      }
      if (!fs.statSync(path.dirname(host), {throwIfNoEntry: false})?.isDirectory()) {
        throw new SystemError('ENOENT');
      }
      this.#change('create', name, 0, () => fs.writeFileSync(host, ''));
    }
    const truncated = Boolean(flags & fs.constants.O_TRUNC);
    const content = truncated ? Buffer.alloc(0) : fs.readFileSync(host);
    const file = new WrittenFile(this, this.#chip, name, content, Boolean(found) && truncated);
    this.#writers.add(file);
    return file;
  }

  mkdir(name) {
    if (this.exists(name)) {
      throw new SystemError('EEXIST');
    }
    this.#change('mkdir', name, DIRECTORY_BLOCKS, () => fs.mkdirSync(this.host(name)));
  }

  rmdir(name) {
    if (fs.readdirSync(this.host(name)).length > 0) {
      throw new SystemError('ENOTEMPTY');
    }
    this.#change('rmdir', name, -DIRECTORY_BLOCKS, () => fs.rmdirSync(this.host(name)));
  }

  unlink(name) {
    const stat = this.stat(name);
    if (stat.isDirectory()) {
      throw new SystemError('EISDIR');
    }
    this.#change('remove', name, -blocks(stat.size), () => fs.unlinkSync(this.host(name)));
    this.#named(name).forEach((file) => {
      file.name = null;
    });
  }

  rename(from, to) {
    this.stat(from);
    const replaced = fs.statSync(this.host(to), {throwIfNoEntry: false});
    const freed = replaced?.isFile() ? blocks(replaced.size) : 0;
    this.#change('rename', `${from} ${to}`, -freed, () =>
      fs.renameSync(this.host(from), this.host(to)));
    this.#named(to).forEach((file) => {
      file.name = null;
    });
    this.#named(from).forEach((file) => {
      file.name = to;
    });
  }

  /** Blocks in all and blocks free. */
  space() {
    this.#used = this.#count();
    return {blocks: this.#capacity, free: Math.max(0, this.#capacity - this.#taken())};
  }

  /** Make sure that what is written has room; ENOSPC otherwise. */
  checkRoom() {
    this.#used ??= this.#count();
    if (this.#taken() > this.#capacity) {
      throw new SystemError('ENOSPC');
    }
  }

  /** Put a file's contents in the place of the old, whole or not at all. */
  commit(name, bytes) {
    const beside = `${this.root}.commit`; // not within: nobody is to see it
    fs.writeFileSync(beside, bytes);
    const old = this.stat(name).size;
    fs.renameSync(beside, this.host(name));
    if (this.#used !== null) {
      this.#used += blocks(bytes.length) - blocks(old);
    }
    this.#chip.note('sync', name, bytes.length);
  }

  /** Forget a file that is closed. */
  closed(file) {
    this.#writers.delete(file);
  }

  #named(name) {
    return [...this.#writers].filter((file) => file.name === name);
  }

  /** Commit a change of metadata, which takes blocks: once it is programmed it takes place. */
  #change(op, name, taken, change) {
    this.#chip.commit();
    change();
    if (this.#used !== null) {
      this.#used += taken;
    }
    this.#chip.note(op, name, 0);
  }

  #taken() {
    return [...this.#writers].reduce((sum, file) => sum + file.newBlocks, this.#used);
  }

  #count() {
    return fs.readdirSync(this.root, {recursive: true, withFileTypes: true})
      .map((entry) => fs.statSync(path.join(entry.parentPath, entry.name)))
      .map((stat) => (stat.isFile() ? blocks(stat.size) : DIRECTORY_BLOCKS))
      .reduce((sum, count) => sum + count, DIRECTORY_BLOCKS);
  }
}

/** A file open for writing: its contents as its writer sees them. */
class WrittenFile {
  #flash;
  #chip;
  #buffer;
  #size;
  #changedFrom = Infinity; // everything from here on was written since the last commit
  #dirty;
  #failed = false;

  /** name: null once the file was removed; dirty: it was truncated. */
  constructor(flash, chip, name, content, dirty) {
    this.#flash = flash;
    this.#chip = chip;
    this.name = name;
    this.#buffer = content;
    this.#size = content.length;
    this.#dirty = dirty;
  }

  read(view, position) {
    const count = Math.max(0, Math.min(view.length, this.#size - position));
    view.set(this.#buffer.subarray(position, position + count));
    return count;
  }

  write(view, position) {
    const [size, changedFrom] = [this.#size, this.#changedFrom];
    const end = position + view.length;
    this.#changedFrom = Math.min(changedFrom, position, size);
    this.#size = Math.max(size, end);
    try {
      this.#flash.checkRoom();
    } catch (error) {
      [this.#size, this.#changedFrom, this.#failed] = [size, changedFrom, true];
      throw error;
    }
    if (end > this.#buffer.length) {
      const grown = Buffer.alloc(Math.max(end, 2 * this.#buffer.length));
      this.#buffer.copy(grown, 0, 0, size);
      this.#buffer = grown;
    }
    this.#buffer.fill(0, Math.min(size, position), position);
    this.#buffer.set(view, position);
    this.#dirty = true;
    this.#failed = false;
    if (this.#size > INLINE_MAX) {
      this.#chip.program(view.length);
    }
    return view.length;
  }

  /** Let what was written be there. After a failed write nothing happens, as in littlefs. */
  sync() {
    if (!this.#dirty || this.#failed || this.name === null) {
      return;
    }
    if (this.#size > INLINE_MAX && this.#changedFrom < Infinity) {
      this.#chip.erase(this.newBlocks);
      this.#chip.program(this.#changedFrom % BLOCK_SIZE); // the block's beginning is copied
      this.#chip.commit();
    } else {
      this.#chip.commit(this.#size);
    }
    this.#flash.commit(this.name, this.#buffer.subarray(0, this.#size));
    this.#dirty = false;
    this.#changedFrom = Infinity;
  }

  /** Blocks taken beside those of the committed contents. */
  get newBlocks() {
    const whole = Math.floor(this.#changedFrom / BLOCK_SIZE); // before the first that is written
    return Math.max(0, blocks(this.#size) - whole);
  }

  stat() {
    return {mode: FILE_MODE, size: this.#size, mtimeMs: 0, ino: 1};
  }

  close() {
    this.sync();
    this.#flash.closed(this);
  }

  /** Close without writing, as a reset or a power cut does. */
  abandon() {
    this.#flash.closed(this);
  }
}

/** A flash whose file system cannot be mounted: there is nothing, and nothing can be made. */
export class Unmounted {
  stat(name) {
    if (name !== '/') {
      throw new SystemError('ENODEV');
    }
    return {mode: 0o040777, size: 0, mtimeMs: 0, ino: 1, isDirectory: () => true};
  }

  exists() {
    return false;
  }

  list() {
    return [];
  }

  open() {
    throw new SystemError('ENODEV');
  }

  mkdir() {
    throw new SystemError('ENODEV');
  }

  rmdir() {
    throw new SystemError('ENODEV');
  }

  unlink() {
    throw new SystemError('ENODEV');
  }

  rename() {
    throw new SystemError('ENODEV');
  }

  space() {
    return {blocks: 0, free: 0};
  }
}

function blocks(size) {
  return size <= INLINE_MAX ? 0 : Math.ceil(size / BLOCK_SIZE);
}
