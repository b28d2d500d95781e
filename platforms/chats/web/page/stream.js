// The server's events, for as long as the page lives: reopened by itself after a restart, a sleep or a lost network.

const WAIT_MS = [300, 700, 1500, 3000, 5000];
const SILENCE_MS_MAX = 40000; // The server beats every 15 s.
const HIDDEN_MS = 10000;

export class Stream {
  // `on` has snapshot(rows), upsert(row), state("open" | "connecting" | "lost"), notice(words or null), and idle(): may a hidden page let go?
  constructor(chat, on) {
    this.url = `/chats/${encodeURIComponent(chat)}/events`;
    this.on = on;
    this.failures = 0;
    this.source = null;
    this.timer = null;
    this.silence = null;
    addEventListener("online", () => this.wake());
    addEventListener("pageshow", () => this.wake());
    document.addEventListener("visibilitychange", () => (document.hidden ? this.rest() : this.wake()));
  }

  open() {
    this.close();
    const source = new EventSource(this.url);
    this.source = source;
    this.listen();
    source.onerror = () => this.lost();
    source.addEventListener("beat", () => this.listen());
    source.addEventListener("upsert", (event) => {
      this.listen();
      this.on.upsert(JSON.parse(event.data));
    });
    source.addEventListener("notice", (event) => {
      this.listen();
      this.on.notice(JSON.parse(event.data).text);
    });
    source.addEventListener("snapshot", (event) => {
      this.listen();
      this.failures = 0;
      const seen = JSON.parse(event.data);
      this.on.snapshot(seen.messages);
      this.on.notice(seen.notice);
      this.on.state("open");
    });
  }

  listen() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.lost(), SILENCE_MS_MAX);
  }

  lost() {
    this.close();
    this.on.state("lost");
    const wait = WAIT_MS[Math.min(this.failures, WAIT_MS.length - 1)];
    this.failures += 1;
    this.timer = setTimeout(() => this.open(), wait * (0.75 + Math.random() / 2));
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    this.source?.close();
    this.source = null;
  }

  wake() {
    clearTimeout(this.resting);
    if (this.source === null || this.source.readyState === EventSource.CLOSED) {
      this.failures = 0;
      this.open();
    }
  }

  // Browsers open six streams to one server at most: a hidden page that expects nothing gives its own back.
  rest() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      if (!document.hidden) return;
      if (this.on.idle()) this.close();
      else this.rest();
    }, HIDDEN_MS);
  }
}
