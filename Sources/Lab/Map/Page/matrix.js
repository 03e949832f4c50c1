// Who reaches whom as a table, and a slider over the last changes: what did each of them do?

import { matters, verdict, words } from "./edges.js";
import { html } from "./elements.js";
import { partyName, short } from "./picture.js";

const letters = { ".": "allowed", "X": "denied", "~": "partly" }, marks = { allowed: "✓", denied: "✕", partly: "~", none: "·" };

export class Matrix {
  constructor(root, state, why) {
    Object.assign(this, { root, state, why, probe: "", number: null, change: null });
    this.picker = html("select", { id: "probe", onchange: () => { this.probe = this.picker.value; this.draw(); } });
    this.slider = html("input", { type: "range", id: "when", min: 0, step: 1, oninput: () => this.#turn() });
    this.title = html("output", { for: "when" });
    this.effect = html("div", { id: "effect", "aria-live": "polite" });
    this.box = html("div", { class: "grid-box" });
    root.append(html("div", { class: "bar" }, html("label", { for: "probe" }, "Packets"), this.picker), this.box,
      html("div", { class: "slide" }, html("label", { for: "when" }, "Changes, the newest at the right"), this.slider, this.title), this.effect);
    this.box.addEventListener("keydown", event => this.#key(event));
  }

  draw() {
    const { map } = this.state;
    if (!map) return;
    const changes = map.changes, at = changes.findIndex(change => change.number === this.number);
    // At the newest it stays with the newest.
    this.slider.max = changes.length - 1;
    this.slider.value = at < 0 ? changes.length - 1 : at;
    if (at < 0) this.number = null;
    const probes = ["", ...map.reach.probes];
    if ([...this.picker.options].map(option => option.value).join() !== probes.join()) {
      this.picker.replaceChildren(...probes.map(probe => html("option", { value: probe }, probe || "the ports that pods declare")));
      if (!probes.includes(this.probe)) this.probe = "";
    }
    this.picker.value = this.probe;
    this.#show();
  }

  #turn() {
    const { changes } = this.state.map, index = Number(this.slider.value);
    this.number = index === changes.length - 1 ? null : changes[index].number;
    this.#show();
  }

  async #show() {
    const { changes, reach } = this.state.map, change = changes.find(change => change.number === this.number) ?? changes.at(-1);
    if (!change) return;
    this.title.textContent = [change.time && new Date(change.time).toLocaleTimeString(), change.title].filter(Boolean).join("  ");
    this.slider.setAttribute("aria-valuetext", this.title.textContent);
    // A daemon that starts anew counts from nothing.
    if (this.change?.number !== change.number || this.change.time !== change.time) {
      const response = await fetch(`change?number=${change.number}`);
      if (!response.ok) return;
      this.change = await response.json();
      // Another may have been asked for meanwhile.
      if ((this.state.map.changes.find(change => change.number === this.number) ?? this.state.map.changes.at(-1)).number !== this.change.number) return;
    }
    const shown = this.number === null ? reach : this.change.reach, targets = new Map(shown.targets.map(target => [target.id, target]));
    const differences = this.change.differences.filter(({ to, probe }) => this.probe ? probe === this.probe : !targets.has(to) || matters(targets.get(to), probe));
    this.#table(shown, differences);
    this.#tell(differences);
  }

  #table(reach, differences) {
    const changed = new Set(differences.map(difference => `${difference.from} ${difference.to}`));
    const focused = document.activeElement?.dataset?.cell, probe = reach.probes.indexOf(this.probe);
    const cell = (from, row, to, column) => {
      const found = from.id === to.id && to.pods.length < 2 ? null : probe < 0 ? verdict(reach, row, column) : letters[reach.rows[probe][row][column]] ?? null;
      const label = `${from.id} to ${to.id}: ${found ? words[found] : "nothing to ask"}`, isChanged = changed.has(`${from.id} ${to.id}`);
      const ask = () => this.why(from.id, to.id, this.probe || to.ports[0] || reach.probes[0]);
      return html("td", {}, html("button", { type: "button", class: `${found ?? "none"}${isChanged ? " changed" : ""}`, tabindex: -1, title: label, "aria-label": label + (isChanged ? ", changed" : ""), "data-cell": `${row} ${column}`, "data-from": from.id, "data-to": to.id, onclick: found && ask }, marks[found ?? "none"]));
    };
    const name = party => partyName(party, this.state.map.pods);
    const table = html("table", { class: "grid" },
      html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "from \\ to"), reach.targets.map(to => html("th", { scope: "col", title: to.id }, html("span", {}, name(to)))))),
      html("tbody", {}, reach.sources.map((from, row) => html("tr", {}, html("th", { scope: "row", title: from.id }, name(from)), reach.targets.map((to, column) => cell(from, row, to, column))))));
    const left = reach.leftOut ? html("p", { class: "sub" }, `${reach.leftOut} pods have no place in it.`) : null;
    this.box.replaceChildren(...[table, left].filter(Boolean));
    const entry = this.box.querySelector(`[data-cell="${focused}"]`) ?? this.box.querySelector("[data-cell]");
    if (entry) entry.tabIndex = 0;
    if (focused && entry) entry.focus();
  }

  #tell(differences) {
    const open = differences.filter(difference => difference.after === "."), shut = differences.filter(difference => difference.after !== ".");
    const lines = (list, word, mark) => list.slice(0, 60).map(difference => html("li", {}, html("button", { type: "button", onclick: () => this.why(difference.from, difference.to, difference.probe) }, html("span", { class: `mark ${mark}` }, marks[mark]), html("span", {}, `${word} ${short(difference.from)} to ${short(difference.to)}`), html("span", { class: "ports" }, difference.probe))));
    if (!this.change.number) return this.effect.replaceChildren();
    this.effect.replaceChildren(html("h3", {}, differences.length ? `It opened ${open.length} and closed ${shut.length} ways` : "It changed nobody's reach"),
      html("ul", { class: "rows" }, lines(shut, "closes", "denied"), lines(open, "opens", "allowed")));
  }

  /// Arrows move from cell to cell.
  #key(event) {
    const ways = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }, way = ways[event.key], place = event.target.dataset.cell;
    if (!way || !place) return;
    event.preventDefault();
    const [row, column] = place.split(" ").map(Number), next = this.box.querySelector(`[data-cell="${row + way[0]} ${column + way[1]}"]`);
    if (!next) return;
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}
