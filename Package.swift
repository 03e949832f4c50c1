// swift-tools-version: 6.1
import PackageDescription

// The house, room by room. Who may import whom is written down once, here, and
// scripts/check-imports holds the sources to it.

/// The shim and the DNS server run once per pod: a fully static executable
/// starts in a millisecond and shares its pages with its siblings.
let small: [LinkerSetting] = [
    .unsafeFlags(["-static-executable", "-Xlinker", "--gc-sections", "-Xlinker", "-s"])
]
/// `minik` carries the Swift runtime with it, so that it runs where no toolchain is.
let standalone: [LinkerSetting] = [
    .unsafeFlags(["-static-stdlib", "-Xlinker", "--gc-sections", "-Xlinker", "-s"]),
    // What the static Foundation, which argument parsing and YAML pull in, stands on.
    .linkedLibrary("CoreFoundation"), .linkedLibrary("_FoundationICU"), .linkedLibrary("_FoundationCShims"),
    .linkedLibrary("_FoundationCollections"), .linkedLibrary("stdc++"),
]

/// Tests are compiled once and run once: what optimizing them would take is more than it gives. What they test is optimized.
let tests: [SwiftSetting] = [.unsafeFlags(["-Onone"], .when(configuration: .release))]

let package = Package(
    name: "minik",
    products: [
        .executable(name: "minik", targets: ["minik"]),
        .executable(name: "minik-shim", targets: ["minik-shim"]),
        .executable(name: "minik-dns", targets: ["minik-dns"]),
        .executable(name: "minik-unpack", targets: ["minik-unpack"]),
        .executable(name: "minik-cni", targets: ["minik-cni"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // C libraries from Debian; what the machine offers that Swift cannot call; and the C that runs between clone and exec.
        .systemLibrary(name: "CMnl", pkgConfig: "libmnl", providers: [.apt(["libmnl-dev"])]),
        .systemLibrary(name: "CNftnl", pkgConfig: "libnftnl", providers: [.apt(["libnftnl-dev"])]),
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CHost"),
        .target(name: "CSandbox", dependencies: ["CHost"]),
        .target(name: "CDatagrams"),
        // RE2 is C++; a few lines make it C. (libre2-dev) Its archive, for each Debian release has a soname of its own.
        .target(name: "CRE2", linkerSettings: [.linkedLibrary(":libre2.a"), .linkedLibrary("stdc++")]),

        // Pure rooms.
        .target(name: "Model"),
        .target(name: "Rules", dependencies: ["Model"]),
        .target(name: "Proxy", dependencies: ["Model", "Rules"]),
        .target(name: "ShimProtocol", dependencies: ["Model"]),
        .target(name: "DNS", dependencies: ["Model"]),
        .target(name: "YAML", dependencies: ["Model", .product(name: "Yams", package: "Yams")]),

        // Rooms that act.
        .target(name: "Host", dependencies: ["Model", "CHost"]),
        .target(name: "Netlink", dependencies: ["Model", "Rules", "Host", "CMnl", "CNftnl", "CSandbox"]),
        .target(name: "Runtime", dependencies: ["Model", "Host", "Netlink", "ShimProtocol", "TLS", "CHost", "CSandbox"]),
        .target(
            name: "Images", dependencies: ["Model", "YAML", "Host", "Runtime", "COpenSSL", "CArchive"],
            // Bytes of the program: nothing has to lie beside it.
            resources: [.embedInCode("LookAlikes/Recipes")]),
        .target(name: "Store", dependencies: ["Model", "Host", "CSQLite"]),
        .target(name: "TLS", dependencies: ["COpenSSL", .product(name: "NIOCore", package: "swift-nio")]),
        .target(
            name: "API",
            dependencies: [
                "Model", "YAML", "Store", "TLS", "CZlib", "CRE2",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ]),
        .target(name: "Controllers", dependencies: ["Model", "Store"]),

        .target(
            name: "Lab", dependencies: ["Model", "YAML", "Rules", "Proxy", "Netlink", "Host", "Runtime", "Store", "API"],
            resources: [.embedInCode("Map/Page")]),

        .target(name: "Kubeadm", dependencies: ["Model", "YAML", "Host", "TLS", "Runtime", "API", "Controllers", "Lab"]),
        .target(name: "Agents", dependencies: ["Model", "YAML", "Rules", "Proxy", "Netlink", "Host", "Runtime", "API", "Lab"]),

        // Programs.
        .executableTarget(
            name: "minik-shim", dependencies: ["Model", "Host", "ShimProtocol", "CHost", "CSandbox"], linkerSettings: small),
        .executableTarget(name: "minik-dns", dependencies: ["Model", "DNS", "CDatagrams"], linkerSettings: small),
        .executableTarget(
            name: "minik-cni", dependencies: ["Model", "Host", "Runtime"],
            linkerSettings: [.unsafeFlags(["-static-stdlib", "-Xlinker", "--gc-sections", "-Xlinker", "-s"])]),
        // C alone: it reads what strangers wrote, as root.
        .executableTarget(
            name: "minik-unpack", dependencies: ["CArchive", "COpenSSL"],
            linkerSettings: [.unsafeFlags(["-static-stdlib", "-Xlinker", "--gc-sections", "-Xlinker", "-s"])]),
        .executableTarget(
            name: "minik",
            dependencies: [
                "Model", "Rules", "Proxy", "Netlink", "Host", "Runtime", "Images", "Store", "API", "Controllers", "DNS", "TLS", "Lab",
                "Kubeadm", "Agents", "YAML",
                "CSandbox", "CSystemd",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            linkerSettings: standalone),

        // Tests by size: pure ones, ones with a namespace of their own (root), whole clusters (root).
        .target(
            name: "PolicyCases", dependencies: ["Model", .product(name: "Yams", package: "Yams")], path: "Tests/PolicyCases",
            exclude: ["cases.yaml"], swiftSettings: tests),
        .target(
            name: "SandboxCases", dependencies: ["Model", "Host", "Runtime", "ShimProtocol"], path: "Tests/SandboxCases",
            swiftSettings: tests),
        .target(
            name: "ImageCases", dependencies: ["Model", "Host", "Runtime", "Images"], path: "Tests/ImageCases", swiftSettings: tests),
        .testTarget(
            name: "SmallTests",
            dependencies: [
                "Model", "Rules", "Proxy", "DNS", "Store", "API", "Controllers", "Host", "Runtime", "Images", "ShimProtocol", "Lab", "TLS",
                "Kubeadm", "Agents",
                "CHost", "PolicyCases", "SandboxCases", "ImageCases",
            ], exclude: ["Data"], swiftSettings: tests),
        .testTarget(
            name: "MediumTests",
            dependencies: [
                "Model", "Rules", "Proxy", "Netlink", "Host", "Runtime", "Images", "ShimProtocol", "CHost", "CSandbox", "SandboxCases",
                "ImageCases",
            ], swiftSettings: tests),
        .testTarget(
            name: "LargeTests", dependencies: ["Model", "Host", "Runtime", "PolicyCases", "ImageCases"], exclude: ["Manifests"],
            swiftSettings: tests),
    ],
    swiftLanguageModes: [.v6]
)

// Built by scripts/fuzz alone: its main is libFuzzer's.
if Context.environment["MINIK_FUZZ"] != nil {
    package.products.append(.executable(name: "minik-fuzz", targets: ["minik-fuzz"]))
    package.targets.append(
        .executableTarget(
            name: "minik-fuzz", dependencies: ["Model", "Store", "API"], path: "Tests/Fuzz", exclude: ["seeds", "words.dict"]))
}
