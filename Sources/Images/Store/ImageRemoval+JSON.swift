import Model

extension ImageStore.Removal {
    /// As `rm` and `prune` print it with `-o json`.
    package var json: JSON {
        [
            "untagged": .array(names.map(JSON.string)), "deleted": .array(images.map { .string($0.id.description) }),
            "reclaimed": .int(bytes),
        ]
    }
}
