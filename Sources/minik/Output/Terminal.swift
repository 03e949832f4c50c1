import Dispatch
import Glibc

/// Standard output, unbuffered.
enum Output {
    static func write(_ bytes: [UInt8], to fd: Int32 = STDOUT_FILENO) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let n = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            if n < 0, errno == EINTR || errno == EAGAIN { continue }
            if n <= 0 { return }
            rest = rest.dropFirst(n)
        }
    }
}

/// The user's terminal in raw mode: every key goes to the far side. Put back when this goes.
final class RawTerminal {
    private var saved = termios()

    /// nil when standard input is no terminal.
    init?() {
        guard isatty(STDIN_FILENO) != 0, tcgetattr(STDIN_FILENO, &saved) == 0 else { return nil }
        var raw = saved
        cfmakeraw(&raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &raw)
    }

    deinit { tcsetattr(STDIN_FILENO, TCSADRAIN, &saved) }

    /// Rows and columns of the terminal; nil when standard output is none.
    static func size() -> (rows: Int, columns: Int)? {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 else { return nil }
        return (Int(size.ws_row), Int(size.ws_col))
    }
}
