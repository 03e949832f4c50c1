import Foundation
import Model
import Testing

/// Labs make clusters by fixed names.
@Suite("[Serial] labs", .serialized, .printsClusters)
struct LabTests {
    func lab(_ arguments: String, seconds: Int = 60) -> CommandResult { Shell.minik("lab \(arguments)", seconds: seconds) }

    @Test("every lab that is shipped: nothing is done at first, wrong answers fail in their own words, solutions pass")
    func shipped() throws {
        let before = Shell.run("scripts/leaks").output, report = FileManager.default.temporaryDirectory.appending(path: "labs.xml").path
        let result = lab("test --all --junit \(report)", seconds: 400)
        #expect(result.isSuccess, "\(result)")
        let listed = try Shell.json("\(Shell.minik) lab list -o json").items
        #expect(listed.count >= 2, "the labs are found")
        let count = Shell.run(
            "python3 -c 'import sys, xml.etree.ElementTree as t; print(len(t.parse(sys.argv[1]).findall(\"testsuite\")))' \(report)")
        #expect(count.output.trimmed == "\(listed.count)", "\(count)")
        #expect(Shell.run("scripts/leaks").output == before, "nothing of the labs is left")
    }

    @Test("a lab that is wrong is found out: a check that holds from the start, a mistake that is taken for right, a solution that is none")
    func wrongLabs() throws {
        let lab = """
            apiVersion: minik.dev/v1
            kind: Lab
            metadata: {name: wrong}
            spec:
              title: Wrong
              tasks:
              - name: open-door
                title: t
                text: t
                check: [{run: "true"}]
                solution: [{run: "true"}]
              - name: lax
                title: t
                text: t
                wait: 1
                check: [{object: configmap/x}]
                hints: [{name: slip, when: [{object: configmap/x}], text: Not so, answer: [{run: kubectl create configmap x}], undo: [{run: kubectl delete configmap x}]}]
                solution: [{run: kubectl create configmap x}]
              - name: vain
                title: t
                text: t
                wait: 1
                check: [{object: configmap/y}]
                solution: [{run: "true"}]
            """
        let result = self.lab("test \(try ClusterFiles.write(lab))")
        #expect(result.status == 1)
        for words in [
            "✗ open-door: not done at the start: it is passed",
            "✗ lax: wrong answer slip is refused in its own words: it is taken for right",
            "✓ lax: solution", "✗ vain: solution: open; configmap/y is not there",
        ] { #expect(result.output.contains(words), "\(words)\n\(result)") }
    }

    @Test("a learner's way: start, check, a mistake and its words, hint, solve, JSON and JUnit, reset, stop; with kubectl")
    func learner() throws {
        let before = Shell.run("scripts/leaks").output
        defer { Shell.minik("down lab") }
        #expect(lab("status").errors.contains("no lab runs"))
        let start = lab("start policy-httpd --lang zh")
        #expect(start.isSuccess && start.output.contains("用 NetworkPolicy 保护 Web 服务器"), "\(start)")
        #expect(lab("start one-node").errors.contains("a lab runs already"))
        let first = lab("check -o json")
        #expect(first.status == 2, "\(first)")
        let json = try JSON(parsing: first.output)
        #expect(json["tasks"].items.map { $0["state"].string } == ["open", "waiting"])
        let finding = json["tasks"][0]["findings"].items.first { $0["holds"] == false }
        #expect(finding?["verdict"] == "allowed" && finding?["computed"] == "allowed")

        let early = lab("solve machines")
        #expect(!early.isSuccess && early.errors.contains("task machines needs labelled"), "\(early)")

        let policy = """
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: access-httpd}
            spec:
              podSelector: {matchLabels: {name: networkpolicy-demo}}
              ingress: [{from: [{podSelector: {matchLabels: {access: "true"}}}], ports: [{port: 8080}]}]
            """
        let file = try ClusterFiles.write(policy), right = try ClusterFiles.write(policy.replacing("8080", with: "80"))
        #expect(Shell.run("kubectl --context minik-lab apply -f \(file)").isSuccess)
        let wrong = lab("check --lang en")
        #expect(wrong.status == 2 && wrong.output.contains("the port of the pod that the policy names"), "\(wrong)")
        #expect(lab("hint --lang zh").output.contains("应是 Pod 的端口"))
        // The check that waits is woken by what kubectl does.
        let woken = Shell.run(
            "(sleep 1; kubectl --context minik-lab apply -f \(right)) & \(Shell.minik) lab check --wait 20 --junit /tmp/lab.xml -o json; wait"
        )
        #expect(woken.output.contains("\"passed\""), "\(woken)")
        #expect(Shell.run("cat /tmp/lab.xml; rm /tmp/lab.xml").output.contains("failures="))
        let solved = lab("solve machines")
        #expect(solved.isSuccess && solved.output.contains("✓ machines"), "\(solved)")
        #expect(lab("check").status == 0 && lab("check --again").status == 2, "what is right for the second task is not for the first")
        #expect(lab("reset").isSuccess && lab("check").status == 2)
        #expect(lab("stop").isSuccess)
        #expect(Shell.run("scripts/leaks").output == before, "nothing of the lab is left")
    }

    @Test("a task that is lost, one that waits for another, good practice that is none, and what runs on a node, outside and in a pod")
    func states() throws {
        let text = """
            apiVersion: minik.dev/v1
            kind: Lab
            metadata: {name: states}
            spec:
              title: States
              setup: [{on: k8s-node1, run: "hostname > /tmp/here"}]
              tasks:
              - name: places
                title: t
                text: t
                check:
                - {on: k8s-node1, run: cat /tmp/here, output: k8s-node1}
                - {on: pod/inside, run: hostname, output: inside}
                - {on: host, run: ip -4 addr, output: 192.168.200.}
                - {run: 'test "$MINIK_CLUSTER" = lab && exit 7', exit: 7}
                - {object: configmap/go}
              - name: kept
                title: t
                text: t
                check: [{object: configmap/done}]
                failcheck: [{object: pod/inside, exists: false}]
                fail: The pod had to stay.
              - name: later
                title: t
                text: t
                needs: [kept]
                check: [{run: "true"}]
              - name: tidy
                title: t
                text: t
                level: warning
                check: [{object: configmap/tidy}]
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: inside}
            spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: busybox, command: [sleep, "3600"]}]}
            """
        let start = lab("start --no-kubeconfig \(try ClusterFiles.write(text))")
        defer { Shell.minik("down lab") }
        try #require(start.isSuccess, "\(start)")
        func states() throws -> (Int32, [String?]) {
            let result = lab("check -o json --junit /tmp/states.xml")
            return (result.status, try JSON(parsing: result.output)["tasks"].items.map { $0["state"].string })
        }
        #expect(try states() == (2, ["open", "open", "waiting", "open"]))
        #expect(lab("check").output.contains("configmap/go is not there"))
        let kubectl = "KUBECONFIG=/run/minik/lab/lab/kubeconfig kubectl"
        #expect(Shell.run("\(kubectl) create configmap go").isSuccess)
        #expect(try states() == (2, ["passed", "open", "waiting", "open"]))
        #expect(Shell.run("\(kubectl) create configmap done").isSuccess)
        #expect(try states() == (0, ["passed", "passed", "passed", "open"]), "good practice is no condition")
        #expect(lab("reset").isSuccess && Shell.minik("delete pod inside --now").isSuccess)
        #expect(try states() == (3, ["open", "failed", "waiting", "open"]))
        #expect(lab("check").output.contains("The pod had to stay.") && lab("status").output.contains("✗ kept: t"))
        #expect(Shell.run("cat /tmp/states.xml; rm /tmp/states.xml").output.contains("failures=\"2\" skipped=\"2\""))
        withoutDaemon()
    }

    /// Without its daemon nothing is judged, and nothing that was done is lost.
    private func withoutDaemon() {
        Shell.run(
            "pid=$(cut -d' ' -f1 /run/minik/lab/daemon.pid); kill -9 $pid; while kill -0 $pid 2>/dev/null && ! grep -q '^State:.Z' /proc/$pid/status; do sleep 0.05; done"
        )
        for command in ["check --junit /tmp/states.xml", "check --wait 3", "hint places", "start one-node"] {
            let result = lab(command)
            #expect(result.status == 1 && result.errors.contains("bring it back: minik up -c lab"), "\(command): \(result)")
        }
        #expect(Shell.run("cat /tmp/states.xml; rm /tmp/states.xml").output.contains("errors=\"1\""))
    }

    @Test("validate and schema need no root and no cluster; jsonschema and validate are of one mind")
    func documents() throws {
        let user = "setpriv --reuid 65534 --regid 65534 --clear-groups"
        let good = Shell.run("\(user) \(Shell.minik) validate labs")
        #expect(good.isSuccess && good.output.contains("Cluster netpol: 3 nodes"), "\(good)")
        #expect(good.output.contains("labs/services/lab.yaml:2: Lab services: 2 tasks"), "\(good)")
        let bad = try ClusterFiles.write(
            "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec:\n  type: NodePort\n  ports: [{port: 80, nodePort: 33000}]\n")
        #expect(Shell.run("chmod 644 \(bad)").isSuccess)
        let refused = Shell.run("\(user) \(Shell.minik) validate \(bad)")
        #expect(refused.status == 1 && refused.errors.contains("\(bad):6:") && refused.errors.contains("30000-32767"), "\(refused)")
        for (kind, field) in [("Cluster", "repair"), ("Lab", "tasks")] {
            let schema = try Shell.json("\(user) \(Shell.minik) schema \(kind)")
            #expect(!schema["properties"]["spec"]["properties"][field].isNull)
        }
    }

    @Test("up --dry-run says what up would do, and does nothing")
    func dryRun() throws {
        let before = Shell.run("scripts/leaks").output
        let text = ClusterFiles.cluster("dry", subnet: 226) + "\n" + ClusterFiles.echo
        let file = try ClusterFiles.write(text)
        let new = Shell.minik("up --dry-run \(file)")
        #expect(new.output == "create cluster dry: 2 nodes, plugin flannel-netpol\ncreate pod/echo\ncreate service/echo\n", "\(new)")
        #expect(Shell.run("scripts/leaks").output == before && !Shell.minik("ls").output.contains("dry"))
        try TestCluster.with(file, name: "dry") { cluster in
            let same = Shell.minik("up --dry-run \(file)")
            #expect(same.output == "nothing would change\n", "\(same)")
            let other = try ClusterFiles.write(
                text.replacing("port: 7000, nodePort", with: "port: 7001, nodePort") + "\n---\n"
                    + "apiVersion: v1\nkind: Namespace\nmetadata: {name: more}\n---\n"
                    + "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: more}\n")
            let changes = Shell.minik("up --dry-run \(other)")
            #expect(changes.output == "change service/echo: spec.ports\ncreate namespace/more\ncreate configmap/c in more\n", "\(changes)")
            #expect(cluster.minik("get service echo -o json").output.contains("7000"), "nothing was changed")
            #expect(!cluster.minik("get namespace more").isSuccess)
            let bad = try ClusterFiles.write(text.replacing("nodePort: 30700", with: "nodePort: 1"))
            #expect(Shell.minik("up --dry-run \(bad)").errors.contains("provided port is not in the valid range"))
            let misspelt = try ClusterFiles.write(text.replacing("nodePort: 30700", with: "nodPort: 30700"))
            let strict = Shell.minik("up --dry-run \(misspelt)")
            #expect(!strict.isSuccess && strict.errors.contains("unknown field \"spec.ports[0].nodPort\""), "\(strict)")
            // As the real parser reads them, n and y are false and true.
            let word = try ClusterFiles.write("apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n")
            let refused = Shell.minik("apply --cluster dry -f \(word)")
            #expect(refused.errors.contains("\(word):3: metadata.name: false is no string: write it in quotes"), "\(refused)")
        }
    }
}

extension LabTests {
    @Test("a scenario as Killercoda has it is taken on its first node, by ssh on the other, and judged by its scripts")
    func scenario() throws {
        let before = Shell.run("scripts/leaks").output
        defer { Shell.minik("down lab") }
        let start = lab("start Tests/SmallTests/Data/scenario --no-kubeconfig")
        #expect(start.isSuccess && "\(start)".contains("ready on controlplane") && "\(start)".contains("calls systemctl"), "\(start)")
        let shell = Shell.run(
            "echo 'pwd; kubectl get nodes -o name; hello.sh; ssh root@node01 ./hello.sh; ssh nobody; ssh node01 exit 3; echo ended $?' | \(Shell.minik) lab shell"
        )
        for words in ["/root\n", "node/node01", "hello from controlplane", "hello from node01", "hostname nobody", "ended 3"] {
            #expect("\(shell)".contains(words), "\(words)\n\(shell)")
        }
        #expect(lab("check").output.contains("minik lab next") && lab("next").output.contains("Mend the Service"))
        let open = lab("check")
        #expect(open.output.contains("the Service leads nowhere (the script itself") && open.output.contains("line 3: This"), "\(open)")
        let solved = lab("solve")
        #expect(solved.isSuccess && lab("check").output.contains("Well done."), "\(solved)")
        #expect(lab("stop").isSuccess)
        #expect(Shell.run("scripts/leaks").output == before, "nothing of the scenario is left")
    }

