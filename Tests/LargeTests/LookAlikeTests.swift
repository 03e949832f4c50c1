import Foundation
import Glibc
import Model
import Runtime
import Testing

@Suite("[Serial] minik's look-alikes of public images", .serialized, .printsClusters)
struct LookAlikeTests {
    private static let titles =
        ["alpine", "busybox", "httpd", "nginx", "pause", "redis", "registry"].map { "docker.io/library/\($0)" }
        + ["docker.io/curlimages/curl", "docker.io/hashicorp/http-echo", "docker.io/nicolaka/netshoot"]

    /// A cluster with these objects, and a pod `client` that has all there is to ask others with.
    private static func with(_ name: String, subnet: Int, _ objects: String, _ body: (TestCluster) throws -> Void) throws {
        // Of packages that are here, or with a network; all later calls find them.
        let assembled = Shell.minik("image assemble", seconds: 600)
        try #require(assembled.isSuccess, "\(assembled)")
        let client = pod("client", "nicolaka/netshoot", "command: [sleep, \"100000\"]")
        let file = try ClusterFiles.write("\(ClusterFiles.cluster(name, subnet: subnet))\n\(client)\n\(objects)")
        try TestCluster.with(file, name: name) { cluster in try body(cluster) }
    }

    /// A pod of one container; `more` are fields of it.
    private static func pod(_ name: String, _ image: String, _ more: String = "stdin: false", _ spec: String = "") -> String {
        """
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: \(name), labels: {app: \(name)}}
        spec:
          containers:
          - name: c
            image: "\(image)"
            imagePullPolicy: IfNotPresent
            \(more)
          \(spec)
        """
    }

    private static func service(_ name: String, _ port: Int, _ target: Int? = nil) -> String {
        """
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: \(name)}
        spec: {selector: {app: \(name)}, ports: [{port: \(port), targetPort: \(target ?? port)}]}
        """
    }

    /// What a command in the pod `client` prints.
    private func ask(_ cluster: TestCluster, _ command: String, in pod: String = "client") -> String {
        cluster.minik("exec \(pod) -- sh -c '\(command)'").output
    }

    /// The same, until it is as expected.
    private func ask(_ cluster: TestCluster, _ command: String, in pod: String = "client", until: (String) -> Bool) {
        var last = ""
        let found: Bool? = try? Shell.eventually {
            last = ask(cluster, command, in: pod)
            return until(last) ? true : nil
        }
        if found != true { Issue.record("\(command) in \(pod) says: \(last)") }
    }

    private func status(_ cluster: TestCluster, _ pod: String) throws -> JSON {
        try Shell.json("\(Shell.minik) get pod \(pod) -c \(cluster.name) -o json")["status"]
    }

    private func messages(_ cluster: TestCluster, of pod: String) throws -> [String] {
        try Shell.json("\(Shell.minik) get events -c \(cluster.name) -o json")["items"].items.filter {
            $0["involvedObject"]["name"].string == pod
        }.compactMap { event in event["message"].string.map { "\(event["reason"].string ?? "") \($0)" } }
    }

    /// Seconds until a pod is gone.
    private func deleted(_ cluster: TestCluster, _ pod: String) -> Double {
        let start = Date(), result = cluster.minik("delete pod \(pod)")
        #expect(result.isSuccess, "\(result)")
        return Date().timeIntervalSince(start)
    }

