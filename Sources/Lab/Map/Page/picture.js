// The picture's standing parts, at the places that the layout says.

import { fitted, svg, textWidth } from "./elements.js";

const BOLD = "600 12px system-ui", MONO = '10.5px ui-monospace, "DejaVu Sans Mono", Menlo, monospace';
const SHIELD = "M0 -7l6 2v5c0 4-3 6-6 7-3-1-6-3-6-7v-5z";

export class Picture {
  constructor(root, state, choose) {
    Object.assign(this, { root, state, choose });
    root.addEventListener("click", event => this.#pick(event.target));
    root.addEventListener("keydown", event => this.#key(event));
  }

  get #map() { return this.state.map; }

  /// The card that shows a pod, with its place.
  card(pod) { return this.cards.get(pod); }

  draw() {
    const { layout } = this.#map, focused = document.activeElement?.dataset?.id;
    this.pods = new Map(this.#map.pods.map(pod => [pod.id, pod]));
    this.machines = new Map(this.#map.machines.map(machine => [machine.name, machine]));
    this.cards = new Map();
    for (const node of layout.nodes) for (const card of node.cards) for (const pod of card.pods) this.cards.set(pod, { ...card, node: node.name });
    this.root.setAttribute("viewBox", `0 0 ${layout.width} ${layout.height}`);
    // Smaller letters nobody reads: then it is scrolled.
    this.root.style.minWidth = `${layout.width * 0.72}px`;
    this.root.style.maxWidth = `${Math.max(layout.width * 1.25, 900)}px`;
    // From the ground up: what lies behind, wires and lines, things, and what moves over all.
    this.layers = Object.fromEntries(["ground", "wires", "fronts", "things", "edges", "flows"].map(name => [name, svg("g", { class: name })]));
    Object.assign(this, { fronts: this.layers.fronts, edges: this.layers.edges, flows: this.layers.flows });
    this.#services(layout);
    this.#base(layout);
    for (const node of layout.nodes) this.#node(node);
    this.root.replaceChildren(...Object.values(this.layers));
    this.mark();
    const next = focused && this.root.querySelector(`[data-id="${CSS.escape(focused)}"]`);
    if (next) next.focus();
  }

  #services(layout) {
    const more = layout.servicesLeftOut ? `, and ${layout.servicesLeftOut} more that have no place here` : "";
    const services = new Map(this.#map.services.map(service => [service.id, service]));
    this.layers.ground.append(svg("text", { x: 16, y: 18, class: "quiet" }, `Services${more}`));
    for (const { id, box } of layout.services) {
      const [x, y, width] = box, service = services.get(id), ready = new Set(service.endpoints.filter(endpoint => endpoint.ready).map(endpoint => endpoint.pod ?? endpoint.address)).size;
      const address = service.addresses[0] ?? service.type, ports = service.ports.join(" ");
      const label = `Service ${id}, ${service.type}, ${address} ${ports}, ${ready} ready endpoints`;
      const count = service.type === "ExternalName" ? "a name" : `${ready || "none"} ready`;
      this.#thing("service", "svc/" + id, label, box,
        named(x + 10, y + 18, service.name, service.namespace, width - 28 - textWidth(count, "11px system-ui")),
        svg("text", { x: x + width - 10, y: y + 18, class: "quiet", "text-anchor": "end" }, count),
        svg("text", { x: x + 10, y: y + 35, class: "mono quiet" }, fitted(`${address} ${ports}`, width - 20, MONO)));
    }
  }

  /// Tunnel, LAN and the client outside.
  #base(layout) {
    const { lan, outside, tunnel } = layout, machine = this.machines.get("LAN"), client = this.machines.get("outside");
    const down = (box, to) => [middle(box), { x: middle(box).x, y: middle(to).y }];
    for (const node of layout.nodes) {
      if (node.tunnel && tunnel) this.#wire(`tunnel ${node.name}`, down(node.tunnel, tunnel), "tube");
      this.#wire(`uplink ${node.name}`, down(node.uplink, lan));
    }
    this.#wire("outside", down(outside, lan));
    if (tunnel) {
      const [x, y, width, height] = tunnel, vni = this.#map.machines.flatMap(machine => machine.links).find(link => link.vni)?.vni;
      this.layers.wires.append(svg("g", { class: "tunnel" }, svg("rect", { x, y, width, height }),
        svg("text", { x: x + 16, y: y + 17, class: "quiet" }, `VXLAN ${vni ?? ""}: pods' packets from node to node, inside UDP`)));
    }
    this.#thing("lan", "node/LAN", `The nodes' LAN, ${machine.addresses.join(", ")}`, lan,
      svg("text", { x: lan[0] + 16, y: lan[1] + 21 }, svg("tspan", { class: "name" }, "The nodes' LAN  "), svg("tspan", { class: "mono quiet" }, machine.addresses.join(", "))));
    this.#thing("outside", "outside", `The client outside, ${client.addresses.join(", ")}`, outside,
      svg("text", { x: outside[0] + 12, y: outside[1] + 18, class: "name" }, "outside"),
      svg("text", { x: outside[0] + 12, y: outside[1] + 33, class: "mono quiet" }, fitted(client.addresses.join(", "), outside[2] - 24, MONO)));
  }

