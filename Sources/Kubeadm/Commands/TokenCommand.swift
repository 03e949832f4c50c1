import API
import Glibc
import Host
import Model

/// `kubeadm token`: create, list, delete, generate.
struct TokenCommand {
    let tool: KubeadmTool
    private var release: Release { Release(tool.machine.version) }

    private static let flags: [String: Arguments.Kind] = [
        "kubeconfig": .text, "dry-run": .isSet, "config": .text, "certificate-key": .text, "description": .text, "groups": .text,
        "print-join-command": .isSet, "ttl": .duration, "usages": .text, "output": .text, "experimental-output": .text,
    ]

    static func object(
        _ token: BootstrapToken, life: Int, description: String?, usages: Set<String> = ["authentication", "signing"],
        groups: [String] = [ClusterObjects.tokenGroup]
    ) -> ClusterObject {
        var token = token
        token.expiration = life > 0 ? Timestamp(seconds: Timestamp.now().seconds + Timestamp.bounded(life)).description : nil
        token.description = description
        (token.usages, token.groups) = (usages, groups)
        return ClusterObject(.secrets, token.object)
    }

    func run(_ words: [String]) async throws {
        let arguments = try Arguments(
            Array(words.dropFirst()), Self.flags.merging(KubeadmTool.global) { $1 },
            shorts: KubeadmTool.shorts.merging(["o": "output"]) { $1 })
        switch words.first {
        case "generate": tool.console.out(BootstrapToken.random().text)
        case "create": try await create(arguments)
        case "list": try await list(arguments)
        case "delete": try await delete(arguments)
        case .some(let word): throw KubeadmError("unknown command \"\(word)\" for \"kubeadm token\"")
        case nil: throw tool.missing("token")
        }
    }

    /// Where the administrator's kubeconfig is looked for.
    private func kubeconfig(_ arguments: Arguments) throws -> String {
        if let path = arguments["kubeconfig"] { return path }
        let home = getenv("HOME").map { String(cString: $0) } ?? "/root"
        let places = [getenv("KUBECONFIG").map { String(cString: $0) }, InitCommand.admin, "\(home)/.kube/config"].compactMap(\.self)
        if let found = places.first(where: Files.exists) { return found }
        throw KubeadmError("failed to load admin kubeconfig: open \(home)/.kube/config: no such file or directory")
    }

    private func create(_ arguments: Arguments) async throws {
        if arguments.positional.count > 1 { throw KubeadmError("accepts at most 1 arg(s), received \(arguments.positional.count)") }
        var token = BootstrapToken.random()
        if let text = arguments.positional.first {
            guard let given = BootstrapToken(text) else { throw SettingsReader.badToken(text) }
            token = given
        }
        let (usages, groups) = try rights(arguments)
        let path = try kubeconfig(arguments), api = try tool.machine.api(path)
        let life = arguments["ttl"].flatMap { GoDuration($0)?.seconds } ?? 86400
        let object = Self.object(token, life: max(0, life), description: arguments["description"], usages: usages, groups: groups)
        do { _ = try await api.create(object.resource, object.json) } catch let error as StatusError where error.reason == .alreadyExists {
            throw KubeadmError("a token with id \"\(token.id)\" already exists")
        }
        guard arguments.has("print-join-command") else { return tool.console.out(token.text) }
        let text = Files.text(path) ?? ""
        let server = try KubeconfigText.server(of: text, path)
        let digest = try KubeconfigText.digest(of: text, path)
        let line = JoinLine(place: String(server.dropFirst("https://".count)), token: token.text, digest: digest, release: release)
        tool.console.out(line.line)
    }

