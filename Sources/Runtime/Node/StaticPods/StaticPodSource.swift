import Model

/// Runs the pods that files in a node's /etc/kubernetes/manifests describe: there as long as its file is, made anew when that changes, and
/// again when somebody deletes it or gives it another image. Unlike a kubelet's, such a pod begins anew where only its mirror was deleted.
package actor StaticPodSource {
    package static let folder = "/etc/kubernetes/manifests"
    /// How often the folder is looked at.
    package static let interval = Duration.seconds(1)

    private let node: String
    private let client: any Client
    private let clock: any Clock<Duration>
    private let files: @Sendable () throws -> [String: String]
    private let read: @Sendable (String, String) throws -> [JSON]
    private let report: @Sendable (String) -> Void
    private let now: @Sendable () -> Timestamp
    private var texts: [String: String] = [:]
    private var pods: [String: StaticPod] = [:]
    /// Mirrors that are no file's, and have to go.
    private var strays: Set<ObjectKey> = []
    private var told: Set<String> = []

    /// `files`: the folder's, text by name; `read`: the objects that a text (of a file's name) holds.
    package init(
        node: String, client: any Client, clock: any Clock<Duration> = TimerClock(),
        files: @escaping @Sendable () throws -> [String: String],
        read: @escaping @Sendable (String, String) throws -> [JSON], now: @escaping @Sendable () -> Timestamp = { .now() },
        report: @escaping @Sendable (String) -> Void
    ) {
        self.node = node
        self.client = client
        self.clock = clock
        self.files = files
        self.read = read
        self.now = now
        self.report = report
    }

    /// Follows the folder until cancelled.
    package func run() async throws {
        var isFirst = true
        while true {
            do {
                if isFirst {
                    strays = Set(try await client.list(Pod.self).filter { StaticPod.isMirror($0, of: node) }.map(\.key))
                    isFirst = false
                }
                try await look()
            } catch is CancellationError { throw CancellationError() } catch { tell("\(error)") }
            try await clock.sleep(for: Self.interval)
        }
    }

    /// Brings the API's mirrors to what the files say now.
    package func look() async throws {
        let found = try files().filter { !$0.key.hasPrefix(".") }
        if found != texts {
            told = []
            let before = Set(pods.values.map(\.key))
            pods = pods(in: found)
            strays.formUnion(before)
            texts = found
        }
        strays.subtract(pods.values.map(\.key))
        for key in strays { try await remove(key) }
        for pod in pods.values { try await keep(pod) }
    }

    /// The pod of each file; of two that name one pod the first by name has it.
    private func pods(in texts: [String: String]) -> [String: StaticPod] {
        var result: [String: StaticPod] = [:], files: [ObjectKey: String] = [:]
        for (file, text) in texts.sorted(by: { $0.key < $1.key }) {
            guard let pod = pod(in: file, text) else { continue }
            if let first = files[pod.key] {
                tell("\(Self.folder)/\(file) is not used: \(first) has a pod of that name, too")
                continue
            }
            files[pod.key] = file
            result[file] = pod
        }
        return result
    }

    private func pod(in file: String, _ text: String) -> StaticPod? {
        let place = "\(Self.folder)/\(file)"
        do {
            let objects = try read(text, place)
            guard objects.count == 1, objects[0]["kind"].string == "Pod", objects[0]["apiVersion"].string == "v1" else {
                throw NoPod(file: place)
            }
            return StaticPod(objects[0], file: place, node: node)
        } catch {
            // What is half written is read again as soon as there is more of it; until then its pod goes on.
            tell("\(error)")
            return pods[file]
        }
    }

    private func remove(_ key: ObjectKey) async throws {
        guard let pod = try await client.find(Pod.self, key), StaticPod.isMirror(pod, of: node) else {
            strays.remove(key)
            return
        }
        if !pod.isBeingDeleted { try await client.delete(.pods, key, gracePeriod: nil, uid: pod.uid) }
    }

    private func keep(_ pod: StaticPod) async throws {
        if let mirror = try await client.find(Pod.self, pod.key) {
            guard StaticPod.isMirror(mirror, of: node) else {
                return tell("pod \(pod.key) of \(Self.folder) is not made: the API has another pod of that name")
            }
            if pod.isShown(by: mirror) || mirror.isBeingDeleted { return }
            return try await client.delete(.pods, pod.key, gracePeriod: nil, uid: mirror.uid)
        }
        guard let node = try await client.find(.nodes, ObjectKey("", node)) else { return }
        do { _ = try await client.create(.pods, pod.object(of: node, seen: now())) } catch let error as StatusError {
            tell("pod \(pod.key) of \(Self.folder): \(error)")
        }
    }

    /// Says what is wrong once, until the files change.
    private func tell(_ words: String) {
        if told.insert(words).inserted { report("node \(node): static pods: \(words)") }
    }

    private struct NoPod: Error, CustomStringConvertible {
        let file: String
        var description: String { "\(file) must hold one v1 Pod" }
    }
}
