import API
import Lab
import Model
import Testing

@Suite("a Lab document is read, or refused with file, line and field")
struct LabDocumentTests {
    private static let head = """
        apiVersion: minik.dev/v1
        kind: Lab
        metadata: {name: example}
        spec:
          title: {en: Example, zh: 例子}
          tasks:

        """

    private static let task = """
          - name: first
            title: First
            text: {en: Do it, zh: 做吧}
            check: [{expect: [{from: a, to: svc/b, port: 80, verdict: timeout, ttl: 62, source: self, dns: b}]}]

        """

    private func read(_ text: String) throws -> LabDocument {
        let manifest = try #require(try Manifest.read(text, file: "lab.yaml").first)
        return try LabDocument(manifest, in: Self.cluster())
    }

    private static func cluster() throws -> Cluster {
        try Cluster(Manifest.read("apiVersion: \(Cluster.apiVersion)\nkind: Cluster\n", file: "defaults")[0])
    }

    @Test("what is written is what there is, and what is not has its default")
    func whole() throws {
        let lab = try read(
            Self.head + Self.task + """
                  - name: second
                    title: Second
                    text: t
                    needs: [first]
                    level: warning
                    wait: 3
                    check:
                    - {run: "true", on: k8s-node1, exit: 1, output: word}
                    - {object: deployment/web, path: .status.readyReplicas, value: 3}
                    - {object: pod/gone, namespace: other, exists: false}
                    - answer: {is: "veth*"}
                    failcheck: [{run: "false"}]
                    hints:
                    - {name: slip, when: [{run: "true"}], text: Not so, answer: [{run: "true"}]}
                    - text: Think
                    solution:
                    - apply: |
                        apiVersion: v1
                        kind: Pod
                """)
        #expect(lab.title[.english] == "Example" && lab.title[.chinese] == "例子" && lab.tasks.map(\.name) == ["first", "second"])
        #expect(lab.tasks[0].title[.chinese] == "First", "who reads Chinese is shown English where there is nothing else")
        let expectation = LabExpectation(
            from: "a", to: "svc/b", port: "80", namespace: "default", verdict: .timeout, ttl: 62, source: "self", dns: "b")
        #expect(lab.tasks[0].checks == [.reach([expectation])] && lab.tasks[0].wait == 15 && !lab.tasks[0].isWarning)
        let second = lab.tasks[1]
        #expect(second.checks.count == 4 && second.isWarning && second.wait == 3 && second.needs == ["first"])
        #expect(second.checks[0] == .run(LabCommand(text: "true", place: "k8s-node1"), exit: 1, output: "word"))
        #expect(second.checks[3] == .answerIs("veth*"))
        #expect(second.hints.map(\.name) == ["slip", "hint-2"])
    }