    private func rights(_ arguments: Arguments) throws -> (usages: Set<String>, groups: [String]) {
        let usages = arguments.lists["usages"] ?? ["signing", "authentication"]
        let groups = arguments.lists["groups"] ?? [ClusterObjects.tokenGroup]
        func shown(_ list: [String]) -> String {
            let items = list.map { "\"\($0)\"" }.joined(separator: release.isOld ? ", " : ",")
            return release.isOld ? "[]string{\(items)}" : "[\(items)]"
        }
        for usage in usages where !["signing", "authentication"].contains(usage) {
            throw KubeadmError(
                "bootstrapTokens.0.usages: Invalid value: \(shown(usages)): invalid bootstrap token usage string: \(usage), valid usage options: signing,authentication",
                isValidation: true)
        }
        for group in groups {
            let rest = group.dropFirst("system:bootstrappers:".count)
            let isGroup =
                group.hasPrefix("system:bootstrappers:") && !rest.isEmpty && !":-".contains(rest.last ?? ":")
                && rest.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || ":-".utf8.contains($0) }
            guard isGroup else {
                throw KubeadmError(
                    "bootstrapTokens.0.groups: Invalid value: \(shown(groups)): bootstrap group \"\(group)\" is invalid (must match \\Asystem:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]\\z)",
                    isValidation: true)
            }
        }
        if !usages.contains("authentication"), !groups.isEmpty {
            throw KubeadmError(
                "bootstrapTokens.0.groups: Invalid value: \(shown(groups)): token groups cannot be specified unless --usages includes \"authentication\"",
                isValidation: true)
        }
        return (Set(usages), groups)
    }

    private func list(_ arguments: Arguments) async throws {
        let api = try tool.machine.api(try kubeconfig(arguments))
        let secrets = try await api.list(.secrets, namespace: BootstrapToken.namespace, selector: nil).items
        let tokens = secrets.compactMap { BootstrapToken(secret: $0) }.sorted { $0.name < $1.name }
        let output = arguments["output"] ?? arguments["experimental-output"] ?? "text"
        switch output {
        case "json", "yaml":
            for token in tokens {
                let json = document(token)
                tool.console.out(output == "json" ? json.text(indented: true) : YAMLText.of(json))
            }
        case "text": table(tokens)
        default: throw KubeadmError("invalid output format: \(output)")
        }
    }

    private func document(_ token: BootstrapToken) -> JSON {
        [
            "kind": "BootstrapToken", "apiVersion": .string("output.kubeadm.k8s.io/\(release.isOld ? "v1alpha1" : "v1alpha3")"),
            "token": .string(token.text), "description": JSON(token.description), "expires": JSON(token.expiration),
            "usages": .array(token.usages.sorted().map(JSON.string)), "groups": .array(token.groups.map(JSON.string)),
        ]
    }

    private func table(_ tokens: [BootstrapToken]) {
        let now = Timestamp.now()
        let rows =
            [["TOKEN", "TTL", "EXPIRES", "USAGES", "DESCRIPTION", "EXTRA GROUPS"]]
            + tokens.map { token in
                let left = token.expiration.flatMap(Timestamp.init).map { humanDuration(seconds: $0.seconds - now.seconds) }
                return [
                    token.text, left ?? "<forever>", token.expiration ?? "<never>", token.usages.sorted().joined(separator: ","),
                    token.description ?? "<none>", token.groups.joined(separator: ","),
                ]
            }
        Columns.lines(rows).forEach(tool.console.out)
    }

    private func delete(_ arguments: Arguments) async throws {
        guard !arguments.positional.isEmpty else {
            throw KubeadmError("missing argument; 'token delete' is missing token of form \"[a-z0-9]{6}\"")
        }
        let api = try tool.machine.api(try kubeconfig(arguments))
        for text in arguments.positional {
            let id = BootstrapToken(text)?.id ?? text
            guard BootstrapToken.isID(id) else {
                let whole = "\"\\\\A([a-z0-9]{6})\\\\.([a-z0-9]{16})\\\\z\""
                throw KubeadmError("given token didn't match pattern \(whole) or \(release.isOld ? whole : "\"\\\\A([a-z0-9]{6})\\\\z\"")")
            }
            do {
                try await api.delete(.secrets, ObjectKey(BootstrapToken.namespace, BootstrapToken.prefix + id), gracePeriod: nil, uid: nil)
            } catch let error as StatusError { throw KubeadmError("failed to delete bootstrap token \"\(id)\": \(error.message)") }
            tool.console.out("bootstrap token \"\(id)\" deleted")
        }
    }
}

/// Rows whose columns are as wide as the widest, and three spaces.
enum Columns {
    static func lines(_ rows: [[String]]) -> [String] {
        var widths: [Int] = []
        for row in rows {
            for (index, cell) in row.enumerated() {
                if index < widths.count { widths[index] = max(widths[index], cell.count) } else { widths.append(cell.count) }
            }
        }
        return rows.map { row in
            zip(row, widths).enumerated().map { index, cell in
                index == row.count - 1 ? cell.0 : cell.0 + String(repeating: " ", count: cell.1 - cell.0.count + 3)
            }.joined()
        }
    }
}
