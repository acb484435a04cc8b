import Foundation
import Llama

private let model = try? LlamaModel(
    path: ProcessInfo.processInfo.environment["TOKENFACTORY_MODEL"] ?? "", vocabularyOnly: true, gpuLayers: 0)
private let template = model.flatMap { model in
    model.chatTemplateSource.flatMap { try? ChatTemplate(source: $0, vocabulary: model.vocabulary) }
}

/// Messages of a client, set into the model's own template and encoded: zero bytes separate roles and contents.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let model, let template else { fatalError("TOKENFACTORY_MODEL names no model with a chat template") }
    let bytes = UnsafeBufferPointer(start: start, count: count)
    let texts = bytes.split(separator: 0, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
    var messages: [ChatMessage] = []
    for index in stride(from: 0, to: texts.count - 1, by: 2) {
        messages.append(ChatMessage(role: texts[index], content: texts[index + 1]))
    }
    var tokens: [UInt32] = []
    if let segments = try? template.render(messages, now: 0) { try? model.vocabulary.encode(segments, into: &tokens) }
    return 0
}