    @Test("a pod has its look-alike assembled, whatever its policy; the list, the node and the pod's events tell it; in use it stays")
    func assembled() throws {
        try Self.with("lookmade", subnet: 231, "") { cluster in
            let list = Shell.minik("image ls").output
            for title in Self.titles { #expect(list.contains(title) && !list.contains("not assembled"), "\(list)") }
            Shell.minik("image rm alpine")
            #expect(Shell.minik("image ls").output.contains(/docker.io\/library\/alpine +<any> +built-in, not assembled yet/))
            #expect(cluster.minik("run made --image=mirror.example/library/alpine:3 --image-pull-policy=Never -- sleep 1000").isSuccess)
            _ = try Shell.eventually { try status(cluster, "made")["phase"].string == "Running" ? true : nil }
            let told = try messages(cluster, of: "made")
            #expect(told.contains("Pulling Pulling image \"mirror.example/library/alpine:3\""), "\(told)")
            #expect(told.contains { $0.hasPrefix("Pulled Successfully pulled image") }, "\(told)")
            #expect(try status(cluster, "made")["containerStatuses"][0]["imageID"].string?.hasPrefix("sha256:") == true)
            #expect(cluster.minik("run again --image=alpine --image-pull-policy=Always -- sleep 1000").isSuccess)
            _ = try Shell.eventually { try status(cluster, "again")["phase"].string == "Running" ? true : nil }
            #expect(try messages(cluster, of: "again").contains { $0.contains("already present on machine") })
            let refused = Shell.minik("image rm alpine")
            #expect(!refused.isSuccess && refused.errors.contains("in use by pod default/"), "\(refused)")
            let inspected = try Shell.json("\(Shell.minik) image inspect alpine:3.18")[0]
            #expect(inspected["Config"]["Labels"]["dev.minik.look-alike"].string == "alpine")
            #expect(Shell.minik("image history busybox").output.contains("of Debian's busybox on this machine"))
            let names = try Shell.eventually(seconds: 30) {
                let images = try Shell.json("\(Shell.minik) get node worker -c lookmade -o json")["status"]["images"].items
                let names = images.flatMap { $0["names"].items.compactMap(\.string) }
                return names.contains("docker.io/library/alpine:latest") ? names : nil
            }
            #expect(names.contains("docker.io/nicolaka/netshoot:latest") && !names.contains { $0.contains("@") && $0.contains("alpine") })
            let apk = ask(cluster, "apk add curl 2>&1; cat /etc/alpine-release", in: "made")
            #expect(apk.contains("has no packages") && apk.contains("minik image pull alpine") && apk.contains("3.20"))
        }
    }

    @Test("what may be somebody's own image is pulled, and is no look-alike")
    func others() throws {
        try Self.with("lookother", subnet: 232, "") { cluster in
            for (pod, image) in [("own", "registry.invalid/acme/nginx:custom"), ("bare", "registry.invalid/httpd")] {
                #expect(cluster.minik("run \(pod) --image=\(image)").isSuccess)
                let reasons = ["ErrImagePull", "ImagePullBackOff"]
                _ = try Shell.eventually(seconds: 30) {
                    let waiting = try status(cluster, pod)["containerStatuses"][0]["state"]["waiting"]
                    return reasons.contains(waiting["reason"].string ?? "") ? true : nil
                }
            }
        }
    }

    @Test("nginx serves its page, what a ConfigMap says instead, and templates; it logs, and ends at once")
    func nginx() throws {
        let objects = """
            \(Self.pod("web", "nginx:1.27-alpine"))
            \(Self.service("web", 80))
            ---
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: conf}
            data:
              default.conf: |
                server { listen 8080; location / { return 200 "from a ConfigMap\\n"; } }
            \(Self.pod("moved", "registry.k8s.io/nginx-slim:0.24", "volumeMounts: [{name: conf, mountPath: /etc/nginx/conf.d}]", "volumes: [{name: conf, configMap: {name: conf}}]"))
            \(Self.service("moved", 80, 8080))
            ---
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: page}
            data: {index.html.template: "listen ${NGINX_PORT}, not $host\\n"}
            \(Self.pod("filled", "nginx", "env: [{name: NGINX_PORT, value: \"99\"}, {name: NGINX_ENVSUBST_OUTPUT_DIR, value: /usr/share/nginx/html}]\n    volumeMounts: [{name: page, mountPath: /etc/nginx/templates}]", "volumes: [{name: page, configMap: {name: page}}]"))
            \(Self.service("filled", 80))
            """
        try Self.with("looknginx", subnet: 233, objects) { cluster in
            ask(cluster, "curl -si http://web") { $0.contains("Server: nginx") && $0.contains("<title>Welcome to nginx!</title>") }
            ask(cluster, "curl -s http://moved") { $0 == "from a ConfigMap\n" }
            ask(cluster, "curl -s http://filled") { $0 == "listen 99, not $host\n" }
            #expect(cluster.minik("logs web").output.contains("\"GET / HTTP/1.1\" 200"))
            #expect(cluster.minik("exec web -- nginx -t").errors.contains("test is successful"))
            #expect(
                ask(cluster, "cat /proc/1/cmdline | tr \"\\0\" \" \"; bash -c \"echo bash\"", in: "web").contains("nginx -g daemon off;"))
            #expect(deleted(cluster, "web") < 5)
        }
    }

