// What was used: plots over time by model, the same as a table, and sums by model and session.

import { get } from "./api.js";
import { $, fill, h, setText, settle } from "./dom.js";
import { date, dollars, duration, named, number, short } from "./format.js";
import { bucketName, colour, plotPlace } from "./plot.js";
import { every } from "./poll.js";
import { problem } from "./problem.js";
import { link, note } from "./route.js";

const REFRESH = 5; // seconds
const SPANS = {
  hour: { step: 60, buckets: 60 },
  day: { step: 3600, buckets: 24 },
  week: { step: 3600, buckets: 168 },
  quarter: { step: 86_400, buckets: 90 },
};
const MOST_SERIES = 5; // models with a colour of their own; the others share one

const inTokens = (one) => one.input_tokens + one.cache_read_tokens + one.cache_write_tokens;
const PLOTS = [
  { title: "Requests", kind: "bars", of: (one) => one.requests, format: short, counts: true },
  { title: "Tokens", kind: "bars", of: (one) => inTokens(one) + one.output_tokens, format: short, counts: true },
  { title: "Cost", kind: "bars", of: (one) => one.cost_usd, format: (value) => dollars(value) },
  { title: "Time to first token", kind: "line", of: (one) => one.first_token_ms.mean, weight: (one) => one.first_token_ms.count, format: duration },
];

let poll = null;
let span = "hour";
let places = null;

// -- over time -------------------------------------------------------------------------------------

/** The starts of the buckets of the span, the last of which holds the time `until`. */
function starts(until) {
  const { step, buckets } = SPANS[span];
  const last = Math.floor(new Date(until) / 1000 / step) * step;
  return Array.from({ length: buckets }, (_, at) => (last - (buckets - 1 - at) * step) * 1000);
}

/** The models of the span, those with the most requests first; the last may be several. */
function ranked(rows) {
  const sums = new Map();
  for (const row of rows) {
    for (const [model, figures] of Object.entries(row ?? {})) sums.set(model, (sums.get(model) ?? 0) + figures.requests);
  }
  const models = [...sums].sort((one, other) => other[1] - one[1] || one[0].localeCompare(other[0])).map(([model]) => model);
  const own = models.slice(0, MOST_SERIES).map((model) => ({ name: model, models: [model] }));
  const others = models.slice(MOST_SERIES);
  return others.length ? [...own, { name: `${others.length} others`, models: others }] : own;
}

/** One figure of some models in a bucket; null where there is none. */
function figure({ of, weight }, row, models) {
  const found = models.map((model) => row?.[model]).filter(Boolean);
  if (!weight) return found.reduce((sum, one) => sum + of(one), 0);
  const measured = found.filter((one) => weight(one) > 0);
  const count = measured.reduce((sum, one) => sum + weight(one), 0);
  return count ? measured.reduce((sum, one) => sum + of(one) * weight(one), 0) / count : null;
}

function tellLegend(names) {
  const told = [...$("usage-legend").children].map((one) => one.textContent);
  if (JSON.stringify(told) === JSON.stringify(names)) return;
  fill($("usage-legend"), names.map((name, at) => h("li", null, h("span", { class: `swatch ${colour(at)}` }), name)));
}

function tellSeries({ data, until }) {
  const { step } = SPANS[span];
  const by = new Map(data.map((bucket) => [new Date(bucket.start).getTime(), bucket.by_model]));
  const from = starts(until);
  const rows = from.map((start) => by.get(start));
  const names = ranked(rows);
  tellLegend(names.map(({ name }) => name));
  places ??= PLOTS.map(({ title }) => plotPlace(title));
  if (!$("usage-plots").children.length) fill($("usage-plots"), places.map((place) => place.element));
  PLOTS.forEach((plot, at) => {
    const series = names.map(({ name, models }) => ({ name, values: rows.map((row) => figure(plot, row, models)) }));
    places[at].tell({ ...plot, starts: from, step: step * 1000, series });
  });
  const lines = from
    .map((start, at) => [start, rows[at]])
    .filter(([, row]) => row)
    .reverse()
    .flatMap(([start, row]) => Object.entries(row).map(([model, one]) => ({ key: `${step} ${start} ${model}`, cells: [bucketName(start, step * 1000), model, ...figures(one)] })));
  table($("usage-table"), ["From", "Model", ...FIGURES], lines, "Nothing was asked in this span.");
}

