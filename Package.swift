// swift-tools-version: 6.2
// Kelvin: one section per target with its tests, from the ground floor up (docs/architecture.md);
// alphabetical within a floor, one dependency per line.

import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error)
]

let package = Package(
  name: "kelvin",
  products: [
    .executable(name: "kelvin", targets: ["kelvin"]),
    .library(name: "KelvinCommands", targets: ["KelvinCommands"]),
    .library(name: "KelvinExecution", targets: ["KelvinExecution"])
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0")
  ],
  targets: [
    // MARK: floor 0, C

    .systemLibrary(name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CLibExpat", pkgConfig: "expat", providers: [.apt(["libexpat1-dev"])]),
    .systemLibrary(name: "CLibMD", pkgConfig: "libmd", providers: [.apt(["libmd-dev"])]),
    .systemLibrary(name: "CLibPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
    .systemLibrary(name: "CLibUDev", pkgConfig: "libudev", providers: [.apt(["libudev-dev"])]),
    .systemLibrary(
      name: "CLibUSB", pkgConfig: "libusb-1.0", providers: [.apt(["libusb-1.0-0-dev"])]),
    .systemLibrary(
      name: "CLibXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
    .systemLibrary(name: "CLibYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .systemLibrary(name: "CLibZ", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CLibZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .target(name: "CLinux"),

    // MARK: floor 1, values and Linux

    .target(name: "KelvinModel", dependencies: ["CLinux"], swiftSettings: settings),
    .testTarget(name: "KelvinModelTests", dependencies: ["KelvinModel"], swiftSettings: settings),
    .target(
      name: "KelvinSystem",
      dependencies: [
        "CLinux",
        "KelvinModel"
      ],
      swiftSettings: settings),
    .testTarget(
      name: "KelvinSystemTests",
      dependencies: [
        "KelvinModel",
        "KelvinSystem"
      ],
      swiftSettings: settings),

    .target(
      name: "KelvinPatterns",
      dependencies: [
        "CLibPCRE2",
        "KelvinModel"
      ],
      swiftSettings: settings),

    // MARK: floor 2, the store

    .target(
      name: "KelvinStore",
      dependencies: [
        "CLibXXHash",
        "CLibZstd",
        "KelvinModel",
        "KelvinSystem",
        .product(name: "GRDB", package: "GRDB.swift")
      ],
      swiftSettings: settings),
    .testTarget(
      name: "KelvinStoreTests",
      dependencies: [
        "KelvinModel",
        "KelvinStore",
        "KelvinSystem",
        .product(name: "GRDB", package: "GRDB.swift")
      ],
      exclude: ["Fixtures"],
      swiftSettings: settings),

    // MARK: floor 3, devices and outputs

    .target(
      name: "KelvinDevices",
      dependencies: [
        "CLibUDev",
        "CLibUSB",
        "CLinux",
        "KelvinModel",
        "KelvinStore",
        "KelvinSystem"
      ],
      swiftSettings: settings),
    .testTarget(
      name: "KelvinDevicesTests",
      dependencies: [
        "CLinux",
        "KelvinDevices",
        "KelvinModel",
        "KelvinSimulators",
        "KelvinStore",
        "KelvinSystem"
      ],
      swiftSettings: settings),

    .target(
      name: "KelvinOutputs",
      dependencies: [
        "CLibZ",
        "KelvinModel",
        "KelvinStore"
      ],
      swiftSettings: settings),
    .testTarget(
      name: "KelvinOutputsTests",
      dependencies: [
        "KelvinModel",
        "KelvinOutputs",
        "KelvinStore"
      ],
      exclude: ["Fixtures"],
      swiftSettings: settings),

    // MARK: floor 4, connections

    .target(
      name: "KelvinConnections",
      dependencies: [
        "CLibCrypto",
        "CLibMD",
        "CLinux",
        "KelvinDevices",
        "KelvinModel",
        "KelvinSystem"
      ],
      swiftSettings: settings),
    .testTarget(
      name: "KelvinConnectionsTests",
      dependencies: [
        "CLinux",
        "KelvinConnections",
        "KelvinDevices",
        "KelvinModel",
        "KelvinSimulators",
        "KelvinSystem",
        "KelvinTargets"
      ],
      swiftSettings: settings),

    // MARK: floor 5, targets

    .target(
      name: "KelvinTargets",
      dependencies: [
        "CLinux",
        "KelvinConnections",
        "KelvinDevices",
        "KelvinModel",
        "KelvinSystem"
      ],
      swiftSettings: settings),
    .testTarget(
      name: "KelvinTargetsTests",
      dependencies: [
        "CLinux",
        "KelvinConnections",
        "KelvinDevices",
        "KelvinModel",
        "KelvinSimulators",
        "KelvinSystem",
        "KelvinTargets"
      ],
      swiftSettings: settings),

    // MARK: floor 5, meters

    .target(
      name: "KelvinMeters",
      dependencies: [
        "CLibCrypto",
        "CLibExpat",
        "CLinux",
        "KelvinConnections",
        "KelvinDevices",
        "KelvinModel",
        "KelvinPatterns",
        "KelvinSystem"
      ],
      swiftSettings: settings),
    .testTarget(
      name: "KelvinMetersTests",
      dependencies: [
        "CLinux",
        "KelvinConnections",
        "KelvinMeters",
        "KelvinModel",
        "KelvinSimulators",
        "KelvinSystem"
      ],
      swiftSettings: settings),

    // MARK: floor 6, the agenda

    .target(
      name: "KelvinAgenda",
      dependencies: [
        "CLibYAML",
        "CLinux",
        "KelvinModel"
      ],
      swiftSettings: settings),
    .testTarget(
      name: "KelvinAgendaTests",
      dependencies: [
        "KelvinAgenda",
        "KelvinConnections",
        "KelvinModel"
      ],
      swiftSettings: settings),

    // MARK: floor 7, execution

    .target(
      name: "KelvinExecution",
      dependencies: [
        "KelvinConnections",
        "KelvinMeters",
        "KelvinModel",
        "KelvinPatterns",
        "KelvinStore",
        "KelvinSystem",
        "KelvinTargets",
        .product(name: "Logging", package: "swift-log")
      ],
      swiftSettings: settings),
    .testTarget(
      name: "KelvinExecutionTests",
      dependencies: [
        "KelvinConnections",
        "KelvinExecution",
        "KelvinMeters",
        "KelvinModel",
        "KelvinPatterns",
        "KelvinSimulators",
        "KelvinStore",
        "KelvinSystem",
        "KelvinTargets"
      ],
      swiftSettings: settings),

    // MARK: floors 8 and 9, the command line

    .target(
      name: "KelvinCommands",
      dependencies: [
        "CLinux",
        "KelvinAgenda",
        "KelvinConnections",
        "KelvinDevices",
        "KelvinExecution",
        "KelvinMeters",
        "KelvinModel",
        "KelvinOutputs",
        "KelvinPatterns",
        "KelvinSimulators",
        "KelvinStore",
        "KelvinSystem",
        "KelvinTargets",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log")
      ],
      swiftSettings: settings),
    .testTarget(
      name: "KelvinCommandsTests",
      dependencies: [
        "CLinux",
        "KelvinAgenda",
        "KelvinCommands",
        "KelvinConnections",
        "KelvinExecution",
        "KelvinDevices",
        "KelvinModel",
        "KelvinSimulators",
        "KelvinStore",
        "KelvinSystem",
        "KelvinTargets",
        "kelvin"
      ],
      exclude: ["Fixtures"],
      resources: [.copy("Support/hotplug.c.txt"), .copy("Support/kill-at-sync.c.txt")],
      swiftSettings: settings),
    .executableTarget(name: "kelvin", dependencies: ["KelvinCommands"], swiftSettings: settings),

    // MARK: simulators, beside the floors: they share no codec with what they test

    .target(
      name: "KelvinSimulators",
      dependencies: [
        "CLibCrypto",
        "CLinux",
        "KelvinModel",
        "KelvinSystem"
      ],
      swiftSettings: settings),
    .testTarget(
      name: "KelvinSimulatorsTests",
      dependencies: [
        "KelvinModel",
        "KelvinSimulators",
        "KelvinSystem"
      ],
      swiftSettings: settings),

    // The virtual bench itself: real kernels in QEMU guests (hardware/virtual-bench/README.md).
    .testTarget(
      name: "VirtualBenchTests",
      dependencies: [
        "KelvinConnections",
        "KelvinDevices",
        "KelvinExecution",
        "KelvinMeters",
        "KelvinModel",
        "KelvinSimulators",
        "KelvinSystem"
      ],
      swiftSettings: settings),

    // MARK: benchmarks

    .executableTarget(
      name: "kelvin-benchmarks",
      dependencies: [
        "CLinux",
        "KelvinConnections",
        "KelvinDevices",
        "KelvinExecution",
        "KelvinMeters",
        "KelvinModel",
        "KelvinSimulators",
        "KelvinStore",
        "KelvinTargets"
      ],
      path: "Benchmarks/KelvinBenchmarks",
      swiftSettings: settings)
  ]
)
