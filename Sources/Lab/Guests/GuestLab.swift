import API
import Model

/// A lab as it is taken in a cluster that is somebody else's: it speaks of that cluster's nodes, its objects lie in namespaces of its own,
/// and what only minik's own machines show is not judged.
package struct GuestLab: Sendable {
    package let file: LabFile
    /// What is not judged, and what is not done, a line each.
    package let losses: [String]
    /// The namespaces that it makes.
    package let namespaces: [String]

    private let names: GuestNames

    /// Throws where too little would be left of it.
    package init(_ original: LabFile, _ names: GuestNames) throws {
        self.names = names
        let lab = original.lab
        func refuse(_ why: String) -> UserError {
            UserError(
                "lab \(lab.name) cannot be taken in a cluster that is not minik's: \(why)",
                hint: "in a cluster of its own it can: sudo minik lab start \(lab.name)")
        }
        if original.scenario != nil { throw refuse("a scenario's scripts run as root on machines of its own") }
        if original.cluster.repair == .manual { throw refuse("it is about damaged nodes") }
        for step in lab.setup + lab.tasks.flatMap(\.setup) {
            if let obstacle = Self.obstacle(step) { throw refuse("of its setup, \(obstacle)") }
        }
        let owned = try Self.namespaces(of: original), all = Set(owned)
        let translation = GuestTranslation(names: names, namespaces: all.union(["default"]))
        let tasks = lab.tasks.map(translation.task)
        guard tasks.contains(where: { $0.task.obstacle == nil }) else {
            throw refuse(tasks.first?.losses.first.map { "nothing of it could be judged; \($0)" } ?? "it has no task")
        }
        losses = tasks.flatMap { entry in entry.losses.map { "\(entry.task.name): \($0)" } }
        let own = LabDocument(
            name: lab.name, title: names.text(lab.title), objectives: lab.objectives.map(names.text), difficulty: lab.difficulty,
            minutes: lab.minutes, order: lab.order, intro: lab.intro.map(names.text), outro: lab.outro.map(names.text),
            setup: lab.setup.map(translation.step), tasks: tasks.map(\.task), ending: [], home: nil)
        let objects = try original.objects.map { manifest in
            do { return try Self.placed(manifest, names, lab: lab.name, all) } catch let error as ManifestError {
                throw refuse("\(error)")
            }
        }
        file = LabFile(original, own, names.cluster(original.cluster), objects)
        namespaces = [GuestNames.namespace] + owned
    }

    /// Those that are there at its start, and those that a step makes. None of them may be somebody's already: they go with the lab.
    private static func namespaces(of file: LabFile) throws -> [String] {
        let steps = file.lab.setup + file.lab.tasks.flatMap { $0.setup + $0.solution }
        let applied = try steps.flatMap { step -> [Manifest] in
            guard case .apply(let text, let line) = step else { return [] }
            return try LabStep.manifests(text, file: file.path, line: line)
        }
        let names = (file.objects + applied).filter(isNamespace).compactMap { $0.json["metadata"]["name"].string }
        return Array(Set(names)).sorted()
    }

    private static func isNamespace(_ manifest: Manifest) -> Bool { manifest.kind == "Namespace" && manifest.apiVersion == "v1" }

    // MARK: Objects

    /// A manifest as it is applied there. Of what belongs to the whole cluster it makes namespaces alone, and marks them. Probes may do in
    /// them what `kubectl debug` does, unless the lab is about just that. (kubernetes.io/docs/concepts/security/pod-security-admission)
    static func placed(_ manifest: Manifest, _ names: GuestNames, lab: String, _ owned: Set<String>) throws -> Manifest {
        var json = names.json(manifest.json)
        func fail(_ words: String) -> ManifestError { ManifestError(file: manifest.file, line: manifest.line, message: words) }
        if isNamespace(manifest) {
            let name = json["metadata"]["name"].string ?? ""
            guard owned.contains(name) else { throw fail("the namespace \(name) is not the lab's") }
            var labels = json["metadata"]["labels"]
            labels[GuestNames.label] = .string(lab)
            if labels[GuestNames.security].isNull { labels[GuestNames.security] = "privileged" }
            json["metadata"]["labels"] = labels
            return manifest.with(json)
        }
        guard let kind = Registry.kind(apiVersion: manifest.apiVersion, kind: manifest.kind), kind.resource.namespaced else {
            throw fail("a \(manifest.kind) is the whole cluster's")
        }
        let namespace = names.namespace(json["metadata"]["namespace"].string ?? "default")
        guard namespace == GuestNames.namespace || owned.contains(namespace) else {
            throw fail("the namespace \(namespace) is not the lab's")
        }
        json["metadata"]["namespace"] = .string(namespace)
        return manifest.with(json)
    }

    // MARK: What cannot be done or judged

    static func obstacle(_ step: LabStep) -> String? {
        switch step {
        case .run(let command), .show(let command): obstacle(command)
        case .apply: nil
        }
    }

    static func obstacle(_ command: LabCommand) -> String? {
        let first = command.text.trimmed.split(separator: "\n").first.map(String.init) ?? ""
        switch command.place {
        case nil:
            guard let word = command.text.firstMatch(of: /\bminik (?!lab\b)([a-z]+)/) else { return nil }
            return "`minik \(word.1)` asks clusters of minik's own"
        case "host": return "`\(first)` is run by the client outside, which there is not"
        case .some(let place) where place.hasPrefix("pod/"): return nil
        case .some(let place): return "`\(first)` is run on \(place), and nodes that are not minik's run nothing"
        }
    }

    static func obstacle(_ wanted: LabExpectation, _ namespaces: Set<String>) -> String? {
        let proto = wanted.port?.split(separator: "/").dropFirst().last ?? "tcp"
        if proto == "sctp" { return "\(wanted.words): the probes' image has no SCTP" }
        if proto == "udp", wanted.port != "53/udp" { return "\(wanted.words): whether a datagram arrives is not seen from outside a node" }
        if wanted.to == "host" { return "\(wanted.words): nobody outside has an address there" }
        if wanted.from == "host", wanted.port == "icmp" { return "\(wanted.words): this machine's pings need root" }
        if IPAddress(wanted.from) != nil { return "\(wanted.words): nothing can be sent from an address" }
        if let home = home(ofPod: wanted), !namespaces.contains(home) {
            return "\(wanted.words): pods of \(home) are not the lab's, and nothing is put into them"
        }
        return nil
    }

    /// The namespace of the pod that asks; nil: it is no pod.
    private static func home(ofPod wanted: LabExpectation) -> String? {
        if wanted.from == "host" || wanted.from == "nodes" || wanted.from.hasPrefix("node/") { return nil }
        let named = wanted.from.wholeMatch(of: /(?:pod\/)?([^\/=]+)\/[^\/=]+/)?.1
        let isType = named.map { LabParties.owners.contains(String($0)) } ?? false
        return isType || named == "pod" ? wanted.namespace : named.map(String.init) ?? wanted.namespace
    }
}
