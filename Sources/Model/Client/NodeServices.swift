/// What a node does for the API's callers, as a kubelet's own server does: logs, exec and attach, port-forward, statistics. The agents of
/// a cluster that lies on one machine are asked directly; one on another machine answers the same over its network.
package protocol NodeServices: Sendable {
    /// The container's log; with `follow` until the container ends or the reader leaves.
    func logs(_ pod: Pod, container: String, _ options: LogOptions) async throws -> ByteSource
    /// Runs or joins a process, until it ends: the last output is `exit` or `failure`.
    func connect(_ pod: Pod, _ request: StreamRequest, input: StreamInputs, output: @escaping StreamOutputs) async throws
    /// A socket connected to a port of the pod, from within: to its own loopback address. The caller owns it.
    func dial(_ pod: Pod, port: Int) async throws -> Int32
    /// A socket connected to an address that the node reaches. The caller owns it.
    func dial(_ address: IPAddress, port: Int) async throws -> Int32
    /// What the node and its pods use now.
    func usage() async throws -> NodeUsage
}

/// Which nodes can be asked.
package protocol NodeDirectory: Sendable {
    /// nil: nobody answers for a node of that name.
    func services(of node: String) -> (any NodeServices)?
    /// The node from which the API reaches pods and Services.
    var controlPlane: any NodeServices { get throws }
}

extension NodeDirectory {
    /// The services of the node that a pod is on.
    package func services(of pod: Pod) throws -> any NodeServices {
        guard let name = pod.nodeName else { throw StatusError.badRequest("pod \(pod.name) does not have a host assigned") }
        guard let services = services(of: name) else {
            throw StatusError(502, .unknown, "pod \(pod.name): nobody answers for its node \(name)")
        }
        return services
    }
}

/// What a node uses, and each container of its pods.
package struct NodeUsage: Sendable, Hashable {
    /// CPU time per second, in cores' billionths, and memory in bytes.
    package struct Amount: Sendable, Hashable {
        package let cpu: Int
        package let memory: Int

        package init(cpu: Int, memory: Int) {
            self.cpu = cpu
            self.memory = memory
        }
    }

    /// Of all that runs on the node.
    package var node: Amount
    /// Of each container, by its name, of each pod that runs.
    package var pods: [ObjectKey: [String: Amount]]

    package init(node: Amount, pods: [ObjectKey: [String: Amount]]) {
        self.node = node
        self.pods = pods
    }
}