    @Test("redis answers other pods through its Service, keeps what it is told in /data, and is no root")
    func redis() throws {
        let objects = """
            \(Self.pod("redis", "redis:7", "args: [redis-server, --appendonly, \"yes\"]"))
            \(Self.service("redis", 6379))
            \(Self.pod("plain", "docker.io/redis", "command: [redis-server, \"--port\", \"7000\"]"))
            \(Self.service("plain", 7000))
            """
        try Self.with("lookredis", subnet: 234, objects) { cluster in
            ask(cluster, "redis-cli -h redis ping", in: "plain") { $0 == "PONG\n" }
            #expect(ask(cluster, "redis-cli -h redis set a b; redis-cli -h redis get a", in: "plain") == "OK\nb\n")
            ask(cluster, "redis-cli -h plain -p 7000 ping", in: "redis") { $0 == "PONG\n" }
            #expect(ask(cluster, "ls -l /data; ps -o user,args", in: "redis").contains(/redis +.*redis-server \*:6379/))
            #expect(
                ask(cluster, "ls -ld /data /data/appendonlydir", in: "redis").split(separator: "\n").allSatisfy { $0.contains(" redis ") })
            #expect(deleted(cluster, "redis") < 5)
        }
    }

    @Test("http-echo says its text, also where it may write nowhere and is no root; curl asks it; a registry answers; pause waits")
    func servers() throws {
        let locked = """
            args: ["-listen=:8080", "-text", "it costs $5 \\"or\\" less"]
                securityContext: {runAsUser: 1000, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
            """
        let objects = """
            \(Self.pod("echo", "hashicorp/http-echo:0.2.3", "args: [\"-text=hello\"]"))
            \(Self.service("echo", 80, 5678))
            \(Self.pod("locked", "hashicorp/http-echo", locked))
            \(Self.service("locked", 80, 8080))
            \(Self.pod("registry", "registry:2"))
            \(Self.service("registry", 5000))
            \(Self.pod("pause", "registry.k8s.io/pause:3.9"))
            \(Self.pod("old", "httpd:2.4"))
            \(Self.service("old", 80))
            """
        try Self.with("lookserve", subnet: 235, objects) { cluster in
            ask(cluster, "curl -s http://echo/any/path; curl -s -d x http://echo/p") { $0 == "hello\nhello\n" }
            ask(cluster, "curl -s http://locked") { $0 == "it costs $5 \"or\" less\n" }
            #expect(cluster.minik("logs locked").output.contains("GET / HTTP/1.1"))
            ask(cluster, "curl -s -o /dev/null -w \"%{http_code}\" http://registry:5000/v2/") { $0 == "200" }
            ask(cluster, "curl -s http://old") { $0.contains("It works!") }
            let curl = cluster.minik("run c --rm -i --restart=Never --image=curlimages/curl -- -s http://echo")
            #expect(curl.output.hasPrefix("hello\n"), "\(curl)")
            let pause = try status(cluster, "pause")["containerStatuses"][0]
            #expect(pause["restartCount"].int == 0 && pause["ready"].bool == true)
            for pod in ["pause", "echo", "locked", "registry"] { #expect(deleted(cluster, pod) < 5, "\(pod) ends when it is told to") }
        }
    }

    @Test("netshoot has what people look at networks with")
    func netshoot() throws {
        try Self.with("looknet", subnet: 236, "") { cluster in
            for (command, words) in [
                ("ip -V", "iproute2"), ("ss -V", "iproute2"), ("nc -h 2>&1", "OpenBSD netcat"), ("curl --version", "libcurl"),
                ("dig -v 2>&1", "DiG"), ("host -V 2>&1", "host"), ("tcpdump --version", "libpcap"), ("iperf3 --version", "iperf 3"),
                ("conntrack --version", "conntrack-tools"), ("nft --version", "nftables"),
                ("traceroute --version 2>&1", "Modern traceroute"),
                ("mtr --version", "mtr 0"), ("ethtool --version", "ethtool version"), ("socat -V", "socat version"),
                ("bash --version", "GNU bash"), ("ping -V", "iputils"), ("bridge -V", "bridge utility"), ("tc -V", "tc utility"),
            ] {
                #expect(ask(cluster, command).contains(words), "\(cluster.minik("exec client -- sh -c '\(command)'"))")
            }
            let heard = ask(cluster, "tcpdump -c 1 -nn -i lo icmp 2>/dev/null & sleep 1; ping -c 2 127.0.0.1 >/dev/null; wait")
            #expect(heard.contains("ICMP echo request"), "\(heard)")
            #expect(ask(cluster, "dig +short kubernetes.default.svc.cluster.local").hasPrefix("10."))
            #expect(ask(cluster, "mtr -r -n -c 1 127.0.0.1").contains("127.0.0.1"))
        }
    }
}
