// Drop, paste or choose pictures; each is examined in turn and shown, the newest first. Without this file the form works too.
"use strict";

const form = document.getElementById("form");
const input = document.getElementById("file");
const drop = document.getElementById("drop");
const button = document.getElementById("go");
const statusLine = document.getElementById("status");
const answers = document.getElementById("answers");
let waiting = [];
let busy = false;

document.body.classList.add("scripted");
for (const article of answers.children) fading(article);

// What the page shows anyway is only read aloud.
function say(text, { shown = false } = {}) {
  statusLine.classList.toggle("told-already", shown);
  statusLine.textContent = text;
}

function refusal(name, text) {
  const article = document.createElement("article");
  article.className = "look refused";
  article.tabIndex = -1;
  const stamp = document.createElement("p");
  stamp.className = "stamp failure";
  stamp.textContent = "not examined";
  const title = document.createElement("h2");
  title.textContent = text;
  const label = document.createElement("p");
  label.className = "file-name";
  label.textContent = name;
  article.append(stamp, title, label);
  return article;
}

// The map lies over the picture; a slider fades it in and out.
function fading(article) {
  const map = article.querySelector(".mapped .map");
  if (!map) return;
  const label = document.createElement("label");
  label.className = "fade";
  label.textContent = "Show what moved the classifier";
  const slider = document.createElement("input");
  slider.type = "range";
  slider.value = "75";
  slider.addEventListener("input", () => {
    map.style.opacity = String(slider.value / 100);
  });
  label.append(slider);
  map.closest("figure").querySelector(".shown").after(label);
}

async function ask(file) {
  const body = new FormData();
  body.append("file", file, file.name || "pasted picture");
  const thorough = form.elements.thorough.checked ? "?thorough=true" : "";
  for (;;) {
    const response = await fetch("/look" + thorough, { method: "POST", body, headers: { "X-Fragment": "1" } });
    if (response.status === 429) {
      const seconds = Number(response.headers.get("Retry-After")) || 1;
      say(`The server is busy; trying again in ${seconds} s …`);
      await new Promise((done) => setTimeout(done, seconds * 1000));
      continue;
    }
    const text = await response.text();
    if ((response.headers.get("Content-Type") || "").startsWith("text/html")) {
      const holder = document.createElement("div");
      holder.innerHTML = text; // of our own server, escaped there; the policy lets no script in it run
      return holder.firstElementChild;
    }
    const told = JSON.parse(text);
    return refusal(file.name, told.hint ? `${told.detail} (${told.hint})` : told.detail);
  }
}

async function work() {
  if (busy) return;
  busy = true;
  button.disabled = true;
  document.body.classList.add("working");
  let shown = null;
  while (waiting.length) {
    const file = waiting.shift();
    say(`Examining ${file.name || "the picture"} …`);
    try {
      shown = await ask(file);
    } catch {
      shown = refusal(file.name, "The server did not answer. Is it still running?");
    }
    const reading = document.getElementById("reading");
    if (reading) reading.remove();
    for (const old of answers.querySelectorAll("[id]")) old.removeAttribute("id");
    fading(shown);
    answers.prepend(shown);
  }
  document.body.classList.remove("working");
  button.disabled = false;
  busy = false;
  say("", { shown: true });
  if (shown) {
    const heading = shown.querySelector("h2");
    if (heading) say(heading.textContent, { shown: true });
    const chain = shown.querySelector(".scroll");
    if (chain) chain.scrollLeft = chain.scrollWidth; // this file itself stands at the right end
    shown.focus({ preventScroll: true });
    shown.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  }
}

function take(files) {
  const pictures = Array.from(files);
  if (!pictures.length) return;
  waiting.push(...pictures);
  work();
}

input.multiple = true;
input.addEventListener("change", () => {
  take(input.files);
  form.reset();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (input.files.length) take(input.files);
  else input.click();
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  take(event.dataTransfer.files);
});
addEventListener("paste", (event) => take(event.clipboardData.files));
