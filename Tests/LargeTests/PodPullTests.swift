import Foundation
import Glibc
import Host
import Model
import Runtime
import Testing

@Suite("[Serial] pods that pull their images", .serialized, .printsClusters)
struct PodPullTests {
    /// kubectl on a cluster that is up.
    private struct Kubectl {
        let kubeconfig: String

        func callAsFunction(_ arguments: String, input: String? = nil) -> CommandResult {
            let here = input.map { " <<'END'\n\($0)\nEND" } ?? ""
            return Shell.run("\(Shell.root)/.build/clients/kubectl-1.32 --kubeconfig \(kubeconfig) \(arguments)\(here)")
        }

        func get(_ what: String) throws -> JSON { try JSON(parsing: self("get \(what) -o json").output) }

        /// A pod that pulls by what its tag says, unless a policy is named.
        func run(_ name: String, _ image: String, _ more: String = "") -> CommandResult {
            let spec = "{terminationGracePeriodSeconds: 0, containers: [{name: c, image: \"\(image)\"}]\(more)}"
            return self("apply -f -", input: "apiVersion: v1\nkind: Pod\nmetadata: {name: \(name)}\nspec: \(spec)")
        }

        /// What `kubectl get pods` says of it.
        func status(_ pod: String) -> String {
            self("get pod \(pod) --no-headers").output.split(separator: " ").dropFirst(2).first.map(String.init) ?? ""
        }

        func events(_ pod: String) throws -> [(reason: String, message: String)] {
            try get("events --field-selector involvedObject.name=\(pod)")["items"].items.map {
                ($0["reason"].string ?? "", $0["message"].string ?? "")
            }
        }

        func runs(_ pod: String, seconds: Double = 30) throws {
            let running: Bool? = try? Shell.eventually(seconds: seconds) { status(pod) == "Running" ? true : nil }
            if running != true { Issue.record("\(pod) does not run: \(self("describe pod \(pod)").output)") }
        }
    }

