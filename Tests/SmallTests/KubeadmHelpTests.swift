import Kubeadm
import Testing

@Suite("kubeadm's help and its phases")
struct KubeadmHelpTests {
    @Test(
        "--help, -h and `help COMMAND` print how a command is called, and nothing is done",
        arguments: [
            "init", "join", "reset", "token", "token create", "token list", "token delete", "token generate", "config", "config images",
            "config images list", "config images pull", "config print", "config migrate", "config validate", "certs",
            "certs certificate-key", "certs check-expiration", "certs renew", "version",
        ])
    func help(command: String) async {
        let asked = await KubeadmCall("\(command) --help")
        #expect(asked.code == 0 && asked.errors.isEmpty)
        #expect(asked.out.contains("\nUsage:\n  kubeadm \(command)"))
        for line in ["\(command) -h", "help \(command)", "-v 5 \(command) --help", "\(command) operand another --help"] {
            let again = await KubeadmCall(line)
            #expect(again.code == 0 && again.errors.isEmpty && again.out == asked.out, "\(line)")
        }
    }

    @Test("help names every flag and says what it is for")
    func flags() async {
        for command in ["init", "join", "reset", "token create", "token list", "config images list", "config migrate", "certs renew"] {
            let rows = await KubeadmCall("help \(command)").out.split(separator: "\n").filter { $0.contains(" --") && $0.hasPrefix("  ") }
            #expect(rows.contains { $0.hasPrefix("  -h, --help") })
            for row in rows where !row.contains("kubeadm ") {
                let words = row.split(separator: " ").filter {
                    !["string", "strings", "int32", "duration", "-h,", "-v,", "-o,", "-f,"].contains($0)
                }
                #expect(words.count > 1, "\(command): \(row)")
            }
        }
        #expect(await KubeadmCall("init --help").out.contains("      --pod-network-cidr string "))
        #expect(await KubeadmCall("reset --help").out.contains("  -f, --force "))
        #expect(await KubeadmCall("init --help").out.contains("\n  kubelet-finalize/enable-client-cert-rotation\n"))
    }

    @Test("a bad flag is refused whether help is asked for or not; a topic that is none is named")
    func refusals() async {
        #expect(await KubeadmCall("init --help --foo").errors.hasPrefix("error: unknown flag: --foo\n"))
        let topic = await KubeadmCall("help nosuch")
        #expect(topic.code == 0 && topic.errors == "Unknown help topic [`nosuch`]" && topic.out.hasPrefix("kubeadm: "))
    }

    @Test("a group without a command below it prints its help and fails")
    func groups() async {
        let group = await KubeadmCall("token")
        #expect(group.code == 1 && group.errors == "error: \nerror: subcommand is required\n\(KubeadmCall.trace)")
        #expect(group.out == (await KubeadmCall("token --help").out))
    }

    @Test("flags that are taken without effect are named")
    func idle() async {
        let call = await KubeadmCall("init --patches /root/patches --upload-certs")
        #expect(call.errors.contains("] --patches is without effect: "))
        #expect(call.errors.contains("] --upload-certs is without effect: minik's clusters have one control plane"))
    }

    @Test(
        "parts of phases can be left out; what is no phase of the release is named",
        arguments: [
            ("init --skip-phases control-plane/scheduler,kubeconfig/admin,certs/etcd-server,certs/sa,etcd/local", true),
            ("init --skip-phases upload-config/kubelet --skip-phases addon/kube-proxy,kubeconfig/super-admin", true),
            ("init --skip-phases kubelet-finalize/enable-client-cert-rotation,show-join-command", true),
            ("init --kubernetes-version v1.20.2 --skip-phases kubelet-finalize/experimental-cert-rotation", true),
            ("init --kubernetes-version v1.20.2 --skip-phases kubeconfig/super-admin", false), ("init --skip-phases certs/foo", false),
            ("init --skip-phases foo", false), ("reset -f --skip-phases update-cluster-status", false),
            ("reset -f --skip-phases remove-etcd-member", true),
            (
                "join a:6443 --token abcdef.0123456789abcdef --discovery-token-unsafe-skip-ca-verification --skip-phases kubelet-wait-bootstrap",
                true
            ),
            ("join a:6443 --token abcdef.0123456789abcdef --discovery-token-unsafe-skip-ca-verification --skip-phases etcd/local", false),
        ])
    func phases(line: String, isKnown: Bool) async {
        let call = await KubeadmCall(line)
        #expect(call.code == 1)
        #expect(call.errors.contains("invalid phase name: ") != isKnown, "\(call)")
        #expect(call.errors.contains("user is not running as root") == isKnown, "\(call)")
    }
}
