import API
import Model

extension LabDocument {
    package static let kind = "Lab"

    /// Reads a `Lab` document that is about `cluster`. Every complaint names the file, the line and the field.
    package init(_ manifest: Manifest, in cluster: Cluster) throws {
        let json = try manifest.decoded(by: LabDocument.schema)
        let reading = LabReading(manifest: manifest, nodes: cluster.nodes.map(\.name))
        let spec = json["spec"]
        guard let name = json["metadata"]["name"].string, Cluster.isName(name) else {
            throw reading.fail("metadata.name", "\"\(json["metadata"]["name"].string ?? "")\" \(Cluster.nameRule)")
        }
        self.name = name
        title = try reading.text(spec["title"], "spec.title")
        objectives = try spec["objectives"].items.enumerated().map { try reading.text($1, "spec.objectives[\($0)]") }
        difficulty = spec["difficulty"].string ?? "easy"
        minutes = spec["minutes"].int ?? 10
        guard minutes > 0 else { throw reading.fail("spec.minutes", "\(minutes) is no time that a lab takes") }
        order = spec["order"].int ?? 1000
        intro = try reading.optionalText(spec["intro"], "spec.intro")
        outro = try reading.optionalText(spec["outro"], "spec.outro")
        setup = try reading.steps(spec["setup"], "spec.setup")
        tasks = try reading.tasks(spec["tasks"])
        (ending, home) = ([], nil)
    }
}

/// Reads the parts of a `Lab` document.
private struct LabReading {
    let manifest: Manifest
    let nodes: [String]

    func fail(_ field: String, _ message: String) -> ManifestError {
        ManifestError(file: manifest.file, line: manifest.line(of: field), message: "\(field): \(message)")
    }

    func text(_ json: JSON, _ field: String) throws -> LabText {
        if let text = json.string, !text.trimmed.isEmpty { return LabText(english: text, chinese: nil) }
        guard let object = json.object else { throw fail(field, "must be a text, or a map of en and zh") }
        // `{en: One, and two}` is a map of two keys, of which the second has no value.
        if let key = manifest.written(below: field).sorted().first(where: { LabText.Language(rawValue: $0) == nil }) {
            throw fail("\(field).\(key)", "the languages are en and zh. Is it a text with a comma? Such a one stands in quotes")
        }
        for (key, value) in object {
            guard value.string?.trimmed.isEmpty == false else { throw fail("\(field).\(key)", "must be a text") }
        }
        guard let english = json["en"].string else { throw fail(field, "en is missing, which who reads no Chinese is shown") }
        return LabText(english: english, chinese: json["zh"].string)
    }

    func optionalText(_ json: JSON, _ field: String) throws -> LabText? { json.isNull ? nil : try text(json, field) }

    func steps(_ json: JSON, _ field: String) throws -> [LabStep] {
        try json.items.enumerated().map { index, item in
            let path = "\(field)[\(index)]"
            if let text = item["apply"].string {
                guard item["run"].isNull, item["on"].isNull else { throw fail(path, "apply stands alone") }
                // A block's first line is the one after its key.
                let line = manifest.line(of: "\(path).apply") + 1
                do throws(ManifestError) { _ = try LabStep.manifests(text, file: manifest.file, line: line) } catch {
                    throw ManifestError(file: error.file, line: error.line, message: "\(path).apply: \(error.message)")
                }
                return .apply(text, line: line)
            }
            return .run(try command(item, path))
        }
    }

    private func command(_ item: JSON, _ path: String) throws -> LabCommand {
        guard let text = item["run"].string, !text.trimmed.isEmpty else { throw fail(path, "says neither run nor apply") }
        if let place = item["on"].string { try check(place: place, "\(path).on") }
        return LabCommand(text: text, place: item["on"].string)
    }

    private func check(place: String, _ field: String) throws {
        if place == "host" || place.hasPrefix("pod/") && place.count > 4 { return }
        try check(node: place.hasPrefix("node/") ? String(place.dropFirst(5)) : place, field)
    }

    private func check(node: String, _ field: String) throws {
        guard nodes.contains(node) else {
            throw fail(field, "there is no node \"\(node)\" in the lab's cluster, which has \(nodes.joined(separator: ", "))")
        }
    }

    func tasks(_ json: JSON) throws -> [LabTask] {
        guard !json.items.isEmpty else { throw fail("spec.tasks", "a lab has at least one task") }
        var tasks: [LabTask] = []
        for (index, item) in json.items.enumerated() { tasks.append(try task(item, "spec.tasks[\(index)]", after: tasks.map(\.name))) }
        return tasks
    }

    private func task(_ item: JSON, _ path: String, after earlier: [String]) throws -> LabTask {
        let name = item["name"].string ?? ""
        guard Cluster.isName(name) else { throw fail("\(path).name", "\"\(name)\" \(Cluster.nameRule)") }
        guard !earlier.contains(name) else { throw fail("\(path).name", "\"\(name)\" is there twice") }
        let needs = item["needs"].items.compactMap(\.string)
        for (index, need) in needs.enumerated() where !earlier.contains(need) {
            throw fail("\(path).needs[\(index)]", "no task before this one is called \"\(need)\"")
        }
        let checks = try checks(item["check"], "\(path).check")
        guard !checks.isEmpty else { throw fail(path, "check is missing: how is it seen that the task is done?") }
        let wait = item["wait"].int ?? 15
        guard (0...600).contains(wait) else { throw fail("\(path).wait", "\(wait) must be between 0 and 600 seconds") }
        return LabTask(
            name: name, title: try text(item["title"], "\(path).title"), text: try text(item["text"], "\(path).text"), needs: needs,
            checks: checks, failChecks: try self.checks(item["failcheck"], "\(path).failcheck"),
            hints: try hints(item["hints"], "\(path).hints"), solution: try steps(item["solution"], "\(path).solution"),
            pass: try optionalText(item["pass"], "\(path).pass"), fail: try optionalText(item["fail"], "\(path).fail"), wait: wait,
            isWarning: item["level"].string == "warning", setup: try steps(item["setup"], "\(path).setup"))
    }