  #node(node) {
    const machine = this.machines.get(node.name), [x, y, width, height] = node.box, role = machine.controlPlane ? "control plane" : "worker";
    const bridge = machine.links.find(link => link.kind === "bridge"), uplink = machine.links.find(link => link.name === "eth0");
    const tunnel = machine.links.find(link => link.kind === "vxlan" || link.kind === "ipip"), state = machine.status;
    this.layers.ground.append(svg("g", { class: machine.status === "Ready" ? "machine" : "machine down" }, svg("rect", { x, y, width, height })));
    this.#thing("heading", "node/" + node.name, `Node ${node.name}, ${role}, ${state}, ${machine.addresses.join(" ")}`, [x + 5, y + 5, width - 10, 46],
      svg("text", { x: x + 16, y: y + 25, class: "title" }, fitted(node.name, width - 150, "650 14px system-ui")),
      svg("text", { x: x + width - 14, y: y + 25, class: "quiet", "text-anchor": "end" }, `${role} · ${state}`),
      svg("text", { x: x + 16, y: y + 43, class: "mono quiet" }, fitted(`${machine.addresses[0]} · pods ${machine.podCIDRs[0]}${machine.addresses.length > 1 ? " · dual-stack" : ""}`, width - 30, MONO)));
    for (const card of node.cards) if (card.rail.length) this.#wire(`pod ${card.id}`, card.rail.map(([x, y]) => ({ x, y })));
    for (const place of [node.tunnel, node.uplink]) if (place) this.#wire(`in ${node.name}`, [{ x: middle(place).x, y: middle(node.bridge).y }, middle(place)], place === node.tunnel ? "tube" : "");
    this.#device(node.bridge, machine, bridge, "routes", "the kernel's own, no bridge");
    if (node.tunnel) this.#device(node.tunnel, machine, tunnel, "no tunnel", "", "tunnel-end");
    this.#device(node.uplink, machine, uplink, "eth0", "is gone");
    for (const card of node.cards) this.#card(card);
    if (node.leftOut) this.layers.things.append(svg("text", { x: x + 26, y: node.bridge[1] - 6, class: "quiet" }, `and ${node.leftOut} more pods`));
  }

  #device([x, y, width, height], machine, link, word, words, kind = "") {
    const name = link?.name ?? word, address = link?.addresses[0] ?? (link ? link.kind ?? "" : words);
    const parts = height > 36
      ? [svg("text", { x: x + 10, y: y + 16, class: "name" }, fitted(name, width - 20, BOLD)),
        svg("text", { x: x + 10, y: y + 31, class: "mono quiet" }, fitted(address, width - 20, MONO)),
        svg("text", { x: x + 10, y: y + 46, class: "quiet rate" })]
      : [svg("text", { x: x + 14, y: y + 21 }, svg("tspan", { class: "name" }, name + "  "), svg("tspan", { class: "mono quiet" }, address)),
        svg("text", { x: x + width - 10, y: y + 21, class: "quiet rate", "text-anchor": "end" })];
    const isDown = link ? !link.up : word === "eth0";
    if (!link) return this.layers.things.append(svg("g", { class: `device ${kind}${isDown ? " down" : ""}` }, svg("rect", { x, y, width, height }), parts));
    this.#thing(`device ${kind}${isDown ? " down" : ""}`, `link/${machine.name} ${link.name}`, `Link ${name} of ${machine.name}, ${address}`, [x, y, width, height], ...parts);
  }

  #card(card) {
    const [x, y, width, height] = card.box, pods = card.pods.map(id => this.pods.get(id)), pod = pods[0], many = pods.length > 1;
    const title = many ? `${ownerName(pod)} ×${pods.length}` : pod.name, isIsolated = pod.isolated.ingress.length + pod.isolated.egress.length > 0;
    const isReady = pods.every(pod => pod.ready), hasFailed = pods.some(pod => pod.phase === "Failed");
    const kind = `card${pod.hostNetwork ? " host" : ""}${hasFailed ? " failed" : isReady ? "" : " pending"}`;
    const line = many ? `${pods.filter(pod => pod.ready).length} of ${pods.length} ready` : pod.ready ? pod.addresses[0] ?? "" : pod.phase === "Running" ? "not ready" : pod.phase;
    const label = `Pod ${many ? title : card.id}, ${line}${isIsolated ? ", isolated by policies" : ""}${pod.hostNetwork ? ", in the node's own network" : ""}`;
    const aside = pod.namespace === "default" ? "" : pod.namespace, room = width - 24 - textWidth(line, MONO);
    this.#thing(kind, card.id, label, card.box,
      svg("path", { d: `M${x + 3} ${y + 7}v${height - 14}`, class: "strip" }),
      svg("text", { x: x + 11, y: y + 16, class: "name" }, fitted(title, width - (isIsolated ? 34 : 17), BOLD)),
      svg("text", { x: x + 11, y: y + 31, class: "mono quiet" }, line),
      aside && room > 26 ? svg("text", { x: x + width - 7, y: y + 31, class: "quiet", "text-anchor": "end" }, fitted(aside, room, "11px system-ui")) : null,
      isIsolated ? svg("path", { d: SHIELD, transform: `translate(${x + width - 12} ${y + 13})`, class: "shield" }) : null);
  }

  #thing(kind, id, label, [x, y, width, height], ...parts) {
    this.layers.things.append(svg("g", { class: kind, "data-id": id, role: "button", tabindex: -1, "aria-label": label },
      svg("title", {}, label), svg("rect", { x, y, width, height }), ...parts));
  }

  #wire(link, points, kind = "") {
    this.layers.wires.append(svg("path", { class: `rail ${kind}`, "data-wire": link, d: "M" + points.map(({ x, y }) => `${x} ${y}`).join("L") }));
  }

  /// What is chosen, and what has to do with it.
  mark() {
    const [kind, id] = this.state.chosen ?? [], things = [...this.root.querySelectorAll("[data-id]")];
    for (const thing of things) {
      const isChosen = kind === "pod" ? this.card(id)?.id === thing.dataset.id : id === thing.dataset.id;
      thing.classList.toggle("chosen", Boolean(kind) && isChosen);
      thing.tabIndex = -1;
    }
    const first = things.find(thing => thing.classList.contains("chosen")) ?? things.find(thing => thing === document.activeElement) ?? things.find(thing => thing.classList.contains("card")) ?? things[0];
    if (first) first.tabIndex = 0;
  }

  #pick(target) {
    const thing = target.closest("[data-id]"), id = thing?.dataset.id;
    if (!thing) return;
    this.choose(thing.classList.contains("card") ? "pod" : thing.classList.contains("device") ? "link" : thing.classList.contains("service") ? "service" : "machine", id);
    thing.focus({ preventScroll: true });
  }

  #key(event) {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      return this.#pick(event.target);
    }
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = ways[event.key], here = event.target.closest("[data-id]");
    if (!way || !here) return;
    event.preventDefault();
    this.#nearest(here, way)?.focus();
  }

  /// The next thing in a direction: near, and not far aside.
  #nearest(here, [dx, dy]) {
    const place = thing => {
      const { x, y, width, height } = thing.querySelector("rect").getBBox();
      return middle([x, y, width, height]);
    };
    const from = place(here);
    let best = null, least = Infinity;
    for (const thing of this.root.querySelectorAll("[data-id]")) {
      const to = place(thing), along = (to.x - from.x) * dx + (to.y - from.y) * dy, aside = Math.abs((to.x - from.x) * dy) + Math.abs((to.y - from.y) * dx);
      if (thing === here || along < 6) continue;
      const cost = along + aside * 2;
      if (cost < least) [best, least] = [thing, cost];
    }
    if (best) for (const thing of this.root.querySelectorAll("[tabindex='0']")) thing.tabIndex = -1;
    if (best) best.tabIndex = 0;
    return best;
  }
}

