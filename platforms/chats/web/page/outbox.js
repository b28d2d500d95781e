// What the person said and the server has not confirmed. Kept by the browser, one entry a message, so that a reload,
// a second tab or a dead server loses nothing; sent in order, again and again with the same id, until it is confirmed.
import { freshId, kept } from "./ids.js";

const WAIT_MS = [500, 1000, 2000, 4000, 8000];
const ANSWER_MS_MAX = 15000;

export class Outbox {
  // `changed(id, state, why)` is told "saved" or "refused"; `trouble(why)` why sending has to wait, or null.
  constructor(chat, { changed, trouble }) {
    this.url = `/chats/${encodeURIComponent(chat)}/messages`;
    this.prefix = `greenroom.unsent.${chat}/`;
    this.changed = changed;
    this.trouble = trouble;
    this.failures = 0;
    this.busy = false;
    this.timer = null;
    this.last = 0;
  }

  waiting() {
    const found = this.names().map((name) => JSON.parse(kept.get(name) ?? "null"));
    return found.filter((message) => message !== null);
  }

  names() {
    return kept.names(this.prefix);
  }

  // `answers` names the question whose button was pressed.
  add(text, answers) {
    this.last = Math.max(Date.now(), this.last + 1); // Names sort in the order of writing.
    const message = { id: freshId(), text, answers, at: this.last / 1000 };
    kept.set(`${this.prefix}${String(this.last).padStart(15, "0")}.${message.id}`, JSON.stringify(message));
    this.send();
    return message;
  }

  settle(id) {
    for (const name of this.names()) if (name.endsWith(`.${id}`)) kept.drop(name);
  }

  // Try now: the server is there again.
  poke() {
    this.failures = 0;
    this.send();
  }

  async send() {
    if (this.busy) return;
    this.busy = true;
    clearTimeout(this.timer);
    try {
      for (let [message] = this.waiting(); message; [message] = this.waiting()) {
        const wait = await this.post(message);
        if (wait !== null) {
          this.timer = setTimeout(() => this.send(), wait);
          return;
        }
      }
    } finally {
      this.busy = false;
    }
  }

  // Null when the message needs no more attempts, else how long to wait.
  async post({ id, text, answers }) {
    let response;
    let why = "The server does not answer.";
    try {
      response = await fetch(this.url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ id, text, answers }),
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
      });
      if (response.ok) return this.done(id, "saved");
      why = (await response.json()).error ?? `The server said ${response.status}.`;
    } catch {
      response = response?.status < 500 ? response : undefined;
    }
    if (response && response.status < 500 && ![408, 429].includes(response.status)) return this.done(id, "refused", why);
    const wait = WAIT_MS[Math.min(this.failures, WAIT_MS.length - 1)];
    this.failures += 1;
    this.trouble(why);
    return Math.max(wait, 1000 * Number(response?.headers.get("retry-after") ?? 0)) * (0.75 + Math.random() / 2);
  }

  done(id, state, why) {
    this.failures = 0;
    this.settle(id);
    this.trouble(null);
    this.changed(id, state, why);
    return null;
  }
}
