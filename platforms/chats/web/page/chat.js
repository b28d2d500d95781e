// The page: wires the log, the outbox and the stream to what the person sees and does.
import { chatId, freshId, kept } from "./ids.js";
import { Log } from "./log.js";
import { Outbox } from "./outbox.js";
import { Stream } from "./stream.js";

const TEXT_MAX_BYTES = 64 * 1024;
const NEAR_END_PX = 80;
const byId = (id) => document.getElementById(id);
const [root, scroll, text, form, send, down, trouble] = ["log", "scroll", "text", "form", "send", "down", "trouble"].map(byId);

const chat = chatId();
const draft = `greenroom.draft.${chat}`;
const log = new Log(root, (question, words) => say(words, question));
let atEnd = true;
let connected = false;
let lost = false;
let notice = null; // What the server says is wrong with it.
let unsaved = null; // Why a message could not be stored yet.

const outbox = new Outbox(chat, {
  changed: (id, state, why) => {
    const row = log.shown.get(`mine/${id}`)?.row;
    if (row) log.upsert({ ...row, state, why });
  },
  trouble: (why) => {
    unsaved = why;
    if (why !== null && !connected) lost = true;
    sayTrouble();
  },
});

const asUnsent = (message) => ({ ...message, mine: true, final: true, state: "sending" });
const whereKept = () => (kept.durable ? "your message is kept in this browser" : "keep this page open until then");

// One line, for the greatest trouble there is.
function sayTrouble() {
  const keptThere = kept.durable ? "in this browser" : "as long as this page is open";
  let words = "";
  if (lost) words = `The server does not answer. This page reconnects by itself; what you write meanwhile is kept ${keptThere}, and sent then.`;
  else if (notice !== null) words = `The server ${notice}. Your messages are kept ${keptThere}, and sent again by themselves.`;
  else if (unsaved !== null) words = `Not saved yet: ${unsaved.replace(/\.?$/, ".")} Trying again by itself; ${whereKept()}.`;
  trouble.hidden = words === "";
  if (trouble.textContent !== words) trouble.textContent = words; // Said aloud only when it changes.
}

const stream = new Stream(chat, {
  snapshot: (rows) => {
    for (const row of rows) if (row.mine) outbox.settle(row.id); // Saved, though the answer to it was lost.
    log.replace(rows, outbox.waiting().map(asUnsent));
    byId("empty").hidden = !log.empty;
    outbox.poke();
  },
  upsert: (row) => {
    if (row.mine) outbox.settle(row.id);
    log.upsert(row);
    byId("empty").hidden = true;
    if (document.hidden && !row.mine && row.final) document.title = "● greenroom";
  },
  state: (state) => {
    connected = state === "open";
    byId("link").dataset.state = state;
    const words = { open: "connected", connecting: "connecting…", lost: "reconnecting…" };
    byId("link-text").textContent = words[state];
    if (state !== "connecting") lost = state === "lost";
    if (connected) unsaved = null;
    sayTrouble();
  },
  notice: (words) => {
    notice = words;
    sayTrouble();
    if (words === null) outbox.poke();
  },
  idle: () => !log.busy && outbox.waiting().length === 0,
});

function grow() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
  send.disabled = !text.value.trim();
}

function toEnd() {
  scroll.scrollTop = scroll.scrollHeight;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const words = text.value.trimEnd();
  if (!words.trim()) return;
  if (new TextEncoder().encode(words).length > TEXT_MAX_BYTES) {
    trouble.hidden = false;
    trouble.textContent = "That is longer than 64 KB: split it, or send a link.";
    return;
  }
  text.value = "";
  kept.drop(draft);
  say(words);
});

// Said by typing, or by pressing a button of a question.
function say(words, answers) {
  sayTrouble();
  log.upsert(asUnsent(outbox.add(words, answers)));
  byId("empty").hidden = true;
  atEnd = true;
  grow();
  text.focus();
}

text.addEventListener("keydown", (event) => {
  const phone = matchMedia("(hover: none) and (pointer: coarse)").matches; // There, Enter makes a line.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || phone) return;
  event.preventDefault();
  form.requestSubmit();
});
text.addEventListener("input", () => {
  kept.set(draft, text.value);
  grow();
});
scroll.addEventListener("scroll", () => {
  atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_END_PX;
  if (atEnd) down.hidden = true;
});
root.addEventListener("painted", () => {
  if (atEnd) toEnd();
  else down.hidden = false;
});
down.addEventListener("click", () => {
  toEnd();
  text.focus();
});
byId("new").addEventListener("click", (event) => {
  event.preventDefault();
  location.hash = freshId(8);
});
addEventListener("resize", () => atEnd && toEnd());
addEventListener("hashchange", () => location.reload());
document.addEventListener("visibilitychange", () => !document.hidden && (document.title = "greenroom"));

text.value = kept.get(draft) ?? "";
log.replace([], outbox.waiting().map(asUnsent));
grow();
stream.open();
outbox.send();
