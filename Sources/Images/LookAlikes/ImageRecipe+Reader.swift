import Model

extension ImageRecipe {
    /// Reads the values of a recipe, and says which is none.
    struct Reader {
        private let json: JSON
        private let title: String

        init(_ json: JSON, title: String) {
            self.json = json
            self.title = title
        }

        func fail(_ message: String) -> ImageError { ImageError("recipe \"\(title)\": \(message)") }

        func know(_ fields: [String], in object: JSON) throws(ImageError) {
            for (field, _) in object.object ?? JSONObject() where !fields.contains(field) { throw fail("unknown field \"\(field)\"") }
        }

        func text(_ value: JSON, _ field: String) throws(ImageError) -> String {
            guard let text = value.string, !text.isEmpty else { throw fail("\(field) is missing") }
            return text
        }

        func texts(_ value: JSON, _ field: String) throws(ImageError) -> [String] {
            var texts: [String] = []
            for item in value.items { texts.append(try text(item, field)) }
            return texts
        }

        /// A path of the image: whole, and nothing of it leads up.
        func path(_ value: JSON, _ field: String) throws(ImageError) -> String {
            let path = try text(value, field)
            guard path.hasPrefix("/"), !path.split(separator: "/").contains("..") else {
                throw fail("\(field): \"\(path)\" is no whole path")
            }
            return path
        }

        /// Of packages: nothing below /etc, which belongs to the machine's administrator; a recipe has texts of its own for that.
        func paths(_ value: JSON, _ field: String) throws(ImageError) -> [String] {
            var paths: [String] = []
            for item in value.items {
                let path = try path(item, field)
                guard path.hasPrefix("/usr/") else { throw fail("\(field): \"\(path)\" is not below /usr") }
                paths.append(path)
            }
            guard !paths.isEmpty else { throw fail("\(field): no path") }
            return paths
        }

        /// In octal digits, between quotation marks.
        func mode(_ value: JSON, _ standard: UInt32) throws(ImageError) -> UInt32 {
            if value.isNull { return standard }
            guard let mode = value.string.flatMap({ UInt32($0, radix: 8) }), mode <= 0o7777 else {
                throw fail("\(value.text()) is no mode")
            }
            return mode
        }

        func map(_ field: String) throws(ImageError) -> [String: String] {
            var map: [String: String] = [:]
            for (path, target) in json[field].object ?? JSONObject() {
                map[try self.path(.string(path), field)] = try text(target, "\(field): \(path)")
            }
            return map
        }

        func each<T>(_ field: String, _ known: [String], _ body: (JSON) throws(ImageError) -> T) throws(ImageError) -> [T] {
            var items: [T] = []
            for item in json[field].items {
                try know(known, in: item)
                items.append(try body(item))
            }
            return items
        }
    }
}