// -- sums ------------------------------------------------------------------------------------------

const FIGURES = ["Requests", "Failed", "Cancelled", "Tokens in", "of these cached", "Tokens out", "Cost", "First token (mean)"];

const figures = (one) => [
  number(one.requests),
  number(one.failed),
  number(one.cancelled),
  number(inTokens(one)),
  number(one.cache_read_tokens),
  number(one.output_tokens),
  one.priced_requests ? dollars(one.cost_usd) : "–",
  one.first_token_ms.count ? duration(one.first_token_ms.mean) : "–",
];

const drawn = new Map(); // the rows of a table by their keys, by the table's element

/**
 * A table of figures. Rows are `{key, cells}`, where a key stands for the cells before the figures; `head` makes of
 * the first cell what is shown. A row that was there stays, and the focus in it.
 */
function table(element, heads, rows, empty, head = (name) => name) {
  const texts = heads.length - FIGURES.length;
  const kind = (at) => at >= texts && "figure";
  if (!element.tHead) {
    fill(element, h("thead", null, h("tr", null, heads.map((name, at) => h("th", { scope: "col", class: kind(at) }, name)))), h("tbody"));
  }
  const made = (cells) =>
    h("tr", null, cells.map((cell, at) => (at === 0 ? h("th", { scope: "row" }, head(cell)) : h("td", { class: kind(at) }, cell))));
  const known = drawn.get(element);
  const kept = new Map();
  for (const { key, cells } of rows) {
    const row = known?.get(key) ?? made(cells);
    for (let at = texts; at < cells.length; at += 1) setText(row.cells[at], cells[at]);
    kept.set(key, row);
  }
  drawn.set(element, kept);
  if (kept.size) settle(element.tBodies[0], [...kept.values()]);
  else if (known?.size !== 0) fill(element.tBodies[0], h("tr", null, h("td", { colspan: heads.length, class: "plain" }, empty)));
}

function tellSums({ since, by_model: models, by_session: sessions, total }) {
  setText($("usage-since"), `, on ${date(since)}.`);
  const rows = Object.entries(models).map(([name, one]) => ({ key: name, cells: [name, ...figures(one)] }));
  const all = { key: "", cells: ["All", ...figures(total)] };
  table($("usage-models"), ["Model", ...FIGURES], rows.length ? [...rows, all] : [], "No model has answered yet.");
  const last = Object.entries(sessions).reverse().slice(0, 200);
  table(
    $("usage-sessions"),
    ["Session", ...FIGURES],
    last.map(([name, one]) => ({ key: name, cells: [name, ...figures(one)] })),
    "No session has been used yet.",
    (name) => h("a", { href: link("sessions", name), class: "session-link" }, named(name)),
  );
}

function tellFault(error) {
  $("usage-loading").hidden = true;
  fill($("usage-fault"), problem(error));
}

async function refresh() {
  const asked = span;
  try {
    const [series, usage] = await Promise.all([
      get(`/v1/usage/series?step=${SPANS[span].step}`, { refresh: true }),
      get("/v1/usage", { refresh: true }),
    ]);
    if (span !== asked) return;
    fill($("usage-fault"));
    $("usage-loading").hidden = true;
    $("usage-told").hidden = false;
    tellSeries(series);
    tellSums(usage);
  } catch (error) {
    if (error.status) tellFault(error);
    throw error;
  }
}

// -- the view --------------------------------------------------------------------------------------

$("usage-span").addEventListener("change", (event) => {
  span = event.target.value;
  note("usage", "", { span });
  poll?.now();
});

export function show({ values }) {
  span = values.get("span") in SPANS ? values.get("span") : "hour";
  $("usage-span").querySelector(`[value="${span}"]`).checked = true;
  hide();
  poll = every(REFRESH, refresh);
}

export function hide() {
  poll?.stop();
  poll = null;
}
