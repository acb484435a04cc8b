public import Wire

extension StationRole {
    /// The name of the role's keys in a site's folders.
    public var keyName: String {
        switch self {
        case .client: "client"
        case .ingest: "ingest"
        case .tokenizer: "tokenizer"
        case .inferenceWorker: "inference-worker"
        case .accounting: "accounting"
        }
    }
}
