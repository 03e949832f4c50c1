// What moves: dots on the links that packets take, and how much goes through each link.

import { amount, svg } from "./elements.js";
import { middle } from "./picture.js";

const speed = 300, most = 160;
/// How long a rate stands that nothing renews, in milliseconds.
const fresh = 2500;

export class Flows {
  constructor(picture, state) {
    Object.assign(this, { picture, state, dots: [], queue: [] });
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    setInterval(() => this.showRates(), 1000);
  }

  reset() {
    for (const dot of this.dots) dot.element.remove();
    this.dots = [];
  }

  /// New counters, as "machine link": [bytes in, bytes out, packets in, packets out, dropped].
  count(counters, now) {
    for (const [link, values] of Object.entries(counters)) {
      const before = this.state.counters.get(link);
      if (before) {
        const seconds = Math.max(0.25, (now - before.when) / 1000);
        this.state.rates.set(link, { when: now, received: (values[0] - before.values[0]) / seconds, sent: (values[1] - before.values[1]) / seconds });
      }
      this.state.counters.set(link, { when: now, values });
    }
    this.showRates();
  }

  /// The rate of a link; null when nothing has gone through it lately.
  rate(link) {
    const rate = this.state.rates.get(link);
    return rate && performance.now() - rate.when < fresh && rate.received + rate.sent > 0 ? rate : null;
  }

  showRates() {
    const { map } = this.state;
    if (!map) return;
    for (const thing of this.picture.root.querySelectorAll(".device[data-id]")) {
      const link = thing.dataset.id.slice(5), text = thing.querySelector(".rate"), rate = this.rate(link);
      if (text) text.textContent = rate ? `in ${amount(rate.received)}/s  out ${amount(rate.sent)}/s` : "quiet";
    }
    const busy = new Set();
    for (const pod of map.pods) if (pod.link && this.rate(`${pod.node} ${pod.link}`)) busy.add(`pod ${this.picture.card(pod.id)?.id}`);
    for (const machine of map.machines) {
      const isBusy = name => machine.links.some(link => link.name === name && this.rate(`${machine.name} ${name}`));
      if (isBusy("eth0")) busy.add(`uplink ${machine.name}`);
      if (machine.links.some(link => link.kind === "vxlan" && this.rate(`${machine.name} ${link.name}`))) busy.add(`tunnel ${machine.name}`);
    }
    for (const wire of this.picture.root.querySelectorAll("[data-wire]")) wire.classList.toggle("busy", busy.has(wire.dataset.wire));
  }

  send(flows) {
    if (!this.state.shows.flows || this.still.matches || document.hidden || !this.state.map) return;
    for (const flow of flows) {
      const points = this.way(flow);
      if (!points) continue;
      for (let index = 0; index < Math.min(flow.count, 3) && this.dots.length < most; index++) {
        const kind = flow.service ? "dot service" : "dot", label = `${flow.from} to ${flow.to} ${flow.port}`;
        const element = svg("circle", { class: kind, r: 4, "data-flow": label }, svg("title", {}, label));
        this.picture.flows.append(element);
        this.dots.push({ element, points, length: length(points), start: performance.now() + index * 170 + Math.random() * 240 });
      }
    }
    if (this.dots.length && !this.isMoving) {
      this.isMoving = true;
      requestAnimationFrame(now => this.#move(now));
    }
  }

  #move(now) {
    this.dots = this.dots.filter(dot => {
      const gone = Math.max(0, (now - dot.start) / 1000) * speed;
      if (gone > dot.length) { dot.element.remove(); return false; }
      const { x, y } = at(dot.points, gone);
      dot.element.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
      dot.element.style.visibility = now < dot.start ? "hidden" : "visible";
      return true;
    });
    this.isMoving = this.dots.length > 0;
    if (this.isMoving) requestAnimationFrame(next => this.#move(next));
  }

  /// The way that packets take from one end to another: links, bridge, tunnel or LAN.
  way(flow) {
    const from = this.#end(flow.from), to = this.#end(flow.to), { layout } = this.state.map;
    if (!from || !to) return null;
    if (from.node === to.node) return [...from.points, ...to.points.toReversed()];
    // Only what goes from pod to pod is in the tunnel.
    const isInside = from.isPod && to.isPod && from.column?.tunnel && to.column?.tunnel && layout.tunnel;
    const down = end => {
      if (!end.column) return end.points;
      const place = isInside ? end.column.tunnel : end.column.uplink, bar = isInside ? layout.tunnel : layout.lan, x = middle(place).x;
      return [...end.points, { x, y: end.points.at(-1).y }, { x, y: middle(bar).y }];
    };
    return [...down(from), ...down(to).toReversed()];
  }

  /// Where an end is, and its way to its node's bridge.
  #end(id) {
    const { layout } = this.state.map;
    if (id === "outside") {
      const { x, y } = middle(layout.outside);
      return { node: null, points: [{ x, y }, { x, y: middle(layout.lan).y }] };
    }
    if (id.startsWith("node/")) {
      const column = layout.nodes.find(node => "node/" + node.name === id);
      return column && { node: column.name, column, points: [{ x: middle(column.bridge).x, y: middle(column.bridge).y }] };
    }
    const card = this.picture.card(id), column = card && layout.nodes.find(node => node.name === card.node);
    if (!column) return null;
    const rail = card.rail.map(([x, y]) => ({ x, y })), last = rail.at(-1);
    return { node: card.node, column, isPod: rail.length > 0, points: last ? [...rail, { x: last.x, y: middle(column.bridge).y }] : [middle(column.bridge)] };
  }
}

function length(points) {
  let sum = 0;
  for (let index = 1; index < points.length; index++) sum += Math.hypot(points[index].x - points[index - 1].x, points[index].y - points[index - 1].y);
  return sum;
}

function at(points, gone) {
  for (let index = 1; index < points.length; index++) {
    const from = points[index - 1], to = points[index], step = Math.hypot(to.x - from.x, to.y - from.y);
    if (gone <= step && step > 0) return { x: from.x + (to.x - from.x) * gone / step, y: from.y + (to.y - from.y) * gone / step };
    gone -= step;
  }
  return points.at(-1);
}
