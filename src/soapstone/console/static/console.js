// Parts of a page that move by themselves: an element with data-live holds what its address answers.
// Without this script the pages are complete; they are then brought up to date by reloading them.
"use strict";

(() => {
  const part = document.querySelector("[data-live]");
  if (!part) return;
  // Figures move at least once a second: answers and their showing take time too.
  const every = 500;
  const say = document.querySelector("[data-live-state]");
  const reload = document.querySelector("[data-live-reload]");
  const pause = document.createElement("button");
  let paused = false;
  let last = "";

  function show(text) {
    if (!say) return;
    say.textContent = text;
    say.hidden = false;
  }

  // What the reader was doing in the part survives its replacement: focus, selection, scrolled tables, opened details.
  function replace(html) {
    const selected = document.getSelection();
    if (selected && !selected.isCollapsed && part.contains(selected.anchorNode)) return;
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const places = focused ? [...part.querySelectorAll(focused.tagName)] : [];
    const place = places.indexOf(focused);
    const scrolled = [...part.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
    const opened = [...part.querySelectorAll("details")].map((element) => element.open);
    part.innerHTML = html;
    part.querySelectorAll("details").forEach((element, index) => {
      element.open = Boolean(opened[index]);
    });
    part.querySelectorAll(".scroll").forEach((box, index) => {
      box.scrollLeft = scrolled[index] || 0;
    });
    if (focused) {
      const link = focused.getAttribute("href");
      const same = [...part.querySelectorAll(focused.tagName)];
      const next = (link && same.find((element) => element.getAttribute("href") === link)) || same[place];
      if (next) next.focus({ preventScroll: true });
    }
    last = html;
  }

  async function refresh() {
    if (paused || document.hidden) return;
    try {
      const answer = await fetch(part.dataset.live, { redirect: "manual", cache: "no-store" });
      // Logged out, or the thing shown has come to its end: the whole page has to change.
      if (answer.type === "opaqueredirect" || answer.headers.get("X-Page-Changed")) {
        location.reload();
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      const html = await answer.text();
      if (html !== last) replace(html);
      show("Moves by itself.");
    } catch {
      show("The server does not answer; trying again.");
    }
  }

  async function turn() {
    await refresh();
    setTimeout(turn, every);
  }

  pause.type = "button";
  pause.textContent = "Pause";
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on" : "Pause";
    if (paused) show("Paused.");
    else refresh();
  });
  if (reload) reload.replaceWith(pause);
  show("Moves by itself.");
  document.addEventListener("visibilitychange", refresh);
  setTimeout(turn, every);
})();
