import Host
import Model
import Runtime

/// How far a learner has come. It lies with the lab's ground, and goes with it.
package struct LabState: Sendable {
    package let file: String
    package var passed: Set<String> = []
    /// Those that were lost when it was last looked.
    package var lost: Set<String> = []
    /// By task.
    package var answers: [String: String] = [:]
    /// Those whose setup is done.
    package var begun: Set<String> = []
    /// How many of a task's general hints were shown.
    package var hints: [String: Int] = [:]

    package init(file: String) { self.file = file }

    static func path(_ paths: ClusterPaths) -> String { "\(paths.state)/lab.json" }

    package static func exists(_ paths: ClusterPaths) -> Bool { Files.exists(path(paths)) }

    /// `path`: its file's.
    package init(_ path: String) throws {
        let json: JSON
        do { json = try JSON(parsing: try Files.read(path)) } catch {
            throw UserError("\(path) does not say how far the lab is: \(error)", hint: "start it anew: minik lab stop")
        }
        file = json["file"].string ?? ""
        passed = Set(json["passed"].items.compactMap(\.string))
        lost = Set(json["lost"].items.compactMap(\.string))
        answers = json["answers"].stringMap
        begun = Set(json["begun"].items.compactMap(\.string))
        hints = (json["hints"].object ?? JSONObject()).reduce(into: [:]) { $0[$1.0] = $1.1.int }
    }

    package func write(_ path: String) throws {
        var counts = JSON.emptyObject
        for (task, count) in hints { counts[task] = .int(count) }
        let json: JSON = [
            "file": .string(file), "passed": .array(passed.sorted().map(JSON.string)),
            "lost": .array(lost.sorted().map(JSON.string)), "answers": JSON(answers), "hints": counts,
            "begun": .array(begun.sorted().map(JSON.string)),
        ]
        try Files.write(json.text(indented: true) + "\n", to: path, mode: 0o600)
    }

    /// Whether an answer is what a command printed, or one of its lines.
    package static func isRight(_ answer: String, of output: String) -> Bool {
        let given = plain(answer)
        return !given.isEmpty && ([output] + output.split(separator: "\n").map(String.init)).contains { plain($0) == given }
    }

    /// An answer as it is compared: nobody fails by a space or a capital.
    package static func plain(_ answer: String) -> String {
        answer.split(whereSeparator: \.isWhitespace).joined(separator: " ").lowercased()
    }
}