    @Test(
        "each mistake is told where it stands",
        arguments: [
            ("  - {name: a, title: t, text: t}\n", 7, "check is missing"),
            ("  - {name: a, title: t, text: t, check: [{run: x, object: pod/a}]}\n", 7, "says one of run, object, expect, answer"),
            ("  - name: a\n    title: t\n    text: t\n    chekc: []\n", 10, "unknown field"),
            ("  - name: a\n    title: t\n    text: {zh: 中}\n    check: [{run: x}]\n", 9, "en is missing"),
            ("  - name: a\n    title: t\n    text: {en: a, fr: b}\n    check: [{run: x}]\n", 9, "the languages are en and zh"),
            (
                "  - name: a\n    title: t\n    text: {en: One, and two, zh: 一}\n    check: [{run: x}]\n", 9,
                "text.and two: the languages are"
            ),
            ("  - name: a\n    title: t\n    text: {en: One, and two, zh: 一}\n    check: [{run: x}]\n", 9, "stands in quotes"),
            (
                "  - name: a\n    title: t\n    text: t\n    check: [{run: x, on: k8s-node9}]\n", 10,
                "no node \"k8s-node9\" in the lab's cluster"
            ),
            ("  - name: a\n    title: t\n    text: t\n    check: [{run: x, on: pod/}]\n", 10, "no node \"pod/\""),
            (
                "  - name: a\n    title: t\n    text: t\n    check:\n    - expect: [{from: node/x, to: b, port: 80}]\n", 11,
                "from: there is no node \"x\""
            ),
            (
                "  - name: a\n    title: t\n    text: t\n    check:\n    - expect: [{from: a, to: b, port: 70000}]\n", 11,
                "\"70000\" is no port"
            ),
            (
                "  - name: a\n    title: t\n    text: t\n    check:\n    - expect: [{from: a, to: b, port: 80/foo}]\n", 11,
                "\"80/foo\" is no port"
            ),
            (
                "  - name: a\n    title: t\n    text: t\n    check:\n    - expect: [{from: a, to: b, ttl: 300}]\n", 11,
                "300 must be between 1 and 255"
            ),
            (
                "  - name: a\n    title: t\n    text: t\n    check:\n    - {object: pod/a, path: .metadata.name, value: y}\n", 11,
                "must be a text or a whole number, not true or false: such words"
            ),
            ("  - name: A_B\n    title: t\n    text: t\n    check: [{run: x}]\n", 7, "must be at most 32"),
            ("  - name: a\n    title: t\n    text: t\n    needs: [b]\n    check: [{run: x}]\n", 10, "no task before this one"),
            (
                "  - name: a\n    title: t\n    text: t\n    check:\n    - expect: [{from: a, to: b, verdict: open}]\n", 11,
                "Unsupported value"
            ),
            ("  - name: a\n    title: t\n    text: t\n    check:\n    - expect: []\n", 11, "is empty"),
            ("  - name: a\n    title: t\n    text: t\n    check:\n    - {object: pod}\n", 11, "is no TYPE/NAME"),
            (
                "  - name: a\n    title: t\n    text: t\n    check:\n    - {object: deploiment/x}\n", 11,
                "there is no resource type \"deploiment\""
            ),
            (
                "  - name: a\n    title: t\n    text: t\n    check:\n    - {object: deploy/x, path: .status.readyReplica}\n", 11,
                "path: a deployment has no \"readyReplica\" there: .status.readyReplica"
            ),
            ("  - name: a\n    title: t\n    text: t\n    check:\n    - {object: pod/a, value: 1}\n", 11, "path is missing"),
            (
                "  - name: a\n    title: t\n    text: t\n    check: [{run: x}]\n    hints:\n    - {text: wrong, answer: [{run: x}]}\n", 12,
                "when is missing"
            ),
            (
                "  - name: a\n    title: t\n    text: t\n    check: [{run: x}]\n    solution:\n    - apply: |\n        a: b\n        c: {\n",
                15,
                "apply"
            ),
        ])
    func refused(_ text: String, _ line: Int, _ words: String) throws {
        do {
            _ = try read(Self.head + text)
            Issue.record("it is read: \(text)")
        } catch let error as ManifestError {
            #expect(error.line == line && error.message.contains(words), "\(error)")
        }
    }

    @Test("the JSON Schema knows each field that is read, and no other")
    func schema() throws {
        let schema = LabDocument.schema.jsonSchema(any: LabDocument.anyValue)
        let task = schema["properties"]["spec"]["properties"]["tasks"]["items"]
        #expect(task["required"] == ["name", "title", "text", "check"] && task["additionalProperties"] == false)
        #expect(task["properties"]["check"]["minItems"] == 1 && task["properties"]["wait"]["minimum"] == 0)
        #expect(task["properties"]["text"] == LabDocument.anyValue)
        let expectation = task["properties"]["check"]["items"]["properties"]["expect"]["items"]
        #expect(expectation["properties"]["verdict"]["enum"] == ["allowed", "timeout", "refused", "unreachable"])
        let cluster = Cluster.schema.jsonSchema(any: Cluster.anyValue)
        #expect(cluster["properties"]["spec"]["properties"]["repair"]["enum"] == ["automatic", "manual"])
    }

