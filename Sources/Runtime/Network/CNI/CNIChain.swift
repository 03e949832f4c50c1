import Model

/// A network's plugins, called one after the other. (containernetworking/cni SPEC.md, section 3, "Lifecycle & Ordering")
package struct CNIChain: Sendable {
    /// A plugin's answer.
    package struct Answer: Sendable {
        package let code: Int32
        package let output: String
        package let complaints: String

        package init(code: Int32, output: String, complaints: String) {
            self.code = code
            self.output = output
            self.complaints = complaints
        }
    }

    /// Runs the program of a plugin's `type` on the node, with an environment and an input. Nil: there is none in the folders for plugins.
    package typealias Execution = @Sendable (_ type: String, _ environment: [String], _ input: String) async throws -> Answer?

    package let network: CNINetwork
    private let execute: Execution

    package init(_ network: CNINetwork, execute: @escaping Execution) {
        self.network = network
        self.execute = execute
    }

    /// Connects a pod; what the last plugin says of it.
    package func add(_ attachment: CNIAttachment) async throws -> CNIResult {
        var result: JSON?
        for index in network.plugins.indices {
            let output = try await call(index, "ADD", attachment, previous: result)
            do { result = try JSON(parsing: output) } catch {
                throw failure(index, "ADD", "its result is no JSON: \(error)")
            }
        }
        return CNIResult(result ?? .null)
    }

    /// Takes a pod's connection back, the last plugin first. `previous`: what `add` returned, if that is known. All are called; the first
    /// failure is thrown.
    package func delete(_ attachment: CNIAttachment, previous: JSON?) async throws {
        var failure: (any Error)?
        for index in network.plugins.indices.reversed() {
            let known = network.version >= .withCheck ? previous : nil
            do { _ = try await call(index, "DEL", attachment, previous: known) } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    /// Whether all is as `add` left it; throws what is not.
    package func check(_ attachment: CNIAttachment, previous: JSON) async throws {
        guard network.version >= .withCheck, !network.disablesCheck else { return }
        for index in network.plugins.indices { _ = try await call(index, "CHECK", attachment, previous: previous) }
    }

    /// Whether plugins are ready to connect pods; throws why not.
    package func status() async throws {
        guard network.version >= .withStatusAndGC else { return }
        for index in network.plugins.indices {
            _ = try await call(index, "STATUS", CNIAttachment.environment("STATUS"), network.configuration(index))
        }
    }

    /// Tells plugins which attachments there are: what else they hold is nobody's.
    package func collect(_ attachments: [CNIAttachment]) async throws {
        guard network.version >= .withStatusAndGC, !network.disablesGC else { return }
        let valid = JSON.array(
            attachments.map { ["containerID": .string($0.containerID), "ifname": .string(CNIAttachment.interface)] })
        for index in network.plugins.indices {
            _ = try await call(index, "GC", CNIAttachment.environment("GC"), network.configuration(index, attachments: valid))
        }
    }

    private func call(_ index: Int, _ command: String, _ attachment: CNIAttachment, previous: JSON?) async throws -> String {
        let input = network.configuration(index, capabilities: attachment.capabilities, previous: previous)
        return try await call(index, command, attachment.environment(command), input)
    }

    private func call(_ index: Int, _ command: String, _ environment: [String], _ input: JSON) async throws -> String {
        let type = network.plugins[index]["type"].string ?? ""
        guard let answer = try await execute(type, environment, input.text()) else {
            let folders = CNIAttachment.programFolders.joined(separator: " ")
            throw failure(index, command, "failed to find plugin \"\(type)\" in path [\(folders)]")
        }
        guard answer.code == 0 else {
            throw CNIError(
                plugin: type, network: network.name, command: command, output: answer.output, complaints: answer.complaints,
                exit: answer.code)
        }
        return answer.output
    }

    private func failure(_ index: Int, _ command: String, _ message: String) -> CNIError {
        CNIError(plugin: network.plugins[index]["type"].string ?? "", network: network.name, command: command, message: message)
    }
}
