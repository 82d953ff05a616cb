// Figures for people, in the language of their browser.

const whole = new Intl.NumberFormat();
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** A name that somebody gave, with what can't be seen, or turns the text around it, written as \u202E. */
export const named = (name) =>
  name.replace(/[\p{Cc}\p{Cf}]/gu, (one) => {
    const code = one.codePointAt(0).toString(16).toUpperCase();
    return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`;
  });

/** As much of a filter as goes into the URL: a browser that is to write a megabyte there stands still. */
export const noted = (filter) => filter.slice(0, 200);

/** 1234 → 1,234 */
export const number = (value) => whole.format(value);

/** 12345 → 12.3K; small numbers whole. */
export const short = (value) => (Math.abs(value) < 10_000 ? whole.format(value) : compact.format(value));

/** US dollars; small sums with the digits that matter. */
export function dollars(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "$0";
  if (value < 0.0001) return "< $0.0001";
  const digits = value < 0.01 ? 4 : value < 1 ? 3 : 2;
  return `$${value.toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: digits })}`;
}

/** Milliseconds → 43 ms, 1.25 s, 2 min 5 s. */
export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Seconds that are left → 45 s, 12 min, 3 h 20 min, 4 d. */
export function left(seconds) {
  if (seconds <= 0) return "none";
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} d`;
}

/** Bytes → 88 MB. */
export function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** An RFC 3339 time → the time of day. */
export const clock = (when) => time.format(new Date(when));

/** An RFC 3339 time → day and time. */
export const date = (when) => moment.format(new Date(when));

/** "1 session", "2 sessions". */
export const counted = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
