// What is asked again and again, while somebody looks.

import { Gone } from "./api.js";

const AFTER_A_FAULT = [1, 2, 3, 5]; // seconds; the last goes on

/**
 * Calls `ask` at once and then every so many seconds, while the page is visible. Of one that fails the
 * waits are shorter at first, so that a server that was started again is seen soon.
 * Gives `{now, stop}`; `now` while it asks makes it ask once more, since what it asks for may be another.
 */
export function every(seconds, ask) {
  let timer;
  let faults = 0;
  let running = null; // the promise of what runs
  let again = false;
  let stopped = false;

  async function asked() {
    try {
      await ask();
      faults = 0;
    } catch (error) {
      faults += 1;
      if (!(error instanceof Gone) && !error.status) console.error(error);
    }
  }

  async function run() {
    do {
      again = false;
      await asked();
    } while (again && !stopped);
    running = null;
    if (stopped) return;
    const wait = faults ? AFTER_A_FAULT[Math.min(faults, AFTER_A_FAULT.length) - 1] : seconds;
    timer = setTimeout(turn, wait * 1000);
  }

  function turn() {
    clearTimeout(timer);
    if (!stopped && !document.hidden) running ??= run();
    return running;
  }

  function now() {
    again = running !== null;
    return turn();
  }

  const visible = () => document.hidden || turn();
  document.addEventListener("visibilitychange", visible);
  turn();
  return {
    now,
    stop() {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", visible);
    },
  };
}
