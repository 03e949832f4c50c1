import Foundation
import Model
import Testing

/// A lab as a guest: its cluster is seen by a user without privileges, through a kubeconfig.
@Suite("[Serial] labs in clusters of others", .serialized, .printsClusters)
struct GuestClusterTests {
    @Test(
        "a lab is taken by nobody's user with a kubeconfig: probes are pods, a mistake has its words, what is not judged is said, stop leaves nothing"
    )
    func guest() throws {
        let home = "/tmp/minik-guest"
        let prepared = Shell.run("rm -rf \(home) && mkdir -m 777 \(home)")
        try #require(prepared.isSuccess, "\(prepared)")
        defer { Shell.run("rm -rf \(home)") }
        let file = try ClusterFiles.write(ClusterFiles.cluster("guest", subnet: 224))
        try TestCluster.with(file, name: "guest") { cluster in
            let written = Shell.run("\(Shell.minik) kubeconfig guest > \(home)/config && chmod 644 \(home)/config")
            try #require(written.isSuccess, "\(written)")
            let user = "setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=\(home)"
            func lab(_ arguments: String) -> CommandResult { Shell.run("\(user) \(Shell.minik) lab \(arguments)", seconds: 90) }

            let damaged = lab("start repair-mtu --kubeconfig \(home)/config")
            #expect(damaged.status == 1 && damaged.errors.contains("it is about damaged nodes"), "\(damaged)")
            #expect(lab("start repair-mtu --kubeconfig \(home)/none").errors.contains("cannot read the kubeconfig"))

            let start = lab("start default-deny --kubeconfig \(home)/config")
            try #require(start.isSuccess && start.output.contains("in the namespace minik-lab"), "\(start)")
            #expect(start.errors.contains("pods of kube-system are not the lab's"), "\(start)")
            #expect(lab("start services --kubeconfig \(home)/config").errors.contains("a lab runs already"))
            let first = lab("check -o json")
            #expect(first.status == 2, "\(first)")
            let findings = try JSON(parsing: first.output)["tasks"][0]["findings"].items
            #expect(
                findings.dropFirst().allSatisfy { $0["verdict"] == "allowed" && $0["computed"].isNull } && findings.count == 4, "\(first)")

            let mistake = """
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {name: default-deny}
                spec: {podSelector: {}, policyTypes: [Ingress]}
                """
            let wrong = Shell.run("\(user) \(Shell.minik) lab shell <<'END'\nkubectl apply -f - <<'X'\n\(mistake)\nX\nEND\n")
            #expect(wrong.isSuccess, "\(wrong)")
            let refused = lab("check --lang en")
            #expect(refused.status == 2 && refused.output.contains("pods still get out"), "\(refused)")
            #expect(try Shell.json("\(Shell.minik) get networkpolicies -c guest -o json")["items"].items.isEmpty, "default is not touched")
            let solved = lab("solve shut")
            #expect(solved.isSuccess && solved.output.contains("✓ shut"), "\(solved)")

            let pods = try Shell.json("\(Shell.minik) get pods -n minik-lab -c guest -o json")["items"].items
            #expect(pods.contains { $0["spec"]["ephemeralContainers"][0]["name"] == "minik-probe" }, "a probe is in the pod that asks")
            let stop = lab("stop")
            #expect(stop.isSuccess, "\(stop)")
            let namespaces = try Shell.json("\(Shell.minik) get namespaces -c guest -o json")["items"].items
            #expect(namespaces.compactMap { $0["metadata"]["name"].string }.filter { $0.hasPrefix("minik") }.isEmpty)
            #expect(Shell.run("ls -A \(home)/.local/state/minik").output.trimmed.isEmpty, "nothing of it is left at home")
        }
    }
}
