// A plot over time as SVG: bars that stand on one another, or points that a line joins.
//
// A plot is given `{title, kind: "bars" | "line", starts: [ms], step: ms, series: [{name, values: [n | null]}],
// format, counts}`; a value is missing where nothing was measured, and all are whole where it `counts`. Its figures
// are told under the pointer, by the arrow keys, and as words to those who can't see it.

import { fill, h, setText, svg } from "./dom.js";

const HEIGHT = 180;
const LEFT = 64; // room for the figures at the side
const BOTTOM = 22;
const TOP = 8;
const LEAST_BAR = 2;
const MARK_WIDTH = 76; // that a time below takes
const MINUTE = 60_000;
const DAY = 86_400_000;
const ROUND = [5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080, 20_160, 43_200].map((one) => one * MINUTE);

const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const dayOfBucket = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", timeZone: "UTC" });
const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const whole = new Intl.DateTimeFormat(undefined, { weekday: "short", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });

/** When a bucket began, as its figures are headed: those of a day are days of UTC, whatever the reader's clock says. */
export const bucketName = (start, step) => (step >= DAY ? dayOfBucket : whole).format(start);

/** How long before the start a round time is that the bucket is the nearest to (less than 0: after it); or null. */
function sinceRound(start, step, each) {
  const clock = step >= DAY ? start : start - new Date(start).getTimezoneOffset() * MINUTE;
  const since = clock - Math.round(clock / each) * each;
  return since >= -step / 2 && since < step / 2 ? since : null;
}

/** The class of the colour of the n-th series. */
export const colour = (at) => `series-${Math.min(at, 5) + 1}`;

/** The least round number that is not below the value; of counts one whose half is whole, too. */
function ceiling(value, counts) {
  if (value <= 0) return counts ? 2 : 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const round = counts ? [1, 2, 2.5, 4, 5, 6, 8, 10] : [1, 2, 2.5, 5, 10];
  return round.map((one) => one * power).find((one) => one >= value * 0.9999 && !(counts && one % 2));
}

function highest({ kind, starts, series }) {
  const totals = starts.map((_, at) => {
    const values = series.map((one) => one.values[at] ?? 0);
    return kind === "bars" ? values.reduce((sum, one) => sum + one, 0) : Math.max(0, ...values);
  });
  return Math.max(0, ...totals);
}

