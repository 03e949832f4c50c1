import CSandbox
import Model
import ShimProtocol

/// A user's or group's number. One that cannot be is nobody's, and no other's: least of all root's.
private func id(_ number: Int) -> UInt32 { Int32(exactly: number).flatMap { UInt32(exactly: $0) } ?? 65534 }

/// Calls `body` with the C form of a process; what is not in the spec is the caller's to fill in.
func withProcess<R>(_ spec: ProcessSpec, _ process: inout sandbox_process, _ body: (UnsafePointer<sandbox_process>) -> R) -> R {
    process.uid = id(spec.uid)
    process.gid = id(spec.gid)
    process.capabilities = spec.capabilities
    process.keyless = spec.privileged ? 0 : 1
    process.no_new_privileges = spec.noNewPrivileges ? 1 : 0
    process.terminal = spec.tty ? 1 : 0
    let texts = spec.cgroups + [spec.workingDirectory]
    return withCStrings(spec.argv) { argv in
        withCStrings(spec.environment) { environment in
            withCStrings(texts) { texts in
                texts.withMemoryRebound(to: UnsafePointer<CChar>?.self, capacity: spec.cgroups.count + 1) { cgroups in
                    spec.groups.map(id).withUnsafeBufferPointer { groups in
                        process.argv = argv
                        process.envp = environment
                        process.cgroups = cgroups
                        process.cgroup_count = spec.cgroups.count
                        process.cwd = cgroups[spec.cgroups.count]
                        process.groups = groups.baseAddress
                        process.group_count = groups.count
                        return body(&process)
                    }
                }
            }
        }
    }
}

/// Calls `body` with the C form of a container's root.
func withRoot<R>(_ spec: ContainerSpec, target: Int, node: Int32, shm: String, _ body: (UnsafePointer<sandbox_root>) -> R) -> R {
    let paths = [spec.lower, spec.upper, spec.work, spec.merged, shm] + spec.binds.flatMap { [$0.source, $0.subPath, $0.target] }
    return withCStrings(paths) { paths in
        withCStrings(spec.devices.map(\.path) + spec.directories) { names in
            let binds = spec.binds.enumerated().map { index, bind in
                sandbox_bind(
                    source: paths[5 + 3 * index], sub_path: paths[6 + 3 * index], target: paths[7 + 3 * index],
                    read_only: bind.readOnly ? 1 : 0, on_node: bind.onNode ? 1 : 0,
                    in_image: spec.images.contains { $0.target == bind.source } ? 1 : 0)
            }
            let devices = spec.devices.enumerated().map { index, device in
                sandbox_device(
                    path: names[index], mode: UInt32(device.mode), major: UInt32(device.major), minor: UInt32(device.minor),
                    uid: UInt32(device.uid),
                    gid: UInt32(device.gid))
            }
            return binds.withUnsafeBufferPointer { binds in
                devices.withUnsafeBufferPointer { devices in
                    let directories = UnsafeRawPointer(names + spec.devices.count).assumingMemoryBound(to: UnsafePointer<CChar>?.self)
                    var root = sandbox_root(
                        lower: paths[0], upper: paths[1], work: paths[2], merged: paths[3], binds: binds.baseAddress,
                        bind_count: binds.count,
                        devices: devices.baseAddress, device_count: devices.count, directories: directories,
                        directory_count: spec.directories.count, shm: paths[4], read_only: spec.readOnlyRoot ? 1 : 0,
                        privileged: spec.process.privileged ? 1 : 0, no_devices: spec.noDevices ? 1 : 0, target: pid_t(target),
                        node: node)
                    return body(&root)
                }
            }
        }
    }
}

/// Calls `body` with the C form of a node's root; its own layer lies below `state`.
func withNode<R>(_ hostname: String, state: String, _ mounts: [NodeMount], _ body: (UnsafePointer<sandbox_node>) -> R) -> R {
    var disks: [[String]] = [], folders: [[String]] = [], writable: [Bool] = []
    for mount in mounts {
        switch mount {
        case .disk(let path, let upper, let work): disks.append([path, upper, work])
        case .folder(let source, let target, let readOnly):
            folders.append([source, target])
            writable.append(!readOnly)
        }
    }
    let own = [hostname, "\(state)/root", "\(state)/work", "\(state)/merged"]
    return withCStrings(own + disks.joined() + folders.joined()) { texts in
        let disk = (0..<disks.count).map { index in
            let first = own.count + 3 * index
            return sandbox_disk(path: texts[first], upper: texts[first + 1], work: texts[first + 2])
        }
        let folder = (0..<folders.count).map { index in
            let first = own.count + 3 * disks.count + 2 * index
            return sandbox_bind(
                source: texts[first], sub_path: nil, target: texts[first + 1], read_only: writable[index] ? 0 : 1, on_node: 0,
                in_image: 0)
        }
        return disk.withUnsafeBufferPointer { disk in
            folder.withUnsafeBufferPointer { folder in
                var node = sandbox_node(
                    hostname: texts[0], upper: texts[1], work: texts[2], merged: texts[3], disks: disk.baseAddress,
                    disk_count: disk.count, folders: folder.baseAddress, folder_count: folder.count)
                return body(&node)
            }
        }
    }
}
