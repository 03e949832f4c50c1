import Glibc
import Host
import Model
import ShimProtocol

/// A pod's sandbox: taken over, made, and given back.
extension PodWorker {
    /// Adopts the sandbox that stands, or makes one, again and again until it works or the pod is to go.
    func establish(_ group: inout DiscardingTaskGroup) async {
        var pause = Self.firstPause
        while isSandboxWanted, isStillWanted || node.sandboxes.find(pod.uid) != nil, !Task.isCancelled {
            let standing = connection == nil ? node.sandboxes.find(pod.uid) : nil
            do {
                if let standing {
                    try await adopt(standing, &group)
                } else {
                    let actions = lifecycle.handle(.sandboxMissing(at: node.now()))
                    if !actions.isEmpty { await perform(actions, &group) }
                    guard isSandboxWanted else { return }
                    try await make(&group)
                }
                return
            } catch let error as NetworkNotReady {
                await report(&group)
                await node.client.recordEvent(
                    about: pod, type: "Warning", reason: "NetworkNotReady", message: "\(error)", component: "kubelet", node: node.spec.name)
                await wait(2, evenUnwanted: false)
            } catch let error as MountError {
                // As the kubelet, which has no sandbox made before the volumes stand.
                await report(&group)
                await tellUnmounted(error)
                await wait(2, evenUnwanted: false)
            } catch {
                if standing == nil {
                    await releaseSandbox()
                    await report(&group)
                    if error is any PodRefusal { pause = 2 }
                    await node.client.recordEvent(
                        about: pod, type: "Warning", reason: "FailedCreatePodSandBox", message: "Failed to create pod sandbox: \(error)",
                        component: "kubelet", node: node.spec.name)
                } else {
                    // It runs, and goes on: nothing is taken from it because a table or its shim could not be reached just now.
                    node.report("pod \(pod.key): take its sandbox over: \(error); next try in \(pause)s")
                    if pause == Self.longestPause { standing?.kill() }
                }
                await wait(pause, evenUnwanted: standing != nil)
                pause = min(pause * 2, Self.longestPause)
            }
        }
    }

    /// Waits so long; or, unless there is something to end first, until the pod is to go.
    private func wait(_ seconds: Int, evenUnwanted: Bool) async {
        for _ in 0..<seconds where evenUnwanted || isStillWanted { guard await sleep(1) else { return } }
    }

    /// Takes over a sandbox that an earlier daemon left running.
    private func adopt(_ sandbox: any PodSandbox, _ group: inout DiscardingTaskGroup) async throws {
        self.sandbox = sandbox
        addresses = pod.isHostNetwork ? node.spec.addresses : PodFiles.addresses(of: pod.uid, paths)
        if !addresses.isEmpty, !pod.isHostNetwork {
            await node.reserve(addresses)
            try await node.admit(pod, addresses: addresses)
            await node.network.adopt(PodAttachment(pod: pod, addresses: addresses, process: sandbox.process))
        }
        try connect(sandbox, &group)
        _ = lifecycle.handle(.sandboxAdopted)  // what runs already is told by the shim's answer; nothing is started before it
        try connection?.send(.state)
        expect(.state, &group)
    }

    private func make(_ group: inout DiscardingTaskGroup) async throws {
        try plan.checkUser()
        try await plan.volumes.refresh()
        let sandbox = try await createSandbox()
        try connect(sandbox, &group)
        await perform(lifecycle.handle(.sandboxReady), &group)
    }

    private func createSandbox() async throws -> any PodSandbox {
        if pod.isHostNetwork {
            addresses = node.spec.addresses
        } else if addresses.isEmpty, !node.network.givesAddresses {
            addresses = try await node.allocate(for: pod)
        }
        if !pod.isHostNetwork, let trouble = await node.network.trouble() { throw NetworkNotReady(reason: trouble) }
        try files.write()
        let request = SandboxRequest(
            uid: pod.uid, hostname: try files.kernelHostname(), nodeProcess: try await node.initPID(), isHostNetwork: pod.isHostNetwork,
            settings: pod.sharedNamespaces + (try plan.volumes.memory()) + pod.standardSysctls + pod.sysctls,
            nodeSharedMemory: paths.nodeSharedMemory(node.spec.name))
        let sandbox = try await node.sandboxes.create(request)
        self.sandbox = sandbox
        guard !pod.isHostNetwork else { return sandbox }
        // Isolation first: when the pod's first process runs, its policies are in the kernel.
        if !addresses.isEmpty { try await node.admit(pod, addresses: addresses) }
        let given = try await node.network.attach(PodAttachment(pod: pod, addresses: addresses, process: sandbox.process))
        if given != addresses {
            addresses = given
            try files.write()
            try await node.admit(pod, addresses: given)
        }
        return sandbox
    }

    /// (k8s.io/kubernetes/pkg/kubelet, NetworkNotReadyErrorMsg)
    private struct NetworkNotReady: Error, CustomStringConvertible {
        let reason: String
        var description: String { "network is not ready: \(reason)" }
    }

    /// Gives everything back that the sandbox held. Goes on past what is not there.
    func releaseSandbox() async {
        // Plugins look into the pod's network namespace, which goes with its sandbox.
        if !pod.isHostNetwork, node.network.givesAddresses { await giveAddressesBack() }
        if let sandbox = sandbox ?? node.sandboxes.find(pod.uid) { await end(sandbox) }
        sandbox = nil
        let group = plan.podCgroup, key = pod.key
        if group.exists {
            let left = await insisting("remove \(group.path)") {
                try await SmallProgram.blocking {
                    // Processes of a PID namespace that is not the pod's do not end with its shim.
                    group.kill()
                    return group.delete(milliseconds: 1000)
                }
            }
            for problem in left ?? [] { node.report("pod \(key): \(problem)") }
        }
        if !pod.isHostNetwork { await giveAddressesBack() }
        addresses = []
        Files.removeTree(paths.podRun(pod.uid))
    }

    private func end(_ sandbox: any PodSandbox) async {
        var isAsked = false
        if let connection {
            self.connection = nil
            do {
                try connection.send(.shutdown)
                isAsked = true
            } catch { isAsked = false }  // it has ended, or does not listen
            connection.disconnect()
        }
        if isAsked, await hasEnded(sandbox) { return }
        sandbox.kill()
        if await !hasEnded(sandbox) {
            node.report("pod \(pod.key): its sandbox, process \(sandbox.process), does not end")
        }
    }

    private func hasEnded(_ sandbox: any PodSandbox) async -> Bool {
        do { return try await sandbox.awaitEnd(milliseconds: 2000) } catch { return false }
    }

    private func giveAddressesBack() async {
        for attempt in 1...3 {
            do {
                try await node.network.detach(pod)
                if !addresses.isEmpty {
                    lastAddresses = addresses
                    await node.release(addresses)
                }
                return
            } catch {
                // An address that still stands on the bridge is nobody else's.
                let next = attempt == 3 ? "its address \(addresses.map(\.description).joined(separator: ", ")) is kept" : "next try in 1s"
                node.report("pod \(pod.key): \(error); \(next)")
            }
            if attempt < 3 { guard await sleep(1) else { return } }
        }
    }
}
