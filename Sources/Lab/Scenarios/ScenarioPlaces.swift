import API
import Host
import Model
import Runtime

/// Where a scenario's files are on its nodes, and what puts them there.
struct ScenarioPlaces {
    static let folder = "/opt/scenario"
    static let tools = "/opt/minik"
    private static let runner = "\(folder)/run"

    let scenario: Scenario
    let paths: ClusterPaths

    /// A command that runs a script as the learner's shell would: in /root, by bash unless its first line says otherwise.
    static func command(_ script: Scenario.Script) -> String { "\(runner) \(quoted(script.path))" }

    /// The same, and nobody waits for it.
    static func unseen(_ script: Scenario.Script, _ page: Scenario.Page) -> String {
        "mkdir -p \(logs); setsid nohup \(command(script)) > \(logs)/\(page.name)-background.log 2>&1 < /dev/null &"
    }

    static let logs = "/var/log/scenario"

    static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }

    func place() throws {
        let machines = scenario.image.machines
        for (number, machine) in machines.enumerated() {
            let root = try NodeRoot(machine.name, paths: paths)
            try root.write(Self.ssh, to: "/usr/local/bin/ssh", mode: 0o755)
            if !ScenarioNeeds.isOnMachine("kubectl", besides: []) {
                try root.write("#!/bin/sh\nexec -a kubectl \(Self.tools)/minik \"$@\"\n", to: "/usr/local/bin/kubectl", mode: 0o755)
            }
            try root.write(YAMLText.of(kubeconfig()), to: "/root/.kube/config", mode: 0o600)
            guard number == 0 else { continue }
            try root.write(Self.run, to: Self.runner, mode: 0o755)
            for script in Set(scenario.pages.flatMap(\.scripts)) {
                try root.write(script.text, to: "\(Self.folder)/\(script.path)", mode: 0o755)
            }
        }
        for asset in scenario.assets {
            try NodeRoot(asset.node, paths: paths).write(
                Files.read("\(scenario.folder)/\(asset.path)"), to: asset.target, mode: asset.isExecutable ? 0o755 : 0o644)
        }
    }

    /// The learner's, on every node: the API lies on the first.
    private func kubeconfig() throws -> JSON {
        var config = try Kubeconfig(paths: paths).document()
        config["clusters"] = .array(
            config["clusters"].items.map {
                var entry = $0
                entry["cluster"]["server"] = .string("https://\(scenario.image.machines[0].address):\(Cluster.apiPort)")
                return entry
            })
        return config
    }

    private static let run = """
        #!/bin/sh
        # run FILE: one of the scenario's scripts, as from the learner's shell.
        export HOME=/root USER=root LOGNAME=root
        cd /root || exit 1
        case $(head -c 2 "\(folder)/$1") in
        '#!') exec "\(folder)/$1" ;;
        *) exec bash "\(folder)/$1" ;;
        esac

        """

    /// Nodes have no sshd: a pod of each leads to its root, as `kubectl debug node/NAME` does.
    private static let ssh = """
        #!/bin/sh
        # ssh [-OPTIONS] [USER@]NODE [COMMAND]: a shell on one of the cluster's nodes.
        terminal=
        [ -t 0 ] && [ -t 1 ] && terminal=-t
        while [ $# -gt 0 ]; do
            case $1 in
            -t|-tt) terminal=-t; shift ;;
            -[oiplFELDRJQSWbcemBIw]) shift 2 ;;
            -*) shift ;;
            *) break ;;
            esac
        done
        [ $# -gt 0 ] || { echo "usage: ssh [USER@]NODE [COMMAND]" >&2; exit 255; }
        node=${1#*@}; shift
        pod=ssh-$node
        if ! kubectl -n kube-system get pod "$pod" >/dev/null 2>&1; then
            echo "ssh: Could not resolve hostname $node: Name or service not known" >&2
            exit 255
        fi
        if [ $# -gt 0 ]; then
            set -- /bin/bash -c "cd /root; $*"
        else
            set -- /bin/bash -c "cd /root; exec bash -l"
        fi
        exec kubectl -n kube-system exec -q -i $terminal "$pod" -- \\
            chroot /proc/1/root nsenter -t 1 -m -u -i -n -p env HOME=/root USER=root TERM="${TERM:-linux}" "$@"

        """
}
