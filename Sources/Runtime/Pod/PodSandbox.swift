import Model
import ShimProtocol

/// What a pod's sandbox is made of.
package struct SandboxRequest: Sendable {
    package let uid: String
    package let hostname: String
    /// The node's init, which the sandbox is born below.
    package let nodeProcess: Int
    package let isHostNetwork: Bool
    package let settings: [SandboxSetting]
    /// The node's shared memory, for pods in its IPC namespace.
    package let nodeSharedMemory: String

    package init(
        uid: String, hostname: String, nodeProcess: Int, isHostNetwork: Bool = false, settings: [SandboxSetting] = [],
        nodeSharedMemory: String = ""
    ) {
        self.nodeSharedMemory = nodeSharedMemory
        self.uid = uid
        self.hostname = hostname
        self.nodeProcess = nodeProcess
        self.isHostNetwork = isHostNetwork
        self.settings = settings
    }
}

/// A pod's sandbox: namespaces, and a shim in them that starts containers.
package protocol PodSandbox: Sendable {
    /// The shim, which is in the pod's namespaces.
    var process: Int { get }
    /// Opens another conversation with the shim.
    func connect() throws -> ShimConnection
    /// Ends the shim, and with it everything that runs in the pod.
    func kill()
    /// Waits until the shim has ended; false when it has not within the limit.
    func awaitEnd(milliseconds: Int32) async throws -> Bool
}

/// Makes and finds the sandboxes of pods.
package protocol PodSandboxes: Sendable {
    /// The one that runs, perhaps since an earlier daemon; nil when there is none.
    func find(_ uid: String) -> (any PodSandbox)?
    /// Makes one; when this returns its shim listens.
    func create(_ request: SandboxRequest) async throws -> any PodSandbox
}
