import Glibc
import Host

/// What a scenario needs and does not find here, in words.
package struct ScenarioNeeds {
    private let scenario: Scenario
    private let isThere: (String) -> Bool

    /// `isThere`: whether a node finds a program of this name.
    package init(_ scenario: Scenario, isThere: @escaping (String) -> Bool = Self.isOnMachine) {
        (self.scenario, self.isThere) = (scenario, isThere)
    }

    /// Nodes see the machine's programs.
    package static func isOnMachine(_ program: String) -> Bool { isOnMachine(program, besides: ["kubectl", "ssh"]) }

    static func isOnMachine(_ program: String, besides own: [String]) -> Bool {
        own.contains(program) || folders.contains { access("\($0)/\(program)", X_OK) == 0 }
    }
    private static let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]

    /// What is on the machine and cannot work on its nodes.
    private static let other = [
        "systemctl": "nodes have no systemd", "journalctl": "nodes have no systemd", "service": "nodes have no systemd",
        "kubeadm": "the cluster is not kubeadm's (docs/kubeadm.md has one that is)", "docker": "nodes have no Docker of their own",
        "podman": "nodes have no Podman of their own", "crictl": "nodes have no CRI", "etcdctl": "the cluster has no etcd",
    ]

    package var lines: [String] {
        var lines: [String] = []
        if !scenario.image.hasKubernetes {
            lines.append("its machine (\(scenario.image.id)) is no cluster there; here it is a cluster's only node")
        }
        for page in scenario.pages {
            var told: Set<String> = []
            func look(_ text: String, _ place: (Int) -> String) {
                for call in ShellCommands(text).calls where told.insert(call.name).inserted {
                    let reason = Self.other[call.name] ?? (isThere(call.name) ? nil : "no such program is here")
                    if let reason { lines.append("\(page.name): \(place(call.line)) calls \(call.name): \(reason)") }
                }
            }
            for script in page.scripts { look(script.text) { "\(script.path):\($0)" } }
            for command in ScenarioText(page.text, scenario.image).commands { look(command) { _ in "the text" } }
            if page.text.contains("{{TRAFFIC_SELECTOR}}") {
                lines.append("\(page.name): no page chooses ports here; the machine is \(scenario.image.machines[0].address)")
            }
        }
        return lines
    }

    /// Scripts that no shell can read: stray text, a quote that nobody closed.
    package func unreadable() throws -> [String] {
        var complaints: [String] = []
        for script in scenario.pages.flatMap(\.scripts) where Self.isShell(script.text) {
            let path = "\(scenario.folder)/\(script.path)"
            let outcome = try LabShell.outcome(["/bin/bash", "-n", path], environment: ["LC_ALL=C"], in: scenario.folder)
            guard outcome.code != 0 else { continue }
            complaints.append(outcome.errors.trimmed.split(separator: "\n").first.map(String.init) ?? "\(path): bash cannot read it")
        }
        return complaints
    }

    private static func isShell(_ text: String) -> Bool {
        guard text.hasPrefix("#!") else { return true }
        return text.prefix { $0 != "\n" }.contains(/\b(ba)?sh\b/)
    }
}
