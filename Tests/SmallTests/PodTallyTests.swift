import Foundation
import Lab
import Model
import Runtime
import Synchronization
import Testing

@Suite("What is said of pods that do not run")
struct PodTallyTests {
    @Test("one that has finished is neither ready nor to be")
    func finished() {
        func pod(_ phase: String, ready: Bool) -> Pod {
            let conditions: JSON = [["type": "Ready", "status": ready ? "True" : "False"]]
            return Pod(["metadata": ["name": .string(phase)], "status": ["phase": .string(phase), "conditions": conditions]])
        }
        let well = PodTally([pod("Running", ready: true), pod("Succeeded", ready: false), pod("Failed", ready: false)])
        #expect(well.text == "1 of 1 ready, 2 finished" && well.unwell.isEmpty)
        let unwell = PodTally([pod("Running", ready: true), pod("Pending", ready: false)])
        #expect(unwell.text == "1 of 2 ready" && unwell.unwell.map(\.name) == ["Pending"])
    }

    @Test("a command in a pod without a sandbox has no container, in the kubelet's words")
    func command() async throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "m-\(UUID().uuidString.prefix(8))").path
        let said = Mutex<[StreamOutput]>([]), pod = Pod(Fixture.pod("a", image: "busybox", node: "n1"))
        let request = StreamRequest(container: "c", command: ["id"], stdin: false, tty: false)
        try await ProcessStream.run(pod: pod, request, paths: ClusterPaths(cluster: "c", below: root), input: StreamInputs()) { piece in
            said.withLock { $0.append(piece) }
        }
        guard case .failure(let words) = said.withLock({ $0.first }) else { throw StatusError(500, .internalError, "nothing is said") }
        #expect(words == "Internal error occurred: unable to upgrade connection: container not found (\"c\")")
    }
}
