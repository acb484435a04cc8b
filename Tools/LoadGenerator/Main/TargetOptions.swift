import ArgumentParser
import Foundation
import LoadGenerator

/// Where requests go.
struct TargetOptions: ParsableArguments {
    enum Endpoint: String, ExpressibleByArgument, CaseIterable { case chat, completions }

    @Option(help: "The ZeroMQ door, tcp://HOST:PORT.")
    var door: String?
    @Option(help: "An HTTP door, http://HOST:PORT: this service's, or any OpenAI-compatible server's.")
    var http: String?
    @Option(help: "ZeroMQ connections, which all requests share.")
    var connections = 8
    @Option(help: "API key (or TOKENFACTORY_KEY).")
    var key: String?
    @Option(
        help: "The ZeroMQ door's public CURVE key (or TOKENFACTORY_SERVER_KEY), where it is reached from another host.")
    var serverKey: String?
    @Option(help: "What to ask for: chat or completions. Default: chat, and completions for random tokens.")
    var endpoint: Endpoint?
    @Option(help: "HTTP: where the API begins.")
    var basePath = "/v1"
    @Option(help: ArgumentHelp("HTTP: a header of every request, several times if need be.", valueName: "name:value"))
    var header: [String] = []
    @Option(help: "Model; default: the one that the door names.")
    var model: String?
    @Option(help: "Seconds of silence after which a request is given up.")
    var timeout = 300.0

    func validate() throws {
        if door != nil, http != nil { throw ValidationError("Give --door or --http, not both.") }
        try Positive.check("--connections", connections)
        try Positive.check("--timeout", timeout)
        _ = try headers
    }

    private var headers: [(name: String, value: String)] {
        get throws {
            try header.map { text in
                let pair = text.split(separator: ":", maxSplits: 1)
                guard pair.count == 2, !pair[0].isEmpty else { throw ValidationError("--header is NAME:VALUE.") }
                return (String(pair[0]), pair[1].trimmingCharacters(in: .whitespaces))
            }
        }
    }

    /// The API key, for the doors and for the reports.
    var apiKey: String? { key ?? ProcessInfo.processInfo.environment["TOKENFACTORY_KEY"] }

    /// - Parameter most: HTTP connections at once.
    func open(most: Int) async throws -> any LoadDoor {
        let key = apiKey
        if let door {
            return try await LineDoor.connect(
                to: door, key: key,
                serverKey: serverKey ?? ProcessInfo.processInfo.environment["TOKENFACTORY_SERVER_KEY"],
                connections: connections, timeout: timeout)
        }
        var options = HTTPDoor.Options()
        options.basePath = basePath
        options.headers = try headers
        options.timeout = timeout
        options.connections = most
        return HTTPDoor(base: http ?? "http://127.0.0.1:8080", key: key, options)
    }
}

/// Checks of numbers.
enum Positive {
    static func check<Value: Comparable & ExpressibleByIntegerLiteral>(_ name: String, _ value: Value?) throws {
        if let value, !(value > 0) { throw ValidationError("\(name) must be above 0.") }
    }
}

/// Says what is wrong with an option as the parser does.
func validated<Value>(_ option: String, _ body: () throws -> Value) throws -> Value {
    do {
        return try body()
    } catch let error as LoadError {
        throw ValidationError("\(option): \(error)")
    }
}
