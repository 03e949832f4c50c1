import API
import Glibc
import Host
import Model

/// Takes a lab into a cluster that somebody else has made.
package struct GuestStart {
    private let original: LabFile
    private let kubeconfig: String
    private let context: String?
    private let image: String
    private let progress: any ProgressReport

    package static let standardImage = "busybox"

    /// `image`: of what probes run as.
    package init(_ file: LabFile, kubeconfig: String, context: String?, image: String, _ progress: any ProgressReport) {
        original = file
        self.kubeconfig = LabStart.whole(kubeconfig)
        (self.context, self.image, self.progress) = (context, image, progress)
    }

    /// A lab that does not come to be leaves nothing behind.
    package func run(patience: Duration = .seconds(120)) async throws -> LabSession {
        progress.begin("the cluster of \(kubeconfig)")
        let client = HTTPClient(try APIEndpoint(kubeconfig: kubeconfig, context: context))
        let names = try GuestNames(original.cluster, try await client.list(Node.self)), lab = try GuestLab(original, names)
        try await requireRoom(for: lab, client)
        progress.end()
        for line in names.lines + lab.losses { progress.note(line) }
        let record = GuestGround.Record(
            kubeconfig: kubeconfig, context: context, image: image, lab: lab.file.lab.name, namespaces: lab.namespaces,
            machines: names.machines)
        let ground = try GuestGround(record, names, lab.file)
        try ground.write()
        do {
            try LabState(file: LabStart.whole(original.path)).write(ground.stateFile)
            try ground.shell.prepare(try UserKubeconfig(kubeconfig).document(context, namespace: GuestNames.namespace))
            try await make(lab, client, patience)
            var session = LabSession(lab.file, on: ground)
            session.heard = { [progress] in progress.note($0) }
            if !lab.file.lab.setup.isEmpty {
                progress.begin("the lab's setup")
                try await session.perform(lab.file.lab.setup)
                progress.end()
            }
            if let first = lab.file.lab.tasks.first { try await session.begin(first) }
            return session
        } catch {
            for problem in try await ground.clear() { progress.note("while rolling back: \(problem)") }
            throw error
        }
    }

    /// Nothing of somebody else's is taken for the lab's, and none of it goes with it.
    private func requireRoom(for lab: GuestLab, _ client: HTTPClient) async throws {
        let there = try await client.list(Namespace.self)
        for name in lab.namespaces {
            guard let namespace = there.first(where: { $0.name == name }) else { continue }
            let owner = namespace.labels[GuestNames.label].map { "lab \($0) of somebody's" } ?? "somebody"
            throw UserError(
                "the cluster has a namespace \(name) already, which is \(owner)'s",
                hint: "if nobody needs it: kubectl delete namespace \(name)")
        }
    }

    private func make(_ lab: GuestLab, _ client: HTTPClient, _ patience: Duration) async throws {
        progress.begin("\(lab.file.objects.count) object\(lab.file.objects.count == 1 ? "" : "s")")
        _ = try await client.create(.namespaces, Self.namespace(lab.file.lab.name))
        let applier = Applier(client: client, defaultNamespace: GuestNames.namespace)
        let (namespaces, others) = (
            lab.file.objects.filter { $0.kind == "Namespace" }, lab.file.objects.filter { $0.kind != "Namespace" }
        )
        for manifest in namespaces { _ = try await applier.apply(manifest) }
        for name in lab.namespaces { try await awaitAccount(in: name, client) }
        var applied: [(KindDefinition, ObjectKey)] = []
        for manifest in others {
            let result = try await applier.apply(manifest)
            applied.append((result.kind, result.key))
        }
        progress.end()
        progress.begin("everything ready")
        try await Readiness(client: client).wait(for: applied, timeout: patience) { waiting in
            if let first = waiting.first { progress.detail("\(first)\(waiting.count > 1 ? " and \(waiting.count - 1) more" : "")") }
        }
        progress.end()
    }

    private static func namespace(_ lab: String) -> JSON {
        [
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": [
                "name": .string(GuestNames.namespace),
                "labels": [
                    GuestNames.label: .string(lab), "app.kubernetes.io/managed-by": "minik",
                    GuestNames.security: "privileged",
                ],
            ],
        ]
    }

    /// No pod comes to be in a namespace before its account is there.
    private func awaitAccount(in namespace: String, _ client: HTTPClient) async throws {
        for _ in 0..<100 {
            if try await client.find(.serviceAccounts, ObjectKey(namespace, "default")) != nil { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw UserError("namespace \(namespace) has no service account after 10 s", hint: "does the cluster's controller manager run?")
    }
}

extension LabSession {
    /// The lab that this user takes in a cluster of somebody else's.
    package static func guest() async throws -> LabSession {
        let record = try GuestGround.stored()
        let original = try LabFile(try LabState(GuestGround.stateFile).file)
        let client = HTTPClient(try APIEndpoint(kubeconfig: record.kubeconfig, context: record.context))
        let nodes: [Node]
        do { nodes = try await client.list(Node.self) } catch let error as HTTPClient.Unreachable {
            throw UserError("\(error)", hint: "if that cluster is gone for good, the lab is, too: rm -r \(GuestGround.folder)")
        }
        let names = try GuestNames(original.cluster, nodes, chosen: record.machines), lab = try GuestLab(original, names)
        return LabSession(lab.file, on: try GuestGround(record, names, lab.file))
    }

    /// Where a lab began as a guest, it does so again.
    package var guestRecord: GuestGround.Record? { (ground as? GuestGround)?.record }
}
