import Model

/// The pod that `minik run` asks for, as kubectl makes it of its flags. (k8s.io/kubectl/pkg/generate, BasicPod)
package struct RunRequest {
    package var name: String
    package var namespace: String
    package var image: String
    /// access=true,tier=web; nil: run=NAME.
    package var labels: String?
    /// KEY=VALUE
    package var environment: [String] = []
    package var port: Int?
    /// Always, IfNotPresent or Never; nil: as its tag has it.
    package var imagePullPolicy: String?
    package var restartPolicy = "Always"
    package var stdin = false
    package var tty = false
    /// What the container is to run, or what is handed to the image's program.
    package var words: [String] = []
    package var wordsAreCommand = false

    package init(name: String, namespace: String, image: String) {
        self.name = name
        self.namespace = namespace
        self.image = image
    }

    package func pod() throws -> JSON {
        let list: JSON = words.isEmpty ? .null : .array(words.map(JSON.string))
        let variables = try environment.map { pair -> JSON in
            let (key, value) = try Self.pair(pair, "invalid env")
            return ["name": .string(key), "value": .string(value)]
        }
        return [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": ["name": .string(name), "namespace": .string(namespace), "labels": JSON(try labelMap())],
            "spec": [
                "containers": [
                    [
                        "name": .string(name), "image": .string(image), "imagePullPolicy": JSON(imagePullPolicy),
                        "command": wordsAreCommand ? list : .null,
                        "args": wordsAreCommand ? .null : list, "env": variables.isEmpty ? .null : .array(variables),
                        "ports": port.map { [["containerPort": .int($0)]] } ?? .null, "stdin": stdin ? true : .null,
                        "stdinOnce": stdin ? true : .null, "tty": tty ? true : .null, "resources": .emptyObject,
                    ]
                ],
                "restartPolicy": .string(restartPolicy), "dnsPolicy": "ClusterFirst",
            ],
        ]
    }

    private func labelMap() throws -> [String: String] {
        guard let labels else { return ["run": name] }
        return Dictionary(
            try labels.split(separator: ",").map { try Self.pair(String($0), "unexpected label spec") },
            uniquingKeysWith: { _, last in last })
    }

    private static func pair(_ text: String, _ complaint: String) throws -> (String, String) {
        let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard sides.count == 2 else { throw UserError("error: \(complaint): \(text)") }
        return (sides[0], sides[1])
    }
}
