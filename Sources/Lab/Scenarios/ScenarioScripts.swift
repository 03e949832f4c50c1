import Host
import Model

/// What a lab's steps and conditions are in a shell of Killercoda's first machine.
struct ScenarioScripts {
    /// What Killercoda calls a cluster of as many machines, two at most.
    let image: String
    /// Its machines by the names of the lab's nodes.
    private let machines: [String: String]
    /// What stands in its place there: nodes' names and addresses.
    private let places: [(own: String, there: String)]
    private let subnet: IPNetwork
    let losses: [String]

    init(_ cluster: Cluster) {
        let control = cluster.controlPlane.name, workers = cluster.nodes.map(\.name).filter { $0 != control }
        image = workers.isEmpty ? "kubernetes-kubeadm-1node" : "kubernetes-kubeadm-2nodes"
        var machines = [control: Scenario.Image.first]
        for worker in workers { machines[worker] = "node01" }
        self.machines = machines
        let addresses = Dictionary(
            uniqueKeysWithValues: Scenario.Image("kubernetes-kubeadm-2nodes").machines.map { ($0.name, $0.address) })
        places = cluster.nodes.flatMap { node -> [(String, String)] in
            let machine = machines[node.name] ?? node.name
            return [(node.name, machine), (node.address.description, addresses[machine] ?? "")]
        }.sorted { $0.0.count > $1.0.count }
        subnet = cluster.nodeSubnet
        losses =
            workers.dropFirst().map { "there is no third machine: \($0) is node01, too, and what is between the two is within one" }
            + (cluster.plugin == .canal ? [] : ["the cluster's network is Canal's, not \(cluster.plugin.rawValue)"])
    }

    func machine(_ node: String) -> String { machines[node] ?? node }

    /// A text with the machines' names and addresses instead of the nodes'.
    func local(_ text: String) -> String { places.reduce(text) { $0.replacing($1.own, with: $1.there) } }

    /// Whether a text speaks of addresses of the nodes' network that are none there.
    func isForeign(_ text: String) -> Bool {
        text.matches(of: /\d+\.\d+\.\d+\.\d+/).contains { IPAddress(String($0.0)).map(subnet.contains) == true }
    }

    // MARK: Steps

    func command(_ step: LabStep) -> (text: String, losses: [String]) {
        switch step {
        case .run(let command), .show(let command): return words(command)
        case .apply(let text, _):
            return ("kubectl apply -f - <<'END'\n\(text.trimmed)\nEND", [])
        }
    }

    private func words(_ command: LabCommand) -> (text: String, losses: [String]) {
        // An answer is a file there.
        let text = command.text.trimmed.replacing(/minik lab answer (\S+) (.+)/) {
            "echo \($0.2) > /root/answer-\($0.1)"
        }.replacing(/minik node exec (\S+) -- (sh -c )?/) { "ssh \($0.1) " }
        let quoted = ScenarioPlaces.quoted(text),
            losses = text.contains(/\bminik\b/) ? ["minik is not there: \(text.split(separator: "\n").first ?? "")"] : []
        switch command.place {
        case nil: return (text, losses)
        case "host": return (text, losses + ["there is no client outside: the first machine asks"])
        case .some(let place) where place.hasPrefix("pod/"):
            return ("kubectl exec \(place.dropFirst(4)) -- sh -c \(quoted)", losses)
        case .some(let place):
            let name = machine(place.hasPrefix("node/") ? String(place.dropFirst(5)) : place)
            return (name == Scenario.Image.first ? text : "ssh \(name) \(quoted)", losses)
        }
    }

    // MARK: Conditions

    static func isAnswer(_ check: LabCheck) -> Bool {
        switch check {
        case .answer, .answerIs: true
        default: false
        }
    }

    /// What verify scripts begin with: who is asked is a pod's busybox.
    static let functions = """
        fail() { echo "$1"; exit 1; }
        # pods_of NAMESPACE TYPE/NAME TEMPLATE: its pods, each as the template has it
        pods_of() {
            kubectl -n "$1" get pods -o jsonpath="{range .items[*]}$3 {end}" -l "$(kubectl -n "$1" get "$2" \
                -o go-template='{{range $k, $v := .spec.selector.matchLabels}}{{$k}}={{$v}},{{end}}' | sed 's/,$//')"
        }
        # ask NAMESPACE FROM HOST PORT: a ping, or a connection that is closed again
        ask() {
            case $2 in
            node/controlplane) on() { bash -c "$1"; } ;;
            node/*) on() { ssh "$node" "$1"; } && node=${2#node/} ;;
            *)
                if [ "$4" = icmp ]; then kubectl -n "$1" exec "$2" -- ping -c 1 -W 2 "$3"
                else kubectl -n "$1" exec "$2" -- timeout 3 nc -w 2 "$3" "$4" -e true; fi
                return ;;
            esac
            if [ "$4" = icmp ]; then on "ping -c 1 -W 2 $3"; else on "timeout 3 bash -c '</dev/tcp/$3/$4'"; fi
        }
        # reach VERDICT NAMESPACE FROM HOSTS PORT WORDS: each of them asks each host
        reach() {
            [ -n "$3" ] && [ -n "$4" ] || fail "$6: there is none of that name"
            for from in $3; do for host in $4; do
                ask "$2" "$from" "$host" "$5" </dev/null >/dev/null 2>&1
                case $? in
                0) [ "$1" = allowed ] || fail "$6: wanted $1, $from reaches $host" ;;
                126 | 127) fail "$6: $from has no program that asks" ;;
                *) [ "$1" != allowed ] || fail "$6: wanted $1, $from does not reach $host" ;;
                esac
            done; done
        }
        """

