import Glibc

extension Files {
    /// `rm -rf`, which follows no links. A container may have made a tree deeper than any path can say: it is gone through directory by
    /// directory, with one of them open.
    package static func removeTree(_ path: String) {
        if unlink(path) == 0 || errno == ENOENT { return }
        guard let directory = TreeRemoval.Directory(path) else { return }
        TreeRemoval().empty(directory)
        rmdir(path)
    }
}

/// The emptying of a directory.
private struct TreeRemoval {
    /// Its bytes, ending in 0: whoever made a file need not have named it in UTF-8.
    typealias Name = [CChar]

    final class Directory {
        fileprivate static let own = name("."), parent = name("..")
        private static func name(_ text: String) -> Name { text.utf8CString.map { $0 } }

        private let opened: Descriptor
        var descriptor: Int32 { opened.number }
        let inode: UInt

        convenience init?(_ path: String) { self.init(open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) }

        private init?(_ number: Int32) {
            guard number >= 0 else { return nil }
            let opened = Descriptor(owning: number)
            var info = stat()
            guard fstat(number, &info) == 0 else { return nil }
            self.opened = opened
            inode = UInt(info.st_ino)
        }

        func directory(_ name: Name) -> Directory? {
            Directory(openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
        }

        /// Removes all but directories that hold something: their names.
        func clear() -> [Name] {
            guard let stream = fdopendir(dup(descriptor)) else { return [] }
            defer { closedir(stream) }
            rewinddir(stream)
            var kept: [Name] = []
            while let entry = readdir(stream) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1)) }
                }
                if name == Self.own || name == Self.parent { continue }
                if entry.pointee.d_type != DT_DIR, unlinkat(descriptor, name, 0) == 0 { continue }
                if unlinkat(descriptor, name, AT_REMOVEDIR) != 0, errno == ENOTEMPTY || errno == EEXIST { kept.append(name) }
            }
            return kept
        }
    }

    /// A directory on the way down: its name, its inode, and what in it is still to be emptied.
    private struct Level {
        let name: Name
        let inode: UInt
        var rest: [Name]
    }

    func empty(_ top: Directory) {
        var here = top
        var levels = [Level(name: [0], inode: top.inode, rest: top.clear())]
        while let level = levels.last {
            if let name = level.rest.last {
                levels[levels.count - 1].rest.removeLast()
                guard let below = here.directory(name) else { continue }
                here = below
                levels.append(Level(name: name, inode: below.inode, rest: below.clear()))
                continue
            }
            levels.removeLast()
            // Up again, to where we came from and nowhere else.
            guard let above = levels.last, let parent = here.directory(Directory.parent), parent.inode == above.inode else { return }
            here = parent
            unlinkat(here.descriptor, level.name, AT_REMOVEDIR)
        }
    }
}