    @Test("answers are compared without regard to spaces and capitals")
    func answers() {
        let output = "net:[4026]\n4026\n"
        #expect(LabState.isRight("4026", of: output) && LabState.isRight(" NET:[4026]", of: output) && LabState.isRight("4026", of: "4026"))
        #expect(!LabState.isRight("402", of: output) && !LabState.isRight("", of: "\n"))
        #expect(LabState.plain("  CNI0 \n") == "cni0" && LabState.plain("10.0.0.1   b") == "10.0.0.1 b")
    }

    private func task(_ name: String, needs: String = "") -> String {
        "  - {name: \(name), title: t, text: t, needs: [\(needs)], check: [{run: x}]}\n"
    }

    @Test("what a task needs is the first that is not done, however far before it")
    func needs() throws {
        let lab = try read(Self.head + task("a") + task("b", needs: "a") + task("c", needs: "b"))
        #expect(lab.firstNeed(of: lab.tasks[2], passed: [])?.name == "a")
        #expect(lab.firstNeed(of: lab.tasks[2], passed: ["a"])?.name == "b")
        #expect(lab.firstNeed(of: lab.tasks[2], passed: ["a", "b"]) == nil && lab.firstNeed(of: lab.tasks[0], passed: []) == nil)
    }

    @Test("manifests in a step complain of the line of the lab's file")
    func steps() throws {
        let manifests = try LabStep.manifests("apiVersion: v1\nkind: Pod\n", file: "lab.yaml", line: 40)
        #expect(manifests.first?.line(of: "kind") == 41)
    }

    @Test("JUnit counts, and escapes what XML would take for its own")
    func junit() {
        let text = JUnit(
            suite: "a",
            cases: [JUnit.Case("ok"), JUnit.Case("bad", failure: "<no> \"&\" \u{1B}[1m\nnext"), JUnit.Case("later", skipped: "s")]
        ).text
        let unjudged = JUnit(suite: "a", cases: [JUnit.Case("x", error: "nobody answers", time: .milliseconds(1_050))]).text
        #expect(unjudged.contains("errors=\"1\" time=\"1.050\"") && unjudged.contains("<error message=\"nobody answers\"/>"))
        #expect(text.contains("tests=\"3\" failures=\"1\" skipped=\"1\" errors=\"0\""))
        #expect(text.contains("&lt;no&gt; &quot;&amp;&quot; [1m&#10;next") && !text.contains("\u{1B}"))
    }

    @Test("a path may choose elements, and keys of maps are anybody's")
    func paths() throws {
        for path in [
            #".status.conditions[?(@.type=="Ready")].status"#, ".spec.containers[0].image", ".metadata.labels.whatever",
            #".metadata.annotations.example\.com/a"#, ".spec.containers[*].ports[0].containerPort",
        ] {
            let check = "    check:\n    - {object: pod/x, path: '\(path)'}\n"
            #expect(throws: Never.self, "\(path)") { try read(Self.head + "  - name: a\n    title: t\n    text: t\n" + check) }
        }
    }

    @Test("a program that is not there is told from one that fails, and from one that ends so on purpose")
    func missingProgram() {
        func missing(_ code: Int32, _ errors: String) -> String? { LabShell.Outcome(code: code, output: "", errors: errors).missingProgram }
        #expect(missing(127, "/bin/sh: 1: frobnicate: not found\n") == "/bin/sh: 1: frobnicate: not found")
        #expect(missing(127, "x\nsh: line 1: frobnicate: command not found") != nil)
        #expect(missing(1, "sh: 1: frobnicate: not found") == nil && missing(127, "") == nil)
        #expect(missing(127, "command terminated with exit code 127") == nil)
    }
}
