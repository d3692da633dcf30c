// The live stream, and whether it lives.
//
// A stream can die without a word (a cable, a suspended laptop), so the centre ticks every ten
// seconds; when nothing came for longer, it is opened anew. While it is down the page says so.

import { model, replace, setClock, update } from "./model.js";

const QUIET_MS = 25_000; // two ticks lost, and the third late
const AGAIN_MS = 3_000;

/** Open the stream; `onState(since)` is told null while it lives, else since when it is down. */
export function open(onState) {
  let source = null;
  let heard = performance.now();
  let down = Date.now();

  const alive = () => {
    heard = performance.now();
    if (down !== null) {
      down = null;
      onState(null);
    }
  };
  const dead = () => {
    if (down === null) down = Date.now();
    onState(down);
  };
  const connect = () => {
    source?.close();
    heard = performance.now();
    source = new EventSource("/api/stream");
    source.addEventListener("tick", (event) => {
      setClock(JSON.parse(event.data).now);
      if (model.assets.size || down === null) alive();
    });
    source.addEventListener("snapshot", (event) => {
      replace(JSON.parse(event.data));
      alive();
    });
    for (const kind of ["asset", "device", "target"]) {
      source.addEventListener(kind, (event) => {
        update(kind, JSON.parse(event.data));
        alive();
      });
    }
    source.addEventListener("error", () => {
      dead();
      // The browser reconnects by itself, unless the answer was no stream at all.
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, AGAIN_MS);
    });
  };

  onState(down);
  connect();
  setInterval(() => {
    if (performance.now() - heard > QUIET_MS) {
      dead();
      connect();
    } else if (down !== null) onState(down);
  }, 1000);
}
