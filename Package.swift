// swift-tools-version: 6.2
import PackageDescription

/// Where `scripts/setup.sh` puts libllama and the chat-template library; see docs/decisions/0002-libllama.md.
let cache =
    Context.environment["TOKENFACTORY_CACHE"]
    ?? (Context.environment["HOME"].map { $0 + "/.cache/tokenfactory" } ?? "/var/cache/tokenfactory")
let prefix = Context.environment["TOKENFACTORY_PREFIX"] ?? cache + "/prefix"

/// Every target is held to the same rules.
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

/// Whatever links libllama must find its headers while compiling, and its library while linking and running.
let llamaSettings: [SwiftSetting] = [.unsafeFlags(["-Xcc", "-I\(prefix)/include"])]
let llamaLinking: [LinkerSetting] = [
    .unsafeFlags(["-L\(prefix)/lib", "-Xlinker", "-rpath", "-Xlinker", "\(prefix)/lib"])
]

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let configuration: Target.Dependency = .product(name: "Configuration", package: "swift-configuration")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let grdbSQLite: Target.Dependency = .product(name: "GRDBSQLite", package: "GRDB.swift")
let heap: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")
let histogram: Target.Dependency = .product(name: "Histogram", package: "hdrhistogram-swift")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPCompression: Target.Dependency = .product(name: "NIOHTTPCompression", package: "swift-nio-extras")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")

func target(
    _ name: String, _ path: String, _ dependencies: [Target.Dependency] = [], llama: Bool = false,
    exclude: [String] = [], resources: [Resource]? = nil, settings: [SwiftSetting] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: path, exclude: exclude, resources: resources,
        swiftSettings: strict + (llama ? llamaSettings : []) + settings)
}

func executable(_ name: String, _ path: String, _ dependencies: [Target.Dependency], llama: Bool = false) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, path: path,
        swiftSettings: strict + (llama ? llamaSettings : []), linkerSettings: llama ? llamaLinking : [])
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], llama: Bool = false, resources: [Resource]? = nil
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(name)", resources: resources,
        swiftSettings: strict + (llama ? llamaSettings : []), linkerSettings: llama ? llamaLinking : [])
}

