// Records are data: whatever they hold is put on the page as text, never as markup.
"use strict";

const KEYS = { v: "valid", 1: "valid", i: "invalid", 2: "invalid", u: "unsafe", 3: "unsafe" };
const MARKS = ["valid", "invalid", "unsafe"];
// Controls, what turns the direction of text, and tags that nobody sees: a judge must see what there is.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufff9-\uffff\u{e0000}-\u{e007f}]/gu;
const at = (id) => document.getElementById(id);

let records = [];
let place = 0;
let shown = -1; // the record that is on the page by now: only that one can be marked
let done = [];  // what was marked in this sitting, to be undone
let sending = Promise.resolve();

function text(parent, name, content, kind) {
  const element = document.createElement(name);
  element.textContent = content.replaceAll("\r\n", "\n").replace(UNSEEN, "\ufffd");
  if (kind) element.className = kind;
  parent.append(element);
  return element;
}

function drawCounts() {
  const there = records.filter((each) => !each.gone);
  const counts = MARKS.map((mark) => there.filter((each) => each.mark === mark).length);
  const marked = counts.reduce((sum, each) => sum + each, 0);
  at("progress").textContent = `${marked} of ${there.length} marked`
    + (marked === there.length && marked ? " – all done: end with Ctrl-C where the review was started" : "");
  MARKS.forEach((mark, n) => { at(`bar-${mark}`).style.width = `${100 * counts[n] / Math.max(1, there.length)}%`; });
}

function drawMark() {
  const record = records[place];
  MARKS.forEach((mark) => {
    at(mark).setAttribute("aria-pressed", String(record.mark === mark));
    at(mark).disabled = record.gone || shown !== place;
  });
  at("note").disabled = record.gone;
}

async function show(next) {
  if (next < 0 || next >= records.length) return;
  place = next;
  const record = records[place];
  at("place").textContent = `${place + 1} of ${records.length}`;
  at("id").textContent = record.id;
  at("stratum").textContent = record.stratum;
  at("note").value = record.note;
  const wanted = place;
  drawMark();
  const answer = await fetch(`records/${wanted}.json`).catch(() => null);
  if (place !== wanted) return;
  const fields = at("fields");
  if (!answer || !answer.ok) {
    shown = -1;
    fields.replaceChildren();
    return tell("The review has ended: start it again to go on. What was marked is kept.");
  }
  const told = await answer.json();
  if (place !== wanted) return;
  fields.replaceChildren();
  if (record.gone) text(fields, "p", "This record was purged from the run since it was drawn.");
  for (const each of record.gone ? [] : told.fields) {
    if (each.kind === "rest") {
      const details = document.createElement("details");
      text(details, "summary", each.name);
      text(details, "pre", each.text);
      fields.append(details);
    } else {
      text(fields, "h2", each.name);
      text(fields, "div", each.text, each.kind === "input" ? "text input" : "text output").dir = "auto";
    }
  }
  at("main").scrollTop = 0;
  shown = wanted;
  drawMark();
}

function tell(trouble) {
  at("trouble").textContent = trouble;
  at("trouble").hidden = !trouble;
}

// Marks are sent one after the other, and count when the server has them on the disk.
// A note is on the page at once, so that whoever comes back before the answer finds it.
function send(number, mark, note) {
  const record = records[number];
  const noteBefore = record.note;
  record.note = note;
  const told = sending.then(async () => {
    const answer = await fetch("marks", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ id: record.id, mark, note }),
    }).catch(() => null);
    if (!answer || !answer.ok) {
      const why = answer ? await answer.text() : "nobody answers: was the review ended?";
      if (record.note === note) record.note = noteBefore;
      tell(`Not kept: the mark of ${record.id} – ${why}`);
      return false;
    }
    record.mark = (await answer.json()).mark;
    tell("");
    drawCounts();
    if (number === place) drawMark();
    return true;
  });
  sending = told;
  return told;
}

async function mark(value) {
  const number = place;
  if (shown !== number || records[number].gone) return;
  const { mark: before, note: noteBefore } = records[number];
  if (await send(number, value, at("note").value)) {
    done.push({ number, mark: before, note: noteBefore });
    if (place === number) show(Math.min(number + 1, records.length - 1));
  }
}

async function undo() {
  const last = done.pop();
  if (!last) return;
  if (await send(last.number, last.mark, last.note)) show(last.number);
  else done.push(last);
}

function keepNote() {
  const number = place;
  if (records[number].note !== at("note").value) send(number, records[number].mark, at("note").value);
}

function firstUnmarked() {
  const next = records.findIndex((each) => !each.gone && !each.mark);
  if (next >= 0) show(next);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !records.length) return;
  if (event.target === at("note")) {
    if (event.key === "Enter" || event.key === "Escape") {
      if (event.key === "Escape") at("note").value = records[place].note;
      at("main").focus();
      event.preventDefault();
    }
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (KEYS[key]) { if (!event.repeat) mark(KEYS[key]); }
  else if (key === "n" || key === "j" || key === "ArrowRight") show(place + 1);
  else if (key === "p" || key === "k" || key === "ArrowLeft") show(place - 1);
  else if (key === "f") firstUnmarked();
  else if (key === "z") { if (!event.repeat) undo(); }
  else if (key === "e") at("note").focus();
  else return;
  event.preventDefault();
});

MARKS.forEach((value) => at(value).addEventListener("click", () => { mark(value); at("main").focus(); }));
at("note").addEventListener("blur", keepNote);

(async () => {
  const told = await (await fetch("sample.json")).json();
  records = told.records;
  at("title").textContent = `${told.title} – reviewed by ${told.reviewer}`;
  document.title = `${told.title} · review · personastream`;
  drawCounts();
  const next = records.findIndex((each) => !each.gone && !each.mark);
  await show(Math.max(0, next));
  at("main").focus();
})();
