/// Where processes stand in the kernel's control groups, the same below every hierarchy: minik/CLUSTER/NODE/POD-UID/CONTAINER.LIFE.
package struct CgroupPath: Sendable, Hashable, CustomStringConvertible {
    private let parts: [String]

    /// What is above all clusters.
    package static let root = CgroupPath(parts: ["minik"])
    package static func cluster(_ name: String) -> CgroupPath { root.below(name) }
    package func node(_ name: String) -> CgroupPath { below(name) }
    package func pod(_ uid: String) -> CgroupPath { below(uid) }
    package func container(_ name: String, life: Int) -> CgroupPath { below("\(name).\(life)") }

    private init(parts: [String]) { self.parts = parts }
    private func below(_ part: String) -> CgroupPath { CgroupPath(parts: parts + [part]) }

    package var description: String { parts.joined(separator: "/") }
}
