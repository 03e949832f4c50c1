import Foundation
import Model
import Testing

@Suite("[Serial] policies act at once, cut off what they deny, and say why", .serialized, .printsClusters)
struct PolicyTests {
    private static let server = """
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: NAME, NAMESPACE labels: {app: NAME}}
        spec:
          terminationGracePeriodSeconds: 0
          containers: [{name: c, image: busybox, command: [nc, -ll, -p, "7000", -e, cat], ports: [{containerPort: 7000}]}]
        """
    private static let client = """
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: NAME, labels: {LABEL: "true"}}
        spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: busybox, command: [sleep, "100000"]}]}
        """
    private static let onlyFriends = """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: only-friends}
        spec:
          podSelector: {matchLabels: {app: echo}}
          ingress: [{from: [{podSelector: {matchLabels: {friend: "true"}}}], ports: [{port: 7000}]}]
        """

    private func lab(_ name: String, subnet: Int, plugin: String = "flannel-netpol") -> String {
        ClusterFiles.cluster(name, subnet: subnet, more: "  plugin: \(plugin)") + "\n"
            + Self.server.replacing("NAMESPACE", with: "").replacing("NAME", with: "echo")
            + "\n" + Self.client.replacing("NAME", with: "amy").replacing("LABEL", with: "friend") + "\n"
            + Self.client.replacing("NAME", with: "bob").replacing("LABEL", with: "stranger")
            + "\n---\napiVersion: v1\nkind: Service\nmetadata: {name: echo-svc}\nspec: {selector: {app: echo}, ports: [{port: 70, targetPort: 7000}]}\n"
    }

    @Test("a connection that a new policy denies is cut off, one that it allows goes on, and both entries tell")
    func cutOff() throws {
        let file = try ClusterFiles.write(lab("cut", subnet: 219)), policy = try ClusterFiles.write(Self.onlyFriends)
        try TestCluster.with(file, name: "cut") { cluster in
            let address = try #require(try cluster.pods("app=echo").first?.ip)
            let node = try #require(try cluster.pods("app=echo").first?.nodeName)
            let result = Shell.run(
                """
                cd $(mktemp -d)
                for who in amy bob; do
                  mkfifo $who.in; \(Shell.minik) exec $who --cluster cut -i -- nc \(address) 7000 <$who.in >$who.out 2>/dev/null &
                done
                exec 3>amy.in 4>bob.in
                say() { echo $1 >&3; echo $1 >&4; for i in $(seq 15); do sleep 0.1; grep -q $1 amy.out && grep -q $1 bob.out && break; done; }
                tracked() { nsenter --net=/run/netns/cut_\(node) cat /proc/net/nf_conntrack | grep ESTABLISHED | grep -c 'dport=7000'; }
                say one; echo "before: amy $(grep -c one amy.out) bob $(grep -c one bob.out) tracked $(tracked)"
                \(Shell.minik) apply -f \(policy) --cluster cut >/dev/null
                sleep 0.2; echo "tracked now $(tracked)"
                say two; echo "after: amy $(grep -c two amy.out) bob $(grep -c two bob.out) tracked $(tracked)"
                exec 3>&- 4>&-; kill %1 %2; wait
                """, seconds: 30)
            for words in ["before: amy 1 bob 1 tracked 2", "tracked now 1", "after: amy 1 bob 0 tracked 1"] {
                #expect(result.output.contains(words), "\(result)")
            }
        }
    }