/// A name, and the namespace where it is not the usual one.
function named(x, y, name, namespace, width) {
  const aside = namespace === "default" ? "" : namespace, short = fitted(name, width - (aside ? 30 : 0), BOLD);
  const room = width - textWidth(short, BOLD) - 6;
  return svg("text", { x, y }, svg("tspan", { class: "name" }, short), aside ? svg("tspan", { class: "quiet", dx: 6 }, fitted(aside, room, "11px system-ui")) : null);
}

export const middle = ([x, y, width, height]) => ({ x: x + width / 2, y: y + height / 2 });
/// A name without the namespace that most have.
export const short = id => id.startsWith("default/") ? id.slice(8) : id;
/// What a party of the matrix is called: a pod, or those of one owner.
export function partyName(party, pods) {
  const pod = party.pods.length > 1 && pods.find(pod => pod.id === party.id);
  return pod ? `${short(`${pod.namespace}/${ownerName(pod)}`)} ×${party.pods.length}` : short(party.id);
}

/// What a pod belongs to, without what was added at random.
export function ownerName(pod) {
  const name = (pod.owner ?? "").split(" ")[1] ?? pod.name, hash = pod.labels["pod-template-hash"];
  return hash && name.endsWith("-" + hash) ? name.slice(0, -hash.length - 1) : name;
}