let package = Package(
    name: "token-factory",
    platforms: [.macOS(.v15)],
    products: [
        // For the package in `Benchmarks`.
        .library(name: "Wire", targets: ["Wire"]),
        .library(name: "Transport", targets: ["Transport"]),
        .library(name: "Line", targets: ["Line"]),
        .library(name: "Station", targets: ["Station"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-configuration.git", from: "1.4.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        // No target of ours imports it: it stands here to switch its traits off, so that it needs no Foundation.
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift.git", from: "0.2.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CLinux", path: "Shared/CLinux"),
        .systemLibrary(name: "CZeroMQ", path: "Shared/CZeroMQ"),
        .systemLibrary(name: "CLlama", path: "Shared/CLlama"),

        target("Wire", "Shared/Wire"),
        // Lifetimes: its reader holds a span.
        target("ZMTP", "Shared/ZMTP", settings: [.enableExperimentalFeature("Lifetimes")]),
        // Lifetimes: the compiler ties a received frame's span to the memory that it is lent from.
        target(
            "Transport", "Shared/Transport", ["CLinux", "CZeroMQ", "ZMTP", deque],
            settings: [.enableExperimentalFeature("Lifetimes")]),
        target("Tables", "Shared/Tables"),
        target("Line", "Shared/Line", ["Wire", "Telemetry", heap]),
        target("Station", "Shared/Station", ["Wire", "Transport", "Line", "Spool", "Telemetry", logging]),
        target(
            "Launch", "Shared/Launch",
            [
                "AdminDoor", "Settings", "Spool", "Station", "Line", "Transport", "Wire", argumentParser, logging,
                lifecycle,
                unixSignals,
            ]),
        target("Keys", "Shared/Keys", ["Formats", crypto, logging]),
        target("Release", "Shared/Release"),
        target("Formats", "Shared/Formats"),
        target("Spool", "Shared/Spool", ["CLinux", "Formats", "Wire"]),
        target("Telemetry", "Shared/Telemetry", ["Wire"]),
        target("Economics", "Shared/Economics"),
        // The ledger's rules and its audit's, as values; then what reads a ledger's file, and one without a file.
        target("Ledger", "Shared/Ledger/Rules", ["Wire", "Economics", crypto]),
        target("LedgerDatabase", "Shared/Ledger/Database", ["Ledger", "Wire", "Economics", grdb]),
        target("LedgerInMemory", "Shared/Ledger/Memory", ["Ledger", "Wire", "Economics"]),
        target("Llama", "Shared/Llama", ["CLlama"], llama: true),
        target("Settings", "Shared/Settings", ["Formats", argumentParser, configuration, logging]),
        target(
            "AdminDoor", "Shared/AdminDoor",
            ["Formats", "Telemetry", hummingbird, hummingbirdCore, nioCore, nioSSL, logging, lifecycle]),

        target(
            "IngestService", "Services/Ingest/Service",
            [
                "Wire", "Transport", "Line", "Station", "Spool", "Tables", "Telemetry", "OpenAIDoor", "AdminDoor",
                "Keys",
                crypto, logging,
            ]),
        target(
            "OpenAIDoor", "Services/Ingest/OpenAIDoor",
            [
                "AdminDoor", "Formats", "Keys", "Release", "Telemetry", deque, nioCore, nioHTTP1, nioHTTPCompression,
                nioPosix, nioSSL, nioTLS, logging, lifecycle,
            ]),
        executable(
            "ingest", "Services/Ingest/Main",
            [
                "Launch", "Wire", "Line", "Transport", "Station", "Spool", "Telemetry", "IngestService", "OpenAIDoor",
                "AdminDoor", "Keys", "Release", "Settings", argumentParser, logging,
            ]),

        target("Tokenization", "Services/Tokenizer/Tokenization", ["Llama", heap], llama: true),
        target(
            "TokenizerService", "Services/Tokenizer/Service",
            [
                "Wire", "Transport", "Line", "Llama", "Station", "Tables", "Telemetry", "Tokenization",
                logging,
            ], llama: true),
        executable(
            "tokenizer", "Services/Tokenizer/Main",
            [
                "Launch", "Wire", "Line", "Llama", "Transport", "Station", "Spool", "Telemetry", "TokenizerService",
                "Tokenization", "AdminDoor", "Release", "Settings", argumentParser, logging,
            ], llama: true),

        target("Batching", "Services/InferenceWorker/Batching"),
        target("Engines", "Services/InferenceWorker/Engines", ["Batching", "Llama"], llama: true),
        target(
            "WorkerService", "Services/InferenceWorker/Service",
            ["Wire", "Line", "Tables", "Telemetry", "Batching"]),
        executable(
            "inference-worker", "Services/InferenceWorker/Main",
            [
                "Launch", "Wire", "Line", "Transport", "Station", "Spool", "Telemetry", "Llama", "WorkerService",
                "Engines", "Batching", "AdminDoor", "Release", "Settings", argumentParser, logging,
            ], llama: true),

        target(
            "LedgerStore", "Services/Accounting/Store",
            ["Ledger", "LedgerDatabase", "Wire", "Economics", crypto, grdb, grdbSQLite]),
        target(
            "AccountingService", "Services/Accounting/Service",
            [
                "Wire", "Transport", "Line", "Station", "Spool", "Telemetry", "Ledger", "LedgerDatabase", "LedgerStore",
                "Economics", "Keys", hummingbird, logging, lifecycle,
            ]),
        executable(
            "accounting", "Services/Accounting/Main",
            [
                "Launch", "Wire", "Line", "Transport", "Station", "Spool", "Telemetry", "AccountingService", "Ledger",
                "LedgerDatabase", "LedgerStore", "Economics", "Keys", "AdminDoor", "Release", "Settings",
                argumentParser, logging, lifecycle,
            ]),

        target("Charts", "Tools/Charts"),
        target(
            "LoadGenerator", "Tools/LoadGenerator/Core",
            [
                "Wire", "Transport", "Line", "Station", "Telemetry", "Charts", "Formats", histogram, httpClient,
                nioCore,
                nioHTTP1,
            ]),
        executable("loadgen", "Tools/LoadGenerator/Main", ["LoadGenerator", "Release", argumentParser]),
        .target(
            name: "CFloor", path: "Tools/HopBenchmark/CFloor", linkerSettings: [.linkedLibrary("zmq")]),
        target(
            "HopBenchmark", "Tools/HopBenchmark/Core",
            ["CFloor", "Charts", "Formats", "Wire", "Transport", "Line", "Station", "Telemetry", histogram]),
        executable("hopbench", "Tools/HopBenchmark/Main", ["HopBenchmark", "Release", argumentParser]),
        target(
            "FactoryKit", "Tools/Factory/Kit",
            ["Ledger", "Economics", "Formats", "Transport", crypto, httpClient, nioCore, nioHTTP1]),
        executable(
            "factory", "Tools/Factory/Main",
            ["FactoryKit", "Ledger", "LedgerDatabase", "Release", "Station", argumentParser]),
        executable("export-tokenizer", "Tools/TokenizerExport", ["Llama", "Release", argumentParser], llama: true),

        // What tests with seeds share.
        target("Seeds", "Tests/Seeds"),
        tests("WireTests", ["Seeds", "Wire"], resources: [.copy("Vectors")]),
        tests("ZMTPTests", ["Seeds", "ZMTP"]),
        tests("TransportTests", ["Transport", "CZeroMQ", "ZMTP"]),
        tests("LineTests", ["Seeds", "Line", "Wire"]),
        tests("FormatsTests", ["Formats"]),
        tests("KeysTests", ["Keys", logging]),
        tests("SpoolTests", ["Seeds", "Spool", "Wire"]),
        tests("TelemetryTests", ["Telemetry"]),
        tests("EconomicsTests", ["Economics"]),
        tests("LlamaTests", ["Llama"], llama: true, resources: [.copy("Fixtures")]),
        tests("StationTests", ["Station", "Line", "Wire"]),
        tests("SettingsTests", ["Settings", argumentParser, logging]),
        tests("AdminDoorTests", ["AdminDoor", "Telemetry", hummingbird, logging, lifecycle]),
        tests("IngestServiceTests", ["IngestService", "Wire"]),
        tests(
            "OpenAIDoorTests",
            ["Seeds", "OpenAIDoor", "AdminDoor", "Keys", "Telemetry", nioCore, nioPosix, logging, lifecycle]),
        tests("TokenizationTests", ["Seeds", "Tokenization", "Llama"], llama: true),
        tests("BatchingTests", ["Batching"]),
        tests("TokenizerServiceTests", ["TokenizerService", "Tokenization", "Line", "Wire"], llama: true),
        tests("WorkerServiceTests", ["Seeds", "WorkerService", "Batching", "Line", "Wire"]),
        tests("EnginesTests", ["Engines", "Batching", "Llama"], llama: true),
        tests(
            "LedgerStoreTests",
            ["Seeds", "Ledger", "LedgerDatabase", "LedgerInMemory", "LedgerStore", "Wire", "Economics", grdb],
            resources: [.copy("Fixtures")]),
        tests(
            "AccountingServiceTests",
            [
                "Seeds",
                "AccountingService", "Ledger", "LedgerDatabase", "LedgerInMemory", "LedgerStore", "Economics", "Keys",
                "Wire",
                "Transport", "Line", "Station", grdb,
                hummingbird, .product(name: "HummingbirdTesting", package: "hummingbird"), logging,
            ]),
        tests("ChartsTests", ["Charts"]),
        tests("HopBenchmarkTests", ["HopBenchmark", "CFloor", "Charts", "Transport", "Wire"]),
        tests("FactoryKitTests", ["FactoryKit"]),
        tests("LoadGeneratorTests", ["LoadGenerator", "Line", "Station", "Transport", "Wire"]),
    ]
)
