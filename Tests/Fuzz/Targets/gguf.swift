import Foundation

@testable import Llama

private let path = "/dev/shm/tokenfactory-fuzz-\(getpid()).gguf"

/// The head of a model file: the keys that tokenizer and worker read.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard FileManager.default.createFile(atPath: path, contents: Data(UnsafeBufferPointer(start: start, count: count))),
        let metadata = try? GGUFMetadata(path: path)
    else { return 0 }
    for key in ["tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.tokens", "general.architecture"] {
        _ = metadata.string(key)
        _ = metadata.unsigned(key)
        _ = metadata.boolean(key)
        _ = metadata.strings(key)
        _ = metadata.integers(key)
    }
    return 0
}
