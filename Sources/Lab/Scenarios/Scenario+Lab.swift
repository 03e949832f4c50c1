import API
import Host
import Model

extension Scenario {
    /// The lab that it is: each step a task, which its script judges, and one without a script is done when it has been read.
    package func lab() -> LabDocument {
        var tasks: [LabTask] = []
        for page in steps {
            let text = ScenarioText(page.text, image), last = tasks.last.map { [$0.name] } ?? []
            tasks.append(
                LabTask(
                    name: page.name, title: english(page.title), text: english(text.plain), needs: last,
                    checks: page.verify.map { [.run(Self.here(ScenarioPlaces.command($0)), exit: 0, output: nil)] } ?? [.read],
                    failChecks: [], hints: [], solution: text.commands.isEmpty ? [] : [.show(Self.typed(text.commands))], pass: nil,
                    fail: nil, wait: 15, isWarning: false, setup: Self.steps(page)))
        }
        return LabDocument(
            name: name, title: english(title), objectives: description.isEmpty ? [] : [english(description)], difficulty: "medium",
            minutes: 15, order: 1000, intro: intro.map { english(ScenarioText($0.text, image).plain) },
            outro: finish.map { english(ScenarioText($0.text, image).plain) }, setup: intro.map(Self.steps) ?? [], tasks: tasks,
            ending: finish.map(Self.steps) ?? [], home: Image.first)
    }

    private func english(_ text: String) -> LabText { LabText(english: text, chinese: nil) }

    private static func steps(_ page: Page) -> [LabStep] {
        let unseen = page.background.map { LabStep.run(here(ScenarioPlaces.unseen($0, page))) }
        let seen = page.foreground.map { LabStep.show(here(ScenarioPlaces.command($0))) }
        return [unseen, seen].compactMap { $0 }
    }

    /// What a learner does who clicks on everything.
    private static func typed(_ commands: [String]) -> LabCommand {
        here("export HOME=/root; cd /root; exec bash -c \(ScenarioPlaces.quoted(commands.joined(separator: "\n")))")
    }

    private static func here(_ text: String) -> LabCommand { LabCommand(text: text, place: Image.first) }

    /// A cluster with as many machines as its `imageid` has, and their names and addresses. Canal is what those have.
    package func cluster() throws -> Cluster {
        let nodes = image.machines.enumerated().map { number, machine -> JSON in
            var node: JSON = ["name": .string(machine.name), "address": .string(machine.address)]
            if number == 0 { node["role"] = "control-plane" }
            // With one machine pods have nowhere else to be.
            if image.nodes == 1 { node["taints"] = [] }
            return node
        }
        let document: JSON = [
            "apiVersion": .string(Cluster.apiVersion), "kind": "Cluster", "metadata": ["name": .string(LabFile.clusterName)],
            "spec": [
                "plugin": "canal", "nodeSubnet": "172.30.0.0/16", "nodes": .array(nodes),
                "extraMounts": [
                    [
                        "hostPath": .string(String(SmallProgram.path("").dropLast())), "nodePath": .string(ScenarioPlaces.tools),
                        "readOnly": true,
                    ]
                ],
            ],
        ]
        return try Cluster(Manifest.read(document.text(), file: "the cluster of \(name)")[0])
    }

    /// The pods that `ssh` leads through, one a machine.
    package func objects() throws -> [Manifest] {
        try image.machines.flatMap { machine in
            let pod: JSON = [
                "apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string("ssh-\(machine.name)"), "namespace": "kube-system"],
                "spec": [
                    "nodeName": .string(machine.name), "hostPID": true, "hostNetwork": true, "terminationGracePeriodSeconds": 0,
                    "tolerations": [["operator": "Exists"]],
                    "containers": [
                        [
                            "name": "door", "image": "busybox", "imagePullPolicy": "IfNotPresent", "command": ["sleep", "infinity"],
                            "securityContext": ["privileged": true],
                        ]
                    ],
                ],
            ]
            return try Manifest.read(pod.text(), file: "the pods of ssh")
        }
    }
}