    private func hints(_ json: JSON, _ field: String) throws -> [LabHint] {
        var hints: [LabHint] = []
        for (index, item) in json.items.enumerated() {
            let path = "\(field)[\(index)]", name = item["name"].string ?? "hint-\(index + 1)"
            guard !hints.contains(where: { $0.name == name }) else { throw fail("\(path).name", "\"\(name)\" is there twice") }
            let hint = LabHint(
                name: name, when: try checks(item["when"], "\(path).when"), text: try text(item["text"], "\(path).text"),
                answer: try steps(item["answer"], "\(path).answer"), undo: try steps(item["undo"], "\(path).undo"))
            if !hint.answer.isEmpty, hint.when.isEmpty {
                throw fail(path, "an answer that is wrong is known by something: when is missing")
            }
            hints.append(hint)
        }
        return hints
    }

    private static let forms = ["run", "object", "expect", "answer"]

    func checks(_ json: JSON, _ field: String) throws -> [LabCheck] {
        try json.items.enumerated().map { index, item in
            let path = "\(field)[\(index)]"
            let forms = Self.forms.filter { !item[$0].isNull }
            guard forms.count == 1 else { throw fail(path, "says one of \(Self.forms.joined(separator: ", "))") }
            switch forms[0] {
            case "run":
                return .run(try command(item, path), exit: item["exit"].int ?? 0, output: item["output"].string)
            case "object": return .object(try object(item, path))
            case "expect":
                guard !item["expect"].items.isEmpty else { throw fail("\(path).expect", "is empty: nothing would be seen") }
                return .reach(try item["expect"].items.enumerated().map { try expectation($1, "\(path).expect[\($0)]") })
            default:
                let answer = item["answer"]
                if let text = answer["is"].string ?? answer["is"].int.map(String.init) { return .answerIs(text) }
                guard !answer["run"].isNull else { throw fail("\(path).answer", "says neither run nor is") }
                return .answer(try command(answer, "\(path).answer"))
            }
        }
    }

    private func object(_ item: JSON, _ path: String) throws -> LabObjectCondition {
        let object = item["object"].string ?? "", sides = object.split(separator: "/", omittingEmptySubsequences: false)
        guard sides.count == 2, !sides.contains(where: \.isEmpty) else {
            throw fail("\(path).object", "\"\(object)\" is no TYPE/NAME, such as deployment/web")
        }
        guard let kind = Registry.kind(named: String(sides[0])) else {
            throw fail("\(path).object", "there is no resource type \"\(sides[0])\"")
        }
        if let field = item["path"].string, let unknown = Self.unknownField(JSONPath(field), of: kind) {
            throw fail("\(path).path", "a \(kind.singular) has no \"\(unknown)\" there: \(field)")
        }
        let exists = item["exists"].bool ?? true, value = item["value"].string ?? item["value"].int.map(String.init)
        if value != nil, item["path"].isNull { throw fail(path, "a value stands at some path: path is missing") }
        if !exists, value != nil || !item["path"].isNull { throw fail("\(path).exists", "what is not there has no value") }
        return LabObjectCondition(
            object: object, namespace: item["namespace"].string ?? "default", path: item["path"].string, value: value, exists: exists)
    }

    /// The first word of a path that no object of a kind has at that place; nil when each may be there.
    private static func unknownField(_ path: JSONPath, of kind: KindDefinition) -> String? {
        var schema = kind.schema
        for field in path.fields {
            while case .list(let element, _) = schema { schema = element }
            if case .any = schema { return nil }
            guard let member = schema.member(field) else { return field }
            schema = member
        }
        return nil
    }

    private func expectation(_ item: JSON, _ path: String) throws -> LabExpectation {
        let port = item["port"].string ?? item["port"].int.map(String.init)
        if let port, !FlowQuestion.isPort(port) { throw fail("\(path).port", "\"\(port)\" is no port: write it as 80, 53/udp or icmp") }
        if let hops = item["ttl"].int, !(1...255).contains(hops) { throw fail("\(path).ttl", "\(hops) must be between 1 and 255") }
        for field in ["from", "to", "source"] {
            guard let name = item[field].string, name.hasPrefix("node/") else { continue }
            try check(node: String(name.dropFirst(5).prefix { field != "to" || $0 != ":" }), "\(path).\(field)")
        }
        return LabExpectation(
            from: item["from"].string ?? "", to: item["to"].string ?? "", port: port,
            namespace: item["namespace"].string ?? "default",
            verdict: item["verdict"].string.flatMap(LabExpectation.Verdict.init) ?? .allowed, ttl: item["ttl"].int,
            source: item["source"].string, dns: item["dns"].string)
    }
}
