import Foundation
import Synchronization
import Testing

/// A test that fails shows what its clusters were at: while they still stand, and before the next step changes them.
extension Trait where Self == IssueHandlingTrait {
    static var printsClusters: Self {
        .compactMapIssues { issue in
            ClusterState.print(of: Test.current?.id.description ?? "")
            return issue
        }
    }
}

private enum ClusterState {
    /// A test that fails often is shown once, and a broken machine does not fill a disk.
    private static let shown = Mutex<Set<String>>([])
    private static let most = 6

    static func print(of test: String) {
        guard shown.withLock({ $0.count < most && $0.insert(test).inserted }) else { return }
        let clusters = (try? FileManager.default.contentsOfDirectory(atPath: "/run/minik")) ?? []
        for cluster in clusters.sorted() {
            let state = Shell.run("scripts/state \(cluster)", seconds: 60)
            FileHandle.standardError.write(Data("\n=== cluster \(cluster) as \(test) failed\n\(state.output)\(state.errors)\n".utf8))
        }
    }
}
