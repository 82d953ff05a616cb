// What this is: the README that came with this server.

import { $, fill } from "./dom.js";
import { Markdown } from "./markdown.js";
import { problem } from "./problem.js";

let told = false;

/** The README without what leads to other files of the repository, which are not served. */
function alone(text) {
  return text
    .replace(/^# .*\n/, "")
    .replace(/^(\|[ |-]*\|\n)*.*!\[.*\n/gm, "") // pictures, with the head of a table that has no more than them
    .replace(/\[([^\]]+)\]\((?!https?:)[^)]*\)/g, "$1")
    .replace(/^##/gm, "#"); // below the heading that is here already
}

export async function show() {
  if (told) return;
  try {
    const response = await fetch("/static/README.txt");
    if (!response.ok) throw new Error(`The server did not send its README (HTTP ${response.status}).`);
    const text = alone(await response.text());
    if (told) return;
    told = true;
    fill($("about-fault"));
    const words = new Markdown($("about-words"));
    while (words.show(text, true));
  } catch (error) {
    fill($("about-fault"), problem(error));
  }
  $("about-loading").hidden = true;
}

export function hide() {}
