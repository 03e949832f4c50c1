import ArgumentParser
import Images
import Lab
import Model
import Runtime

struct ImageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image", abstract: "The images of this machine, which all its clusters share.",
        discussion: "minik image pull nginx, or minik image load app.tar; then pods find it. No cluster has to run.",
        subcommands: [
            ImageLoad.self, ImagePull.self, ImageImport.self, ImageLs.self, ImageInspect.self, ImageHistory.self, ImageTag.self,
            ImageRm.self, ImageSave.self, ImagePrune.self, ImageAssemble.self,
        ])

    /// The name that somebody gave, whole.
    static func reference(_ text: String) throws -> ImageReference {
        guard let reference = ImageReference(text), reference.digest == nil else {
            throw UserError("\"\(text)\" is no name for an image", hint: "write NAME[:TAG] or REGISTRY/NAME[:TAG], in small letters")
        }
        return reference
    }
}
