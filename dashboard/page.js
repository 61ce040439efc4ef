"use strict";
// Asks for the page again every 2 seconds and takes over the parts that have changed.
const every = 2000;

function takeOver(next) {
  document.title = next.title;
  const focused = document.activeElement?.id;
  const selection = getSelection();
  for (const part of [document.querySelector("header"), document.querySelector("main")]) {
    const fresh = next.querySelector(part.tagName);
    if (!fresh || fresh.innerHTML === part.innerHTML) continue;
    if (!selection.isCollapsed && part.contains(selection.anchorNode)) continue; // somebody is copying text
    part.replaceChildren(...fresh.childNodes);
  }
  if (focused && document.activeElement === document.body) {
    document.getElementById(focused)?.focus({preventScroll: true});
  }
}

async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch(location.origin + "/", {signal: AbortSignal.timeout(10000)});
      if (!answer.ok) throw new Error(answer.status);
      takeOver(new DOMParser().parseFromString(await answer.text(), "text/html"));
      document.getElementById("lost").hidden = true;
    } catch {
      document.getElementById("lost").hidden = false;
    }
  }
  setTimeout(refresh, every);
}

setTimeout(refresh, every);
