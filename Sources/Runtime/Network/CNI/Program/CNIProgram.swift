import Glibc
import Host
import Model
import Netlink

/// A plugin that container runtimes call: one call, from what it is asked to what it answers.
/// (containernetworking/cni SPEC.md 1.1.0)
package struct CNIProgram: Sendable {
    private let environment: [String: String]
    private let input: String
    private let door: CalicoDoor
    private let execute: CNIDelegate.Execution

    package init(
        _ environment: [String: String], input: String, door: CalicoDoor = CalicoDoor(),
        execute: @escaping CNIDelegate.Execution = CNIDelegate.process
    ) {
        self.environment = environment
        self.input = input
        self.door = door
        self.execute = execute
    }

    /// What it prints, and its exit code.
    package func run() -> (output: String, code: Int32) {
        Self.printed(input) { try answer(try CNICall(environment, input: input)) }
    }

    /// An answer as it is printed, or why there is none, and the exit code of that.
    static func printed(_ input: String, _ answer: () throws -> JSON) -> (output: String, code: Int32) {
        let spoken = (try? JSON(parsing: input))?["cniVersion"].string.flatMap { CNIVersion($0) }  // an error says which it answers in
        do {
            let answer = try answer()
            return (answer.isNull ? "" : answer.text(indented: true) + "\n", 0)
        } catch {
            let version = spoken.flatMap { CNICall.versions.contains($0) ? $0 : nil } ?? .withStatusAndGC
            return (CNIRefusal(error).json(version).text(indented: true) + "\n", 1)
        }
    }

    private func answer(_ call: CNICall) throws -> JSON {
        if call.command == .version { return call.knownVersions }
        let configuration = try CNILinkConfiguration(call, ask: { (question) throws(CNIRefusal) in try ask(question, for: call) })
        let addresses = CNIDelegate(configuration.ipam, of: call, execute: execute)
        switch call.command {
        case .add: return try add(call, configuration, addresses)
        case .delete: try delete(call, configuration, addresses)
        case .check: try check(call, configuration, addresses)
        case .collect: try collect(call, configuration, addresses)
        case .status: if try addresses.versions().contains(.withStatusAndGC) { try addresses.run(.status, configuration.delegated) }
        case .version: break
        }
        return .null
    }

    /// What is taken back does not wait for a daemon that may be gone for good.
    private func ask(_ question: CalicoQuestion, for call: CNICall) throws(CNIRefusal) -> CalicoAnswer {
        try door.ask(question, isPatient: call.command == .add)
    }

    private func add(_ call: CNICall, _ configuration: CNILinkConfiguration, _ addresses: CNIDelegate) throws -> JSON {
        try lookAtNamespace(call)
        let result = try addresses.run(.add, configuration.delegated)
        do {
            let link = try CNILink(call, configuration, result)
            // Isolation first, as minik's own nodes have it.
            if let pod = configuration.workload { _ = try ask(.admit(pod, link.addresses.map(\.address)), for: call) }
            let (bridge, port) = try link.make(call)
            let dns = result["dns"].isNull || result["dns"] == .emptyObject ? call.configuration["dns"] : result["dns"]
            return link.json(call, dns: dns, bridge: bridge, port: port)
        } catch {
            // Nothing of it stays.
            let refusal = CNIRefusal(error)
            do { try delete(call, configuration, addresses) } catch {
                throw CNIRefusal(refusal.code, refusal.message, details: "and to take it back: \(error)")
            }
            throw refusal
        }
    }

    /// The container's namespace, which has to be there, and another's than ours.
    private func inside(_ call: CNICall) throws -> NetworkPlace {
        func unknown(_ words: String) -> CNIRefusal {
            CNIRefusal(CNIRefusal.Code.unknownContainer, "failed to open netns \"\(call.namespace)\": \(words)")
        }
        guard Files.exists(call.namespace) else { throw unknown("no such file or directory") }
        guard !NetworkNamespace.isOwn(path: call.namespace) else {
            throw CNIRefusal(CNIRefusal.Code.foreignNamespace, "plugin's netns and netns from CNI_NETNS should not be the same")
        }
        do { return try NetworkPlace(path: call.namespace) } catch {
            // What setns(2) says of any other file.
            throw error.errno == EINVAL ? unknown("it is no network namespace") : error
        }
    }

    /// The container's namespace without such a link.
    private func lookAtNamespace(_ call: CNICall) throws {
        var inside = try inside(call)
        guard try inside.socket.link(call.interface) == nil else {
            throw CNIRefusal(CNIRefusal.Code.environment, "container veth name (\"\(call.interface)\") already exists in \(call.namespace)")
        }
    }

    /// What is gone already is no error, the namespace included.
    private func delete(_ call: CNICall, _ configuration: CNILinkConfiguration, _ addresses: CNIDelegate) throws {
        try addresses.run(.delete, configuration.delegated)
        var node = try NetworkPlace(NetworkNamespace.current())
        let mark = CNILink.Mark(call), name = CNILink.name(call, configuration.kind)
        for link in try node.socket.links() {
            let found = link.alias.flatMap { CNILink.Mark($0) }
            // By its mark: what names Calico's links, CNI_ARGS, may have been other words then. By its name what has got no mark yet; one
            // that has another's is that of the sandbox that has come in this one's place.
            if found == mark || found == nil && link.name == name { try node.socket.deleteLink(link.name) }
        }
        guard let pod = configuration.workload else { return }
        do { _ = try door.ask(.release(pod), isPatient: false) } catch {
            // Whoever is not there has nothing to forget.
            if error.code != CNIRefusal.Code.notAvailable { throw error }
        }
    }

    private func check(_ call: CNICall, _ configuration: CNILinkConfiguration, _ addresses: CNIDelegate) throws {
        try addresses.run(.check, configuration.delegated)
        let previous = call.configuration["prevResult"]
        let inside = previous["interfaces"].items.contains { $0["name"].string == call.interface && $0["sandbox"].string == call.namespace }
        guard inside else {
            throw CNIRefusal(CNIRefusal.Code.configuration, "prevResult tells of no \(call.interface) in \(call.namespace)")
        }
        var node = try NetworkPlace(NetworkNamespace.current())
        let mark = CNILink.Mark(call)
        let name = try node.socket.links().first { $0.alias.flatMap { CNILink.Mark($0) } == mark }?.name
        let missing = try CNILink(call, configuration, previous, name: name).missing(node, try self.inside(call))
        guard missing.isEmpty else {
            throw CNIRefusal(
                CNIRefusal.Code.missing, "\(call.interface) of container \(call.containerID) is not as it was made",
                details: "missing: \(missing.map(\.description).joined(separator: ", "))")
        }
    }

    /// What this network's containers have, and none of those that there are.
    private func collect(_ call: CNICall, _ configuration: CNILinkConfiguration, _ addresses: CNIDelegate) throws {
        let valid = try validAttachments(call)
        var node = try NetworkPlace(NetworkNamespace.current())
        for link in try node.socket.links() {
            guard let mark = link.alias.flatMap({ CNILink.Mark($0) }), mark.isSameNetwork(as: call), !valid.contains(mark) else { continue }
            try addresses.run(.delete, configuration.delegated, for: (mark.container, mark.interface))
            try node.socket.deleteLink(link.name)
        }
        if try addresses.versions().contains(.withStatusAndGC) { try addresses.run(.collect, configuration.delegated) }
    }

    /// Whatever is not in this list goes: one that cannot be read to its last word is no list.
    private func validAttachments(_ call: CNICall) throws(CNIRefusal) -> Set<CNILink.Mark> {
        let key = "cni.dev/valid-attachments"
        func refuse(_ words: String) -> CNIRefusal { CNIRefusal(CNIRefusal.Code.configuration, "\"\(key)\" \(words)") }
        guard let list = call.configuration.object?[key] else {
            throw refuse("is missing: an empty list says that nothing is valid")
        }
        guard let items = list.array else {
            throw refuse("is \(list.text()), and a list is meant: an empty one says that nothing is valid")
        }
        var valid: Set<CNILink.Mark> = []
        for item in items {
            guard let container = item["containerID"].string, !container.isEmpty, let interface = item["ifname"].string, !interface.isEmpty
            else { throw refuse("has \(item.text()), and {\"containerID\": ID, \"ifname\": NAME} is meant") }
            valid.insert(CNILink.Mark(network: call.network, container: container, interface: interface))
        }
        return valid
    }
}
