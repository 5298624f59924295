"use strict";

// Keeps the page up to date: fetches it every few seconds and changes only what differs. Nothing
// flickers, and focus, selection and scroll position stay.
(() => {
  const PERIOD = 5000;
  const PATIENCE = 10000;
  const main = document.querySelector("main");
  const note = document.getElementById("note");
  let paused = false;
  let timer = 0;
  let asking = false;

  // Shows the page's UTC times in the reader's zone.
  function localise(root) {
    const today = new Date().toDateString();
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      time.textContent =
        at.toDateString() === today ? at.toLocaleTimeString() : at.toLocaleString();
    }
  }

  function merge(old, fresh) {
    if (old.isEqualNode(fresh)) {
      return;
    }
    if (old.nodeName !== fresh.nodeName) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      old.data = fresh.data;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name)) {
        old.removeAttribute(name);
      }
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) {
        old.setAttribute(name, value);
      }
    }
    mergeChildren(old, fresh);
  }

  // Matches children by id, and children without an id by place.
  function mergeChildren(old, fresh) {
    const stay = new Set([...fresh.children].map((child) => child.id));
    const before = new Map();
    for (const child of [...old.children].filter((child) => child.id)) {
      if (stay.has(child.id)) {
        before.set(child.id, child);
      } else {
        child.remove();
      }
    }
    let next = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const same = next && !next.id && next.nodeName === child.nodeName ? next : null;
      const twin = child.id ? before.get(child.id) : same;
      if (twin && twin === next) {
        next = next.nextSibling;
        merge(twin, child);
      } else if (twin) {
        old.insertBefore(twin, next);
        merge(twin, child);
      } else {
        old.insertBefore(child, next);
      }
    }
    while (next) {
      const gone = next;
      next = next.nextSibling;
      gone.remove();
    }
  }

  function say(text) {
    if (note.textContent !== text) {
      note.textContent = text;
    }
  }

  async function fetchPage() {
    const answer = await fetch(location.href, {
      cache: "no-store",
      headers: { Accept: "text/html" },
      signal: AbortSignal.timeout(PATIENCE),
    });
    // When the daemon is down the answer is a page too; it says so.
    if (!(answer.headers.get("Content-Type") || "").startsWith("text/html")) {
      throw new Error("no page");
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("main");
    // A web server's own error page has none.
    if (!fresh) {
      throw new Error("no page");
    }
    return [fresh, page.title];
  }

  async function refresh() {
    if (asking || paused || document.visibilityState === "hidden") {
      return;
    }
    asking = true;
    try {
      const [fresh, title] = await fetchPage();
      localise(fresh);
      merge(main, fresh);
      document.title = title;
      say("");
    } catch {
      say("The web server does not answer. The page shows the last known state.");
    }
    asking = false;
    schedule();
  }

  function schedule() {
    clearTimeout(timer);
    timer = setTimeout(refresh, PERIOD);
  }

  function addPauseButton() {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Pause updates";
    button.addEventListener("click", () => {
      paused = !paused;
      button.textContent = paused ? "Resume updates" : "Pause updates";
      refresh();
    });
    document.getElementById("tools").append(" ", button);
  }

  localise(main);
  addPauseButton();
  document.addEventListener("visibilitychange", refresh);
  schedule();
})();