    func verify(_ check: LabCheck, _ task: String) -> (text: String, losses: [String]) {
        switch check {
        case .run(let command, let exit, let output):
            let (text, losses) = words(command), first = command.text.trimmed.split(separator: "\n").first ?? ""
            let gist = ScenarioPlaces.quoted("not yet: \(first)")
            let holds = output.map { " && [[ $said == *\(ScenarioPlaces.quoted($0))* ]]" } ?? ""
            return ("said=$(\(text)\n)\n[ $? = \(exit) ]\(holds) || fail \(gist)", losses)
        case .object(let condition): return (object(condition), [])
        case .answer(let command):
            let (text, losses) = words(command)
            return ("grep -qxF \"$(cat /root/answer-\(task))\" <(\(text)) || fail 'that is not the answer'", losses)
        case .answerIs(let pattern):
            let words = pattern.replacing(" ", with: "\\ ")
            return ("case $(cat /root/answer-\(task)) in \(words)) ;; *) fail 'that is not the answer' ;; esac", [])
        case .read: return ("", [])
        case .reach(let expectations):
            let parts = expectations.map(reach)
            return (parts.map(\.text).joined(separator: "\n"), parts.flatMap(\.losses))
        }
    }

    private func object(_ condition: LabObjectCondition) -> String {
        let words = "kubectl -n \(condition.namespace) get \(condition.object)", name = condition.object
        guard condition.exists else { return "\(words) >/dev/null 2>&1 && fail '\(name) is there'" }
        guard let path = condition.path else { return "\(words) >/dev/null 2>&1 || fail '\(name) is not there'" }
        let found = "$(\(words) -o jsonpath='{\(path)}' 2>/dev/null)"
        guard let value = condition.value else { return "[ -n \"\(found)\" ] || fail '\(name) has no \(path)'" }
        return "[[ \" \(found) \" == *\(ScenarioPlaces.quoted(" \(value) "))* ]] || fail '\(name) \(path) is not \(value)'"
    }

    private func reach(_ wanted: LabExpectation) -> (text: String, losses: [String]) {
        var losses: [String] = []
        if wanted.ttl != nil || wanted.source != nil { losses.append("\(wanted.words): the TTL and the source are not looked at") }
        if wanted.verdict == .refused || wanted.verdict == .unreachable {
            losses.append("\(wanted.words): \(wanted.verdict.rawValue) is not told from timeout")
        }
        guard let from = askers(wanted.from, wanted.namespace) else {
            return ("# \(wanted.words) is not judged", losses + ["\(wanted.words): nobody asks from there"])
        }
        if wanted.port?.hasSuffix("/udp") == true || wanted.port?.hasSuffix("/sctp") == true {
            return ("# \(wanted.words) is not judged", losses + ["\(wanted.words): only TCP and pings are sent"])
        }
        let target = wanted.dns ?? address(wanted.to, wanted.namespace), port = wanted.port ?? "icmp"
        let words = ScenarioPlaces.quoted(wanted.words)
        return ("reach \(wanted.verdict.rawValue) \(wanted.namespace) \"\(from)\" \"\(target)\" \(port) \(words)", losses)
    }

    private static let owners: Set = ["deployment", "deploy", "daemonset", "ds", "statefulset", "sts", "job"]

    /// A shell's words for the names of the pods or nodes that are meant; nil: it is neither.
    private func askers(_ text: String, _ namespace: String) -> String? {
        if text == "nodes" { return Set(machines.values).sorted().map { "node/\($0)" }.joined(separator: " ") }
        if text.hasPrefix("node/") { return "node/\(machine(String(text.dropFirst(5))))" }
        if text.contains("=") { return "$(kubectl -n \(namespace) get pods -l \(text) -o name)" }
        if text.hasPrefix("pod/") { return text }
        let sides = text.split(separator: "/").map(String.init)
        guard sides.count == 2 else { return text == "host" || text.contains(".") ? nil : "pod/\(text)" }
        guard Self.owners.contains(sides[0]) else { return nil }
        return "$(pods_of \(namespace) \(text) '{.metadata.name}')"
    }

    private func address(_ text: String, _ namespace: String) -> String {
        if text.contains("=") { return "$(kubectl -n \(namespace) get pods -l \(text) -o jsonpath='{.items[*].status.podIP}')" }
        if text.hasPrefix("svc/") {
            let parts = text.dropFirst(4).split(separator: "/").map(String.init), home = parts.count == 2 ? parts[0] : namespace
            return "$(kubectl -n \(home) get svc \(parts.last ?? "") -o jsonpath='{.spec.clusterIP}')"
        }
        if Self.owners.contains(String(text.prefix { $0 != "/" })) { return "$(pods_of \(namespace) \(text) '{.status.podIP}')" }
        if text.hasPrefix("node/") {
            let name = machine(String(text.dropFirst(5)))
            return "$(kubectl get node \(name) -o jsonpath='{.status.addresses[?(@.type==\"InternalIP\")].address}')"
        }
        if text.allSatisfy({ $0.isNumber || $0 == "." }) { return text }
        let parts = text.replacing("pod/", with: "").split(separator: "/").map(String.init), home = parts.count == 2 ? parts[0] : namespace
        return "$(kubectl -n \(home) get pod \(parts.last ?? "") -o jsonpath='{.status.podIP}')"
    }
}
