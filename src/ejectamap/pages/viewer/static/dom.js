// Elements of the page, messages and requests. Elements are made without HTML strings: names of craters come from
// files and must be shown as text.

/** Make an element with properties and children (elements or text). */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export const byId = (id) => document.getElementById(id);

/** CSS colour of [red, green, blue], 0 to 255. */
export const css = (colour, opacity = 1) => `rgb(${colour.join(" ")} / ${opacity})`;

/** Make a small square in a crater's colour. */
export function swatch(colour) {
  const element = make("span", { className: "swatch" });
  element.style.background = css(colour);
  return element;
}

let timer;

/** Show an error message for eight seconds. */
export function showError(text) {
  const message = byId("message");
  message.textContent = text;
  message.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => (message.hidden = true), 8000);
}

/** Fetch JSON from the server, by POST if there is a body; shows an error and returns null if the request fails. */
export async function fetchJson(address, body) {
  try {
    const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const response = await fetch(address, options);
    if (!response.ok) throw new Error(await response.text());
    return await response.json();
  } catch (error) {
    showError(error.message);
    return null;
  }
}
