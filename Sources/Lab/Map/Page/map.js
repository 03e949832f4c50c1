// The map: what the daemon tells (events), what is chosen, and who draws it.

import { Details } from "./details.js";
import { Edges } from "./edges.js";
import { Flows } from "./flows.js";
import { Matrix } from "./matrix.js";
import { Picture } from "./picture.js";

const element = id => document.getElementById(id);

/// What all parts look at. `chosen` is a kind and an id, such as ["pod", "default/web"], or null.
export const state = {
  map: null, chosen: null, counters: new Map(), rates: new Map(),
  shows: { policies: true, services: true, flows: true },
};

const picture = new Picture(element("picture"), state, choose);
const edges = new Edges(picture, state, (from, to, port) => details.why(from, to, port));
const flows = new Flows(picture, state);
const details = new Details(element("details"), state, choose);
const matrix = new Matrix(element("matrix"), state, (from, to, port) => { open("details"); details.why(from, to, port); });

function draw() {
  if (!state.map) return;
  picture.draw();
  edges.draw();
  flows.reset();
  flows.showRates();
}

function choose(kind, id) {
  state.chosen = kind ? [kind, id] : null;
  if (kind) open("details");
  picture.mark();
  edges.draw();
  details.draw();
}

function tell(word, kind) {
  element("word").textContent = word;
  element("state").className = kind;
}

function listen() {
  const source = new EventSource("events");
  source.addEventListener("map", event => {
    state.map = JSON.parse(event.data);
    document.title = `${state.map.cluster} · minik map`;
    element("cluster").textContent = state.map.cluster;
    element("plugin").textContent = state.map.plugin + (state.map.enforced ? "" : ", which enforces no policies");
    draw();
    if (!details.isAnswering) details.draw();
    matrix.draw();
    tell("live", "live");
  });
  source.addEventListener("live", event => {
    const news = JSON.parse(event.data), now = performance.now();
    flows.count(news.counters ?? {}, now);
    flows.send(news.flows ?? []);
    details.showCounters();
  });
  source.onopen = () => tell("live", "live");
  // The browser comes back by itself, but for an answer that says no.
  source.onerror = () => {
    tell(source.readyState === EventSource.CLOSED ? "the daemon does not answer: load the page again" : "waiting for the daemon", "lost");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  };
}

// Tabs, as the ARIA practices have them: arrows move between them.
const tabs = ["details", "matrix"];

function open(name) {
  for (const tab of tabs) {
    element(tab).hidden = tab !== name;
    element(`tab-${tab}`).setAttribute("aria-selected", tab === name);
    element(`tab-${tab}`).tabIndex = tab === name ? 0 : -1;
  }
  document.querySelector("aside").classList.toggle("wide", name === "matrix");
}

for (const tab of tabs) {
  element(`tab-${tab}`).addEventListener("click", () => open(tab));
  element(`tab-${tab}`).addEventListener("keydown", event => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const other = tabs[1 - tabs.indexOf(tab)];
    open(other);
    element(`tab-${other}`).focus();
  });
}

for (const name of Object.keys(state.shows)) {
  const button = element(`show-${name}`);
  button.addEventListener("click", () => {
    state.shows[name] = !state.shows[name];
    button.setAttribute("aria-pressed", state.shows[name]);
    edges.draw();
    flows.reset();
  });
}

const root = document.documentElement;
function remembered() { try { return localStorage.getItem("minik-theme"); } catch { return null; } }
if (remembered()) root.dataset.theme = remembered();
element("theme").addEventListener("click", () => {
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  try { localStorage.setItem("minik-theme", root.dataset.theme); } catch { /* a browser that keeps nothing */ }
});

document.addEventListener("keydown", event => { if (event.key === "Escape") choose(null); });

details.draw();
listen();
