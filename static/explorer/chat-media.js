// Pictures and files of a message: chosen, pasted or dropped, and as they are shown.

import { h } from "./dom.js";
import { bytes } from "./format.js";

const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const MOST = 24 * 1024 * 1024; // bytes of one; the server takes no larger ones

/** A file → the part of a message that holds it. Raises Error where there is no such part. */
export async function partOf(file) {
  if (file.size > MOST) throw new Error(`${file.name} has ${bytes(file.size)}; the server takes ${bytes(MOST)}.`);
  if (file.size === 0) throw new Error(`${file.name} is empty.`);
  if (PICTURES.includes(file.type)) return { type: "image_url", image_url: { url: await dataUrl(file, file.type) } };
  const pdf = file.type === "application/pdf";
  if (!pdf && !(await isText(file))) {
    throw new Error(`${file.name} can’t be sent: it is no PNG, JPEG, GIF or WebP, no PDF and no text.`);
  }
  return { type: "file", file: { filename: file.name, file_data: await dataUrl(file, pdf ? file.type : "text/plain") } };
}

async function isText(file) {
  try {
    return !new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()).includes("\0");
  } catch {
    return false;
  }
}

function dataUrl(file, type) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(`data:${type};base64,${reader.result.slice(reader.result.indexOf(",") + 1)}`);
    reader.onerror = () => reject(new Error(`${file.name} can’t be read.`));
    reader.readAsDataURL(file);
  });
}

/** A part that is no text, as it is shown; pictures that are somewhere else are not loaded. */
export function shown(part) {
  const url = part.image_url?.url ?? part.image_url;
  if (typeof url === "string") {
    const inside = PICTURES.some((type) => url.startsWith(`data:${type};base64,`));
    return inside ? h("img", { src: url, alt: "A picture that was sent" }) : h("span", { class: "mark" }, `A picture at ${url}`);
  }
  return h("span", { class: "mark" }, part.file?.filename ?? part.file?.file_data?.slice(0, 200) ?? part.type);
}
