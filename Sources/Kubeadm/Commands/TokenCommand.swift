import API
import Glibc
import Host
import Model

/// `kubeadm token`: create, list, delete, generate.
struct TokenCommand {
    let tool: KubeadmTool
    private var release: Release { Release(tool.machine.version) }

    private static let common: [String: Arguments.Kind] = ["kubeconfig": .text, "dry-run": .isSet]
    private static let creating: [String: Arguments.Kind] = [
        "config": .text, "certificate-key": .text, "description": .text, "groups": .text, "print-join-command": .isSet, "ttl": .duration,
        "usages": .text,
    ]
    private static let listing: [String: Arguments.Kind] = ["output": .text, "experimental-output": .text]

    static let pages = [
        CommandPage(path: ["token"], summary: "Tokens by which machines and a cluster know each other.", flags: common),
        CommandPage(
            path: ["token", "create"], summary: "Make a token, the one that is given or a random one.", operands: "[token]", most: 1,
            flags: common.merging(creating) { $1 },
            idle: ["config": "a token is made as the flags say", "certificate-key": InitCommand.oneControlPlane]
        ) { try await TokenCommand(tool: $0).create($1) },
        CommandPage(
            path: ["token", "delete"], summary: "Delete tokens, by their whole text or by their id.", operands: "[token-value] ...",
            most: nil, flags: common
        ) { try await TokenCommand(tool: $0).delete($1) },
        CommandPage(path: ["token", "generate"], summary: "Print a random token, and make none.", flags: common) { tool, _ in
            tool.console.out(BootstrapToken.random().text)
        },
        CommandPage(
            path: ["token", "list"], summary: "List the cluster's tokens.", flags: common.merging(listing) { $1 }, shorts: ["o": "output"]
        ) { try await TokenCommand(tool: $0).list($1) },
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

    /// Where the administrator's kubeconfig is looked for.
    private func kubeconfig(_ arguments: Arguments) throws -> String {
        if let path = arguments["kubeconfig"] { return path }
        let home = getenv("HOME").map { String(cString: $0) } ?? "/root"
        let places = [getenv("KUBECONFIG").map { String(cString: $0) }, InitCommand.admin, "\(home)/.kube/config"].compactMap(\.self)
        if let found = places.first(where: Files.exists) { return found }
        throw KubeadmError("failed to load admin kubeconfig: open \(home)/.kube/config: no such file or directory")
    }

    private func create(_ arguments: Arguments) async throws {
        var token = BootstrapToken.random()
        if let text = arguments.positional.first {
            guard let given = BootstrapToken(text) else { throw SettingsReader.badToken(text) }
            token = given
        }
        let (usages, groups) = try rights(arguments)
        let path = try kubeconfig(arguments), api = try tool.machine.api(path)
        let life = arguments["ttl"].flatMap { GoDuration($0)?.seconds } ?? 86400
        let object = Self.object(token, life: max(0, life), description: arguments["description"], usages: usages, groups: groups)
        if arguments.has("dry-run") {
            DryRun.tell(object, release, tool.console.out)
            return tool.console.out(token.text)
        }
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
            if arguments.has("dry-run") {
                tool.console.out("[dryrun] Would perform action DELETE on resource \"secrets\" in API group \"core/v1\"")
                tool.console.out("[dryrun] Resource name \"\(BootstrapToken.prefix)\(id)\", namespace \"\(BootstrapToken.namespace)\"")
                continue
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
