public import Foundation

/// Prices by model. The model `*` stands for every model that is not named.
///
/// The file is JSON:
/// ```json
/// { "currency": "USD", "as_of": "2026-11-24",
///   "models": { "*": { "input": 100, "cached_input": 25, "output": 400 } } }
/// ```
/// with integer nano-dollars per token (100 is $0.10 per million tokens).
public struct PriceList: Hashable, Sendable {
    /// ISO 4217 code of the currency that the nano-units belong to.
    public let currency: String
    /// The day from which the prices hold, as the file states it.
    public let asOf: String
    public let models: [String: ModelPrice]
    private let fallback: ModelPrice

    /// Throws when a price is negative or above `ModelPrice.maximum`, or when `*` is missing.
    public init(currency: String, asOf: String, models: [String: ModelPrice]) throws(PriceListError) {
        for (model, price) in models.sorted(by: { $0.key < $1.key }) {
            for (field, value) in [
                ("input", price.input), ("cached_input", price.cachedInput), ("output", price.output),
            ] where value < 0 || value > ModelPrice.maximum {
                throw .priceOutOfRange(model: model, field: field, value: value)
            }
        }
        guard let fallback = models["*"] else { throw .noDefault }
        self.init(currency: currency, asOf: asOf, models: models, fallback: fallback)
    }

    private init(currency: String, asOf: String, models: [String: ModelPrice], fallback: ModelPrice) {
        self.currency = currency
        self.asOf = asOf
        self.models = models
        self.fallback = fallback
    }

    /// The price of `model`, or of `*`.
    public func price(of model: String) -> ModelPrice { models[model] ?? fallback }

    /// Illustrative prices, about those of small open models; a site brings its own file.
    public static let illustrative: PriceList = {
        let small = ModelPrice(input: 100, cachedInput: 25, output: 400)
        return PriceList(currency: "USD", asOf: "2026-01-01", models: ["*": small], fallback: small)
    }()
}

extension PriceList {
    private struct File: Codable {
        var currency: String
        var asOf: String
        var models: [String: ModelPrice]

        enum CodingKeys: String, CodingKey {
            case currency
            case asOf = "as_of"
            case models
        }
    }

    /// Reads the file's form.
    public init(json: Data) throws(PriceListError) {
        let file: File
        do {
            file = try JSONDecoder().decode(File.self, from: json)
        } catch {
            throw .malformed(String(describing: error))
        }
        try self.init(currency: file.currency, asOf: file.asOf, models: file.models)
    }

    /// Reads the file at `path`.
    public init(contentsOf path: String) throws(PriceListError) {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw .unreadable(path: path, reason: error.localizedDescription)
        }
        try self.init(json: data)
    }

    /// The file's form with sorted keys: equal lists have equal bytes.
    public func json() throws(PriceListError) -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return try encoder.encode(File(currency: currency, asOf: asOf, models: models))
        } catch {
            throw .malformed(String(describing: error))
        }
    }
}

/// Why a price list is refused.
public enum PriceListError: Error, Equatable, Sendable, CustomStringConvertible {
    case unreadable(path: String, reason: String)
    case malformed(String)
    case noDefault
    case priceOutOfRange(model: String, field: String, value: Int64)

    public var description: String {
        switch self {
        case .unreadable(let path, let reason): "cannot read the price list \(path): \(reason)"
        case .malformed(let reason): "the price list is not as documented: \(reason)"
        case .noDefault: "the price list names no price for the model \"*\", which stands for all others"
        case .priceOutOfRange(let model, let field, let value):
            "the price list's \(field) of \"\(model)\" is \(value); it must be 0…\(ModelPrice.maximum) nano-dollars"
        }
    }
}
