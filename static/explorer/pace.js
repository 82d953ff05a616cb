// Work on the page that waits for the next frame: as much as fits into one, the rest in later ones.

const FRAME = 10; // milliseconds of a frame that may be spent
const REST = 4; // what took longer rests for so many times as long, so that the page can be used

const work = new Map(); // what is to be done → not before
const rests = new WeakMap();
let asked = false;

/** Do this in the next frame, once, however often it is asked for; again, if it gives true. */
export function soon(job) {
  if (!work.has(job)) work.set(job, rests.get(job) ?? 0);
  if (!asked) requestAnimationFrame(turn);
  asked = true;
}

function turn() {
  asked = false;
  const start = performance.now();
  for (const [job, at] of work) {
    const now = performance.now();
    if (now - start > FRAME) break;
    if (at > now) continue;
    work.delete(job);
    const more = job();
    const took = performance.now() - now;
    const after = took > FRAME ? now + took * REST : 0;
    rests.set(job, after);
    if (more) work.set(job, after);
  }
  if (work.size && !asked) {
    asked = true;
    requestAnimationFrame(turn);
  }
}
