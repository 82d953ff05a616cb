// Keeps a suite's Node.js on this machine: any other address is refused and noted.

import { appendFileSync } from "node:fs";
import net from "node:net";

const connect = net.Socket.prototype.connect;

// Where a call of connect(options), connect(port, host) or connect(path) leads; null is a file.
function target([first, second]) {
  if (typeof first === "object") return first.path ? null : first.host;
  if (Number.isNaN(Number(first))) return null;
  return typeof second === "string" ? second : undefined;
}

function isHere(host) {
  return host == null || host === "localhost" || host === "::1" || /^127\./.test(host);
}

net.Socket.prototype.connect = function guarded(...given) {
  const host = target(given.flat());
  if (!isHere(host)) {
    appendFileSync(process.env.GUARD_LOG, `${host}\n`);
    throw new Error(`a test tried to reach ${host}`);
  }
  return connect.apply(this, given);
};
