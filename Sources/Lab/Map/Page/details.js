// What is known of the thing that is chosen, and why packets come through or do not.

import { verdict, words } from "./edges.js";
import { amount, html } from "./elements.js";
import { partyName, short } from "./picture.js";

const marks = { allowed: "✓", denied: "✕", partly: "~" };

export class Details {
  constructor(root, state, choose) {
    Object.assign(this, { root, state, choose, answer: null, isAnswering: false });
  }

  draw() {
    this.isAnswering = false;
    const { map, chosen } = this.state, [kind, id] = chosen ?? [];
    if (!map) return this.root.replaceChildren(html("p", { class: "sub" }, "Waiting for the cluster…"));
    const draw = { pod: () => this.#pod(id), service: () => this.#service(id.slice(4)), machine: () => this.#machine(id), link: () => this.#link(id.slice(5)), policy: () => this.#policy(id) }[kind];
    this.root.replaceChildren(...(draw?.() ?? this.#cluster()));
    this.showCounters();
  }

  #cluster() {
    const { map } = this.state, ready = map.pods.filter(pod => pod.ready).length, nodes = map.machines.filter(machine => machine.kind === "node");
    const waiting = map.pods.filter(pod => !pod.node);
    return [
      html("h2", {}, map.cluster), html("p", { class: "sub" }, "Choose a pod, a Service, a machine, a link or an edge."),
      list({ nodes: `${nodes.filter(node => node.ready).length} of ${nodes.length} ready`, pods: `${ready} of ${map.pods.length} ready`, services: map.services.length, plugin: map.plugin }),
      html("h3", {}, "Policies"), map.policies.length
        ? rows(map.policies.map(policy => row(() => this.choose("policy", policy.name), "", short(policy.name), `${policy.directions.join(", ")} of ${policy.pods.length}`)))
        : html("p", { class: "sub" }, "None: everybody reaches everybody."),
      ...(waiting.length ? [html("h3", {}, "Pods without a node"), rows(waiting.map(pod => row(() => this.choose("pod", pod.id), "partly", short(pod.id), pod.phase)))] : []),
      ...this.#asking(),
    ].concat(map.enforced || !map.policies.length ? [] : html("p", { class: "sub" }, `The plugin ${map.plugin} enforces none of them.`));
  }

  #pod(id) {
    const { map } = this.state, pod = map.pods.find(pod => pod.id === id);
    if (!pod) return [html("p", { class: "sub" }, `The pod ${id} is gone.`)];
    const card = map.layout.nodes.flatMap(node => node.cards).find(card => card.pods.includes(id));
    const services = map.services.filter(service => service.endpoints.some(endpoint => endpoint.pod === id));
    const policies = [...new Set([...pod.isolated.ingress, ...pod.isolated.egress])];
    const parts = [
      html("h2", {}, pod.name), html("p", { class: "sub" }, `Pod in ${pod.namespace}${pod.node ? ` on ${pod.node}` : ", on no node yet"}`),
      list({
        status: pod.ready ? "Running, ready" : pod.phase, addresses: pod.addresses.join(", ") + (pod.hostNetwork ? ", the node's own" : ""), owner: pod.owner,
        link: pod.link && `${pod.link} on ${pod.node}`, ports: pod.ports.join(", "), labels: Object.entries(pod.labels).map(([key, value]) => `${key}=${value}`).join(", "),
        Services: services.map(service => short(service.id)).join(", "),
      }),
      pod.link ? this.#counters(`${pod.node} ${pod.link}`) : null,
    ];
    if (card?.pods.length > 1) parts.push(html("h3", {}, `${card.pods.length} alike on this node`), rows(card.pods.map(other => row(() => this.choose("pod", other), "", short(other), ""))));
    if (policies.length) parts.push(html("h3", {}, "Isolated by"), rows(policies.map(name => {
      const ways = ["ingress", "egress"].filter(way => pod.isolated[way].includes(name));
      return row(() => this.choose("policy", name.replace("ClusterNetworkPolicy ", "")), "", short(name), ways.join(", "));
    })));
    return parts.concat(this.#reach(id), this.#asking(id));
  }

  /// Who reaches a pod, and whom it reaches.
  #reach(id) {
    const { reach } = this.state.map, sources = reach.sources.findIndex(party => party.pods.includes(id)), targets = reach.targets.findIndex(party => party.pods.includes(id));
    const line = (from, to, row_, column) => {
      const found = verdict(reach, row_, column), other = reach.targets[targets] === to ? from : to, port = to.ports[0] ?? reach.probes[0];
      const [ask, asked] = [from, to].map(party => party.pods.includes(id) ? id : party.id), name = partyName(other, this.state.map.pods);
      return found && row(() => this.why(ask, asked, port), found, name, to.ports.join(" "), `${ask} to ${asked}: ${words[found]}`);
    };
    const parts = [];
    if (targets >= 0) parts.push(html("h3", {}, "Reached by"), rows(reach.sources.map((from, index) => from.pods.includes(id) ? null : line(from, reach.targets[targets], index, targets))));
    if (sources >= 0) parts.push(html("h3", {}, "Reaches"), rows(reach.targets.map((to, index) => to.pods.includes(id) ? null : line(reach.sources[sources], to, sources, index))));
    return parts;
  }

  #service(id) {
    const service = this.state.map.services.find(service => service.id === id);
    if (!service) return [html("p", { class: "sub" }, `The Service ${id} is gone.`)];
    return [
      html("h2", {}, service.name), html("p", { class: "sub" }, `Service in ${service.namespace}`),
      list({ type: service.type, addresses: service.addresses.join(", "), outside: service.outsideAddresses.join(", "), ports: service.ports.join(", ") }),
      html("h3", {}, "Endpoints"), service.endpoints.length
        ? rows(service.endpoints.map(endpoint => row(endpoint.pod ? () => this.choose("pod", endpoint.pod) : null, endpoint.ready ? "allowed" : "partly", short(endpoint.pod ?? endpoint.address), `${endpoint.address}${endpoint.ports.map(port => ":" + port)}`)))
        : html("p", { class: "sub" }, "None: whoever asks it is refused."),
      ...this.#asking(null, "svc/" + id + (service.ports[0] ? ":" + service.ports[0].split(/[:/]/)[0] : "")),
    ];
  }

