/**
 * The thread that moves a board's bytes: UART lines, TCP sockets, console, inputs, watchdog.
 *
 * Messages in: {open, rx, tx, byteUs}, {shut}, {pump} for a UART; {connect, host, port}, {close},
 * {kick} for a socket; {resolve: name}; {output: pin, level}; {console: true}; {reset: true},
 * answered by {reset: true}.
 * Messages out: {wake: true}, {ready: {repl}}, {failure: text}, {report: text}.
 */

import {parentPort, workerData} from 'node:worker_threads';

import {Shared} from '../shared.mjs';
import {Inputs} from './inputs.mjs';
import {ReplServer} from './repl.mjs';
import {Signal} from './signal.mjs';
import {Tcp} from './tcp.mjs';
import {Uart} from './uart.mjs';
import {Watchdog} from './watchdog.mjs';

const {options, buffers, stateFile} = workerData;
const shared = new Shared(buffers);
const signal = new Signal(shared);
const tcp = new Tcp(shared, signal);
const repl = new ReplServer(shared, signal);
const uarts = new Map(Object.entries(options.uarts).map(([number, {connect}]) => [
  Number(number),
  new Uart({shared, signal, number: Number(number), address: connect, pace: options.pace}),
]));

const handlers = {
  open: (number, message) => uarts.get(number)?.open(message),
  shut: (number) => uarts.get(number)?.close(),
  pump: (number) => uarts.get(number)?.pump(),
  connect: (number, {host, port}) => tcp.connect(number, host, port),
  close: (number) => tcp.close(number),
  kick: (number) => tcp.pump(number),
  resolve: (host) => tcp.resolve(host),
  console: () => repl.pump(),
  output: (pin, {level}) => inputs?.tell({[pin]: level}),
  reset: () => {
    uarts.forEach((uart) => uart.close());
    tcp.reset();
    parentPort.postMessage({reset: true});
  },
};

parentPort.on('message', (message) => {
  const [action, subject] = Object.entries(message)[0];
  handlers[action](subject, message);
});

const watchdog = new Watchdog(shared, stateFile);
const inputs = options.inputs
  ? new Inputs({
    shared,
    signal,
    address: options.inputs,
    name: options.name,
    onNetwork: () => tcp.networkChanged(),
    onBrownOut: () => watchdog.end('brown-out'),
    report: (text) => parentPort.postMessage({report: text}),
  })
  : null;
try {
  parentPort.postMessage({ready: {repl: options.repl ? await repl.listen(options.repl) : null}});
} catch (error) {
  const {host = '127.0.0.1', port} = options.repl;
  const cause = error.code === 'EADDRINUSE' ? 'the port is taken' : error.message;
  parentPort.postMessage({failure: `REPL on ${host}:${port}: ${cause}`});
}
