// Elements. Text is only ever text: nothing here, or anywhere on this page, reads HTML from data.

export const $ = id => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

// An element with properties (`class`, `on…`, attributes) and children (elements, or words). What is null is left out.
export function el(name, properties = {}, ...children) {
  return made(document.createElement(name), properties, children);
}

export function svg(name, properties = {}, ...children) {
  return made(document.createElementNS(SVG, name), properties, children);
}

function made(element, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(key, value);
    else element.setAttribute(key, value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

// Only what differs is written: what a person has selected, or what a screen reader reads out, stays as it is.
export function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

export function trouble(element, words) {
  say(element, words);
  show(element, words !== "");
}

// One child of `parent` for each item, in order: `make(item)` gives {element, update}, kept for as long as `key(item)`
// is there.
export function keyed(parent, items, key, make) {
  const kept = (parent.kept ??= new Map());
  const wanted = new Set();
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    wanted.add(name);
    if (!kept.has(name)) kept.set(name, make(item));
    const one = kept.get(name);
    one.update(item);
    if (one.element === place) place = place.nextElementSibling;
    else parent.insertBefore(one.element, place);
  }
  for (const [name, one] of kept) {
    if (!wanted.has(name)) {
      one.element.remove();
      kept.delete(name);
    }
  }
}

let answered = Promise.resolve();

// Whether a person means it. The dialog tells some time after it was closed, so it is opened again only then.
export function sure(words) {
  answered = answered.then(() => {
    const dialog = $("sure");
    say($("sure-words"), words);
    dialog.returnValue = "no";
    dialog.showModal();
    return new Promise(done => {
      dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), {once: true});
    });
  });
  return answered;
}
