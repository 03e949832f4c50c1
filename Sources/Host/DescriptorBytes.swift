import Glibc

// Reading to the end and writing all, which read(2) and write(2) do piece by piece.
extension Descriptor {
    /// Everything from where it stands to its end. What /proc and /sys make up tells no size, so the room grows as it is filled.
    package borrowing func readAll(_ name: String) throws(FileError) -> [UInt8] {
        var info = stat()
        var bytes: [UInt8] = [], room = 1024
        if fstat(number, &info) == 0, info.st_size > 0 { room = min(Int(info.st_size), 1 << 20) + 1 }
        while true {
            let piece = try read(atMost: room, name)
            if piece.isEmpty { return bytes }
            if bytes.isEmpty { bytes = piece } else { bytes += piece }
            room = max(room, 65536)
        }
    }

    /// What comes next; nothing at the end. `name`: what to call it to people.
    package borrowing func read(atMost count: Int, _ name: String) throws(FileError) -> [UInt8] {
        var problem: Int32 = 0
        let piece = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            var n = 0
            repeat { n = Glibc.read(number, buffer.baseAddress, count) } while n < 0 && errno == EINTR
            if n < 0 { problem = errno }
            filled = max(0, n)
        }
        guard problem == 0 else { throw FileError("read", name, errno: problem) }
        return piece
    }

    /// Hands on the bytes piece by piece until they end.
    package borrowing func readEach(_ name: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let n = Glibc.read(number, &buffer, buffer.count)
            if n < 0, errno == EINTR { continue }
            guard n >= 0 else { throw FileError("read", name, errno: errno) }
            if n == 0 { return }
            try buffer.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[..<n])) }
        }
    }

    /// Writes all of it, or throws.
    package borrowing func write(_ bytes: UnsafeRawBufferPointer, to name: String, _ operation: String = "write") throws(FileError) {
        let (_, problem) = writeSome(bytes)
        guard problem == 0 else { throw FileError(operation, name, errno: problem) }
    }

    package borrowing func write(_ bytes: [UInt8], to name: String, _ operation: String = "write") throws(FileError) {
        let (_, problem) = bytes.withUnsafeBytes { writeSome($0) }
        guard problem == 0 else { throw FileError(operation, name, errno: problem) }
    }

    /// Writes all of it, and waits so many milliseconds at most for a reader that lags.
    package borrowing func write(_ bytes: ArraySlice<UInt8>, patience: Int32) {
        var rest = bytes
        while true {
            let (count, problem) = rest.withUnsafeBytes { writeSome($0) }
            rest = rest.dropFirst(count)
            guard problem == EAGAIN else { return }
            var wait = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
            if poll(&wait, 1, patience) <= 0 { return }
        }
    }

    /// Writes until all is written or no more is taken: how much was, and the errno that says why, 0 when it was all.
    package borrowing func writeSome(_ bytes: UnsafeRawBufferPointer) -> (count: Int, errno: Int32) {
        var done = 0
        while done < bytes.count {
            let n = Glibc.write(number, bytes.baseAddress?.advanced(by: done), bytes.count - done)
            if n > 0 { done += n } else if n == 0 { return (done, EIO) } else if errno != EINTR { return (done, errno) }
        }
        return (done, 0)
    }
}