/** A plot's place in the page: `element`, and `tell(plot)`, which draws what is to be seen now. */
export function plotPlace(name) {
  const tip = h("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  const spoken = h("p", { class: "visually-hidden", role: "status" });
  const canvas = svg("svg", { class: "canvas", height: HEIGHT, role: "img", tabindex: "0", "aria-label": name });
  const box = h("div", { class: "plot-box" }, canvas, tip);
  const element = h("figure", { class: "plot card" }, h("figcaption", null, name), box, spoken);
  let plot = null;
  let at = null;
  let width = 0;

  const inner = () => width - LEFT;
  const x = (index) => LEFT + (inner() * index) / plot.starts.length;
  const barWidth = () => inner() / plot.starts.length;

  function draw() {
    if (!plot || width < LEFT + 20) return;
    const top = ceiling(highest(plot), plot.counts);
    const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * value) / top;
    canvas.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    canvas.setAttribute("width", width);
    const sum = plot.series.some((one) => one.values.some((value) => value));
    canvas.setAttribute("aria-label", `${plot.title}. ${sum ? "The arrow keys tell the figures; they are in the table below, too." : "Nothing yet."}`);
    fill(canvas, grid(top, y), plot.kind === "bars" ? bars(y) : lines(y), svg("rect", { class: "cursor", x: -9, y: TOP, width: 1, height: HEIGHT - BOTTOM - TOP }));
    point(at);
  }

  function grid(top, y) {
    const levels = [0, top / 2, top].map((value) => [
      svg("line", { class: "level", x1: LEFT, x2: width, y1: y(value), y2: y(value) }),
      svg("text", { class: "mark-y", x: LEFT - 8, y: y(value) + 4 }, plot.format(value)),
    ]);
    return [levels, marks()];
  }

  /**
   * Times below, at round ones of the reader's clock, as many as there is room for. Buckets begin at round times
   * of UTC, which need not be round there: a mark may stand between two.
   */
  function marks() {
    const { starts, step } = plot;
    const span = step * starts.length;
    const each = ROUND.find((round) => round >= step && span / round <= inner() / MARK_WIDTH) ?? span;
    const name = step >= DAY ? dayOfBucket : each >= DAY ? day : hour;
    return starts.map((start, index) => {
      const since = sinceRound(start, step, each);
      const place = x(index - since / step);
      if (since === null || place > width - MARK_WIDTH * 0.8) return null;
      return svg("text", { class: "mark-x", x: place, y: HEIGHT - 6 }, name.format(start - since));
    });
  }

  function bars(y) {
    const wide = Math.max(LEAST_BAR, barWidth() * 0.78);
    return plot.starts.map((_, index) => {
      let below = 0;
      return plot.series.map((one, number) => {
        const value = one.values[index] ?? 0;
        if (value <= 0) return null;
        const bar = svg("rect", {
          class: `bar-of-plot ${colour(number)}`,
          x: x(index) + (barWidth() - wide) / 2,
          y: y(below + value),
          width: wide,
          height: Math.max(1, y(below) - y(below + value)),
        });
        below += value;
        return bar;
      });
    });
  }

  function lines(y) {
    return plot.series.map((one, number) => {
      const points = one.values
        .map((value, index) => [value, index])
        .filter(([value]) => value !== null && value !== undefined)
        .map(([value, index]) => [x(index) + barWidth() / 2, y(value)]);
      return [
        svg("polyline", { class: `line-of-plot ${colour(number)}`, points: points.map((each) => each.join(",")).join(" ") }),
        points.map(([cx, cy]) => svg("circle", { class: `point-of-plot ${colour(number)}`, cx, cy, r: 3 })),
      ];
    });
  }

  function point(index) {
    at = index;
    const cursor = canvas.querySelector(".cursor");
    const some = index !== null && plot && index < plot.starts.length;
    tip.hidden = !some;
    if (!cursor || !some) return cursor?.setAttribute("x", -9);
    cursor.setAttribute("x", x(index) + barWidth() / 2);
    const rows = plot.series.map((one, number) => [one.name, one.values[index], number]).filter(([, value]) => value);
    const total = rows.reduce((sum, [, value]) => sum + value, 0);
    fill(
      tip,
      h("strong", null, bucketName(plot.starts[index], plot.step)),
      rows.length === 0 && h("p", null, "Nothing"),
      rows.map(([series, value, number]) => h("p", null, h("span", { class: `swatch ${colour(number)}` }), h("span", null, series), h("b", null, plot.format(value)))),
      plot.kind === "bars" && rows.length > 1 && h("p", { class: "sum" }, h("span", null, "In all"), h("b", null, plot.format(total))),
    );
    const place = x(index) + barWidth() / 2;
    tip.style.insetInlineStart = `${Math.min(Math.max(0, place - tip.offsetWidth / 2), Math.max(0, width - tip.offsetWidth))}px`;
  }

  function say() {
    const words = plot.series.filter((one) => one.values[at]).map((one) => `${one.name} ${plot.format(one.values[at])}`);
    setText(spoken, `${bucketName(plot.starts[at], plot.step)}: ${words.join(", ") || "nothing"}`);
  }

  canvas.addEventListener("pointermove", (event) => {
    if (!plot) return;
    const place = event.clientX - canvas.getBoundingClientRect().left - LEFT;
    point(Math.min(plot.starts.length - 1, Math.max(0, Math.floor(place / barWidth()))));
  });
  canvas.addEventListener("pointerleave", () => document.activeElement !== canvas && point(null));
  canvas.addEventListener("blur", () => point(null));
  canvas.addEventListener("keydown", (event) => {
    const last = plot ? plot.starts.length - 1 : 0;
    const next = { ArrowLeft: (at ?? last + 1) - 1, ArrowRight: (at ?? last - 1) + 1, Home: 0, End: last }[event.key];
    if (event.key === "Escape") point(null);
    if (next === undefined || !plot) return;
    event.preventDefault();
    point(Math.min(last, Math.max(0, next)));
    say();
  });
  new ResizeObserver(() => {
    if (box.clientWidth === width) return;
    width = box.clientWidth;
    draw();
  }).observe(box);

  return {
    element,
    tell(another) {
      plot = another;
      draw();
    },
  };
}
