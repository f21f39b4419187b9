// The page: pictures come in, cards go out, marks are counted.

import { Card } from "/page/card.js";
import { Refused } from "/page/server.js";
import * as server from "/page/server.js";
import { fill, language, percent, say } from "/page/words.js";

/** Requests at a time: enough to keep the server's cores busy. */
const AT_A_TIME = 6;

const at = (id) => document.getElementById(id);
const state = { model: null, cards: [], waiting: [], working: 0, only: null };

document.documentElement.lang = language;
fill(document);

async function open() {
  try {
    state.model = await server.model();
  } catch (error) {
    return askForToken(error);
  }
  const { run, figures } = state.model;
  at("run").textContent = run;
  document.title = `${run} · defrost`;
  at("about").textContent = say("about", state.model) + (figures ? say("figures", figures, percent) : "");
  at("login").hidden = true;
  at("work").hidden = false;
  showMarks(await server.marks());
}

function askForToken(error) {
  const asked = !at("login").hidden;
  at("login").hidden = false;
  at("login-problem").textContent = error.status === 401 ? (asked ? say("token_wrong") : "") : error.message;
  at("token").focus();
}

at("login").onsubmit = (event) => {
  event.preventDefault();
  server.useToken(at("token").value);
  open();
};

// Pictures come in: chosen, dropped (folders too), pasted.

function add(files) {
  const { model } = state;
  if (!model) return;
  for (const { file, name } of files) {
    const card = new Card(file, name, model.classes, (list) => {
      showMarks(list);
      showBar();
    });
    state.cards.push(card);
    at("cards").append(card.element);
    if (file.size > model.limits.max_bytes) {
      card.fail(new Refused(413, say("too_large", Math.floor(model.limits.max_bytes / 1e6))));
    } else {
      state.waiting.push(card);
    }
  }
  showBar();
  for (let i = state.working; i < AT_A_TIME; i += 1) work();
}

async function work() {
  state.working += 1;
  for (let card = state.waiting.shift(); card; card = state.waiting.shift()) {
    await card.predict().catch(() => {});
    showBar();
  }
  state.working -= 1;
}

const named = (files) => [...files].map((file) => ({ file, name: file.name }));

at("files").onchange = (event) => {
  add(named(event.target.files));
  event.target.value = "";
};

addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) add(named(event.clipboardData.files));
});

for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  addEventListener(kind, (event) => {
    event.preventDefault();
    document.body.classList.toggle("over", kind === "dragenter" || kind === "dragover");
  });
}

addEventListener("drop", async (event) => {
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const files = entries.length ? (await Promise.all(entries.map(within))).flat() : named(event.dataTransfer.files);
  add(files);
});

/** The pictures of a dropped file or folder. */
async function within(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    const picture = file.type.startsWith("image/") || /\.(tiff?|mpo|hei[cf]|avif)$/i.test(file.name);
    return picture ? [{ file, name: entry.fullPath.replace(/^\//, "") }] : [];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    found.push(...some);
  }
  found.sort((a, b) => a.name.localeCompare(b.name));
  return (await Promise.all(found.map(within))).flat();
}

// What is above the cards.

function showBar() {
  const { cards } = state;
  document.body.classList.toggle("has-cards", cards.length > 0);
  at("bar").hidden = cards.length === 0;
  const done = cards.filter((card) => card.element.dataset.state !== "waiting").length;
  at("status").textContent = say("status", done, cards.length);
  const counts = new Map();
  for (const card of cards) if (card.class) counts.set(card.class, (counts.get(card.class) ?? 0) + 1);
  if (!counts.has(state.only)) state.only = null;
  const chips = [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  const focused = document.activeElement?.dataset?.chip;
  at("chips").replaceChildren(...(chips.length > 1 ? chips.map(([name, count]) => chip(name, count)) : []));
  if (focused) at("chips").querySelector(`[data-chip="${CSS.escape(focused)}"]`)?.focus();
  for (const card of cards) card.element.hidden = state.only !== null && card.class !== state.only;
}

function chip(name, count) {
  const button = document.createElement("button");
  button.append(name, Object.assign(document.createElement("b"), { textContent: count }));
  button.dataset.chip = name;
  button.setAttribute("aria-pressed", String(state.only === name));
  button.onclick = () => {
    state.only = state.only === name ? null : name;
    showBar();
  };
  return button;
}

at("unsure").onclick = (event) => {
  const pressed = event.target.getAttribute("aria-pressed") !== "true";
  event.target.setAttribute("aria-pressed", String(pressed));
  const order = [...state.cards];
  if (pressed) order.sort((a, b) => (a.prediction?.probability ?? 2) - (b.prediction?.probability ?? 2));
  at("cards").append(...order.map((card) => card.element));
};

at("clear").onclick = () => {
  state.cards.forEach((card) => card.remove());
  Object.assign(state, { cards: [], waiting: [], only: null });
  at("unsure").setAttribute("aria-pressed", "false");
  showBar();
  at("files").focus();
};

at("save").onclick = () => {
  const quoted = (value) => `"${String(value ?? "").replaceAll('"', '""')}"`;
  const line = ({ name, prediction, right }) => [name, prediction?.class, prediction?.probability, right].map(quoted).join(",");
  const text = ["path,class,probability,right_class", ...state.cards.map(line)].join("\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text, "\n"], { type: "text/csv" }));
  link.download = "predictions.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};

// Marks.

function showMarks({ file, marks }) {
  at("marks").hidden = marks.length === 0;
  at("marks-count").textContent = say("marks", marks.length);
  const quoted = (path) => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);
  const data = state.model.data ? quoted(state.model.data) : say("data");
  at("command").textContent = `defrost train ${data} --relabel ${quoted(file)}`;
}

at("copy").onclick = async () => {
  await navigator.clipboard.writeText(at("command").textContent).catch(() => {});
  at("copy").textContent = say("copied");
  setTimeout(() => (at("copy").textContent = say("copy")), 1500);
};

open();