    @Test("why names policy, rule and what was missing; it asks the kernel, and shouts when the kernel does something else")
    func why() throws {
        let file = try ClusterFiles.write(lab("why", subnet: 220)), policy = try ClusterFiles.write(Self.onlyFriends)
        try TestCluster.with(file, name: "why") { cluster in
            // The Service's table may be a moment behind its pods.
            let open = try Shell.eventually { () -> CommandResult? in
                let said = cluster.minik("why bob echo-svc")
                return said.output.contains("kernel:   arrived") ? said : nil
            }
            #expect(
                open.isSuccess && open.output.contains("ingress: no policy isolates default/echo")
                    && open.output.contains("kernel:   arrived"), "\(open)")
            #expect(cluster.minik("apply -f \(policy)").isSuccess)
            Thread.sleep(forTimeInterval: 0.1)
            let node = try #require(try cluster.pods("app=echo").first?.nodeName)

            let denied = cluster.minik("why bob echo-svc:70")
            #expect(denied.status == 1, "\(denied)")
            for words in [
                "DENIED  default/bob", "default/echo is isolated by default/only-friends",
                "default/only-friends ingress[0] allows only from pods with friend=true of the same namespace",
                "computed: dropped on \(node), forward, kube-netpol/", "kernel:   dropped on \(node), kube-netpol/",
                "isolated for ingress by default/only-friends", "the kernel agrees",
            ] { #expect(denied.output.contains(words), "\(words): \(denied)") }
            let allowed = try JSON(parsing: cluster.minik("why amy pod/echo:7000 -o json").output)
            #expect(
                allowed["verdict"].string == "allowed" && allowed["agrees"].bool == true && allowed["paths"][0]["live"].string == "allowed")
            #expect(allowed["paths"][0]["policies"].items.last?["allowedBy"].string == "default/only-friends ingress[0]")
            let port = cluster.minik("why amy echo:7001/tcp")
            #expect(port.status == 1 && port.output.contains("ingress[0] allows only at TCP 7000"), "\(port)")
            #expect(cluster.minik("why amy echo:icmp").status == 1)
            #expect(cluster.minik("why echo echo:7000").output.contains("it never leaves the pod"))
            // A node reaches its own pod directly, and no Service's.
            #expect(cluster.minik("why node/\(node) echo:7000").isSuccess)
            #expect(cluster.minik("why node/\(node) echo-svc").status == 1)
            #expect(cluster.minik("why host \(try cluster.pods("friend=true").first?.ip?.description ?? "")").errors.contains("which port"))
            #expect(cluster.minik("why amy nobody:80").errors.contains("there is no pod, Service or node \"nobody\""))

            try openBehindOurBack(cluster, node)
        }
    }

    /// Somebody opens the door behind our back: the computed and the real are not the same any more.
    private func openBehindOurBack(_ cluster: TestCluster, _ node: String) throws {
        let its = Shell.run(
            "nsenter --net=/run/netns/why_\(node) nft list set ip kube-netpol ingress-isolation | grep -o '0x[0-9a-f]*' | head -1"
        ).output.trimmed
        let bob = try #require(try cluster.pods("stranger=true").first?.ip)
        #expect(
            Shell.run(
                "nsenter --net=/run/netns/why_\(node) nft 'add element ip kube-netpol ingress-ports { \(its) . \(bob) . tcp . 7000 }'"
            ).isSuccess)
        let shouted = cluster.minik("why bob echo:7000")
        #expect(shouted.status == 1 && shouted.output.contains("THE KERNEL DISAGREES"), "\(shouted)")
        let matrix = cluster.minik("matrix --probe --ports 7000")
        #expect(
            matrix.status == 1 && matrix.output.contains("default/bob -> default/echo TCP/7000: computed denied, measured allowed"),
            "\(matrix)")
        #expect(cluster.minik("matrix --probe --ports 7000 -o junit").output.contains("failures=\"1\""))
        try readMatrix(cluster)
        #expect(
            Shell.run("nsenter --net=/run/netns/why_\(node) nft list tables").output.contains("minik-why") == false,
            "nothing of the trace stays")
    }

    /// Strangers read the machines' forms.
    private func readMatrix(_ cluster: TestCluster) throws {
        let page = try ClusterFiles.write(cluster.minik("matrix --probe --ports 7000 -o html").output)
        let cells =
            "import html.parser, sys\nclass P(html.parser.HTMLParser):\n  n = {}\n  def handle_starttag(s, t, a):\n    if t == 'td': k = dict(a)['class']; s.n[k] = s.n.get(k, 0) + 1\np = P(); p.feed(open('\(page)').read()); print(p.n)"
        let counted = try Shell.python(cells)
        #expect(
            counted.output.contains("'different': 1") && counted.output.contains("'denied'") && counted.output.contains("'allowed'"),
            "\(counted)")
        let suite = try ClusterFiles.write(cluster.minik("matrix --probe --ports 7000 -o junit").output)
        let parsed = try Shell.python(
            "import xml.etree.ElementTree as e; r = e.parse('\(suite)').getroot(); print(len(r), r.get('tests'), len(r.findall('*/failure')))"
        )
        #expect(parsed.output == "18 18 1\n", "three pods, two nodes and the client outside, to three pods: \(parsed)")
    }

    @Test("a change is tried out before it is made")
    func tryOut() throws {
        let file = try ClusterFiles.write(lab("try", subnet: 222)), policy = try ClusterFiles.write(Self.onlyFriends)
        try TestCluster.with(file, name: "try") { cluster in
            let would = cluster.minik("matrix --ports 7000,icmp --with \(policy)")
            #expect(
                would.output.contains("closes  default/bob -> default/echo TCP/7000")
                    && would.output.contains("closes  default/amy -> default/echo ICMP"), "\(would)")
            #expect(!would.output.contains("amy -> default/echo TCP/7000") && would.output.contains("0 flows would open"), "\(would)")
            #expect(cluster.minik("get netpol").errors.contains("No resources found"), "nothing was applied")
            let shown = cluster.minik("apply --diff-reachability -f \(policy)")
            #expect(
                shown.output.contains("closes  default/bob -> default/echo TCP/7000")
                    && cluster.minik("get netpol").errors.contains("No resources"), "\(shown)")
            let bad = try ClusterFiles.write(Self.onlyFriends.replacing("port: 7000", with: "port: 70000"))
            #expect(cluster.minik("matrix --with \(bad)").errors.contains("spec.ingress[0].ports[0].port: Invalid value: 70000"))
        }
    }

    @Test("the cluster's own policies come before and after the namespaces', in the kernel as on paper")
    func clusterPolicies() throws {
        let file = try ClusterFiles.write(lab("tiers", subnet: 225)), friends = try ClusterFiles.write(Self.onlyFriends)
        func policy(_ name: String, _ tier: String, _ action: String, _ priority: Int) throws -> String {
            try ClusterFiles.write(
                """
                apiVersion: policy.networking.k8s.io/v1alpha2
                kind: ClusterNetworkPolicy
                metadata: {name: \(name)}
                spec:
                  tier: \(tier)
                  priority: \(priority)
                  subject: {namespaces: {matchLabels: {kubernetes.io/metadata.name: default}}}
                  ingress:
                  - name: what-\(name)-says
                    action: \(action)
                    from: [{pods: {namespaceSelector: {}, podSelector: {}}}]
                    protocols: [{tcp: {destinationPort: {number: 7000}}}]
                """)
        }
        try TestCluster.with(file, name: "tiers") { cluster in
            /// Whether amy and bob reach echo, by the kernel; where the kernel and the compiled rules differ that is a failure of itself.
            func reach() throws -> [Bool?] {
                Thread.sleep(forTimeInterval: 0.1)
                let result = cluster.minik("matrix --probe --ports 7000 -o json")
                #expect(result.isSuccess, "\(result)")
                let flows = try JSON(parsing: result.output)["flows"].items
                return ["default/amy", "default/bob"].map { from in
                    flows.first { $0["from"].string == from && $0["to"].string == "default/echo" }?["measured"].bool
                }
            }
            func apply(_ path: String) { #expect(cluster.minik("apply -f \(path)").isSuccess) }
            #expect(try reach() == [true, true])
            apply(try policy("base", "Baseline", "Deny", 5))
            #expect(try reach() == [false, false])
            #expect(
                cluster.minik("why amy echo:7000").output.contains(
                    "denied by ClusterNetworkPolicy Baseline base ingress[0] (what-base-says): Deny"))
            apply(friends)
            #expect(try reach() == [true, false], "the namespace's own policy decides for good")
            apply(try policy("open", "Admin", "Accept", 20))
            #expect(try reach() == [true, true])
            #expect(cluster.minik("why bob echo:7000").output.contains("allowed by ClusterNetworkPolicy Admin open ingress[0]"))
            apply(try policy("shut", "Admin", "Deny", 10))
            #expect(try reach() == [false, false])
            apply(try policy("first", "Admin", "Pass", 1))
            #expect(try reach() == [true, false])
            #expect(
                cluster.minik("get cnp").output.split(separator: "\n").map { $0.split(separator: " ").prefix(3).joined(separator: " ") }
                    == [
                        "NAME TIER PRIORITY", "base Baseline 5", "first Admin 1", "open Admin 20", "shut Admin 10",
                    ])
            try denyNodes(cluster)
            #expect(try reach() == [true, false], "pods are no nodes")
            let bad = try policy("bad", "Admin", "Deny", 1001)
            #expect(cluster.minik("apply -f \(bad)").errors.contains("spec.priority in body should be less than or equal to 1000"))
        }
    }

    /// Nobody has forbidden amy the nodes; then a policy of the cluster does, her own node included.
    private func denyNodes(_ cluster: TestCluster) throws {
        let places = cluster.minik("get pod amy -o json")
        let home = try #require(try JSON(parsing: places.output)["spec"]["nodeName"].string)
        let nodes = ["master", "worker"]
        for node in nodes { #expect(cluster.minik("why amy node/\(node):10250").isSuccess, "nobody has forbidden it yet") }
        let denial = try ClusterFiles.write(
            """
            apiVersion: policy.networking.k8s.io/v1beta1
            kind: ClusterNetworkPolicy
            metadata: {name: no-nodes}
            spec: {tier: Admin, priority: 0, subject: {namespaces: {}}, egress: [{action: Deny, to: [{nodes: {}}]}]}
            """)
        #expect(cluster.minik("apply -f \(denial)").isSuccess)
        for node in nodes {
            let why = cluster.minik("why amy node/\(node):10250")
            #expect(
                why.status == 1 && why.output.contains("egress: denied by ClusterNetworkPolicy Admin no-nodes egress[0]: Deny")
                    && why.output.contains("the kernel agrees"), "\(node == home ? "its own" : "another") node: \(why)")
        }
    }

    @Test("a plugin that does not enforce policies is told of loudly")
    func notEnforced() throws {
        let file = try ClusterFiles.write(lab("loose", subnet: 223, plugin: "flannel")), policy = try ClusterFiles.write(Self.onlyFriends)
        try TestCluster.with(file, name: "loose") { cluster in
            let warning = "Warning: NetworkPolicies exist, but the cluster's plugin \"flannel\" does not enforce them"
            #expect(!cluster.minik("get netpol").errors.contains(warning), "nothing to warn of yet")
            for command in ["apply -f \(policy)", "get netpol", "why bob echo:7000", "matrix --ports 7000 --probe"] {
                let result = cluster.minik(command)
                #expect(result.isSuccess && result.errors.contains(warning), "\(result)")
            }
        }
    }

    @Test(
        "from the first instant: of 200 pods that connect as their first act, into and out of a locked namespace, none gets through",
        .timeLimit(.minutes(3)))
    func firstInstant() throws {
        let more = """

            ---
            apiVersion: v1
            kind: Namespace
            metadata: {name: locked}
            ---
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: deny, namespace: locked}
            spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
            """
        let servers = Self.server.replacing("NAMESPACE", with: "namespace: locked,").replacing("NAME", with: "inside")
        let file = try ClusterFiles.write(lab("churn", subnet: 224) + more + "\n" + servers)
        try TestCluster.with(file, name: "churn") { cluster in
            let open = try #require(try cluster.pods("app=echo").first?.ip)
            let inside = try #require(
                Shell.json("\(Shell.minik) get pod inside -n locked --cluster churn -o json")["status"]["podIP"].string)
            func pod(_ name: String, _ namespace: String, _ target: String) -> String {
                """
                apiVersion: v1
                kind: Pod
                metadata: {name: \(name), namespace: \(namespace), labels: {churn: "true"}}
                spec:
                  restartPolicy: Never
                  terminationGracePeriodSeconds: 0
                  containers: [{name: c, image: busybox, command: [sh, -c, "echo through | timeout 1 nc \(target) 7000 | grep through"]}]
                """
            }
            // In waves of fifty: half go in, half come out; a few that may pass show that the others could have.
            for wave in 0..<4 {
                var documents = (0..<25).flatMap {
                    [pod("in-\(wave)-\($0)", "default", inside), pod("out-\(wave)-\($0)", "locked", "\(open)")]
                }
                documents += (0..<2).map { pod("free-\(wave)-\($0)", "default", "\(open)") }
                #expect(cluster.minik("apply -f \(try ClusterFiles.write(documents.joined(separator: "\n---\n")))", seconds: 60).isSuccess)
                let ended = try Shell.eventually(seconds: 40) { () -> [Pod]? in
                    let pods = try Shell.json("\(Shell.minik) get pods -A --cluster churn -l churn=true -o json")["items"].items.map {
                        Pod($0)
                    }
                    return pods.count == 52 && pods.allSatisfy(\.isFinished) ? pods : nil
                }
                #expect(ended.filter { $0.phase == "Succeeded" && !$0.name.hasPrefix("free") }.map(\.name).isEmpty, "these got through")
                #expect(ended.filter { $0.phase == "Succeeded" }.count == 2, "those that may pass do")
                #expect(
                    cluster.minik("delete pods -l churn=true").isSuccess && cluster.minik("delete pods -l churn=true -n locked").isSuccess)
            }
        }
    }
}
