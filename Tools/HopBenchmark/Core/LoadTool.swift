import Foundation

/// What a load generator got through.
struct LoadResult: Equatable, Sendable {
    var tokens: Double
    var tokensPerSecond: Double
    /// Requests that did not come back whole.
    var failures: Int
}

/// The load generators that a benchmark runs as processes of their own.
struct LoadTool {
    let programs: String
    /// wrk, for the HTTP door.
    let wrk: String
    let folder: ScratchFolder

    init(programs: String, wrk: String) throws(BenchError) {
        self.programs = programs
        self.wrk = wrk
        folder = try ScratchFolder()
    }

    /// Closed loop over the ZeroMQ door, with `loadgen`.
    ///
    /// - Parameter serverKey: the door's public CURVE key; empty for a plain door.
    func line(
        _ door: String, serverKey: String = "", streams: Int, promptTokens: Int, maximumTokens: Int, seconds: Double
    ) throws(BenchError) -> LoadResult {
        let json = folder.path + "/load.json"
        _ = try run(
            programs + "/loadgen",
            [
                "--door", door, "--connections", String(min(8, streams)), "--streams", String(streams),
                "--prompt-tokens", String(promptTokens), "--max-tokens", String(maximumTokens), "--ignore-eos",
                "--duration", String(seconds), "--json", json,
            ] + (serverKey.isEmpty ? [] : ["--server-key", serverKey]))
        guard let data = FileManager.default.contents(atPath: json) else { throw .process("loadgen wrote nothing") }
        return try Self.result(loadgen: data)
    }

    /// Closed loop over the HTTP door, with wrk; tokens are those of the answers' `usage`.
    func http(
        _ address: String, model: String, streams: Int, promptTokens: Int, maximumTokens: Int, seconds: Double
    ) throws(BenchError) -> LoadResult {
        let script = folder.path + "/completions.lua"
        let text = Self.script(
            HTTPProbe.body(model: model, promptTokens: promptTokens, maximumTokens: maximumTokens))
        guard FileManager.default.createFile(atPath: script, contents: Data(text.utf8)) else {
            throw .process("cannot write \(script)")
        }
        let output = try run(
            wrk,
            [
                "-t", String(min(2, streams)), "-c", String(streams), "-d", "\(max(1, Int(seconds)))s", "--timeout",
                "60s", "-s", script, "http://\(address)/v1/completions",
            ])
        guard let result = Self.result(wrk: output) else { throw .process("wrk says: \(output)") }
        return result
    }

    private func run(_ program: String, _ arguments: [String]) throws(BenchError) -> String {
        let child = try ChildProcess(peer: ["keep", program] + arguments)
        let output = child.output()
        guard child.status == 0 else { throw .process("\(program) ended with \(child.status): \(output)") }
        return output
    }

    /// Reads the figures that `loadgen` has under vLLM's names.
    static func result(loadgen data: Data) throws(BenchError) -> LoadResult {
        struct Figures: Decodable {
            var tokens: Double
            var rate: Double
            var failed: Int

            private enum CodingKeys: String, CodingKey {
                case tokens = "total_output_tokens"
                case rate = "output_throughput"
                case failed
            }
        }
        do {
            let figures = try JSONDecoder().decode(Figures.self, from: data)
            return LoadResult(
                tokens: figures.tokens, tokensPerSecond: figures.rate, failures: figures.failed)
        } catch {
            throw .process("loadgen's figures: \(error)")
        }
    }

    /// Reads the line that the script prints: tokens, bad answers, socket errors, microseconds.
    static func result(wrk output: String) -> LoadResult? {
        for line in output.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 5, words[0] == "hopbench" else { continue }
            let numbers = words.dropFirst().compactMap { Double($0) }
            guard numbers.count == 4, numbers[3] > 0 else { return nil }
            return LoadResult(
                tokens: numbers[0], tokensPerSecond: numbers[0] / numbers[3] * 1e6,
                failures: Int(numbers[1] + numbers[2]))
        }
        return nil
    }

    /// For wrk: posts the body and adds up the answers' usage, which stands in the last event.
    static func script(_ body: String) -> String {
        """
        wrk.method = "POST"
        wrk.headers["Content-Type"] = "application/json"
        wrk.body = [[\(body)]]
        tokens, bad = 0, 0
        local threads = {}
        function setup(thread) table.insert(threads, thread) end
        function response(status, headers, body)
          local found = string.match(string.sub(body, -512), '"completion_tokens":(%d+)')
          if status == 200 and found then tokens = tokens + tonumber(found) else bad = bad + 1 end
        end
        function done(summary, latency, requests)
          local all, failed = 0, 0
          for _, thread in ipairs(threads) do
            all = all + thread:get("tokens")
            failed = failed + thread:get("bad")
          end
          local errors = summary.errors
          io.write(string.format("hopbench %d %d %d %d\\n", all, failed,
            errors.connect + errors.read + errors.write + errors.timeout, summary.duration))
        end

        """
    }
}
