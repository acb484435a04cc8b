// swift-tools-version: 6.2
import PackageDescription

/// The rules of the main package's targets.
let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
]

/// Generated code keeps to its generator's rules; the generator writes access levels on imports.
let generated: [SwiftSetting] = [.enableUpcomingFeature("InternalImportsByDefault")]

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let grpcCore: Target.Dependency = .product(name: "GRPCCore", package: "grpc-swift-2")
let grpcProtobuf: Target.Dependency = .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf")
let grpcTransport: Target.Dependency = .product(
    name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")

func factory(_ name: String) -> Target.Dependency { .product(name: name, package: "token-factory") }

let package = Package(
    name: "token-factory-benchmarks",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "codec-bench", targets: ["codec-bench"]),
        .executable(name: "grpc-bench", targets: ["grpc-bench"]),
    ],
    dependencies: [
        .package(name: "token-factory", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-protobuf.git", from: "1.39.0"),
        .package(url: "https://github.com/grpc/grpc-swift-2.git", from: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport.git", from: "2.9.2"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf.git", from: "2.4.1"),
    ],
    targets: [
        .target(name: "AllocationCounter", path: "Sources/AllocationCounter"),
        .target(
            name: "CodecMessages", dependencies: [protobuf], path: "Sources/CodecMessages", swiftSettings: generated),
        .target(
            name: "EchoService", dependencies: [protobuf, grpcCore, grpcProtobuf], path: "Sources/EchoService",
            swiftSettings: generated),
        .target(name: "BenchmarkSupport", path: "Sources/BenchmarkSupport", swiftSettings: strict),
        .executableTarget(
            name: "codec-bench",
            dependencies: [
                "AllocationCounter", "BenchmarkSupport", "CodecMessages", factory("Wire"), protobuf, argumentParser,
            ],
            path: "Sources/CodecBenchmark", swiftSettings: strict),
        .executableTarget(
            name: "grpc-bench",
            dependencies: [
                "BenchmarkSupport", "EchoService", factory("Wire"), factory("Transport"), factory("Line"),
                factory("Station"), grpcCore, grpcTransport, protobuf, argumentParser,
            ],
            path: "Sources/GRPCBenchmark", swiftSettings: strict),
    ]
)
