/// A program of another project, as minik does its work: what a container starts by that name. It has to end when it is told to, for it
/// may be a container's first process.
package protocol NamedProgram: Sendable {
    /// What it is to people: who manages a field, who says a thing.
    static var name: String { get }
    /// The last parts of the paths that it is called by.
    static var names: [String] { get }
    init(_ call: ProgramCall)
    /// Runs until its work is done; its exit code.
    func run() async -> Int32
}

extension NamedProgram {
    package static var names: [String] { [name] }
}

/// What a program is called with.
package struct ProgramCall: Sendable {
    package let arguments: [String]
    package let environment: [String: String]

    /// `arguments`: without the program's own name.
    package init(arguments: [String], environment: [String: String]) {
        self.arguments = arguments
        self.environment = environment
    }

    /// A variable that is there and says something.
    package func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
}

package enum NamedPrograms {
    package static let all: [any NamedProgram.Type] = [
        Flanneld.self, CalicoInstall.self, CalicoNode.self, CalicoControllers.self, CalicoStatus.self,
    ]

    /// The program that goes by the name in a call's path.
    package static func program(_ path: String) -> (any NamedProgram.Type)? {
        let name = path.split(separator: "/").last.map(String.init)
        return all.first { program in name.map(program.names.contains) ?? false }
    }
}
