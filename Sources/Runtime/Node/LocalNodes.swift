import Glibc
import Host
import Model

/// The nodes of a cluster that lies on this machine: what a kubelet's server does is done here, at once.
package struct LocalNodes: NodeDirectory {
    private let cluster: Cluster
    private let paths: ClusterPaths
    private let client: any Client
    private let isReached: @Sendable (_ node: String) async -> Bool
    private static let kubeletPort = 10250

    /// `isReached`: whether the API's node gets at a node.
    package init(
        cluster: Cluster, paths: ClusterPaths, client: any Client,
        isReached: @escaping @Sendable (_ node: String) async -> Bool = { _ in true }
    ) {
        self.cluster = cluster
        self.paths = paths
        self.client = client
        self.isReached = isReached
    }

    package func services(of node: String) -> (any NodeServices)? { cluster.nodes.first { $0.name == node }.map(services) }
    package var controlPlane: any NodeServices { services(cluster.controlPlane) }

    private func services(_ node: Cluster.NodeSpec) -> LocalNodeServices {
        LocalNodeServices(node: node.name, paths: paths, client: client) { [isReached] in
            guard await isReached(node.name) else {
                let place = DistantClient.Unreachable(place: "\(node.address):\(Self.kubeletPort)")
                throw StatusError(500, .internalError, "\(place)")
            }
        }
    }
}

/// One of them.
struct LocalNodeServices: NodeServices {
    let node: String
    let paths: ClusterPaths
    let client: any Client
    /// Throws when nobody gets at the node.
    let reach: @Sendable () async throws -> Void

    func logs(_ pod: Pod, container: String, _ options: LogOptions) async throws -> ByteSource {
        try await reach()
        return try ContainerLogs(pod, container: container, paths: paths).source(options)
    }

    func connect(_ pod: Pod, _ request: StreamRequest, input: StreamInputs, output: @escaping StreamOutputs) async throws {
        try await reach()
        do { try await ProcessStream.run(pod: pod, request, paths: paths, input: input, output: output) } catch let error as FileError {
            try await output(.failure("\(error)"))
        }
    }

    func dial(_ pod: Pod, port: Int) async throws -> Int32 {
        try await reach()
        let namespace = pod.isHostNetwork ? paths.nodeNetns(node) : paths.podNetns(pod.key)
        return try await SmallProgram.blocking {
            do {
                return try NodeSocket.connected(to: IPAddress(ipv4: 0x7F00_0001), port: port, namespace: namespace).release()
            } catch let error as FileError {
                // Somebody may listen on ::1 alone; if nobody does, it is the first refusal that is told.
                guard error.errno == ECONNREFUSED, let local = IPAddress("::1") else { throw error }
                do {
                    return try NodeSocket.connected(to: local, port: port, namespace: namespace).release()
                } catch _ as FileError { throw error }
            }
        }
    }

    func dial(_ address: IPAddress, port: Int) async throws -> Int32 {
        let namespace = paths.nodeNetns(node)
        return try await SmallProgram.blocking { try NodeSocket.connected(to: address, port: port, namespace: namespace).release() }
    }

    /// Two looks at /proc a moment apart make a rate. A node is its init and all that lives below it; a container its first process.
    func usage() async throws -> NodeUsage {
        try await reach()
        let pods = try await client.list(Pod.self).filter { $0.nodeName == node && !$0.isFinished }
        let before = try await SmallProgram.blocking { ProcessTable.read() }
        try await Task.sleep(for: ProcessTable.interval)
        let after = try await SmallProgram.blocking { ProcessTable.read() }
        let root = ProcessIdentity(file: paths.nodePID(node))?.pid
        var usage = NodeUsage(node: root.map { after.usage(of: $0, since: before) } ?? NodeUsage.Amount(cpu: 0, memory: 0), pods: [:])
        for pod in pods {
            let containers = await ContainerProcesses.of(pod: pod.uid, paths: paths).mapValues { after.usage(of: $0, since: before) }
            if !containers.isEmpty { usage.pods[pod.key] = containers }
        }
        return usage
    }
}
