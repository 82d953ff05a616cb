// The copy buttons: `data-copy` names the element whose text is copied. Without this script the page
// is whole and the buttons stay hidden.

const SHOWN_FOR = 2000; // milliseconds that a button says what it did

function select(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

// The clipboard API is there only on loopback and HTTPS; elsewhere the older way is tried, and if
// that fails too, the text stays selected for the person to copy.
async function copy(element) {
  try {
    await navigator.clipboard.writeText(element.value ?? element.textContent);
    return true;
  } catch {
    select(element);
    if (!document.execCommand("copy")) return false;
    getSelection().removeAllRanges();
    return true;
  }
}

const timers = new WeakMap();

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const label = button.querySelector(".copy-label");
  const status = document.getElementById("copy-status");
  const copied = await copy(document.getElementById(button.dataset.copy));
  label.textContent = copied ? "Copied" : "Selected";
  status.textContent = copied ? "Copied to the clipboard" : "Selected; copy it with the keyboard";
  button.classList.toggle("done", copied);
  clearTimeout(timers.get(button));
  timers.set(
    button,
    setTimeout(() => {
      label.textContent = "Copy";
      status.textContent = "";
      button.classList.remove("done");
    }, SHOWN_FOR),
  );
});

for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
