// Names that no one else makes, and storage that may be missing (a private window, a full disk).

export function freshId(bytes = 16) {
  if (bytes === 16 && crypto.randomUUID) return crypto.randomUUID(); // Only where the page came over https or loopback.
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const memory = new Map();

// What the browser keeps; while it keeps nothing, this page's memory does, and `durable` says so.
export const kept = {
  durable: true,
  get(name) {
    try {
      return localStorage.getItem(name) ?? memory.get(name) ?? null;
    } catch {
      return memory.get(name) ?? null;
    }
  },
  set(name, value) {
    try {
      localStorage.setItem(name, value);
      memory.delete(name);
    } catch {
      this.durable = false;
      memory.set(name, value);
    }
  },
  drop(name) {
    memory.delete(name);
    try {
      localStorage.removeItem(name);
    } catch {
      this.durable = false;
    }
  },
  names(prefix) {
    const all = new Set(memory.keys());
    try {
      for (let i = 0; i < localStorage.length; i += 1) all.add(localStorage.key(i));
    } catch {
      this.durable = false;
    }
    return [...all].filter((name) => name.startsWith(prefix)).sort();
  },
};

// The chat is named in the address, so that it can be bookmarked and shared between one person's devices.
export function chatId() {
  const named = location.hash.slice(1);
  const chat = /^[\w.-]{1,64}$/.test(named) ? named : (location.hash ? null : kept.get("greenroom.chat")) ?? freshId(8);
  kept.set("greenroom.chat", chat);
  history.replaceState(null, "", `#${chat}`);
  return chat;
}
