import Glibc
import Host
import Model

/// The plugin that another one has give out addresses. (containernetworking/cni SPEC.md 1.1.0, section 4)
package struct CNIDelegate: Sendable {
    /// Runs a program with an environment and an input; what it answers.
    package typealias Execution = @Sendable (_ program: String, _ environment: [String], _ input: String) throws -> CNIChain.Answer

    private let type: String
    private let call: CNICall
    private let execute: Execution

    /// `ipam`: the part of the configuration that names it.
    package init(_ ipam: JSON, of call: CNICall, execute: @escaping Execution) {
        type = ipam["type"].string ?? ""
        self.call = call
        self.execute = execute
    }

    /// What it answers to `command` of the call's container, or of another one: its result, or nothing.
    @discardableResult
    package func run(_ command: CNICall.Command, _ configuration: JSON, for other: (container: String, interface: String)? = nil) throws
        -> JSON
    {
        var environment = call.environment
        environment["CNI_COMMAND"] = command.rawValue
        if let other {
            (environment["CNI_CONTAINERID"], environment["CNI_IFNAME"], environment["CNI_NETNS"]) = (other.container, other.interface, "")
        }
        do { return try run(environment, configuration) } catch let refusal as CNIRefusal {
            // A plugin of an older specification is spoken to in its own.
            guard refusal.code == CNIRefusal.Code.incompatibleVersion, let older = try versions().max(), older < call.version else {
                throw refusal
            }
            var configuration = configuration
            configuration["cniVersion"] = .string(older.description)
            return try run(environment, configuration)
        }
    }

    /// The versions that both know.
    package func versions() throws -> [CNIVersion] {
        var environment = call.environment
        environment["CNI_COMMAND"] = CNICall.Command.version.rawValue
        let answer = try run(environment, ["cniVersion": .string(call.version.description)])
        return answer["supportedVersions"].items.compactMap { $0.string.flatMap { CNIVersion($0) } }.filter(CNICall.versions.contains)
    }

    private func run(_ environment: [String: String], _ configuration: JSON) throws -> JSON {
        let variables = environment.map { "\($0.key)=\($0.value)" }.sorted()
        let answer = try execute(try program(), variables, configuration.text())
        let output = answer.output.trimmed
        guard answer.code == 0 else {
            let json = (try? JSON(parsing: output)) ?? .null  // what is no JSON is told as it is
            throw CNIRefusal(
                json["code"].int ?? CNIRefusal.Code.inputOutput,
                json["msg"].string ?? "\(type) ended with exit code \(answer.code)\(output.isEmpty ? "" : ": \(output)")",
                details: json["details"].string ?? "")
        }
        if output.isEmpty { return .null }
        do { return try JSON(parsing: output) } catch {
            throw CNIRefusal(CNIRefusal.Code.undecodable, "the result of \(type) is no JSON", details: "\(error)")
        }
    }

    private func program() throws -> String {
        guard !type.isEmpty, !type.contains("/") else {
            throw CNIRefusal(CNIRefusal.Code.configuration, "\"ipam.type\" is \"\(type)\", which is no plugin's name; host-local is one")
        }
        let programs: [String] = call.folders.map { "\($0)/\(type)" }
        guard let program = programs.first(where: { access($0, X_OK) == 0 }) else {
            throw CNIRefusal(
                CNIRefusal.Code.configuration, "failed to find plugin \"\(type)\" in path [\(call.folders.joined(separator: " "))]",
                details: "CNI_PATH names the folders")
        }
        return program
    }

    /// A process of its own, whose complaints are ours.
    package static let process: Execution = { program, environment, input in
        let reading = try Descriptor.memoryFile(), writing = try Descriptor.memoryFile()
        try reading.write(Array(input.utf8), to: "the input of \(program)")
        lseek(reading.number, 0, SEEK_SET)
        let pid = SmallProgram.spawn([program], environment: environment, stdio: [reading.number, writing.number, STDERR_FILENO])
        guard pid > 0 else { throw FileError("start", program, errno: -pid) }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        lseek(writing.number, 0, SEEK_SET)
        let output = String(decoding: try writing.readAll("the answer of \(program)"), as: UTF8.self)
        return CNIChain.Answer(code: OwnProcess.exitCode(ofStatus: status), output: output, complaints: "")
    }
}
