import CSandbox
import Model
import ShimProtocol

/// Calls `body` with the C form of a process: arguments, environment and directory filled in.
func withProcess<R>(
    _ process: inout sandbox_process, argv: [String], environment: [String], directory: String, groups: [Int],
    _ body: (UnsafePointer<sandbox_process>) -> R
) -> R {
    withCStrings(argv) { argv in
        withCStrings(environment) { environment in
            directory.withCString { directory in
                groups.map { UInt32(truncatingIfNeeded: $0) }.withUnsafeBufferPointer { groups in
                    process.argv = argv
                    process.envp = environment
                    process.cwd = directory
                    process.groups = groups.baseAddress
                    process.group_count = groups.count
                    return body(&process)
                }
            }
        }
    }
}

/// Calls `body` with the C forms of a container's root and process.
func withSandbox<R>(
    _ spec: ContainerSpec, target: Int, _ process: inout sandbox_process,
    _ body: (UnsafePointer<sandbox_root>, UnsafePointer<sandbox_process>) -> R
) -> R {
    let paths = [spec.lower, spec.upper, spec.work, spec.merged] + spec.binds.flatMap { [$0.source, $0.subPath, $0.target] }
    return withCStrings(paths) { paths in
        var binds = spec.binds.enumerated().map { index, bind in
            sandbox_bind(source: paths[4 + 3 * index], sub_path: paths[5 + 3 * index], target: paths[6 + 3 * index], read_only: bind.readOnly ? 1 : 0)
        }
        return withProcess(&process, argv: spec.argv, environment: spec.environment, directory: spec.workingDirectory, groups: spec.groups) { process in
            PodShim.sharedMemory.withCString { shm in
                binds.withUnsafeMutableBufferPointer { binds in
                    var root = sandbox_root(
                        lower: paths[0], upper: paths[1], work: paths[2], merged: paths[3], binds: binds.baseAddress,
                        bind_count: binds.count, shm: shm, read_only: spec.readOnlyRoot ? 1 : 0,
                        privileged: spec.privileged ? 1 : 0, target: pid_t(target))
                    return body(&root, process)
                }
            }
        }
    }
}
