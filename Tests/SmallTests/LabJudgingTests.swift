import API
import Lab
import Model
import Testing

@Suite("what was seen of a lab's task is judged")
struct LabJudgingTests {
    private static let text = """
        apiVersion: minik.dev/v1
        kind: Lab
        metadata: {name: example}
        spec: {title: t, tasks: [{name: first, title: t, text: t, check: [{run: x}]}]}
        """

    @Test("a pass counts when a second judgement is one, too; what is open is looked at once")
    func settled() async throws {
        let manifest = try #require(try Manifest.read(Self.text, file: "lab.yaml").first)
        let cluster = try Cluster(Manifest.read("apiVersion: \(Cluster.apiVersion)\nkind: Cluster\n", file: "defaults")[0])
        let task = try LabDocument(manifest, in: cluster).tasks[0]
        func judged(_ states: [LabResult.State]) async throws -> (LabResult.State, Int) {
            var looks = 0
            let result = try await LabResult.settled {
                looks += 1
                return LabResult(task: task, state: states[looks - 1])
            }
            return (result.state, looks)
        }
        #expect(try await judged([.passed, .open]) == (.open, 2))
        #expect(try await judged([.passed, .passed]) == (.passed, 2))
        #expect(try await judged([.open]) == (.open, 1))
    }

    @Test("of what a program says the line that tells of the error is shown, not the last")
    func gist() {
        let nft = "Error: No such file or directory\nlist chain inet other forward\n                ^^^^^\n"
        #expect(LabFinding.gist(of: nft) == "Error: No such file or directory")
        #expect(LabFinding.gist(of: "grep: x: No such file\ncannot go on\n  ^^\n") == "cannot go on" && LabFinding.gist(of: "\n") == nil)
    }
}
