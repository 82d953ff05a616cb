// The message that is being written: its words, and what is attached to them.

import { partOf, shown } from "./chat-media.js";
import { mediaOf, partsOf, textOf } from "./chat-turns.js";
import { $, fill, h, setText } from "./dom.js";

let attached = []; // {part, name}

const input = () => $("chat-input");

/** Put the cursor there. */
export const focus = () => input().focus({ preventScroll: true });

/** Say what is wrong with the message; null for nothing. */
export function fault(words) {
  $("chat-fault").hidden = !words;
  setText($("chat-fault"), words ?? "");
}

/** The content of the message, in OpenAI's form; null if there is none. */
export function content() {
  const text = input().value.trim() ? input().value : "";
  if (!attached.length) return text || null;
  return [...attached.map(({ part }) => part), ...partsOf(text)];
}

/** Write this content there. */
export function put(of) {
  input().value = textOf(of);
  attached = mediaOf(of).map((part) => ({ part, name: part.file?.filename ?? "the picture" }));
  tell();
}

export const clear = () => put("");

function tell() {
  $("chat-attached").hidden = attached.length === 0;
  fill(
    $("chat-attached"),
    attached.map((one) => {
      const remove = () => {
        attached = attached.filter((other) => other !== one);
        tell();
        focus();
      };
      return h("li", null, shown(one.part), h("button", { class: "remove", type: "button", "aria-label": `Remove ${one.name}`, onclick: remove }, "×"));
    }),
  );
}

async function attach(files) {
  fault(null);
  for (const file of files) {
    try {
      attached.push({ part: await partOf(file), name: file.name });
    } catch (error) {
      fault(error.message);
    }
  }
  tell();
  focus();
}

/** Listen to what is typed, pasted, chosen and dropped; `send` is called when it shall be sent. */
export function begin(send) {
  $("chat-form").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  input().addEventListener("keydown", (event) => {
    const composes = event.isComposing || event.keyCode === 229; // Enter chooses a word of an input method
    if (event.key !== "Enter" || event.shiftKey || composes) return;
    event.preventDefault();
    send();
  });
  input().addEventListener("paste", (event) => {
    const { files, types } = event.clipboardData;
    if (!files.length || types.includes("text/plain")) return; // of words that come with their picture the words
    event.preventDefault();
    attach([...files]);
  });
  $("chat-attach").addEventListener("click", () => $("chat-files").click());
  $("chat-files").addEventListener("change", async () => {
    await attach([...$("chat-files").files]);
    $("chat-files").value = "";
  });
  const view = $("view-chat");
  for (const kind of ["dragover", "dragleave", "drop"]) {
    view.addEventListener(kind, (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      view.classList.toggle("dropping", kind === "dragover");
      if (kind === "drop") attach([...event.dataTransfer.files]);
    });
  }
}
