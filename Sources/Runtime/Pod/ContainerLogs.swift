import Host
import Model

/// What a container of a pod has said, one log for each of its lives, and which of them is meant when somebody asks.
/// (k8s.io/kubernetes/pkg/kubelet, validateContainerLogStatus)
package struct ContainerLogs: Sendable {
    private let pod: Pod
    private let node: String
    private let container: String
    private let paths: ClusterPaths
    private let status: JSON

    package init(_ pod: Pod, container: String, paths: ClusterPaths) throws {
        guard let node = pod.nodeName else { throw StatusError.badRequest("pod \(pod.name) does not have a host assigned") }
        self.pod = pod
        self.node = node
        self.container = container
        self.paths = paths
        let statuses = pod.status["containerStatuses"].items + pod.status["initContainerStatuses"].items
        status = statuses.first { $0["name"].string == container } ?? .null
    }

    private func log(_ life: Int) -> ContainerLog {
        ContainerLog(pod: pod, node: node, container: container, attempt: life, paths: paths)
    }

    private func life(previous: Bool) throws -> Int {
        let present = status["restartCount"].int ?? 0
        if previous {
            guard present > 0 else {
                throw StatusError.badRequest("previous terminated container \"\(container)\" in pod \"\(pod.name)\" not found")
            }
            return present - 1
        }
        if log(present).exists { return present }
        // One whose start failed has said nothing, and is not waiting for its first word.
        if !status["state"]["terminated"].isNull { return present }
        // Waiting for its next life, a container shows its last one.
        guard present > 0, log(present - 1).exists else {
            let reason = status["state"]["waiting"]["reason"].string ?? "ContainerCreating"
            throw StatusError.badRequest("container \"\(container)\" in pod \"\(pod.name)\" is waiting to start: \(reason)")
        }
        return present - 1
    }

    package func source(_ options: LogOptions) throws -> ByteSource {
        let life = try life(previous: options.previous)
        let log = self.log(life), next = self.log(life + 1), socket = paths.shimSocket(pod.uid)
        var wish = options
        wish.follow = options.follow && !options.previous
        return { [wish] sink in
            // The file is complete once the container's next life has begun or the pod's shim is gone.
            try await log.read(wish, now: .now(), to: sink) { next.exists || !Files.exists(socket) }
        }
    }
}
