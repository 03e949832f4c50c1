import Glibc
import Model
import ShimProtocol

/// How a worker talks with its pod's shim, which may be older than the daemon, or not answer at all.
extension PodWorker {
    func connect(_ sandbox: any PodSandbox, _ group: inout DiscardingTaskGroup) throws {
        let connection = try sandbox.connect()
        self.connection = connection
        shimVersion = ShimVersion.current
        let report = node.report, key = pod.key, now = node.now
        group.addTask { [inbox, pod] in
            var version = ShimVersion.current
            for await message in connection.messages {
                if message.version != version {
                    version = message.version
                    inbox.post(.speaks(version: version))
                }
                switch message.reply {
                case .success(.failed("", let stage, _)): report("pod \(key): its shim (version \(version)) could not \(stage)")
                case .success(let reply): for input in reply.inputs(of: pod, now: now()) { await inbox.send(.input(input)) }
                case .failure(let error):
                    report("pod \(key): its shim (version \(version)) says what is not understood, and is left alone: \(error)")
                }
            }
            inbox.post(.connectionEnded(connection))
        }
    }

    /// Remembers to look whether an answer has come.
    func expect(_ owed: PodInbox.Owed, _ group: inout DiscardingTaskGroup) {
        guard isOwed(owed) else { return }
        postLater(.overdue(owed), after: owed.limit, &group)
    }

    func isOwed(_ owed: PodInbox.Owed) -> Bool {
        guard connection != nil else { return false }
        return switch owed {
        case .state: lifecycle.isAdopting
        case .start(let container, let life): lifecycle.isStarting(container, life: life)
        case .end(let container, let life): lifecycle.isRunning(container, life: life)
        }
    }

    /// Ends a shim that does not answer: its connection ends with it, and the pod begins anew, or goes.
    func endShim(_ owed: PodInbox.Owed) async {
        await node.client.recordEvent(
            about: pod, type: "Warning", reason: "SandboxNotResponding",
            message: "Pod sandbox did not \(owed.words) within \(owed.limit)s and is killed", component: "kubelet", node: node.spec.name)
        sandbox?.kill()
    }

    /// The shim is of an older minik, which keeps no devices from its containers, or does not know what this pod wants: those it has go on,
    /// but it starts no more. The pod begins anew in a sandbox of ours.
    func leaveOldShim() async {
        await node.client.recordEvent(
            about: pod, type: "Normal", reason: "SandboxOutdated",
            message:
                "Pod sandbox was made by an older minik (version \(shimVersion) of the shim protocol, not \(ShimVersion.current)), which cannot "
                + "start a container as it is to be", component: "kubelet", node: node.spec.name)
        connection?.disconnect()
    }
}