  #machine(id) {
    const machine = this.state.map.machines.find(machine => machine.name === id.replace("node/", ""));
    if (!machine) return [html("p", { class: "sub" }, `${id} is gone.`)];
    const title = { lan: "The nodes' LAN", outside: "The client outside" }[machine.kind] ?? machine.name;
    const kind = { lan: "A switch that the nodes stand on", outside: "On the nodes' LAN, no part of the cluster" }[machine.kind] ?? (machine.controlPlane ? "Node, control plane" : "Node, worker");
    return [
      html("h2", {}, title), html("p", { class: "sub" }, kind),
      list({ status: machine.kind === "node" ? machine.status : null, addresses: machine.addresses.join(", "), pods: machine.podCIDRs.join(", ") }),
      html("h3", {}, "Links"), rows(machine.links.map(link => row(() => this.choose("link", `link/${machine.name} ${link.name}`), "", link.name, [link.kind, short(link.leadsTo ?? "")].filter(Boolean).join(" to ")))),
      ...this.#asking(machine.kind === "lan" ? null : id),
    ];
  }

  #link(id) {
    const [name, device] = id.split(" "), link = this.state.map.machines.find(machine => machine.name === name)?.links.find(link => link.name === device);
    if (!link) return [html("p", { class: "sub" }, `The link ${device} of ${name} is gone.`)];
    return [
      html("h2", {}, device), html("p", { class: "sub" }, `Link of ${name}`),
      list({ kind: link.kind ?? "device", state: link.up ? "up" : "down", addresses: link.addresses.join(", "), "other end": link.leadsTo, port_of: link.master, mtu: link.mtu, mac: link.mac, vni: link.vni }),
      this.#counters(id),
    ];
  }

  #policy(name) {
    const policy = this.state.map.policies.find(policy => policy.name === name);
    if (!policy) return [html("p", { class: "sub" }, `The policy ${name} is gone.`)];
    return [
      html("h2", {}, short(policy.name)), html("p", { class: "sub" }, `${policy.kind}, ${policy.directions.join(" and ")}`),
      html("h3", {}, "Pods that it isolates"), policy.pods.length ? rows(policy.pods.map(pod => row(() => this.choose("pod", pod), "", short(pod), ""))) : html("p", { class: "sub" }, "None."),
    ];
  }

  #counters(link) {
    const cells = kind => ["received", "sent"].map(way => html("td", { "data-link": link, "data-way": way, "data-kind": kind }, "–"));
    return html("table", { class: "counters" }, html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "node's end"), html("th", { scope: "col" }, "received"), html("th", { scope: "col" }, "sent"))),
      html("tbody", {}, html("tr", {}, html("th", { scope: "row" }, "packets"), cells("packets")), html("tr", {}, html("th", { scope: "row" }, "bytes"), cells("bytes"))));
  }

  showCounters() {
    for (const cell of this.root.querySelectorAll("[data-link]")) {
      const values = this.state.counters.get(cell.dataset.link)?.values;
      if (!values) continue;
      const value = values[(cell.dataset.kind === "packets" ? 2 : 0) + (cell.dataset.way === "sent" ? 1 : 0)];
      cell.textContent = cell.dataset.kind === "packets" ? value : amount(value);
    }
  }

  /// The question of `minik why`.
  #asking(from, to) {
    const names = html("datalist", { id: "names" }, [...this.state.map.pods.map(pod => pod.id), ...this.state.map.services.map(service => "svc/" + service.id), ...this.state.map.machines.filter(machine => machine.kind === "node").map(machine => "node/" + machine.name), "outside"].map(name => html("option", { value: name })));
    const inputs = [html("input", { id: "why-from", list: "names", value: from ?? "", spellcheck: "false" }), html("input", { id: "why-to", list: "names", value: to ?? "", placeholder: "pod:80, svc/web:80, pod:icmp", spellcheck: "false" })];
    const form = html("form", { class: "ask", onsubmit: event => { event.preventDefault(); this.#ask(inputs[0].value, inputs[1].value); } },
      html("label", { for: "why-from" }, "from"), inputs[0], html("label", { for: "why-to" }, "to"), inputs[1], html("button", { type: "submit" }, "Ask why"));
    return [html("h3", {}, "Ask why"), form, names];
  }

  /// `port`: "TCP/80", "ICMP", or either "over IPv6".
  why(from, to, port) {
    const [probe, family] = port.split(" over "), [proto, number] = probe.split("/");
    this.#ask(from, `${to}:${number ? `${number}/${proto}` : "icmp"}`, family);
  }

  async #ask(from, to, family) {
    this.isAnswering = true;
    const back = html("button", { type: "button", onclick: () => this.draw() }, "Back"), box = html("div", { id: "why", "aria-live": "polite" }, "Computing…");
    this.root.replaceChildren(html("h2", {}, "Why"), html("p", { class: "sub" }, `${short(from)} to ${short(to)}`), box, back);
    try {
      const response = await fetch(`why?from=${encodeURIComponent(from)}&to=${encodeURIComponent(to)}${family ? `&family=${family}` : ""}`), answer = await response.json();
      if (!response.ok) return box.replaceChildren(html("pre", {}, answer.message));
      const lines = answer.text.split("\n");
      box.replaceChildren(
        html("p", { class: `verdict ${answer.verdict}` }, html("strong", {}, lines[0].split("  ")[0]), " ", lines[0].split("  ").slice(1).join(" ")),
        html("pre", {}, lines.slice(1).map(line => line.replace(/^ {2}/, "")).join("\n")),
        html("p", { class: "sub" }, "Computed from the rules as they stand. To send a real packet and ask the kernel:"), html("pre", {}, "sudo " + answer.command));
    } catch (error) { box.replaceChildren(html("pre", {}, `no answer: ${error.message}`)); }
  }
}

const list = facts => html("dl", {}, Object.entries(facts).filter(([, value]) => value !== null && value !== undefined && value !== "").flatMap(([name, value]) => [html("dt", {}, name.replace("_", " ")), html("dd", {}, String(value))]));
const rows = items => html("ul", { class: "rows" }, items.filter(Boolean).map(item => html("li", {}, item)));
const row = (act, mark, name, aside, label) => html("button", { type: "button", onclick: act, disabled: !act, "aria-label": label, "data-verdict": mark || null }, mark ? html("span", { class: `mark ${mark}` }, marks[mark]) : null, html("span", {}, name), html("span", { class: "ports" }, aside));
