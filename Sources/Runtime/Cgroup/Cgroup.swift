import Glibc
import Host

/// One control group, in every hierarchy that is used.
package struct Cgroup: Sendable, Hashable {
    package let path: CgroupPath
    /// Where the hierarchies in use are mounted: devices alone so far.
    private let control: Cgroups.DeviceControl?

    package init(_ path: CgroupPath, _ control: Cgroups.DeviceControl?) {
        self.path = path
        self.control = control
    }

    private var directories: [String] { control.map { ["\($0.mount)/\(path)"] } ?? [] }

    /// Makes it, with no devices but these; nil: all. The directories that a process joins it by.
    package func make(devices rules: [DeviceRule]?) throws -> [String] {
        for directory in directories { try Files.makeDirectory(directory) }
        if let control, let rules, let directory = directories.first { try control.limit(directory, to: rules) }
        return directories
    }

    /// One below it, in the same hierarchies.
    package func below(_ step: (CgroupPath) -> CgroupPath) -> Cgroup { Cgroup(step(path), control) }

    /// The names of the groups below it.
    package var children: [String] { Set(directories.flatMap { Self.groups(in: $0) }).sorted() }

    /// Ends every process in it and below it.
    package func kill() {
        for directory in directories { Self.kill(directory) }
    }

    private static func kill(_ directory: String) {
        for name in groups(in: directory) { kill("\(directory)/\(name)") }
        for pid in (Files.text("\(directory)/cgroup.procs") ?? "").split(separator: "\n").compactMap({ pid_t($0) }) where pid > 0 {
            Glibc.kill(pid, SIGKILL)
        }
    }

    /// Removes it and what is below it, waiting a little for processes that are on their way out. In words, what is still there.
    @discardableResult
    package func delete(milliseconds: Int = 0) -> [String] {
        var left = directories.filter { !Self.remove($0) }
        for _ in 0..<(milliseconds / 20) where !left.isEmpty {
            usleep(20_000)
            left = left.filter { !Self.remove($0) }
        }
        return left.map { "\($0) is still there: processes run in it" }
    }

    private static func groups(in directory: String) -> [String] { Files.directories(in: directory) }

    private static func remove(_ directory: String) -> Bool {
        // Most have none below them.
        if rmdir(directory) == 0 || errno == ENOENT { return true }
        for name in groups(in: directory) { _ = remove("\(directory)/\(name)") }
        return rmdir(directory) == 0 || errno == ENOENT
    }
}

extension Cgroup {
    /// What `path` names in every hierarchy that may have been used on this machine.
    package static func everywhere(_ path: CgroupPath) -> [Cgroup] {
        let here = Cgroups.ofMachine()
        let controls = [here.controllers["devices"].map(Cgroups.DeviceControl.list), here.unified.map(Cgroups.DeviceControl.program)]
        return controls.compactMap { $0 }.map { Cgroup(path, $0) }
    }

    package var exists: Bool { directories.contains { Files.exists($0) } }

    /// Removes it unless something is below it.
    package func deleteIfEmpty() {
        for directory in directories { rmdir(directory) }
    }
}
