import Model

/// A pod as the checks look at it: its own security context and its containers'.
struct PodSecuritySubject {
    let annotations: [String: String]
    let spec: JSON
    let context: JSON
    /// Those that initialise, those that run, those that debug.
    let containers: [JSON]

    /// `pod` is a pod, or the template of one.
    init(_ pod: JSON) {
        annotations = pod["metadata"]["annotations"].stringMap
        spec = pod["spec"]
        context = spec["securityContext"]
        containers = ["initContainers", "containers", "ephemeralContainers"].flatMap { pod["spec"][$0].items }
    }

    var isWindows: Bool { spec["os"]["name"].string == "windows" }

    /// The security contexts of all, the pod's first.
    var contexts: [JSON] { [context] + containers.map { $0["securityContext"] } }

    /// Whether a context's profile (of seccomp, of AppArmor) is neither the runtime's nor one of the node's own.
    static func isUnconfined(_ profile: JSON) -> Bool {
        !profile.isNull && !["RuntimeDefault", "Localhost"].contains(profile["type"].string)
    }

    /// The names of those containers of which something holds.
    func names(where holds: (_ container: JSON, _ context: JSON) -> Bool) -> [String] {
        containers.filter { holds($0, $0["securityContext"]) }.map { $0["name"].string ?? "" }
    }

    /// The pod, and the containers of these names: `pod and container "a"`.
    func setters(pod: Bool, _ names: [String]) -> String {
        ((pod ? ["pod"] : []) + (names.isEmpty ? [] : [Self.containers(names)])).joined(separator: " and ")
    }

    static func containers(_ names: [String]) -> String { "\(plural("container", names)) \(quoted(names))" }
    static func plural(_ word: String, _ list: some Collection) -> String { list.count == 1 ? word : "\(word)s" }
    static func quoted(_ list: [String]) -> String { list.map { "\"\($0)\"" }.joined(separator: ", ") }
    static func sorted(_ values: [String]) -> [String] { Set(values).sorted() }
}
