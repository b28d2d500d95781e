// Text to nodes: fenced and inline code, bold, links. Only text nodes and a few known elements are ever made,
// so nothing that an agent writes can become markup.

function make(tag, text, className) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

const INLINE = /`([^`\n]+)`|\*\*([^*\n]+(?:\*[^*\n]+)*)\*\*|(https?:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)\]}*_])/g;

function inline(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > from) nodes.push(text.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[1] !== undefined) nodes.push(make("code", match[1]));
    else if (match[2] !== undefined) nodes.push(make("strong", match[2]));
    else {
      const link = make("a", match[3]);
      link.href = match[3];
      link.target = "_blank";
      link.rel = "noopener noreferrer nofollow";
      nodes.push(link);
    }
  }
  if (from < text.length) nodes.push(text.slice(from));
  return nodes;
}

function block(code) {
  const frame = make("div", undefined, "code");
  const pre = make("pre");
  pre.tabIndex = 0; // Long lines are scrolled by keyboard, too.
  pre.append(make("code", code));
  const copy = make("button", "Copy");
  copy.type = "button";
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(pre);
      copy.textContent = "Selected";
    }
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  });
  frame.append(pre, copy);
  return frame;
}

// A fence that is not closed yet (words still stream) is a block up to the end.
export function rich(text) {
  const nodes = [];
  let prose = [];
  let code = null;
  const flush = () => {
    const joined = prose.join("\n");
    if (joined.trim()) nodes.push(...inline(joined.replace(/^\n+|\n+$/g, "")));
    prose = [];
  };
  for (const line of text.split("\n")) {
    if (/^\s{0,3}```/.test(line)) {
      if (code === null) {
        flush();
        code = [];
      } else {
        nodes.push(block(code.join("\n")));
        code = null;
      }
    } else (code ?? prose).push(line);
  }
  if (code !== null) nodes.push(block(code.join("\n")));
  flush();
  return nodes;
}
