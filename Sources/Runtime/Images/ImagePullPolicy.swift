/// When a container's image is fetched. (kubernetes.io/docs/concepts/containers/images, "Image pull policy")
package enum ImagePullPolicy: String, Sendable {
    case always = "Always"
    case ifNotPresent = "IfNotPresent"
    case never = "Never"

    package enum Decision: Sendable, Equatable {
        /// What is on this machine is what the container gets.
        case use
        case pull
        case refuse
    }

    /// `image`: what this machine has under the name. What came in an archive, or is minik's own, no registry has anything newer of: such a
    /// name is never asked for, so that a lab needs no network; nor is a digest, behind which there is one image for ever.
    package func decide(_ reference: ImageReference, present image: Image?) -> Decision {
        guard let image else { return self == .never ? .refuse : .pull }
        // Made of what is on this machine or in Debian's archive, no registry is asked: Never is kept.
        if image.isStillToBeMade { return .pull }
        return self == .always && image.isPulled && reference.digest == nil ? .pull : .use
    }
}
