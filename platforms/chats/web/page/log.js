// The conversation as the page shows it: one article a message, found by its id, so that nothing shows twice.
import { rich } from "./rich.js";

const PLACEHOLDER = "...";
const DAY = new Intl.DateTimeFormat([], { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const HOUR = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });

function when(at) {
  const date = new Date(at * 1000);
  return (date.toDateString() === new Date().toDateString() ? HOUR : DAY).format(date);
}

const nameOf = (row) => `${row.mine ? "mine" : "theirs"}/${row.id}`;

export class Log {
  // `pressed(question, words)` is told of a button.
  constructor(root, pressed = () => {}) {
    this.root = root;
    this.pressed = pressed;
    this.shown = new Map();
    this.dirty = new Set();
  }

  get empty() {
    return this.shown.size === 0;
  }

  // Whether an answer is still being written.
  get busy() {
    return [...this.shown.values()].some(({ row }) => !row.mine && !row.final);
  }

  has(id) {
    return this.shown.get(`mine/${id}`)?.row.state === "saved";
  }

  // Everything the server knows, then what it does not know yet.
  replace(rows, unsent) {
    const old = this.shown;
    this.shown = new Map();
    for (const row of rows) this.put(row, old.get(nameOf(row)));
    for (const [name, entry] of old) if (entry.row.state === "refused") this.shown.set(name, entry);
    for (const row of unsent) this.upsert(row);
    const parts = [...this.shown.values()].flatMap(({ row, article }) => (row.begins ? [this.beginning(), article] : [article]));
    this.root.replaceChildren(...parts);
  }

  // Stands where the agent knows nothing of what is above.
  beginning() {
    const line = document.createElement("div");
    line.className = "beginning";
    line.setAttribute("role", "separator");
    line.setAttribute("aria-label", "New conversation");
    line.textContent = "new conversation";
    return line;
  }

  upsert(row) {
    const known = this.shown.get(nameOf(row));
    if (known?.row.final && !row.final) return; // A late word of an answer that is concluded.
    if (known?.row.state === "saved" && row.state) return; // Never from saved back to sending.
    this.put({ ...row, at: known?.row.at ?? row.at }, known);
  }

  put(row, known) {
    const entry = known ?? this.make(row);
    const full = { ...row, state: row.state ?? (row.mine ? "saved" : undefined) };
    const same = known && ["text", "final", "state", "why"].every((field) => known.row[field] === full[field]) && !known.row.choices === !full.choices;
    entry.row = full;
    this.shown.set(nameOf(row), entry);
    if (entry.article.parentNode !== this.root) this.root.append(entry.article);
    if (!same) this.paintSoon(entry);
    if (row.mine && !same) for (const asked of this.shown.values()) if (asked.row.choices) this.paintSoon(asked);
  }

  make(row) {
    const article = document.createElement("article");
    article.className = row.mine ? "mine" : "theirs";
    article.dataset.id = row.id;
    const body = document.createElement("div");
    body.className = "body";
    const foot = document.createElement("div");
    foot.className = "foot";
    const state = document.createElement("span");
    state.className = "state";
    const time = document.createElement("time");
    foot.append(time, state);
    const choices = document.createElement("div");
    choices.className = "choices";
    choices.setAttribute("role", "group");
    choices.setAttribute("aria-label", "Answers");
    article.append(body, choices, foot);
    return { row, article, body, choices, state, time };
  }

  // Many words of one answer between two frames are painted once.
  paintSoon(entry) {
    if (this.dirty.size === 0) {
      const paint = () => {
        const entries = [...this.dirty];
        this.dirty.clear();
        entries.forEach((each) => this.paint(each));
        this.root.dispatchEvent(new Event("painted", { bubbles: true }));
      };
      if (document.hidden) queueMicrotask(paint);
      else requestAnimationFrame(paint);
    }
    this.dirty.add(entry);
  }

  // What the person said after a row; whatever it is, it is the answer to a question.
  saidAfter(row) {
    const rows = [...this.shown.values()].map((entry) => entry.row);
    return rows.slice(rows.indexOf(row) + 1).find((later) => later.mine && later.state !== "refused");
  }

  paintChoices({ row, choices }) {
    const texts = row.choices?.texts ?? [];
    const said = texts.length ? this.saidAfter(row) : undefined;
    choices.hidden = texts.length === 0;
    choices.replaceChildren(
      ...texts.map((words) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = words;
        button.disabled = said !== undefined;
        button.classList.toggle("chosen", said?.text === words);
        button.addEventListener("click", () => this.pressed(row.choices.question, words), { once: true });
        return button;
      }),
    );
  }

  paint({ row, article, body, choices, state, time }) {
    this.paintChoices({ row, choices });
    const waiting = !row.mine && !row.final && (row.text === PLACEHOLDER || !row.text.trim());
    article.setAttribute("aria-busy", String(!row.mine && !row.final));
    article.classList.toggle("unsent", row.state === "sending");
    article.classList.toggle("refused", row.state === "refused");
    body.classList.toggle("waiting", waiting);
    if (waiting) body.replaceChildren(this.dots());
    else if (row.mine) body.textContent = row.text;
    else body.replaceChildren(...rich(row.text));
    time.textContent = when(row.at);
    time.dateTime = new Date(row.at * 1000).toISOString();
    const words = { sending: "sending…", saved: "✓ saved", refused: `not sent: ${row.why}` };
    state.textContent = row.mine ? words[row.state] : "";
  }

  dots() {
    const dots = document.createElement("span");
    dots.className = "dots";
    dots.setAttribute("role", "img");
    dots.setAttribute("aria-label", "working");
    dots.append(...[1, 2, 3].map(() => document.createElement("i")));
    return dots;
  }
}
