import CHost
import Glibc
import Host

/// The hierarchies of control groups that are mounted here. Version 1 has one a controller, version 2 one for all; a machine may have both.
package struct Cgroups: Sendable, Hashable {
    /// Where version 1 is mounted, by controller.
    package let controllers: [String: String]
    /// Where version 2 is mounted.
    package let unified: String?

    /// `mounts` is the text of /proc/self/mounts. What is mounted read-only is no use.
    package init(mounts: String) {
        var controllers: [String: String] = [:], unified: String?
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ").map(String.init)
            guard fields.count > 3, case let options = fields[3].split(separator: ",").map(String.init), !options.contains("ro") else {
                continue
            }
            if fields[2] == "cgroup2" { unified = unified ?? fields[1] }
            if fields[2] == "cgroup" { for option in options where controllers[option] == nil { controllers[option] = fields[1] } }
        }
        self.controllers = controllers
        self.unified = unified
    }

    package static func ofMachine() -> Cgroups { Cgroups(mounts: Files.text("/proc/self/mounts") ?? "") }

    /// Who may say which devices open: the list of version 1's controller, or a program attached to a group of version 2.
    package enum DeviceControl: Sendable, Hashable {
        case list(mount: String)
        case program(mount: String)

        package var mount: String {
            switch self {
            case .list(let mount), .program(let mount): mount
            }
        }

        /// Lets the processes of the group in `directory` have these devices and no others.
        package func limit(_ directory: String, to rules: [DeviceRule]) throws {
            switch self {
            case .list:
                try Files.tell("a", to: "\(directory)/devices.deny")
                for rule in rules { try Files.tell("\(rule)", to: "\(directory)/devices.allow") }
            case .program:
                let program = DeviceProgram.compile(rules).map(\.encoded)
                let result = host_limit_devices(directory, program, program.count)
                guard result == 0 else { throw FileError("attach a device program to", directory, errno: -result) }
            }
        }
    }

    /// The first that works here, found by trying; nil where none does.
    package func deviceControl() -> DeviceControl? {
        let candidates = [controllers["devices"].map(DeviceControl.list), unified.map(DeviceControl.program)].compactMap { $0 }
        return candidates.first { control in
            let group = "\(control.mount)/\(CgroupPath.root)/trial-\(getpid())"
            defer {
                rmdir(group)
                rmdir("\(control.mount)/\(CgroupPath.root)")  // stays while clusters are below it
            }
            do {
                try Files.makeDirectory(group)
                try control.limit(group, to: DeviceRule.standard)
                return true
            } catch { return false }
        }
    }

    /// What this machine cannot do for its containers, and what follows; nil when all is well.
    package static var shortcoming: String? {
        guard ofMachine().deviceControl() == nil else { return nil }
        return
            "no control groups that limit devices here (neither version 1's devices nor version 2): containers cannot make device files, and none on their volumes open"
    }
}