    private func withCluster(_ name: String, subnet: Int, _ spec: String = "", _ body: (Kubectl) throws -> Void) throws {
        let cluster = try ClusterFiles.write(ClusterFiles.cluster(name, subnet: subnet, more: spec))
        defer { Shell.minik("down \(name)") }
        let up = Shell.minik("up \(cluster) --no-kubeconfig", seconds: 60)
        try #require(up.isSuccess, "\(up)")
        let kubeconfig = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).kubeconfig").path
        defer { unlink(kubeconfig) }
        try #require(Shell.run("umask 077; \(Shell.minik) kubeconfig -c \(name) > \(kubeconfig)").isSuccess)
        try body(Kubectl(kubeconfig: kubeconfig))
    }

    @Test("a pod pulls, the next finds it there; what is not there is ErrImagePull, then ImagePullBackOff, and runs once it is pushed")
    func plain() throws {
        let registry = try Registry(port: 5911)
        let name = "\(registry.host)/team/app"
        try WordImage.with(["\(name):1", "\(name):late", "\(name):latest"]) { archive in
            try #require(registry.push(archive, "team/app:1").isSuccess)
            try withCluster("podpull", subnet: 221) { kubectl in
                #expect(kubectl.run("late", "\(name):late").isSuccess)
                #expect(kubectl.run("first", "\(name):1").isSuccess)
                try kubectl.runs("first")
                #expect(kubectl("logs first").output == "from a registry\n")
                let status = try kubectl.get("pod first")["status"]["containerStatuses"][0]
                let digest = try Shell.json("\(Shell.minik) image inspect \(name):1")[0]["RepoDigests"][0].string
                #expect(status["imageID"].string == digest)
                let pulled = try kubectl.events("first").first { $0.reason == "Pulled" }?.message ?? ""
                #expect(
                    pulled.contains(
                        /^Successfully pulled image "\S+app:1" in \d\S*s \(\d\S*s including waiting\)\. Image size: \d+ bytes\.$/),
                    "\(pulled)")
                #expect(kubectl.run("second", "\(name):1").isSuccess)
                try kubectl.runs("second")
                #expect(try kubectl.events("second").contains { $0.message.contains("already present on machine") })
                #expect(try kubectl.events("late").contains { $0.message.contains("manifest unknown") })
                _ = try Shell.eventually { kubectl.status("late") == "ImagePullBackOff" ? true : nil }
                try #require(registry.push(archive, "team/app:late").isSuccess)
                try kubectl.runs("late", seconds: 60)
                let told = Set(try kubectl.events("late").map(\.message))
                #expect(told.isSuperset(of: ["Error: ErrImagePull", "Error: ImagePullBackOff", "Back-off pulling image \"\(name):late\""]))
                // With Always the registry is asked, and sends nothing that is there.
                try #require(registry.push(archive, "team/app:latest").isSuccess)
                for pod in ["always", "again"] {
                    #expect(kubectl.run(pod, name).isSuccess)
                    try kubectl.runs(pod)
                    #expect(try kubectl.events(pod).contains { $0.reason == "Pulling" })
                }
                let images = try Shell.eventually(seconds: 30) {
                    let names = try kubectl.get("node worker")["status"]["images"].items.flatMap { $0["names"].items.compactMap(\.string) }
                    return names.contains("\(name):latest") ? names : nil
                }
                #expect(images.contains(digest ?? "none"))
            }
        }
    }

    @Test(
        "secrets of a pod and of its service account let it in, and nothing else does; who vouches for a registry is the document's to say")
    func locked() throws {
        let registry = try Registry(port: 5912, isLocked: true)
        let name = "\(registry.host)/app"
        try WordImage.with(["\(name):1", "\(name):2"]) { archive in
            for tag in ["1", "2"] {
                let pushed = registry.push(
                    archive, "app:\(tag)", options: "--dest-tls-verify=false --dest-creds \(Registry.user):\(Registry.password)")
                try #require(pushed.isSuccess, "\(pushed)")
            }
            let spec = "  registries: [{host: \"\(registry.host)\", caFile: \(registry.directory)/cert.pem}]\n"
            try withCluster("podlock", subnet: 222, spec) { kubectl in
                #expect(kubectl.run("stranger", "\(name):1").isSuccess)
                _ = try Shell.eventually { try kubectl.events("stranger").contains { $0.reason == "Failed" } ? true : nil }
                let told = try kubectl.events("stranger").map(\.message)
                #expect(told.contains { $0.contains("authentication required") }, "\(told)")
                let made = kubectl(
                    "create secret docker-registry key --docker-server=\(registry.host) --docker-username=\(Registry.user) --docker-password=\(Registry.password)"
                )
                #expect(made.isSuccess, "\(made)")
                #expect(kubectl.run("own", "\(name):1", ", imagePullSecrets: [{name: none}, {name: key}]").isSuccess)
                try kubectl.runs("own")
                #expect(try kubectl.events("own").contains { $0.reason == "FailedToRetrieveImagePullSecret" })
                let patched = kubectl("patch serviceaccount default -p '{\"imagePullSecrets\": [{\"name\": \"key\"}]}'")
                #expect(patched.isSuccess, "\(patched)")
                #expect(kubectl.run("accounts", "\(name):2").isSuccess)
                try kubectl.runs("accounts")
                #expect(try kubectl.get("pod accounts")["spec"]["imagePullSecrets"][0]["name"].string == "key")
            }
        }
    }

    @Test("a pod that is deleted while its registry says nothing is gone at once, and nothing goes on fetching for it")
    func hung() throws {
        let listen = "import socket,time; s=socket.socket(); s.bind((\"127.0.0.1\",5915)); s.listen(9); time.sleep(120)"
        let pid = SmallProgram.spawn(["/usr/bin/python3", "-c", listen], environment: [], stdio: [-1, -1, -1])
        try #require(pid > 0)
        defer {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
        try withCluster("podhang", subnet: 224) { kubectl in
            #expect(kubectl.run("waits", "127.0.0.1:5915/app:1").isSuccess)
            #expect(kubectl.run("other", "httpd").isSuccess)
            let fetching = "pgrep -f '^/usr/bin/skopeo.*127.0.0.1:5915'"
            _ = try Shell.eventually { Shell.run(fetching).isSuccess ? true : nil }
            try kubectl.runs("other")
            #expect(kubectl.status("waits") == "ContainerCreating")
            let deleted = kubectl("delete pod waits --timeout=5s")
            #expect(deleted.isSuccess, "\(deleted)")
            _ = try Shell.eventually(seconds: 3) { Shell.run(fetching).isSuccess ? nil : true }
            #expect(Shell.run("ls /var/lib/minik/images/pulls").output == "", "what it needed has gone with it")
        }
    }

    @Test("the document's images are there before pods are, from an archive and from a mirror; what is wrong is told and leaves nothing")
    func document() throws {
        let registry = try Registry(port: 5913)
        try WordImage.with(["app:1", "hub.example/team/app:1"]) { archive in
            try #require(registry.push(archive, "mirrored/team/app:1").isSuccess)
            let spec =
                "  images: [\(archive), \"hub.example/team/app:1\"]\n"
                + "  registries: [{host: hub.example, mirrors: [\"127.0.0.1:5914/none\", \"\(registry.host)/mirrored\"]}]\n"
            try withCluster("podlab", subnet: 223, spec) { kubectl in
                for (pod, image) in [("loaded", "app:1"), ("mirrored", "hub.example/team/app:1")] {
                    #expect(kubectl.run(pod, image).isSuccess)
                    try kubectl.runs(pod)
                    #expect(try kubectl.events(pod).contains { $0.message.contains("already present on machine") })
                }
            }
            for (images, words) in [
                ("/none/app.tar", "there is no file /none/app.tar"), ("\"127.0.0.1:5914/app\"", "spec.images: 127.0.0.1:5914/app: "),
            ] {
                let file = try ClusterFiles.write(ClusterFiles.cluster("podlab", subnet: 223, more: "  images: [\(images)]\n"))
                let up = Shell.minik("up \(file) --no-kubeconfig", seconds: 60)
                #expect(up.status == 1 && up.errors.contains(words), "\(up)")
                #expect(!Shell.minik("ls").output.contains("podlab"))
            }
        }
    }
}
