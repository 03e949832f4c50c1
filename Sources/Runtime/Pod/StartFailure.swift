import CSandbox
import Glibc
import Model
import ShimProtocol

/// Why a process of a container did not start, in the words of containerd and runc.
package struct StartFailure: Sendable, Hashable {
    private let stage: String
    private let errno: Int

    /// As a shim tells it: the step that failed, and the errno.
    package init(stage: String, errno: Int) {
        self.stage = stage
        self.errno = errno
    }

    /// The path in a volume that could not be found or made: what the container is made from is wrong, not the making of it.
    private var subPath: String? {
        stage.hasPrefix(SANDBOX_SUB_PATH_STAGE) ? String(stage.dropFirst(SANDBOX_SUB_PATH_STAGE.count + 1)) : nil
    }

    /// What is said of a sub-path of `pod`'s; nil when that is not at fault. What became of the path on the node is nothing for the pod's
    /// owner. (k8s.io/kubernetes/pkg/kubelet, makeMounts)
    package func ofConfiguration(_ container: String, in pod: Pod) -> String? {
        guard let subPath else { return nil }
        // What is not there is made, but in the image of a volume nothing can be.
        if errno == Int(EROFS) { return "failed to \(stage): no such file or directory, and the volume is read-only" }
        let mounts = pod.allContainers.first { $0.name == container }?.volumeMounts ?? []
        let mount = mounts.first { $0["subPath"].string == subPath } ?? mounts.first { !$0["subPathExpr"].isNull }
        return "failed to prepare subPath for volumeMount \"\(mount?["name"].string ?? "")\" of container \"\(container)\""
    }

    /// The program that could not be run; nil when something before that failed.
    private var program: String? {
        guard stage.hasPrefix(SANDBOX_EXEC_STAGE) else { return nil }
        return String(stage.dropFirst(SANDBOX_EXEC_STAGE.count + 1))
    }

    private var words: String {
        let reason = String(cString: strerror(Int32(errno))).lowercased()
        guard let program else { return "\(stage): \(reason)" }
        guard errno == Int(ENOENT) || errno == Int(ENOTDIR) else { return "exec: \"\(program)\": \(reason)" }
        return program.contains("/")
            ? "exec: \"\(program)\": stat \(program): \(reason)" : "exec: \"\(program)\": executable file not found in $PATH"
    }

    /// Of a command that somebody runs: what to say, and its exit code by the shells' convention (POSIX.1-2017, Shell & Utilities 2.8.2).
    /// nil when it is not the program that is at fault.
    package var ofCommand: (words: String, code: Int32)? {
        guard program != nil else { return nil }
        return (words, errno == Int(ENOENT) || errno == Int(ENOTDIR) ? 127 : 126)
    }

    /// Of a container's own process.
    package var ofContainer: String {
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
            + "unable to start container process: error during container init: \(words)"
    }

    /// Of a process that `exec` asked for. `id` is its name, which no one else has.
    package func ofExec(id: String) -> String {
        if errno == Int(ESRCH) { return "failed to exec in container: \(stage)" }
        return
            "failed to exec in container: failed to start exec \"\(id)\": OCI runtime exec failed: exec failed: unable to start container process: \(words)"
    }
}

extension ShimReply {
    /// What a reply means to the life of its pod, at `now`.
    package func inputs(of pod: Pod, now: Timestamp) -> [PodLifecycle.Input] {
        switch self {
        case .started(let record): return [.started(record)]
        case .exited(let record): return [.exited(record)]
        case .failed(let container, let stage, let errno):
            let failure = StartFailure(stage: stage, errno: errno)
            if let words = failure.ofConfiguration(container, in: pod) {
                return [.startFailed(container: container, reason: PodLifecycle.configurationError, message: words)]
            }
            return [.startError(container: container, message: failure.ofContainer, at: now)]
        case .state(let records): return records.map { $0.pid > 0 ? .started($0) : .exited($0) } + [.sandboxReady]
        case .joined, .ended: return []
        }
    }
}
