import CHost
import Glibc

/// An open file, a socket or an end of a pipe that is ours: closed when it goes. Whoever needs its number borrows it.
package struct Descriptor: ~Copyable, Sendable {
    /// What calls take; of a value without a name it is closed before the call, which the owner's name in a `let` prevents.
    package let number: Int32

    /// Takes over what a call has opened.
    package init(owning number: Int32) { self.number = number }

    /// Takes over what a call has opened, or throws: `result` is the descriptor or -errno.
    package init(_ result: Int32, _ operation: String, _ path: String) throws(FileError) {
        guard result >= 0 else { throw FileError(operation, path, errno: -result) }
        number = result
    }

    /// open(2), close-on-exec; `operation`: what to call it to people.
    package init(opening path: String, _ flags: Int32, mode: mode_t = 0, _ operation: String = "open") throws(FileError) {
        try self.init(Self.result(Glibc.open(path, flags | O_CLOEXEC, mode)), operation, path)
    }

    deinit { close(number) }

    /// Hands it on: whoever has the number now closes it.
    package consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }

    /// What a call of the C library gave, as what a system call gives: -errno instead of -1.
    package static func result(_ number: Int32) -> Int32 { number < 0 ? -errno : number }

    /// A file in memory, without a name in any directory.
    package static func memoryFile() throws(FileError) -> Descriptor { try Descriptor(host_memory_file(), "make", "a file in memory") }

    /// A file without a name in `directory`, gone when it is closed. Not every file system has such.
    package static func unnamedFile(in directory: String) throws(FileError) -> Descriptor {
        try Descriptor(host_unnamed_file(directory), "make a file in", directory)
    }

    /// Another of the same, which is closed on its own.
    package init(copying number: Int32) throws(FileError) {
        try self.init(Self.result(fcntl(number, F_DUPFD_CLOEXEC, 0)), "copy", "descriptor \(number)")
    }

    /// From now on nobody waits who reads or writes it.
    package borrowing func setNonBlocking() throws(FileError) {
        guard fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK) >= 0 else {
            throw FileError("make", "descriptor \(number) wait for nobody", errno: errno)
        }
    }
}

extension Optional where Wrapped == Descriptor {
    /// -1 for none, as the C library has it.
    package var number: Int32 {
        switch self {
        case .some(let descriptor): descriptor.number
        case .none: -1
        }
    }
}
