import Host
import Model

/// What a container leaves to be shown as the reason of its end.
/// (kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure)
struct TerminationMessage {
    let pod: Pod
    let container: Container
    /// Which life of the container.
    let attempt: Int
    let node: String
    let paths: ClusterPaths

    private static let longest = 4096, longestLog = 2048, mostLines = 80

    /// The file that stands behind the container's terminationMessagePath.
    var file: String { "\(paths.podState(pod.uid))/containers/\(container.name)/\(attempt)/termination-log" }
    var target: String { container.json["terminationMessagePath"].string ?? "/dev/termination-log" }

    /// The file's text; of one that failed without a word, the end of its log if it asked for that.
    func read(failed: Bool) -> String? {
        // As kubelet: the end of each, however long it is.
        let bytes = Files.last(Self.longest, of: file)
        if !bytes.isEmpty { return String(decoding: bytes, as: UTF8.self) }
        guard failed, container.json["terminationMessagePolicy"].string == "FallbackToLogsOnError" else { return nil }
        let log = ContainerLog(pod: pod, node: node, container: container.name, attempt: attempt, paths: paths)
        let text = log.last(Self.mostLines, within: 64 * 1024).flatMap { $0.text(timestamps: false) }
        return text.isEmpty ? nil : String(decoding: text.suffix(Self.longestLog), as: UTF8.self)
    }
}
