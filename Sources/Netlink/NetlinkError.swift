import Glibc

/// A netlink request that the kernel, or the way to it, refused.
package struct NetlinkError: Error, CustomStringConvertible, Equatable {
    /// What was being done, as the equivalent `ip` or `nft` command.
    package let operation: String
    package let errno: Int32
    /// The kernel's extended acknowledgement, where it gave one.
    package let message: String?

    package init(_ operation: String, errno: Int32, message: String? = nil) {
        self.operation = operation
        self.errno = errno
        self.message = message
    }

    package var isExists: Bool { errno == EEXIST }
    package var isNotFound: Bool { errno == ENOENT || errno == ENODEV || errno == ESRCH || errno == EADDRNOTAVAIL }

    package var description: String {
        var text = "\(operation): \(String(cString: strerror(errno)))"
        if let message { text += " (\(message))" }
        if errno == EPERM { text += "; minik needs root" }
        if errno == EOPNOTSUPP { text += "; the kernel lacks this feature" }
        return text
    }
}