    @Test("a lab that is exported to Killercoda's format is a scenario whose scripts judge as the lab does")
    func export() throws {
        let lab = """
            apiVersion: minik.dev/v1
            kind: Lab
            metadata: {name: small-shop}
            spec:
              title: A small shop
              setup: [{on: k8s-node1, run: "echo open > /tmp/sign"}]
              tasks:
              - name: serve
                title: Serve
                text: The Service shop leads to the pod on k8s-node1.
                check:
                - expect:
                  - {from: client, to: svc/shop, port: 80, verdict: allowed, dns: shop}
                  - {from: node/k8s-master, to: app=shop, port: 80, verdict: allowed}
                - {object: service/shop, path: ".spec.ports[0].port", value: 80}
                - {on: k8s-node1, run: cat /tmp/sign, output: open}
                solution: [{run: "kubectl expose pod shop --port 80"}]
              - name: sign
                title: Sign
                text: What stands on the sign?
                check: [{answer: {on: k8s-node1, run: cat /tmp/sign}}]
                solution: [{run: "minik lab answer sign $(minik node exec k8s-node1 -- cat /tmp/sign)"}]
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: shop, labels: {app: shop}}
            spec: {nodeName: k8s-node1, containers: [{name: c, image: busybox, command: [httpd, -f]}], terminationGracePeriodSeconds: 0}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: client}
            spec: {nodeName: k8s-node2, containers: [{name: c, image: busybox, command: [sleep, infinity]}], terminationGracePeriodSeconds: 0}
            """
        let folder = FileManager.default.temporaryDirectory.appending(path: "export-\(UUID().uuidString.prefix(8))").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = try ClusterFiles.write(lab), export = self.lab("export killercoda \(file) \(folder) --lang en")
        #expect(export.isSuccess && export.output.contains("k8s-node2 is node01, too"), "\(export)")
        #expect(self.lab("export killercoda \(file) \(folder)").errors.contains("is there already"))
        let trial = self.lab("test \(folder)", seconds: 120)
        #expect(trial.isSuccess, "\(trial)")
    }
}
