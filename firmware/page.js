// Keeps the page fresh: takes the same page anew and puts its content in place of the old one.
// Without an answer the page says so and since when, and goes on asking.
"use strict";
const PERIOD_MS = 5000;
let answeredAt = Date.now();

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(PERIOD_MS) });
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = page.title;
    document.querySelector("main").replaceWith(page.querySelector("main"));
    answeredAt = Date.now();
  } catch {
    const seconds = Math.round((Date.now() - answeredAt) / 1000);
    const made = document.getElementById("made");
    made.className = "late";
    made.textContent = `no answer from the agent for ${seconds} s: what stands below is old`;
  }
}

setInterval(refresh, PERIOD_MS);
document.addEventListener("visibilitychange", refresh);
