// Elements without HTML strings: names of craters come from files and are only ever text.

/** An element with properties and children (elements or text). */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export const byId = (id) => document.getElementById(id);

/** CSS colour of [red, green, blue], 0 to 255. */
export const css = (colour, opacity = 1) => `rgb(${colour.join(" ")} / ${opacity})`;

/** A small square in a crater's colour. */
export function swatch(colour) {
  const element = make("span", { className: "swatch" });
  element.style.background = css(colour);
  return element;
}

let hiding;

/** Say something went wrong, for a while. */
export function complain(text) {
  const message = byId("message");
  message.textContent = text;
  message.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => (message.hidden = true), 8000);
}

/** JSON from the server; complains and gives null where it has none. With a body: a change. */
export async function ask(address, body) {
  try {
    const how = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const answer = await fetch(address, how);
    if (!answer.ok) throw new Error(await answer.text());
    return await answer.json();
  } catch (error) {
    complain(error.message);
    return null;
  }
}
