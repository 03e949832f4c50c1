import Host
import Model
import Runtime

/// kubeadm, as the release speaks that is asked for: what it writes are real files, what it asks a real API.
package struct KubeadmTool: Sendable {
    let console: Console
    let machine: Machine

    package init(machine: Machine = Machine(), console: Console = .standard) { (self.machine, self.console) = (machine, console) }

    /// The exit code.
    package func run(_ words: [String]) async -> Int32 {
        let isOld = spoken(words).isOld
        do {
            try await dispatch(words)
            return 0
        } catch let error as KubeadmError {
            if isOld {
                if !error.preamble.isEmpty {
                    console.complain("\(error.description): \(error.preamble)")
                } else {
                    console.complain(error.description)
                }
            } else {
                if !error.preamble.isEmpty { console.complain(error.preamble) }
                console.complain("error: \(error)")
            }
            if let dash = Arguments.longDash(in: words) {
                console.complain(
                    "  \"\(dash)\" begins with the long dash that a word processor makes of --, and is no flag: type two hyphens")
            }
            console.complain("To see the stack trace of this error execute with --v=5 or higher")
            return isOld && error.isValidation ? 3 : 1
        } catch {
            console.complain("\(isOld ? "" : "error: ")\(error)")
            console.complain("To see the stack trace of this error execute with --v=5 or higher")
            return 1
        }
    }

    /// The release whose words are used: the one that is asked for, else the machine's.
    private func spoken(_ words: [String]) -> Release {
        for (index, word) in words.enumerated() {
            let value =
                word == "--kubernetes-version" && index + 1 < words.count
                ? words[index + 1] : word.hasPrefix("--kubernetes-version=") ? String(word.dropFirst("--kubernetes-version=".count)) : nil
            if let version = value.flatMap({ KubernetesVersion($0) }), version <= Self.newest, version >= .oldest {
                return Release(version)
            }
        }
        return Release(machine.version)
    }

    static let newest = KubernetesVersion(KubernetesVersion.current.major, KubernetesVersion.current.minor, 9999)

    private func dispatch(_ words: [String]) async throws {
        let rest = Array(words.dropFirst())
        switch words.first {
        case nil, "--help", "-h", "help": console.out(Usage.text)
        case "init" where rest.first == "phase", "join" where rest.first == "phase", "reset" where rest.first == "phase":
            throw KubeadmError("minik's kubeadm runs all phases; leave some out with --skip-phases")
        case "init": try await InitCommand(tool: self).run(rest)
        case "join": try await JoinCommand(tool: self).run(rest)
        case "reset": try await ResetCommand(tool: self).run(rest)
        case "token": try await TokenCommand(tool: self).run(rest)
        case "config": try await ConfigCommand(tool: self).run(rest)
        case "certs": try await CertsCommand(tool: self).run(rest)
        case "alpha" where rest.first == "certs": try await CertsCommand(tool: self).run(Array(rest.dropFirst()))
        case "version": try VersionCommand(tool: self).run(rest)
        case .some(let word) where word.hasPrefix("-"):
            throw KubeadmError(
                word.hasPrefix("--") ? "unknown flag: \(word)" : "unknown shorthand flag: '\(word.dropFirst().prefix(1))' in \(word)")
        case .some(let word): throw KubeadmError("unknown command \"\(word)\" for \"kubeadm\"")
        }
    }

    /// What a group of commands says that got none of them.
    func missing(_ group: String) -> KubeadmError {
        Release(machine.version).isOld
            ? KubeadmError("missing subcommand; \"\(group)\" is not meant to be run on its own") : KubeadmError("\nsubcommand is required")
    }

    /// Flags that every command has.
    static let global: [String: Arguments.Kind] = ["v": .number, "rootfs": .text, "vmodule": .text, "help": .isSet]
    static let shorts = ["v": "v", "h": "help"]
}

enum Usage {
    static let text = """
        kubeadm: bootstrap a Kubernetes cluster of machines (minik's, which does what the release does that you ask for)

        Usage:
          kubeadm [command]

        Commands:
          init         set up the control plane on this machine
          join         make this machine a node of a cluster
          reset        take back what init or join did here
          token        create, list, delete, generate: bootstrap tokens
          config       print, images, migrate, validate: configuration files
          certs        check-expiration, renew, certificate-key
          version      say which release this is

        Example:
          kubeadm init --pod-network-cidr=10.244.0.0/16     on one machine
          kubeadm join ADDRESS:6443 --token ... --discovery-token-ca-cert-hash sha256:...     on the others
        """
}
