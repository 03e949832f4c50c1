import API
import Glibc
import Host
import Lab
import Model

/// Calico's controllers: of nodes that are gone, the blocks are free again. (projectcalico/calico kube-controllers, the controller `node`)
package struct CalicoControllers: NamedProgram {
    package static let name = "kube-controllers"
    /// What `check-status` reads.
    static let status = "/status/status.json"
    private let call: ProgramCall
    private let log = ProgramLog()

    package init(_ call: ProgramCall) { self.call = call }

    package func run() async -> Int32 {
        do {
            try await Termination.ends { try await work() }
            return 0
        } catch {
            log.fail("\(error)")
            return 1
        }
    }

    private func work() async throws {
        log.tell("minik's calico-kube-controllers \(Version.minik)")
        guard call.variable("DATASTORE_TYPE") == "kubernetes" else {
            throw ProgramFailure("minik's calico-kube-controllers keeps its data in Kubernetes alone: DATASTORE_TYPE=kubernetes")
        }
        for name in (call.variable("ENABLED_CONTROLLERS") ?? "node").split(separator: ",").map({ $0.trimmed }) where name != "node" {
            log.warn("ENABLED_CONTROLLERS: \(name): minik's calico-kube-controllers does not know it")
        }
        let client = HTTPClient(try APIEndpoint.inCluster(), fieldManager: "calico-kube-controllers")
        let nodes = Reflector(.nodes, client: client) { [log] in log.warn($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await nodes.run() }
            try await nodes.wait { _, _ in true }
            try Files.write(#"{"ready": true}"#, to: Self.status)
            while true {
                await release(CalicoNodeBlocks(client: client), nodes)
                // A node that comes back at once, as one of the same name, keeps what it had.
                try await Task.sleep(for: .seconds(10))
            }
        }
    }

    private func release(_ blocks: CalicoNodeBlocks, _ nodes: Reflector) async {
        guard nodes.isFollowing else { return }
        do {
            for range in try await blocks.release(keeping: Set(nodes.list().map(\.metadata.name))) {
                log.tell("block \(range) is free: its node is gone")
            }
        } catch { log.warn("blocks of nodes that are gone: \(error); trying again") }
    }
}

/// `check-status -r`, `-l`: whether the controllers run.
package struct CalicoStatus: NamedProgram {
    package static let name = "check-status"

    package init(_ call: ProgramCall) {}

    package func run() async -> Int32 {
        if Files.exists(CalicoControllers.status) { return 0 }
        print("initialized to false")
        return 1
    }
}
