// Who may reach whom, where policies have a say, and which pods stand behind a Service.

import { svg } from "./elements.js";
import { partyName } from "./picture.js";

/// Whether a probe says something of a target: what a pod does not listen on says little of who may reach it.
export const matters = (target, probe) => !target.ports.length || target.ports.includes(probe.split(" ")[0]);

/// What a row's letters say of one target at the probes that matter: "allowed", "denied", "partly".
export function verdict(reach, source, target) {
  const letters = reach.probes.flatMap((probe, index) => {
    const letter = reach.rows[index][source][target];
    return letter === "?" || !matters(reach.targets[target], probe) ? [] : [letter];
  });
  if (!letters.length) return null;
  if (letters.every(letter => letter === ".")) return "allowed";
  return letters.every(letter => letter === "X") ? "denied" : "partly";
}

export const words = { allowed: "allowed", denied: "denied", partly: "allowed in part" };
/// More lines than these are a tangle.
const most = 40;

export class Edges {
  constructor(picture, state, why) { Object.assign(this, { picture, state, why }); }

  draw() {
    if (!this.state.map) return;
    this.#fronts();
    const edges = this.state.shows.policies ? this.#chosen() : [], root = this.picture.edges;
    const note = document.getElementById("note"), isTangle = !this.state.chosen && edges.length > most;
    note.hidden = !isTangle;
    if (isTangle) note.textContent = `Policies decide about ${edges.length} pairs of pods: choose a pod to see its own.`;
    const shown = isTangle ? [] : edges.map(edge => ({ ...edge, a: this.#place(edge.from), b: this.#place(edge.to) }));
    spread(shown);
    root.replaceChildren(...shown.map(edge => this.#edge(edge)));
    this.#dim(edges);
  }

  /// Those of the chosen pod, policies or not; without one those that policies decide about.
  #chosen() {
    const { reach, pods } = this.state.map, [kind, id] = this.state.chosen ?? [];
    const byId = new Map(pods.map(pod => [pod.id, pod])), edges = [];
    if (kind && kind !== "pod" && kind !== "policy") return [];
    const policy = kind === "policy" ? this.state.map.policies.find(policy => policy.name === id) : null;
    reach.sources.forEach((from, row) => reach.targets.forEach((to, column) => {
      if (from.id === to.id && to.pods.length < 2) return;
      const isIsolated = byId.get(to.id)?.isolated.ingress.length || byId.get(from.id)?.isolated.egress.length;
      const isMeant = kind === "pod" ? from.pods.includes(id) || to.pods.includes(id)
        : policy ? (policy.directions.includes("ingress") && policy.pods.some(pod => to.pods.includes(pod))) || (policy.directions.includes("egress") && policy.pods.some(pod => from.pods.includes(pod)))
        : isIsolated;
      const found = isMeant ? verdict(reach, row, column) : null;
      if (!found || !this.#place(from) || !this.#place(to)) return;
      // What comes from beside the pods is drawn for a chosen one alone, and where policies have a say.
      if ((!kind || !isIsolated) && (from.id.startsWith("node/") || from.id === "outside")) return;
      edges.push({ from, to, verdict: found });
    }));
    return edges;
  }

  #place(party) {
    const { layout } = this.state.map;
    if (party.id === "outside") return layout.outside;
    if (party.id.startsWith("node/")) {
      const [x, y, width] = layout.nodes.find(node => node.name === party.id.slice(5))?.box ?? [];
      return width ? [x + width - 60, y + 8, 50, 30] : null;
    }
    // Of those that are alike the chosen one stands for all.
    const [kind, id] = this.state.chosen ?? [];
    return this.picture.card(kind === "pod" && party.pods.includes(id) ? id : party.id)?.box;
  }

  #edge({ from, to, verdict, start, end: place, way: kind }) {
    const way = curve(start, place, kind), end = way.end;
    const label = `${partyName(from, this.state.map.pods)} to ${partyName(to, this.state.map.pods)}: ${words[verdict]}; choose it to see why`;
    const tip = verdict === "denied"
      ? svg("path", { class: "cross denied", d: "M-4 -4l8 8M4 -4l-8 8", transform: `translate(${end.x} ${end.y})` })
      : svg("path", { class: `tip ${verdict}`, d: "M-9 -4.5L0 0L-9 4.5z", transform: `translate(${end.x} ${end.y}) rotate(${way.angle})` });
    const port = to.ports[0] ?? this.state.map.reach.probes[0];
    return svg("g", { "data-from": from.id, "data-to": to.id, "data-verdict": verdict, "aria-label": label, role: "img", onclick: event => { event.stopPropagation(); this.why(from.id, to.id, port); } },
      svg("title", {}, label), svg("path", { class: "edge-touch", d: way.d }), svg("path", { class: `edge ${verdict}`, d: way.d }), tip);
  }

  #fronts() {
    const { map, chosen, shows } = this.state, root = this.picture.fronts, total = map.services.reduce((sum, service) => sum + service.endpoints.length, 0);
    const lines = [];
    for (const { id, box } of shows.services ? map.layout.services : []) {
      const isChosen = chosen?.[0] === "service" && chosen[1] === "svc/" + id;
      if (!isChosen && (chosen || total > 12)) continue;
      const cards = new Map();
      for (const { pod } of map.services.find(service => service.id === id).endpoints) if (this.picture.card(pod)) cards.set(this.picture.card(pod).id, this.picture.card(pod));
      for (const card of cards.values()) {
        const from = { x: box[0] + box[2] / 2, y: box[1] + box[3] }, [x, y, width] = card.box, to = { x: x + width / 2, y };
        const bend = Math.min(90, (to.y - from.y) / 2);
        lines.push(svg("path", { class: `front${isChosen ? " strong" : ""}`, "data-service": id, "data-pod": card.id, d: `M${from.x} ${from.y}C${from.x} ${from.y + bend} ${to.x} ${to.y - bend} ${to.x} ${to.y}` }));
      }
    }
    root.replaceChildren(...lines);
  }

  /// What has nothing to do with what is chosen steps back.
  #dim(edges) {
    const [kind, id] = this.state.chosen ?? [], ends = new Set(edges.flatMap(edge => [edge.from.id, edge.to.id]));
    if (kind === "service") for (const { pod } of this.state.map.services.find(service => "svc/" + service.id === id)?.endpoints ?? []) ends.add(this.picture.card(pod)?.id);
    if (kind === "pod") ends.add(this.picture.card(id)?.id);
    const isDimming = kind === "service" || kind === "policy";
    for (const card of this.picture.root.querySelectorAll(".card")) {
      const pods = this.picture.card(card.dataset.id)?.pods ?? [];
      card.classList.toggle("dim", isDimming && !pods.some(pod => ends.has(pod)));
    }
  }
}

/// Gives each edge its places at both cards: from the side that looks to the other, and apart from its neighbours.
function spread(edges) {
  const places = new Map();
  for (const edge of edges) {
    const dy = edge.b[1] - edge.a[1];
    edge.way = Math.abs(dy) < 20 ? "beside" : dy > 0 ? "down" : "up";
    const sides = { beside: ["top", "top"], down: ["bottom", "top"], up: ["top", "bottom"] }[edge.way];
    for (const [key, box, other, side] of [["start", edge.a, edge.b, sides[0]], ["end", edge.b, edge.a, sides[1]]]) {
      const name = `${box[0]} ${box[1]} ${side}`;
      places.set(name, [...places.get(name) ?? [], { edge, key, box, side, toward: other[0] }]);
    }
  }
  for (const ends of places.values()) {
    ends.sort((one, other) => one.toward - other.toward);
    ends.forEach(({ edge, key, box: [x, y, width, height], side }, index) => {
      const room = Math.min(width - 24, ends.length * 16);
      edge[key] = { x: x + width / 2 - room / 2 + room * (index + 0.5) / ends.length, y: side === "top" ? y : y + height };
    });
  }
}

/// Over the cards of one row, or straight down and up between rows.
function curve(start, end, way) {
  const dx = end.x - start.x, dy = end.y - start.y;
  const lift = way === "beside" ? -(14 + Math.min(22, Math.abs(dx) / 30)) : Math.max(18, Math.min(90, Math.abs(dy) * 0.45)) * Math.sign(dy);
  const lean = way === "beside" ? dx * 0.18 : 0;
  const out = { x: start.x + lean, y: start.y + lift }, into = { x: end.x - lean, y: end.y + (way === "beside" ? lift : -lift) };
  const angle = Math.atan2(end.y - into.y, end.x - into.x) * 180 / Math.PI;
  return { d: `M${start.x} ${start.y}C${out.x} ${out.y} ${into.x} ${into.y} ${end.x} ${end.y}`, end, angle };
}
